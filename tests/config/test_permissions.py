"""Who could change what hafw runs or obeys. As root: the tests give files away to see that it is noticed."""

from __future__ import annotations

import grp
import os
from typing import TYPE_CHECKING

import pytest

from hafw.config.permissions import check_script, check_trusted, is_security_message

if TYPE_CHECKING:
    from pathlib import Path

STAFF = 50
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "hooks" / "notify.sh"
    file.parent.mkdir(mode=0o755)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_script_that_only_its_owner_can_change_may_run(script: Path):
    assert check_script(str(script), os.geteuid() == 0) == []


@needs_root
def test_folder_writable_by_a_group_is_named_with_the_command_that_helps(script: Path):
    os.chown(script.parent, 0, STAFF)
    script.parent.chmod(0o2775)
    group = next((each.gr_name for each in grp.getgrall() if each.gr_gid == STAFF), str(STAFF))
    assert check_script(str(script), True) == [
        (
            f"{script} would run as root, but {script.parent} is writable by group {group} (mode 2775): "
            f"chmod g-w {script.parent}"
        )
    ]
    (line,) = check_script(str(script), False)
    assert line == f"{script.parent} is writable by group {group} (mode 2775): chmod g-w {script.parent}"
    assert is_security_message(line)


@needs_root
def test_group_of_root_itself_is_trusted(script: Path):
    script.chmod(0o775)
    assert check_script(str(script), True) == []


@pytest.mark.parametrize("mode", [0o757, 0o777])
def test_script_writable_by_everybody_is_refused_whoever_runs_it(script: Path, mode: int):
    script.chmod(mode)
    assert check_script(str(script), False) == [
        f"{script} is writable by everybody (mode {mode:04o}): chmod o-w {script}"
    ]


def test_sticky_folder_such_as_tmp_is_no_offence(script: Path):
    script.parent.chmod(0o1777)
    assert check_script(str(script), os.geteuid() == 0) == []


@needs_root
def test_owner_other_than_root_is_refused_for_root_only(script: Path):
    os.chown(script, NOBODY, NOBODY)
    (line,) = check_script(str(script), True)
    assert line == (
        f"{script} would run as root, but {script} belongs to nobody: chown root {script}, "
        'or set user to one that is not root, such as "nobody"'
    )
    assert is_security_message(line)
    assert check_script(str(script), False) == []


@needs_root
def test_symbolic_link_is_followed_and_its_target_checked(script: Path, tmp_path: Path):
    link = tmp_path / "link.sh"
    link.symlink_to("hooks/../hooks/notify.sh")
    assert check_script(str(link), True) == []
    script.parent.chmod(0o777)
    assert [f"but {script.parent} is writable by everybody" in line for line in check_script(str(link), True)] == [True]


@needs_root
def test_link_that_belongs_to_another_is_refused(script: Path, tmp_path: Path):
    link = tmp_path / "link.sh"
    link.symlink_to(script)
    os.lchown(link, NOBODY, NOBODY)
    (line,) = check_script(str(link), True)
    assert f"but {link} belongs to nobody: chown -h root {link}" in line


def test_script_that_cannot_run_is_named(script: Path, tmp_path: Path):
    script.chmod(0o644)
    cases = {
        str(script): f"{script} is not executable: chmod +x {script}",
        str(tmp_path / "none"): f"{tmp_path}/none does not exist: correct the path, or put it there",
        str(tmp_path): f"{tmp_path} is a folder",
        "/dev/null": "/dev/null is no regular file",
        "notify.sh": "notify.sh must be an absolute path",
        f"{script}/x": f"{script}/x: not a directory",
        "/a\0b": "/a\0b: a path has no NUL in it",
    }
    assert {path: check_script(path, False) for path in cases} == {path: [line] for path, line in cases.items()}
    assert not any(map(is_security_message, cases.values()))


def test_file_that_is_only_read_need_not_be_executable(script: Path):
    script.chmod(0o644)
    assert check_trusted(str(script), os.geteuid() == 0) == []
