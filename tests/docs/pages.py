"""Markdown as the tests of the documentation need it: fenced blocks with their marks, headings, anchors, links.

A mark is an HTML comment, which no reader sees, on the line above a block: ``<!-- docs: KIND WORDS -->``. What each
kind does is said in docs/testing.md.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_MARK: Final = re.compile(r"<!-- docs: (\w+) ?(.*?)\s*-->", re.DOTALL)
_FENCE: Final = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_MARKS_BEFORE: Final = re.compile(r"(?:<!-- docs: (?:(?!-->).)*-->\s*)+\Z", re.DOTALL)
_LINK: Final = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)(?: \"[^\"]*\")?\)")
_HTML: Final = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")
_OWN_ANCHOR: Final = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
_HEADING: Final = re.compile(r"^(#+) +(.+?)\s*$", re.MULTILINE)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Of its fence, from 1."""
    language: str
    text: str
    marks: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}" if self.page.is_relative_to(ROOT) else f"page:{self.line}"


class MarkError(ValueError):
    """A mark that means nothing: it would switch a test off without a word."""


KINDS: Final = {"with", "other", "refused", "node", "save", "shown", "run", "lab", "width", "cut"}


@cache
def markdown() -> tuple[Path, ...]:
    """Every page that is ours."""
    found = [path for path in ROOT.rglob("*.md") if not _hidden(path)]
    return tuple(sorted(found))


def _hidden(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part.startswith(".") or part in {"node_modules", "build", "dist"} for part in parts)


def marks_of(text: str, place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, words in _MARK.findall(text):
        if kind not in KINDS:
            raise MarkError(f"{place}: docs: {kind}: no such mark: there is {', '.join(sorted(KINDS))}")
        found[kind] = words
    return found


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """Every fenced block of a page, with the marks right above it."""
    text = page.read_text("utf-8") if text is None else text
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        before = _MARKS_BEFORE.search(text[: match.start()])
        marks = marks_of(before[0], f"{page.name}:{line}") if before else {}
        indent = match[1]
        body = "".join(each.removeprefix(indent) for each in match[4].splitlines(keepends=True))
        found.append(Block(page, line, match[3].strip(), body, marks))
    return found


@cache
def blocks(*languages: str) -> tuple[Block, ...]:
    """Those of all pages in these languages."""
    return tuple(each for page in markdown() for each in blocks_of(page) if each.language in languages)


def page_marks(page: Path) -> dict[str, str]:
    """Those of a whole page: above its first heading or right below it."""
    head = re.split(r"^## ", page.read_text("utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
    head = _FENCE.split(head)[0]
    return marks_of(head, page.name)


def cut(block: Block, root: Path = ROOT) -> str:
    """What ``<!-- docs: cut FILE NAME -->`` stands for: the text that the file gives this name, without running it."""
    file, _, name = block.marks["cut"].partition(" ")
    for node in ast.parse((root / file).read_text("utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Constant(value=str(text))) if found == name:
                return text
    raise MarkError(f"{block.place}: docs: cut: {file} has no text that is called {name}")


def with_cuts(page: Path, root: Path = ROOT) -> str:
    """The page with every block that is cut from a test as it is there now."""
    text = page.read_text("utf-8")
    for block in [each for each in blocks_of(page, text) if "cut" in each.marks]:
        mark = re.search(rf"<!-- docs: cut {re.escape(block.marks['cut'])}\s*-->", text)
        assert mark, block.place
        before, after = text[: mark.end()], text[mark.end() :]
        fence = f"```{block.language}\n"
        text = before + after.replace(f"{fence}{block.text}```", f"{fence}{cut(block, root)}```", 1)
    return text


# -- headings and links -----------------------------------------------------------------------------------------


def prose(text: str) -> str:
    """The page without its blocks and comments; lines stay where they are."""

    def emptied(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    return _COMMENT.sub(emptied, _FENCE.sub(emptied, text))


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"[`*]", "", plain).strip().lower()
    return "".join("-" if each == " " else each for each in plain if each.isalnum() or each in "-_ ")


def anchors(text: str) -> set[str]:
    """Every anchor of a page; a heading that comes again gets a number, as on GitHub."""
    seen: dict[str, int] = {}
    found = set(_OWN_ANCHOR.findall(text))
    for _, heading in _HEADING.findall(prose(text)):
        name = slug(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.add(f"{name}-{count}" if count else name)
    return found


def headings(text: str) -> list[tuple[int, str]]:
    return [(len(marks), words) for marks, words in _HEADING.findall(prose(text))]


def links(text: str) -> list[tuple[int, str]]:
    """Every target in the page's prose, with its line."""
    shown = re.sub(r"`[^`\n]*`", lambda match: " " * len(match[0]), prose(text))
    # A link's words may be code: put back what the line above took, but only there.
    whole = prose(text)
    found = [(match.start(1), match[1]) for match in _LINK.finditer(whole) if shown[match.start(1)] != " "]
    found += [(match.start(1), match[1]) for match in _HTML.finditer(whole)]
    return [(text.count("\n", 0, at) + 1, target) for at, target in sorted(found)]


def broken_links(page: Path, text: str | None = None) -> list[str]:
    """What leads nowhere: no such file, or no such heading in it."""
    text = page.read_text("utf-8") if text is None else text
    wrong = []
    for line, target in links(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.is_relative_to(ROOT) and page.is_relative_to(ROOT):
            wrong.append(f"{page.name}:{line}: {target}: outside of this tree")
        elif path and not there.exists():
            wrong.append(f"{page.name}:{line}: {target}: no such file")
        elif anchor and anchor not in anchors(text if there == page else there.read_text("utf-8")):
            wrong.append(f"{page.name}:{line}: {target}: no such heading there")
    return wrong
