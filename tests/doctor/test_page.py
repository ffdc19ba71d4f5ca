"""docs/doctor.md has every finding, with the severity that the code gives it, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from hafw.doctor.finding import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_has_every_finding_and_its_severity():
    text = (ROOT / "docs/doctor.md").read_text("utf-8")
    told = dict(re.findall(r"^### `([\w-]+)`\n\n(Error|Warning)\b", text, re.MULTILINE))
    assert {word: severity.lower() for word, severity in told.items()} == CATALOGUE


def test_every_finding_of_the_catalogue_is_made_somewhere():
    made = set()
    for path in (ROOT / "hafw/doctor").glob("*.py"):
        if path.name != "finding.py":
            made |= {word for word in CATALOGUE if f'"{word}"' in path.read_text("utf-8")}
    assert made == set(CATALOGUE)
