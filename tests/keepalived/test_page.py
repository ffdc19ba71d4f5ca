"""docs/from-keepalived.md lists every keyword as the importer's own table has it, in both languages.

``HAFW_UPDATE_CORPUS=1 pytest tests/keepalived/test_page.py`` writes the tables anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from chinese import CHINESE, FATES

from hafw.keepalived.report import KINDS
from hafw.keepalived.words import WORDS, Word

ROOT = Path(__file__).parents[2]
UPDATE = "HAFW_UPDATE_CORPUS" in os.environ
TABLES = re.compile(r"(?<=<!-- keywords -->\n).*(?=<!-- end of keywords -->)", re.DOTALL)
TITLES = {"en": ("The top of the file", "keyword", "hafw"), "zh": ("文件顶层", "关键字", "hafw")}
PAGES = {"en": ROOT / "docs/from-keepalived.md", "zh": ROOT / "docs/from-keepalived.zh-CN.md"}


def said(word: Word, language: str) -> str:
    text = word.text.replace("|", "\\|")
    if language == "zh":
        text = CHINESE.get(text, text)
    if word.fate == "kept":
        return text
    return f"*{FATES[word.fate] if language == 'zh' else word.fate}*: {text}"


def tables(language: str) -> str:
    top, *columns = TITLES[language]
    parts = []
    for block, words in WORDS.items():
        rows = [f"| `{word.keyword}` | {said(word, language)} |" for word in words.values()]
        title = f"`{block}`" if block else top
        parts.append("\n".join([f"### {title}\n", f"| {columns[0]} | {columns[1]} |", "|---|---|", *rows]))
    return "\n" + "\n\n".join(parts) + "\n\n"


@pytest.mark.parametrize("language", PAGES)
def test_the_page_lists_every_keyword_as_the_importer_has_it(language: str):
    page = PAGES[language].read_text("utf-8")
    if UPDATE:
        page = TABLES.sub(lambda _: tables(language), page)
        PAGES[language].write_text(page, "utf-8")
    assert TABLES.findall(page) == [tables(language)]


def test_every_reason_is_said_in_chinese_too():
    texts = {
        word.text for words in WORDS.values() for word in words.values() if re.search(r"[a-z]{3}", _bare(word.text))
    }
    assert texts - set(CHINESE) == set()


def test_no_chinese_reason_stands_for_nothing():
    assert set(CHINESE) - {word.text for words in WORDS.values() for word in words.values()} == set()


def _bare(text: str) -> str:
    """Without what stands in code quotes, which is the same in every language."""
    return re.sub(r"`[^`]*`", "", text)


@pytest.mark.parametrize("language", PAGES)
def test_the_page_explains_every_word_of_the_report(language: str):
    assert [kind for kind in KINDS if f"| `{kind}` |" not in PAGES[language].read_text("utf-8")] == []


def test_both_pages_have_the_same_headings():
    marks = [re.findall(r"^#+ ", path.read_text("utf-8"), re.MULTILINE) for path in PAGES.values()]
    assert marks[0] == marks[1]
