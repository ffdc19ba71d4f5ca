"""At which line of a TOML file each key stands: ``tomllib`` reads the values and does not say.

It scans text that ``tomllib`` has accepted, so it looks for the ends of things and judges nothing.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.config.problem import Problem

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY_PART = re.compile(r'[ \t]*("(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+)[ \t]*')
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}|\'\'\'(?:[^\']|\'{1,2}(?!\'))*\'{3,5}|"(?:[^"\\]|\\.)*"|\'[^\']*\'',
    re.DOTALL,
)
_OTHER = re.compile(r"[^,\]}\n#]*")


class Lines:
    """Lines, from 1, by key path: ``instance.VI_1.virtual_addresses[0]``."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._text = text.replace("\r\n", "\n")
        self._newlines = [match.start() for match in re.finditer("\n", self._text)]
        self._arrays: dict[str, int] = {}
        self._implied: set[str] = set()
        """Top tables without a header of their own: ``plugin`` in ``[plugin.nginx]``."""
        self._scan()

    @classmethod
    def read(cls, path: str | Path) -> Lines:
        """Of a file; without any line when it cannot be read, or is no TOML."""
        try:
            text = Path(path).read_text(encoding="utf-8")
            tomllib.loads(text)
            return cls(text)
        except (OSError, ValueError, RecursionError):
            return cls("")

    def __contains__(self, path: str) -> bool:
        """Whether the file itself says something about this key."""
        return path in self._lines

    def find(self, path: str) -> int:
        """The line of this key, or of the nearest table that it would stand in; 0 when there is none.

        What only a neighbour implies is none: ``plugin.arp`` does not stand in ``[plugin.nginx]``.
        """
        asked = path
        while path:
            if path in self._lines and (path == asked or path not in self._implied):
                return self._lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return 0

    def place(self, problems: Iterable[Problem]) -> list[Problem]:
        """The same problems, with a line where they had none."""
        return [each if each.line else replace(each, line=self.find(each.path)) for each in problems]

    def _scan(self) -> None:
        prefix, at = "", self._skip(0)
        while at < len(self._text):
            if self._text.startswith("[", at):
                prefix, at = self._header(at)
            else:
                at = self._pair(at, prefix)
            at = self._skip(at)

    def _skip(self, at: int) -> int:
        match = _BLANK.match(self._text, at)
        return match.end() if match else at

    def _note(self, path: str, at: int) -> None:
        self._lines.setdefault(path, bisect_right(self._newlines, at) + 1)

    def _header(self, at: int) -> tuple[str, int]:
        """``[a.b]`` and ``[[a.b]]``: the path of what follows, and where that begins."""
        is_array = self._text.startswith("[[", at)
        parts, end = self._key(at + 1 + is_array)
        path = ""
        self._imply(parts)
        for part in parts[:-1]:
            path = self._entry(f"{path}.{part}" if path else part)
            self._note(path, at)
        path = f"{path}.{parts[-1]}" if path else parts[-1]
        if path in self._implied:  # its own header comes after those of its tables
            self._implied.discard(path)
            self._lines.pop(path)
        if is_array:
            self._note(path, at)
            self._arrays[path] = self._arrays.get(path, -1) + 1
        path = self._entry(path)
        self._note(path, at)
        return path, end + 1 + is_array

    def _imply(self, parts: list[str]) -> None:
        if len(parts) > 1 and parts[0] not in self._lines:
            self._implied.add(parts[0])

    def _entry(self, path: str) -> str:
        """Of an array of tables the last entry: what headers that follow it mean."""
        return f"{path}[{self._arrays[path]}]" if path in self._arrays else path

    def _key(self, at: int) -> tuple[list[str], int]:
        parts = []
        while match := _KEY_PART.match(self._text, at):
            word, at = match[1], match.end()
            parts.append(tomllib.loads(f"word = {word}")["word"] if word[0] in "\"'" else word)
            if not self._text.startswith(".", at):
                break
            at += 1
        return parts, at

    def _pair(self, at: int, prefix: str) -> int:
        """``a.b = value``: note each part of the key; where the value ends."""
        parts, end = self._key(at)
        path = prefix
        if not prefix:
            self._imply(parts)
        for part in parts:
            path = f"{path}.{part}" if path else part
            self._note(path, at)
        return self._value(self._skip(end + 1), path)

    def _value(self, at: int, path: str) -> int:
        if self._text.startswith(("[", "{"), at):
            return self._group(at, path)
        pattern = _STRING if self._text.startswith(('"', "'"), at) else _OTHER
        match = pattern.match(self._text, at)
        # At least one step: a text that is no TOML must end too.
        return max(match.end() if match else at, at + 1)

    def _group(self, at: int, path: str) -> int:
        """An array or an inline table, to its end; whatever stands in it is noted."""
        is_array = self._text[at] == "["
        at, index = self._skip(at + 1), 0
        while at < len(self._text) and self._text[at] not in "]}":
            if is_array:
                self._note(f"{path}[{index}]", at)
                at, index = self._value(at, f"{path}[{index}]"), index + 1
            else:
                at = self._pair(at, path)
            at = self._skip(at)
            if self._text.startswith(",", at):
                at = self._skip(at + 1)
        return at + 1
