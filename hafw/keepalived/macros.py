"""Lines of keepalived's language with macros, sequences and conditions resolved: what its parser would see.

Bounded: a macro that names itself, or a sequence that never ends, stops at a limit and is reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.keepalived.report import Note, Place, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES_MAX = 100_000
_DEPTH_MAX = 20
_LINE_MAX = 4096
_DEFINITION = re.compile(r"\s*\$([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)
_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)((?:\s+[^}]*)?)\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_CONDITION = re.compile(r"\s*@(\^?)([A-Za-z0-9_.-]+)[ \t]+(.*)", re.DOTALL)
_REPEAT = re.compile(r"\s*~(SEQx?|LST)\(([^)]*)\)(.*)", re.DOTALL)
_IDS = re.compile(r"^[ \t]*@\^?([A-Za-z0-9_.-]+)[ \t]", re.MULTILINE)


@dataclass
class Macros:
    """What is defined so far, for one router: its id decides which ``@id`` lines count."""

    node: str
    notes: list[Note] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    lines: int = 0

    def expand(self, text: str, place: Place) -> Iterator[str]:
        """The lines that one line stands for: none for a definition or for another router's line."""
        if condition := _CONDITION.match(text):
            negated, wanted, text = condition.groups()
            if (wanted == self.node) == bool(negated):
                return
        if definition := _DEFINITION.match(text):
            self.values[definition[1]] = definition[2].strip()[:_LINE_MAX]
            return
        for each in self._repeated(text, place, 0):
            for line in self._substituted(each, place).split("\n"):
                self.lines += 1
                if self.lines <= LINES_MAX:
                    yield line
                elif self.lines == LINES_MAX + 1:
                    self._note(place, text, f"more than {LINES_MAX} lines: the rest was not read")

    def _note(self, place: Place, text: str, why: str) -> None:
        self.notes.append(Note(place, shown(text.split()), "decide", why))

    def _repeated(self, text: str, place: Place, depth: int) -> Iterator[str]:
        """``~SEQ(var, start, step, end) line`` and ``~LST(var, a, b) line``, which may stand in each other."""
        found = _REPEAT.match(text)
        if not found or depth >= _DEPTH_MAX:
            yield text
            return
        kind, words, rest = found.groups()
        name, *values = [each.strip() for each in words.split(",")]
        try:
            items = values if kind == "LST" else _sequence(values, hexadecimal=kind == "SEQx")
        except (ValueError, IndexError):
            self._note(place, text, f"~{kind} needs a name and numbers: the line was not read")
            return
        name = name.removeprefix("$")
        for item in items:
            if self.lines > LINES_MAX:
                return
            pattern = rf"\$\{{{re.escape(name)}\}}|\${re.escape(name)}(?![A-Za-z0-9_])"
            yield from self._repeated(re.sub(pattern, lambda _: item, rest), place, depth + 1)  # noqa: B023 - used at once

    def _substituted(self, text: str, place: Place) -> str:
        """Late binding: a value is looked at when it is used. An undefined name stays as it is."""
        for _ in range(_DEPTH_MAX):
            if "$" not in text:
                return text
            new = _USE.sub(lambda found: self._value(found, place), text)
            if new == text:
                return text
            if len(new) > _LINE_MAX:
                self._note(place, text, f"more than {_LINE_MAX} characters with its macros: cut there")
                return new[:_LINE_MAX]
            text = new
        self._note(place, text, "a macro that names itself: what is left of it stays as it is")
        return text

    def _value(self, found: re.Match[str], place: Place) -> str:
        name = found[1] or found[3]
        predefined = {"_PWD": place.file.rpartition("/")[0] or ".", "_HASH": "\\#", "_BANG": "\\!"}
        return self.values.get(name, predefined.get(name, found[0]))


def ids(text: str) -> list[str]:
    """The routers that ``@id`` lines name, in their order."""
    return list(dict.fromkeys(_IDS.findall(text)))


def _sequence(words: list[str], *, hexadecimal: bool) -> list[str]:
    numbers = [int(each, 0) for each in words]
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) > 2 else (1 if numbers[-1] >= first else -1)
    if not step:
        raise ValueError
    found = range(first, numbers[-1] + (1 if step > 0 else -1), step)[: LINES_MAX + 1]
    return [f"{each:x}" if hexadecimal else str(each) for each in found]
