"""keepalived's language: from text to nested statements, as forgiving as its own parser and louder.

Pure: files are read by whoever calls, through ``Files``.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hafw.keepalived.macros import Macros
from hafw.keepalived.report import Kind, Note, Place, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}])|((?:\\.|[^\s"{}\\#!]|\\$)+)|([#!].*)|(")', re.DOTALL)
_INCLUDES = ("include", "includer", "includem", "includew", "includeb", "includea")
_DEPTH_MAX = 32


class Files(Protocol):
    """Where includes and scripts come from."""

    def read(self, path: str) -> str | None:
        """The text of a file; ``None``: it cannot be read."""

    def glob(self, pattern: str) -> list[str]:
        """The files that a pattern names, sorted."""


@dataclass(slots=True)
class Statement:
    """A keyword with its words, and the block that it opens."""

    words: tuple[str, ...]
    place: Place
    quoted: bool = False
    """Whether one of the words stood in quotes."""
    body: list[Statement] | None = None

    @property
    def word(self) -> str:
        """The keyword."""
        return self.words[0]

    def note(self, kind: Kind, why: str) -> Note:
        """A line of the report about this statement."""
        return Note(self.place, shown(self.words), kind, why)


@dataclass
class Reader:
    """Reads one router's configuration, includes and all."""

    node: str
    files: Files
    notes: list[Note] = field(default_factory=list)
    macros: Macros = field(init=False)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Macros report into the same list."""
        self.macros = Macros(self.node, self.notes)

    def read(self, file: str, text: str) -> list[Statement]:
        """The statements of a whole configuration."""
        return self._nested(self._statements(file, text))

    def _statements(self, file: str, text: str) -> Iterator[Statement]:
        """Flat: a brace is a statement of its own."""
        self._open.append(file)
        for place, line in _logical(file, text):
            if "\0" in line:
                self.notes.append(Note(place, "", "dropped", "a line with a NUL in it, which keepalived ignores too"))
                continue
            for expanded in self.macros.expand(line, place):
                for statement in self._split(expanded, place):
                    if statement.word in _INCLUDES and len(statement.words) > 1:
                        yield from self._included(statement)
                    else:
                        yield statement
        self._open.pop()

    def _split(self, line: str, place: Place) -> Iterator[Statement]:
        words: list[str] = []
        quoted = False
        for found in _TOKEN.finditer(line):
            text, brace, bare, comment, stray = found.groups()
            if comment is not None:
                break
            if brace is not None:
                if words:
                    yield Statement(tuple(words), place, quoted)
                yield Statement((brace,), place)
                words, quoted = [], False
            elif stray is not None:
                self.notes.append(Note(place, shown(line.split()), "changed", "a quote without its end: left out"))
            elif text is not None:
                words.append(re.sub(r'\\(["\\])', r"\1", text))
                quoted = True
            else:
                words.append(re.sub(r"\\(.)", r"\1", bare))
        if words:
            yield Statement(tuple(words), place, quoted)

    def _included(self, statement: Statement) -> Iterator[Statement]:
        pattern = statement.words[1]
        here = posixpath.dirname(statement.place.file)
        found = self.files.glob(posixpath.join(here, pattern))
        if not found:
            self.notes.append(statement.note("decide", "includes no file that can be read here"))
        for file in found:
            if file in self._open or len(self._open) >= _DEPTH_MAX:
                self.notes.append(statement.note("dropped", f"{file} includes itself: not read again"))
                continue
            text = self.files.read(file)
            if text is None:
                self.notes.append(statement.note("decide", f"{file} cannot be read"))
            else:
                yield from self._statements(file, text)

    def _nested(self, flat: Iterator[Statement]) -> list[Statement]:
        top: list[Statement] = []
        stack = [top]
        opened: list[Statement] = []
        for each in flat:
            if each.word == "{" and not each.quoted:
                if len(stack) > _DEPTH_MAX or not stack[-1] or stack[-1][-1].body is not None:
                    self.notes.append(each.note("dropped", "a brace that opens no block"))
                    continue
                body: list[Statement] = []
                stack[-1][-1].body = body
                opened.append(stack[-1][-1])
                stack.append(body)
            elif each.word == "}" and not each.quoted:
                if not opened:
                    self.notes.append(each.note("dropped", "a brace that closes no block"))
                    continue
                opened.pop()
                stack.pop()
            else:
                stack[-1].append(each)
        self.notes += [each.note("changed", "the block is never closed: taken as closed at the end") for each in opened]
        return top


def _logical(file: str, text: str) -> Iterator[tuple[Place, str]]:
    """Lines with their places; a definition that ends in a backslash goes on in the next line."""
    pending, start = "", 0
    for number, raw in enumerate(text.replace("\r", "").split("\n"), 1):
        line = pending + raw
        if raw.endswith("\\") and line.lstrip().startswith("$"):
            pending, start = line[:-1].rstrip() + "\n", start or number
            continue
        yield Place(file, start or number), line
        pending, start = "", 0
    if pending:
        yield Place(file, start), pending
