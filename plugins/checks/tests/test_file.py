from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hafw_checks.file import File, Options

from hafw.api import Verdict


def checked(path, **options) -> Verdict:
    plugin = File()
    plugin.configure(Options(path=str(path), **options))
    return plugin.check()


@pytest.mark.parametrize(("text", "number"), [("0", 0), (" 12\n", 12), ("-40\n", -40), ("0007", 7)])
def test_the_number_in_the_file_is_the_factor_and_0_is_healthy(tmp_path, text, number):
    file = tmp_path / "handicap"
    file.write_text(text)
    assert checked(file) == Verdict(number == 0, f"{file} says {number}", factor=number)


@pytest.mark.parametrize("missing", [0, 3])
def test_a_file_that_is_not_there_stands_for_a_number(tmp_path, missing):
    path = tmp_path / "handicap"
    expected = Verdict(missing == 0, f"{path} is not there, which means {missing}", factor=missing)
    assert checked(path, missing=missing) == expected


@pytest.mark.parametrize("text", ["", "yes", "1.5", "- 3", "--3", "1 2", "\u0664", "9" * 65, "9" * 12])
def test_anything_but_a_whole_number_has_failed(tmp_path, text):
    file = tmp_path / "handicap"
    file.write_text(text)
    verdict = checked(file)
    assert (verdict.healthy, verdict.factor) == (False, None)
    assert verdict.detail == f"{file} holds {text[:20] if text.isascii() else text!r}: must be a whole number" or (
        verdict.detail.startswith(f"{file} holds '") and verdict.detail.endswith("must be a whole number")
    )


def test_a_pipe_and_a_folder_are_no_file_and_nobody_waits_for_them(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        assert checked(path) == Verdict(False, f"{path} is no regular file")


def test_a_file_that_may_not_be_read_is_named_with_the_way_out(tmp_path):
    file = tmp_path / "handicap"
    file.write_text("0")
    file.chmod(0)
    program = (
        "import os, sys; from hafw_checks.file import File, Options; os.setuid(65534) if os.geteuid() == 0 else None;"
        f"p = File(); p.configure(Options(path={str(file)!r})); print(p.check().detail)"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != folder.parent:
            folder.chmod(folder.stat().st_mode | 0o011)
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    who = "nobody" if os.geteuid() == 0 else f"uid {os.geteuid()}"
    assert said == f"{file} cannot be read: permission denied: let {who} read it, or set user\n"


@pytest.mark.parametrize(
    ("expect", "there", "healthy"),
    [("absent", True, False), ("absent", False, True), ("present", True, True), ("present", False, False)],
)
def test_its_being_there_decides_whatever_it_holds(tmp_path, expect, there, healthy):
    file = tmp_path / "away"
    if there:
        file.write_text("gone for lunch")
    word = "" if there else "not "
    assert checked(file, expect=expect) == Verdict(healthy, f"{file} is {word}there")


def test_a_change_is_reported_once_and_past_rise_and_fall(tmp_path, watched):
    file = tmp_path / "handicap"
    file.write_text("0")
    report = watched(File(), Options(path=str(file)))
    assert report() == Verdict(True, f"{file} says 0", factor=0)
    file.write_text("-40\n")
    assert report() == Verdict(False, f"{file} says -40", immediate=True, factor=-40)
    file.write_text("-50\n")
    assert report().factor == -50
    file.unlink()
    assert report() == Verdict(True, f"{file} is not there, which means 0", immediate=True, factor=0)


def test_mistakes_are_refused_all_at_once():
    with pytest.raises(ValueError, match="absolute") as caught:
        File().configure(Options(path="handicap", expect="absent", missing=3))
    assert str(caught.value) == (
        'path: = "handicap": must be an absolute path\n'
        'missing: = 3: has a meaning with expect = "zero" only: leave it out'
    )
