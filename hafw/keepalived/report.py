"""What an operator is told about a line that does not stand in the result as it stood in the input."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["changed", "dropped", "not carried over", "decide"]
_WORDS_SHOWN = 60
_SECRETS = ("auth_pass", "key", "password")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the input."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the report. ``decide`` is for what no program can know: the operator has to look."""

    place: Place
    words: str
    kind: Kind
    why: str

    def render(self) -> str:
        """As compilers write it, so that editors find the line."""
        words = f" `{self.words}`" if self.words else ""
        return f"{self.place.file}:{self.place.line}: {self.kind}:{words}: {self.why}"

    def as_json(self) -> dict[str, str | int]:
        """For ``--json``."""
        flat = asdict(self)
        return {**flat.pop("place"), **flat}


def shown(words: Sequence[str]) -> str:
    """The words of a line, short, printable, and without a password."""
    kept = list(words)
    if len(kept) > 1 and kept[0] in _SECRETS:
        kept[1:] = ["***"]
    text = "".join(each if each.isprintable() else "?" for each in " ".join(kept))
    return text if len(text) <= _WORDS_SHOWN else text[: _WORDS_SHOWN - 3] + "..."
