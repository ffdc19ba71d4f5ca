"""Lines of keepalived's language with macros, sequences and conditions resolved: what its parser would see.

Bounded: a macro that names itself, or a sequence that never ends, stops at a limit and is reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.keepalived.report import Report, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.keepalived.report import Place

LINES_MAX = 100_000
_DEPTH_MAX = 20
_LINE_MAX = 65_536
_DEFINITION = re.compile(r"[ \t]*\$([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)", re.DOTALL)
_USE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)([ \t]+[^}\n]*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)(?=[ \t\n]|$)")
_CONDITION = re.compile(r"[ \t]*@(\^?)([^ \t^]+)([ \t]+(.*)|$)", re.DOTALL)
_REPEAT = re.compile(r"[ \t]*~(SEQx?|LST)\(([^)]*)\)(.*)", re.DOTALL)
_GROUP = re.compile(r"\{([^{}]*)\}|([^,{}]+)")


@dataclass
class Macros:
    """What is defined so far, for one router: its id decides which ``@id`` lines count."""

    node: str
    report: Report = field(default_factory=Report)
    values: dict[str, str] = field(default_factory=dict)
    ids: dict[str, None] = field(default_factory=dict)
    """The routers that ``@id`` lines name, in their order."""
    lines: int = 0

    def expand(self, text: str, place: Place, depth: int = 0) -> Iterator[str]:
        """The lines that one line stands for: none for a definition or for another router's line."""
        if self.lines > LINES_MAX:
            return
        if "$" not in text and not text.lstrip().startswith(("@", "~")):
            yield from self._plain(text, place, depth)
        elif condition := _CONDITION.match(text):
            if self._applies(condition):
                yield from self.expand(condition[4] or "", place, depth)
        elif definition := _DEFINITION.match(text):
            self.values[definition[1]] = definition[2].strip()[:_LINE_MAX]
        elif repeat := _REPEAT.match(text):
            yield from self._repeated(repeat, place, depth)
        else:
            yield from self._plain(text, place, depth)

    def _plain(self, text: str, place: Place, depth: int) -> Iterator[str]:
        """A line that defines and repeats nothing: its macros are replaced, one layer at a time."""
        new = self._substituted(text, place)
        if new == text:
            self.lines += 1
            if self.lines > LINES_MAX:
                self._note(place, text, f"more than {LINES_MAX} lines: the rest was not read")
                return
            yield text
        elif depth >= _DEPTH_MAX:
            self._note(place, text, "a macro that names itself: what is left of it stays as it is")
            yield text
        elif len(new) > _LINE_MAX:
            self._note(place, text, f"more than {_LINE_MAX} characters with its macros: left out")
        else:
            for line in new.split("\n"):
                yield from self.expand(line, place, depth + 1)

    def _applies(self, condition: re.Match[str]) -> bool:
        self.ids.setdefault(condition[2])
        return (condition[2] == self.node) != bool(condition[1])

    def _note(self, place: Place, text: str, why: str) -> None:
        self.report.add(place, shown(text.split()), "decide", why)

    def _repeated(self, found: re.Match[str], place: Place, depth: int) -> Iterator[str]:
        """``~SEQ(var, start, step, end) line`` and ``~LST(var, a, b) line``, which may stand in each other."""
        kind, words, rest = found.groups()
        try:
            names, rows = _rows(kind, words)
        except (ValueError, IndexError):
            self._note(place, found[0], f"~{kind} needs a name and what it stands for: the line was not read")
            return
        before = {name: self.values.get(name) for name in names}
        for row in rows:
            if self.lines > LINES_MAX or depth >= _DEPTH_MAX:
                break
            self.values.update(zip(names, row, strict=False))
            yield from self.expand(rest, place, depth + 1)
        for name, value in before.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value

    def _substituted(self, text: str, place: Place) -> str:
        """Late binding: a value is looked at when it is used. An undefined name stays as it is."""
        return _USE.sub(lambda found: self._value(found, place), text) if "$" in text else text

    def _value(self, found: re.Match[str], place: Place) -> str:
        name, words = found[1] or found[3], (found[2] or "").split()
        if name in self.values:
            return self.values[name]
        if name == "_RANDOM":
            lowest = words[0] if words and words[0].isdecimal() else "0"
            self._note(place, found[0], f"a number by chance at every start: {lowest}, the lowest, stands for it")
            return lowest
        if name == "_ENV":
            self._note(place, found[0], "the environment of keepalived is not known here: it stays as it is")
        predefined = {
            "_PWD": place.file.rpartition("/")[0] or ".",
            "_INSTANCE": self.node,
            "_HASH": "\\#",
            "_BANG": "\\!",
        }
        return predefined.get(name, found[0])


def _rows(kind: str, words: str) -> tuple[list[str], Iterator[tuple[str, ...]]]:
    """The names that a repetition sets, and the values of each round."""
    parts = [each[0] for each in _GROUP.finditer(words) if each[0].strip()]
    groups = [tuple(word.strip() for word in each.strip().strip("{}").split(",")) for each in parts]
    names = [name.removeprefix("$") for name in groups[0]]
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in names) or len(groups) < 2:
        raise ValueError
    if kind == "LST":
        return names, iter(groups[1:])
    return names[:1], _sequence([each[0] for each in groups[1:]], hexadecimal=kind == "SEQx")


def _sequence(words: list[str], *, hexadecimal: bool) -> Iterator[tuple[str, ...]]:
    """Start and step may be left out; ``ValueError``: no numbers."""
    numbers = [int(each, 0) for each in words]
    last = numbers[-1]
    first = numbers[0] if len(numbers) > 1 else 1 if last > 0 else -1
    step = numbers[1] if len(numbers) > 2 else (1 if last >= first else -1)
    if not step:
        raise ValueError
    found = range(first, last + (1 if step > 0 else -1), step)[: LINES_MAX + 1]
    return ((f"{each:x}" if hexadecimal else str(each),) for each in found)
