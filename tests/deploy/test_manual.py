"""The man pages have every command, option and key, and roff takes them without a warning."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from hafw.cli.verbs import VERBS, cli

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "deploy/manual.py"


@pytest.fixture(scope="module")
def manual():
    spec = importlib.util.spec_from_file_location("manual", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both pages, written by the program that ``make man`` runs."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, PROGRAM, folder], check=True, timeout=120)
    return folder


def shown(page: Path) -> str:
    """As a reader sees it, in a very wide terminal, without bold."""
    command = ["groff", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-rLL=4000n", "-ww", "-Kutf8", page]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "", "a warning of groff"
    return done.stdout.replace("\N{HYPHEN}", "-").replace("\N{MINUS SIGN}", "-")


@pytest.mark.peer("groff-base")
def test_every_command_and_every_option_of_it_is_on_its_page(folder):
    text = shown(folder / "hafw.1")
    root = click.Context(cli, info_name="hafw")
    missing = []
    for name in VERBS:
        command = cli.get_command(root, name)
        section = re.split(r"\n(?:   )?\S", text.partition(f"\n   hafw {name} ")[2])[0]
        missing += [
            f"hafw {name} {option.opts[0]}"
            for option in command.params
            if isinstance(option, click.Option)
            and option.opts[0] not in section
            and not isinstance(command, click.Group)
        ]
        if f"hafw {name}" not in text:
            missing.append(f"hafw {name}")
    assert missing == []


@pytest.mark.peer("groff-base")
def test_every_table_and_every_key_has_its_meaning(folder, manual):
    text = shown(folder / "hafw.toml.5")
    from hafw.config.plugins import PACKAGES  # noqa: PLC0415
    from hafw.config.schema import schema  # noqa: PLC0415
    from hafw.daemon.plugins.visiting import schemas  # noqa: PLC0415

    whole = schema(schemas(sorted(PACKAGES)))["properties"]
    for title, table in manual.tables(whole):
        section = re.split(r"\n\S", text.partition(f"\n{title}\n")[2])[0] + "\n"
        found = dict(re.findall(r"^       (\w+) \(.*\)\n +(\S.*)$", section, re.MULTILINE))
        assert found.keys() == table["properties"].keys(), title


@pytest.mark.peer("groff-base")
def test_the_example_of_the_page_is_a_configuration(manual):
    assert tomllib.loads(manual.EXAMPLE)["instance"]["VI_1"]["vrid"] == 51


@pytest.mark.peer("mandoc")
def test_mandoc_has_nothing_to_say_either(folder):
    pages = [folder / "hafw.1", folder / "hafw.toml.5"]
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *pages], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_line_that_begins_with_a_dot_or_a_quote_is_text(manual):
    assert manual.escape(".SH evil\n'\\n") == "\\&.SH evil\n\\&'\\en"


def test_the_day_is_that_of_the_source_where_a_build_says_so(manual, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert next(manual.head("hafw", 1, "")).startswith('.TH HAFW 1 "1970-01-02" "hafw ')
