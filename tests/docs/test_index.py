"""docs/README.md leads to every page, and each page belongs to one of the four kinds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import consoles
import pages
import pytest
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

INDEX = ROOT / "docs/README.md"
PLUGINS = ROOT / "docs/plugins/README.md"
"""Leads to the pages of the hooks."""
KINDS = ("Tutorial", "How-to", "Reference", "Explanation")


def targets(text: str) -> list[str]:
    return [target.partition("#")[0] for _, target in pages.links(text) if not target.startswith("http")]


def test_every_page_is_in_the_index():
    linked = {
        (index.parent / each).resolve() for index in (INDEX, PLUGINS) for each in targets(index.read_text("utf-8"))
    }
    folders = ("docs", "docs/how-to", "docs/plugins", "docs/plugins/hooks")
    there = {page for folder in folders for page in (ROOT / folder).glob("*.md")} - {
        INDEX,
        INDEX.with_suffix(".zh-CN.md"),
    }
    assert {str(each.relative_to(ROOT)) for each in there - linked} == set()
    plugins = {page.resolve() for page in ROOT.glob("plugins/*/README.md")}
    assert {str(each.relative_to(ROOT)) for each in plugins - linked} == set()


def test_a_page_is_of_one_kind():
    chapters = re.split(r"^## ", INDEX.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert [each.split(":")[0] for each in chapters] == [
        each for each in KINDS if f"\n## {each}:" in INDEX.read_text("utf-8")
    ]
    rows = [
        target for each in chapters for row in re.findall(r"^\| \[.*$", each, re.MULTILINE) for target in targets(row)
    ]
    assert [each for each in set(rows) if rows.count(each) > 1] == []


def test_both_readmes_lead_to_the_index():
    for name in ("README.md", "README.zh-CN.md"):
        assert any(each.startswith("docs/README") for each in targets((ROOT / name).read_text("utf-8"))), name


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.zh-CN.md")), ids=lambda page: page.name)
def test_both_languages_have_the_same_commands(page: Path):
    """What is typed is the same; the headings are, but for the index and the overview of the runbook."""
    english = page.with_name(page.name.replace(".zh-CN", ""))
    typed = [
        [
            (each.host, each.text)
            for block in pages.blocks_of(one)
            if consoles.is_console(block)
            for each in consoles.commands_of(block)
        ]
        for one in (english, page)
    ]
    assert typed[0] == typed[1]
    if page.name.split(".")[0] not in {"README", "runbook"}:
        levels = [[level for level, _ in pages.headings(one.read_text("utf-8"))] for one in (english, page)]
        assert levels[0] == levels[1]
