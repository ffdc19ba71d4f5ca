"""Every configuration, command and link of every page. ``HAFW_UPDATE_DOCS=1`` writes what commands print anew."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import configurations
import consoles
import pages
import pytest
from pages import ROOT, Block

if TYPE_CHECKING:
    from pathlib import Path

UPDATE = "HAFW_UPDATE_DOCS" in os.environ
TEMPLATES = {ROOT / "bench/performance.md"}
"""A page is made of it, in another folder; that page is looked at."""
PAGES = [page for page in pages.markdown() if page not in TEMPLATES]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_page_marks(page: Path) -> list[Block]:
    whole = {kind: words for kind, words in pages.page_marks(page).items() if kind in {"run", "lab", "width"}}
    return [Block(each.page, each.line, each.language, each.text, whole | each.marks) for each in pages.blocks_of(page)]


@pytest.mark.parametrize("page", [each for each in PAGES if "```toml" in each.read_text("utf-8")], ids=named)
def test_every_configuration_of_a_page_is_a_good_one(page: Path, tmp_path: Path):
    blocks = pages.blocks_of(page)
    found = [
        f"{each.place}: {wrong}"
        for each in blocks
        if each.language == "toml"
        for wrong in configurations.complaints(each, tmp_path, blocks)
    ]
    assert found == []


@pytest.mark.parametrize(
    "page", [each for each in PAGES if any(map(consoles.is_console, pages.blocks_of(each)))], ids=named
)
def test_every_command_of_a_page_is_one_and_prints_what_is_shown(page: Path, tmp_path: Path):
    blocks = with_page_marks(page)
    saved = [each for each in blocks if not each.marks.get("save", "/").startswith("/")]
    shells = [each for each in blocks if consoles.is_console(each)]
    if UPDATE:
        text = page.read_text("utf-8")
        for each in shells:
            save(saved, each, tmp_path)
            text = consoles.rewritten(each, tmp_path, text)
        page.write_text(text, "utf-8")
        shells = [each for each in with_page_marks(page) if consoles.is_console(each)]
    found = []
    for each in shells:
        save(saved, each, tmp_path)
        found += [f"{each.place}: {wrong}" for wrong in consoles.complaints(each, tmp_path)]
    assert found == []


def save(saved: list[Block], shell: Block, folder: Path) -> None:
    """The files that a page shows, as a reader has them who has come this far; one that comes later is there too."""
    for block in [*reversed(saved), *(each for each in saved if each.line < shell.line)]:
        (folder / block.marks["save"]).write_text(block.text, "utf-8")


@pytest.mark.parametrize("page", [each for each in PAGES if "docs: cut" in each.read_text("utf-8")], ids=named)
def test_what_is_cut_from_a_test_is_as_it_is_there(page: Path):
    if UPDATE:
        page.write_text(pages.with_cuts(page), "utf-8")
    wrong = [each.place for each in pages.blocks_of(page) if "cut" in each.marks and each.text != pages.cut(each)]
    assert wrong == [], "make reference"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_in_the_text_exist_and_links_lead_somewhere(page: Path):
    text = page.read_text("utf-8")
    assert pages.broken_links(page) + consoles.inline_mistakes(pages.prose(text)) == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_marks_are_where_they_count_and_name_what_there_is(page: Path):
    """A mark that stands in the wrong place would be read by nobody."""
    blocks = pages.blocks_of(page)
    on_blocks = sum(len(each.marks) for each in blocks)
    on_page = pages.page_marks(page)
    unfenced = re.sub(r"`[^`\n]*`", "", page.read_text("utf-8"))
    marks = re.findall(r"<!-- docs: ", unfenced)
    assert len(marks) <= on_blocks + len(on_page)
    for kinds in (on_page, *(each.marks for each in blocks)):
        if "run" in kinds:
            assert (ROOT / kinds["run"].removeprefix("by ")).is_file(), kinds["run"]


def test_there_are_pages():
    assert len(PAGES) > 20
    assert sum(map(consoles.is_console, pages.blocks("console"))) > 20


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_table_of_the_status_has_the_columns_of_today(page: Path):
    """Also where it is only a picture: in a README nobody compares the rows."""
    source = (ROOT / "hafw/cli/standing.py").read_text("utf-8")
    (listed,) = re.findall(r'\[\["INSTANCE".*\]\]', source)
    columns = re.findall(r'"([A-Z]+)"', listed)
    heads = [
        line.partition("...")[0].split() for line in page.read_text("utf-8").splitlines() if "INSTANCE  VRID" in line
    ]
    assert [each for each in heads if each != columns[: len(each)]] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_output_in_a_block_of_its_own_says_that_it_is_an_example(page: Path):
    text = page.read_text("utf-8")
    pairs = re.findall(r"^```console\n[^`]*^```\n\n(?=```\n)(```\n.*\n)", text, re.MULTILINE)
    assert pairs == [], "put it below its command, or above it `<!-- docs: shown WHY -->`"
