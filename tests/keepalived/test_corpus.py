"""Configurations as they are out there, each with the config.toml and the report that it becomes.

``HAFW_UPDATE_CORPUS=1 pytest tests/keepalived/test_corpus.py`` writes them anew; the diff is the review. A folder holds
the files of several routers. What scripts and includes name lies in ``corpus/files``.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest
from shelf import objections

from hafw.keepalived.importing import Source, convert
from hafw.keepalived.words import WORDS

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted([*CORPUS.glob("*.conf"), *(path for path in CORPUS.iterdir() if path.is_dir() and path.name != "files")])
UPDATE = "HAFW_UPDATE_CORPUS" in os.environ


class Disk:
    """The corpus' own disk."""

    def read(self, path: str) -> str | None:
        file = CORPUS / "files" / path.lstrip("/")
        return file.read_bytes().decode(errors="replace") if file.is_file() else None

    def glob(self, pattern: str) -> list[str]:
        root = CORPUS / "files"
        return [f"/{path.relative_to(root)}" for path in sorted(root.glob(pattern.lstrip("/"))) if path.is_file()]


def sources(case: Path) -> list[Source]:
    files = sorted(case.glob("*.conf")) if case.is_dir() else [case]
    return [Source(path.name, path.read_bytes().decode(errors="replace")) for path in files]


def expected(path: Path, text: str) -> str:
    if UPDATE:
        path.write_text(text, "utf-8")
    return path.read_text("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_configuration_becomes_what_lies_beside_it(case: Path):
    imported = convert(sources(case), Disk())
    report = [*(note.render() for note in imported.report.lines()), imported.summary, f"exit {imported.exit_code}"]
    assert imported.text == expected(case.with_suffix(".toml"), imported.text)
    assert "\n".join(report) + "\n" == expected(case.with_suffix(".report"), "\n".join(report) + "\n")
    tomllib.loads(imported.text)
    if imported.usable:
        assert objections(imported.text, imported.nodes) == []
    places = [(note.place.file, note.place.line) for note in imported.report.lines()]
    assert len(places) == len(set(places))


def instances(count: int) -> str:
    """Some 20 lines each."""
    return "\n".join(
        f"vrrp_script c{n} {{\n script /c\n interval 2\n}}\nvrrp_instance V{n} {{\n interface e{n // 250}\n"
        f" virtual_router_id {n % 250 + 1}\n priority 90\n state BACKUP\n authentication {{\n  auth_type PASS\n"
        f"  auth_pass x\n }}\n track_script {{\n  c{n}\n }}\n virtual_ipaddress {{\n"
        f"  10.0.{n // 250}.{n % 250 + 1}\n }}\n}}"
        for n in range(count)
    )


def calls(text: str) -> int:
    """How many functions an import calls."""
    found = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal found
        found += event == "call"

    sys.setprofile(count)
    try:
        convert([Source("k.conf", text)], Disk())
    finally:
        sys.setprofile(None)
    return found


def test_twice_the_lines_take_twice_the_work_and_not_more():
    """10,000 lines take 1.5 s of a processor; it is counted here, since a clock says more of the machine."""
    convert([Source("k.conf", instances(2))], Disk())
    small, large = calls(instances(40)), calls(instances(80))
    assert large < 2.2 * small
    assert large < 300 * instances(80).count("\n")


def test_there_are_sixty_of_them():
    assert len(CASES) >= 60


def test_nothing_lies_beside_them_that_belongs_to_none():
    stems = {case.stem for case in CASES}
    assert {path.stem for path in CORPUS.iterdir() if path.name != "files"} == stems


@pytest.mark.parametrize("block", WORDS)
def test_every_keyword_of_keepalived_stands_somewhere(block: str):
    text = "\n".join(path.read_bytes().decode(errors="replace") for path in CORPUS.rglob("*.conf"))
    used = set(re.findall(r"[\w-]+", re.sub(r"(?m)[#!].*$", "", text)))
    assert set(WORDS[block]) - used == set()
