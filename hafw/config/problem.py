"""A mistake in a configuration, and the words that every message about one is made of."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 60
"""Characters of a value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where, and what the rule and the way out are."""

    path: str
    """Key path, ``instance.VI_1.vrid``; empty when it is about the file."""
    message: str
    """``= 300: must be 1 to 255`` when the value is part of it, otherwise the rule alone."""
    line: int = 0
    """0: unknown."""
    severity: Literal["error", "warning"] = "error"

    def render(self, file: str) -> str:
        """One line for the operator: ``config.toml:8: instance.VI_1.vrid = 300: must be 1 to 255``."""
        place = f"{file}:{self.line}: " if self.line else f"{file}: "
        mark = "warning: " if self.severity == "warning" else ""
        joint = " " if self.path and self.message.startswith("= ") else ": " if self.path else ""
        text = f"{place}{mark}{self.path}{joint}{self.message}"
        return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def show(value: object) -> str:
    """A TOML value as it might stand in the file, shortened; any value at all."""
    try:
        text = _toml(value)
    except (ValueError, RecursionError):
        text = "..."  # an integer of thousands of digits, or as many dots in a key
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _toml(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def enumerate_words(words: Iterable[str], joint: str = "and") -> str:
    """``a, b and c``."""
    *front, last = words
    return f"{', '.join(front)} {joint} {last}" if front else last


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean vrid?)``, or nothing when nothing is near."""
    near = nearest(word, known)
    return f" (did you mean {near}?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that this one is a misspelling of; empty: none."""
    return next(iter(get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)), "")
