"""``requirements.toml`` and the claims of the tests, as docs/conformance.md."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.claims import ROOT, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REQUIREMENTS = Path(__file__).with_name("requirements.toml")
PAGE = ROOT / "docs/conformance.md"
LEVELS = (
    *("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "recommended"),
    *("de facto", "own", "property", "note"),
)

HEAD = """\
# Conformance

What VRRP asks of a router, and the tests that show that hafw does it: RFC 9568 (VRRP version 3) with its errata, RFC
3768 (version 2), the password of RFC 2338, and what deployed routers do without its being written anywhere. RFC 9568
says Active and Backup where hafw says MASTER and BACKUP. What an operator orders, a handover or maintenance, is outside
of the RFC and no deviation from it.

`make conformance` writes this page from [requirements.toml](../conformance/requirements.toml) and the tests, and a test
fails when it is out of date: do not edit it. How a test claims a requirement stands in
[conformance/\\_\\_init\\_\\_.py](../conformance/__init__.py).

| | requirements | what it means |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row."""

    id: str
    level: str
    says: str
    source: str
    deviates: str = ""
    """Why hafw does something else, and what."""
    absent: str = ""
    """Why there is nothing to test."""


class BadRequirements(Exception):  # noqa: N818 - they are the error
    """``requirements.toml`` makes no sense."""


def load(path: Path = REQUIREMENTS) -> tuple[dict[str, str], list[Requirement]]:
    """Sections by the middle of their ids, and the requirements in order. Raises ``BadRequirements``."""
    document = tomllib.loads(path.read_text("utf-8"))
    sections = document.pop("sections")
    requirements = []
    for name, row in document.items():
        try:
            requirements.append(Requirement(id=name, **row))
        except TypeError as error:
            raise BadRequirements(f"{name}: {error}") from None
        if row["level"] not in LEVELS:
            raise BadRequirements(f"{name}.level = {row['level']!r}: must be one of {', '.join(LEVELS)}")
        if _area(requirements[-1]) not in sections:
            raise BadRequirements(f"{name}: [sections] has no {_area(requirements[-1])}")
    return sections, requirements


def mistakes(requirements: Sequence[Requirement], claimed: Mapping[str, Sequence[Place]]) -> list[str]:
    """What does not fit together, a line each."""
    known = {each.id for each in requirements}
    found = [
        f"{place.path}: {place.name or 'its first comment'} claims {name}, which requirements.toml does not have"
        for name, places in claimed.items()
        for place in places
        if name not in known
    ]
    for each in requirements:
        if each.deviates and each.absent:
            found.append(f"{each.id}: deviates or absent, not both")
        elif each.absent and each.id in claimed:
            tests = ", ".join(place.name or place.path for place in claimed[each.id])
            found.append(f"{each.id}: absent, and yet shown by {tests}: take the reason out of requirements.toml")
        elif not (each.deviates or each.absent) and each.id not in claimed:
            found.append(f"{each.id}: no test shows it: write one, or say in requirements.toml why it is absent")
    return found


def page(sections: Mapping[str, str], requirements: Sequence[Requirement], claimed: Mapping[str, list[Place]]) -> str:
    """The whole text."""
    deviating, absent = (sum(bool(getattr(each, kind)) for each in requirements) for kind in ("deviates", "absent"))
    held = len(requirements) - deviating - absent
    counts = [
        ("shown by tests", held, "it holds; when it did not, these tests would fail"),
        ("**deviates**", deviating, "on purpose, for the reason given; the tests show what hafw does instead"),
        ("**absent**", absent, "not built, the kernel's or the operator's business: the reason says which"),
        ("all", len(requirements), ""),
    ]
    lines = [f"| {kind} | {number} | {meaning} |" for kind, number, meaning in counts]
    for area, rows in groupby(requirements, _area):
        lines += ["", f"## {sections[area]}", "", "| id | level | requirement | shown by |", "|---|---|---|---|"]
        lines += [_row(each, claimed.get(each.id, [])) for each in rows]
    return HEAD + "\n".join(lines) + "\n"


def _area(requirement: Requirement) -> str:
    return requirement.id.split("-")[1]


def _row(requirement: Requirement, places: list[Place]) -> str:
    reasons = [f"**{kind}**: {why}." for kind in ("deviates", "absent") if (why := getattr(requirement, kind))]
    cells = (
        requirement.id,
        requirement.level,
        f"{requirement.says} ({requirement.source})",
        "<br>".join([*reasons, *_shown(places)]),
    )
    return "| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |"


def _shown(places: list[Place]) -> Iterator[str]:
    for path, tests in groupby(places, attrgetter("path")):
        names = ", ".join(f"`{each.name}`" for each in tests if each.name)
        yield f"[{path}](../{path})" + (f": {names}" if names else "")
