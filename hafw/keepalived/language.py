"""keepalived's language: from text to nested statements, as forgiving as its own parser and louder.

Pure: files are read by whoever calls, through ``Files``.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hafw.keepalived.macros import Macros
from hafw.keepalived.report import Place, Report, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.keepalived.report import Kind

_TOKEN = re.compile(
    r""""(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^'\n]*)'(?=[\s{}]|$)|(?P<brace>[{}])"""
    r"""|(?P<bare>(?:\\.|\$\{[^{}\n]*\}|[^\s"{}\\#!]|\\$)+)|(?P<comment>[#!].*)|(?P<stray>")""",
    re.DOTALL,
)
_INCLUDES = ("include", "includer", "includem", "includew", "includeb", "includea")
_DEPTH_MAX = 32
TOP_BLOCKS = frozenset(
    {
        *("global_defs", "vrrp_instance", "vrrp_sync_group", "vrrp_script", "vrrp_track_process", "vrrp_track_file"),
        *("virtual_server", "virtual_server_group", "bfd_instance", "garp_group", "track_group"),
        *("static_ipaddress", "static_routes", "static_rules", "linkbeat_interfaces", "interface_up_down_delays"),
    }
)
"""Blocks that stand in no other: where one begins, all others have ended."""


class Files(Protocol):
    """Where includes and scripts come from."""

    def read(self, path: str) -> str | None:
        """The text of a file; ``None``: it cannot be read."""

    def glob(self, pattern: str) -> list[str]:
        """The files that a pattern names, sorted."""


@dataclass(slots=True, eq=False)
class Statement:
    """A keyword with its words, and the block that it opens."""

    words: tuple[str, ...]
    place: Place
    quoted: tuple[bool, ...] = ()
    """Which of the words stood in quotes."""
    body: list[Statement] | None = None
    told: bool = False
    """Whether what became of it is known: it was carried over, or the report says what happened instead."""

    @property
    def word(self) -> str:
        """The keyword."""
        return self.words[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words behind it."""
        return self.words[1:]

    @property
    def is_brace(self) -> bool:
        """Whether it is a bare brace, of which the tree is made."""
        return self.words in (("{",), ("}",)) and not self.quoted[0]

    @property
    def text(self) -> str:
        """As the report shows it."""
        return shown(self.words)


@dataclass
class Reader:
    """Reads one router's configuration, includes and all."""

    node: str
    files: Files
    report: Report = field(default_factory=Report)
    macros: Macros = field(init=False)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Macros report into the same place."""
        self.macros = Macros(self.node, self.report)

    def read(self, file: str, text: str) -> list[Statement]:
        """The statements of a whole configuration."""
        return self._nested(self._statements(file, text))

    def _note(self, statement: Statement, kind: Kind, why: str) -> None:
        statement.told = True
        self.report.add(statement.place, statement.text, kind, why)

    def _statements(self, file: str, text: str) -> Iterator[Statement]:
        """Flat: a brace is a statement of its own."""
        self._open.append(file)
        self.report.opened(file)
        for place, line in _logical(file, text):
            if "\0" in line:
                self.report.add(place, "", "dropped", "a line with a NUL in it, which keepalived ignores too")
                continue
            for expanded in self.macros.expand(line, place):
                for statement in self._split(expanded, place):
                    self.report.seen(place, statement.words)
                    if statement.word in _INCLUDES and len(statement.words) > 1:
                        yield from self._included(statement)
                    else:
                        yield statement
        self._open.pop()

    def _split(self, line: str, place: Place) -> Iterator[Statement]:
        words: list[str] = []
        quoted: list[bool] = []
        for found in _TOKEN.finditer(line):
            kind = found.lastgroup
            if kind == "comment":
                break
            if kind == "brace":
                if words:
                    yield Statement(tuple(words), place, tuple(quoted))
                yield Statement((found[0],), place, (False,))
                words, quoted = [], []
            elif kind == "stray":
                self.report.add(place, shown(line.split()), "changed", "a quote without its end: left out")
            else:
                words.append(_unescaped(found))
                quoted.append(kind != "bare")
        if words:
            yield Statement(tuple(words), place, tuple(quoted))

    def _included(self, statement: Statement) -> Iterator[Statement]:
        statement.told = True
        here = posixpath.dirname(statement.place.file)
        found = self.files.glob(posixpath.join(here, statement.words[1]))
        if not found:
            self._note(statement, "decide", "includes no file that can be read here")
        for file in found:
            if file in self._open or len(self._open) >= _DEPTH_MAX:
                self._note(statement, "dropped", f"{file} includes itself: not read again")
                continue
            text = self.files.read(file)
            if text is None:
                self._note(statement, "decide", f"{file} cannot be read")
            else:
                yield from self._statements(file, text)

    def _nested(self, flat: Iterator[Statement]) -> list[Statement]:
        top: list[Statement] = []
        stack = [top]
        opened: list[Statement] = []
        for each in flat:
            if not each.is_brace:
                if each.word in TOP_BLOCKS and len(stack) > 1 and _begins_a_block(each):
                    self._note(each, "changed", f"the block `{opened[0].text}` was never closed: it ends before this")
                    each.told = False
                    del stack[1:], opened[:]
                stack[-1].append(each)
            elif each.word == "{":
                if len(stack) > _DEPTH_MAX or not stack[-1] or stack[-1][-1].body is not None:
                    self._note(each, "dropped", "a brace that opens no block")
                    continue
                body: list[Statement] = []
                stack[-1][-1].body = body
                opened.append(stack[-1][-1])
                stack.append(body)
            elif not opened:
                self._note(each, "dropped", "a brace that closes no block")
            else:
                opened.pop()
                stack.pop()
        for each in opened:
            self.report.add(each.place, each.text, "changed", "the block is never closed: taken as closed at the end")
        return top


def _begins_a_block(statement: Statement) -> bool:
    """``vrrp_script`` with its name, and not a word of another block that happens to be the same."""
    return len(statement.words) <= 4


def _unescaped(found: re.Match[str]) -> str:
    """A word without what kept it together."""
    if found["double"] is not None:
        return re.sub(r'\\(["\\])', r"\1", found["double"])
    if found["single"] is not None:
        return found["single"]
    return re.sub(r"\\([#!\"{}\\])", r"\1", found["bare"])


def _logical(file: str, text: str) -> Iterator[tuple[Place, str]]:
    """Lines with their places; a definition that ends in a backslash goes on in the next line."""
    pending, start = "", 0
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = pending + raw
        if raw.rstrip().endswith("\\") and line.lstrip().startswith(("$", "@")):
            pending, start = line.rstrip()[:-1].rstrip(" \t") + "\n", start or number
            continue
        yield Place(file, start or number), line
        pending, start = "", 0
    if pending:
        yield Place(file, start), pending
