"""What an operator is told about a line that does not stand in the result as it stood in the input."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind = Literal["decide", "not carried over", "changed", "dropped", "advice"]
KINDS: tuple[Kind, ...] = ("decide", "not carried over", "changed", "dropped", "advice")
"""The gravest first: it stands for a line of which several things are to be said."""
_WORDS_SHOWN = 60
_REASONS_SHOWN = 6
_SECRETS = ("auth_pass", "key", "password")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of the input."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Note:
    """What became of something in one line. ``decide`` is for what no program can know: the operator has to look."""

    place: Place
    words: str
    kind: Kind
    why: str

    def render(self) -> str:
        """As compilers write it, so that editors find the line."""
        words = f"`{self.words}`: " if self.words else ""
        return f"{printable(self.place.file)}:{self.place.line}: {self.kind}: {words}{self.why}"

    def as_json(self) -> dict[str, str | int]:
        """For ``--json``."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "kind": self.kind,
            "words": self.words,
            "why": self.why,
        }


@dataclass
class Report:
    """Everything that is to be said of an import; each line of the input comes up once."""

    _notes: dict[Note, None] = field(default_factory=dict)
    _files: dict[str, None] = field(default_factory=dict)
    _words: dict[Place, tuple[str, ...]] = field(default_factory=dict)

    def opened(self, file: str) -> None:
        """A file that is read: the report takes them in this order."""
        self._files.setdefault(file)

    def seen(self, place: Place, words: tuple[str, ...]) -> None:
        """What stands in a line, for who knows its number only."""
        self._words.setdefault(place, words)

    def take(self, other: Report) -> None:
        """All that another report has."""
        self._notes |= other._notes
        self._files |= other._files
        self._words |= other._words

    def add(self, place: Place, words: str, kind: Kind, why: str) -> None:
        """Say it; what was said already is not said twice."""
        words = words or shown(self._words.get(place, ()))
        self._notes.setdefault(Note(place, printable(words), kind, printable(why)))

    def notes(self) -> list[Note]:
        """Everything that was said, in the order in which it was."""
        return list(self._notes)

    def lines(self) -> list[Note]:
        """One note for each line, in the order of the files and their lines."""
        names = dict.fromkeys([*self._files, *(each.place.file for each in self._notes)])
        files = {name: number for number, name in enumerate(names)}
        by_place: dict[Place, list[Note]] = {}
        for each in self._notes:
            by_place.setdefault(each.place, []).append(each)
        ordered = sorted(by_place, key=lambda place: (files[place.file], place.line))
        return [_together(by_place[place]) for place in ordered]

    def counts(self) -> dict[Kind, int]:
        """How many lines of each kind there are."""
        found = Counter(each.kind for each in self.lines())
        return {kind: found[kind] for kind in KINDS if found[kind]}


def _together(notes: Sequence[Note]) -> Note:
    """One note for everything that is said of a line."""
    if len(notes) == 1:
        return notes[0]
    first = min(notes, key=lambda each: KINDS.index(each.kind))
    same = len({each.words for each in notes}) == 1
    whys = list(dict.fromkeys(each.why if same else f"`{each.words}`: {each.why}" for each in _gravest_first(notes)))
    if len(whys) > _REASONS_SHOWN:
        whys[_REASONS_SHOWN:] = [f"and {len(whys) - _REASONS_SHOWN} more of this line"]
    return Note(first.place, first.words if same else "", first.kind, "; ".join(whys))


def _gravest_first(notes: Sequence[Note]) -> Iterator[Note]:
    yield from sorted(notes, key=lambda each: KINDS.index(each.kind))


def printable(text: str) -> str:
    """Without line ends, and without what moves a terminal's cursor."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def shown(words: Sequence[str]) -> str:
    """The words of a line, short, printable, and without a password."""
    kept = list(words)
    for secret in _SECRETS:
        if secret in kept[:-1]:
            kept[kept.index(secret) + 1 :] = ["***"]
    text = printable(" ".join(kept))
    return text if len(text) <= _WORDS_SHOWN else text[: _WORDS_SHOWN - 3] + "..."
