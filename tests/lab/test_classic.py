import tomllib
from pathlib import Path

import pytest

from hafw.lab import classic

EXAMPLE = Path(__file__).parents[2] / "examples/classic/config.toml"
OWN_FILES = {"plugin.nginx.pid_file", "plugin.notify_script.notify", "plugin.nginx.process"}


def flat(table, prefix=""):
    found = {}
    for key, value in table.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and key not in ("priority", "auth"):
            found |= flat(value, f"{path}.")
        else:
            found[path] = value
    return found


def in_the_lab(**options):
    text = classic.configuration(Path("/lab/lb1"), **{"process": "nginx", "one_user": False, "fast": False} | options)
    return flat(tomllib.loads(text))


@pytest.fixture
def example():
    whole = flat(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")))
    return {key: value for key, value in whole.items() if not key.startswith(("node.", "plugin.notify_email."))}


def differing(one, other):
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def test_the_lab_runs_the_example_but_for_its_own_files(example):
    assert differing(in_the_lab(), example) == OWN_FILES


def test_with_one_user_only_the_user_is_left_out(example):
    assert differing(in_the_lab(one_user=True), example) == OWN_FILES | {"plugin.notify_script.user"}


def test_fast_changes_the_timing_and_what_version_3_has_not(example):
    changed = {"instance.VI_1.version", "instance.VI_1.advertisement_interval", "instance.VI_1.auth"}
    assert differing(in_the_lab(fast=True), example) == OWN_FILES | changed


@pytest.mark.parametrize(("option", "word"), [("one_user", "`user`"), ("fast", "VRRPv3")])
def test_what_differs_is_said(option, word):
    plain = {"process": "nginx", "one_user": False, "fast": False}
    assert not any(word in line for line in classic.differences(**plain))
    assert any(word in line for line in classic.differences(**plain | {option: True}))


def test_a_stand_in_for_nginx_is_said():
    said = classic.differences(process="responder", one_user=False, fast=False)
    assert "nginx is not installed: a small responder of our own serves the pages" in said
