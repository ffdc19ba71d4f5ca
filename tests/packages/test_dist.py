"""Distributions that are the same whoever builds them, install by one command, run, and leave nothing behind.

The last test removes what the first one has installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tarfile
from email import message_from_string
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
from distributions import ROOT, Environment, build, run, tracked

import hafw
from hafw.config.plugins import PACKAGES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

NAMES = ["hafw", *sorted({f"hafw-plugin-{each}" for each in PACKAGES.values()})]
VERSION = hafw.__version__


def sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_there_is_a_wheel_and_a_source_distribution_of_each(dist: Path):
    files = [f"{name.replace('-', '_')}-{VERSION}{end}" for name in NAMES for end in ("-py3-none-any.whl", ".tar.gz")]
    assert sorted(sums(dist)) == sorted(files)


def test_another_folder_umask_time_zone_and_day_give_the_same_octets(dist: Path, tmp_path: Path):
    before = os.umask(0o077)
    try:
        tree = tracked(tmp_path / "another place")
        for path in tree.rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000))
        again = build(tree, tmp_path / "build", TZ="Asia/Tokyo", LANG="C", HOME=str(tmp_path))
    finally:
        os.umask(before)
    assert sums(again) == sums(dist)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_distribution_builds_the_same_wheel_and_has_the_licence(name: str, dist: Path, tmp_path: Path):
    stem = f"{name.replace('-', '_')}-{VERSION}"
    with tarfile.open(dist / f"{stem}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / stem
    assert (unpacked / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=unpacked)
    wheel = f"{stem}-py3-none-any.whl"
    assert (tmp_path / wheel).read_bytes() == (dist / wheel).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_has_code_types_and_licence_and_asks_for_its_own_hafw(name: str, dist: Path):
    with ZipFile(dist / f"{name.replace('-', '_')}-{VERSION}-py3-none-any.whl") as wheel:
        files = wheel.namelist()
        (metadata,) = [wheel.read(each).decode() for each in files if each.endswith(".dist-info/METADATA")]
    said = message_from_string(metadata)
    assert (said["Name"], said["Version"], said["License-Expression"]) == (name, VERSION, "MIT")
    assert said["Requires-Python"] == ">=3.11"
    assert {"LICENSE", "py.typed"} <= {each.rpartition("/")[2] for each in files}
    assert [each for each in files if re.search(r"(^|/)tests?/|\.pyc$|\.toml$", each)] == []
    if name != "hafw":
        assert f"hafw=={VERSION}" in said.get_all("Requires-Dist")


def test_one_command_installs_it_and_it_runs(installed: Environment):
    assert installed.hafw("--version") == f"hafw, version {VERSION}\n"
    said = installed.hafw("check", "--no-system", "--node", "lb1", ROOT / "examples/classic/config.toml")
    assert re.search(r"^ok: \d+ instances?, node lb1$", said, re.MULTILINE), said
    schema = installed.hafw("schema")
    assert all(f'"{name}"' in schema for name in PACKAGES)


def test_every_installed_file_is_known_to_pip(installed: Environment):
    installed.pip("check")
    owned = installed.pip("show", "--files", *NAMES)
    assert "Location" in owned
    listed = set(re.findall(r"^  (\S+)$", owned, re.MULTILINE))
    (site,) = installed.folder.glob("lib/python*/site-packages")
    own = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert {name for name in own if name.startswith("hafw")} <= listed


def test_removed_it_leaves_nothing(installed: Environment):
    """All that came with it goes too, so that the environment can be compared with what it was."""
    installed.hafw("plugins", "new", "--help")
    assert list(installed.folder.rglob("hafw*"))
    names = installed.pip("freeze").splitlines()
    installed.pip("uninstall", "--yes", *(line.split("==")[0].split(" @ ")[0] for line in names))
    assert list(installed.folder.rglob("*hafw*")) == []
    assert installed.files() == installed.before
