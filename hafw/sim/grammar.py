"""The shape of a scenario's commands: fixed words and typed places, such as ``pause ROUTER DURATION``.

A form is at once what is accepted, what an error message shows and what the documentation lists.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from hafw.vrrp.settings import IPAddress

_UNITS = {"us": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", re.ASCII)
_LONGEST = 30 * 24 * 3600.0
STATES = ("MASTER", "BACKUP", "FAULT", "STOPPED")
"""What a router can be expected to be; STOPPED: its daemon does not run, or has left the election."""
EVERY, NONE = "all", "nobody"
_OPTIONAL = "[OPTIONS]"
_RESTS = (_OPTIONAL, "OPTIONS...", "WORDS...", "CONDITION...")


class Mistake(Exception):  # noqa: N818 - it names what happened
    """A command that makes no sense; the message says what is allowed. Whoever knows the line adds it."""


class Known(Protocol):
    """What names mean at this point of the scenario."""

    @property
    def names(self) -> Collection[str]:
        """The routers that there are."""

    @property
    def checks(self) -> Collection[str]:
        """The checks that some router has."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a command.

    Capitals stand for a value, with three dots for the rest of the line; ``[OPTIONS]`` is a rest that may be empty.
    """

    usage: str
    summary: str
    run: Callable[..., Any]
    happens: bool = False
    """Whether it is an event of the story: it stands on the axis of a picture."""

    @property
    def words(self) -> list[str]:
        """The usage, word by word."""
        return self.usage.split()

    def fits(self, given: Sequence[str]) -> bool:
        """Whether the fixed words and the length are right; the values are another question."""
        words = self.words
        if words[-1] in _RESTS:
            rest = words.pop()
            if rest != _OPTIONAL and len(given) == len(words):
                return False
            given = given[: len(words)]
        same = (word.isupper() or word == got for word, got in zip(words, given, strict=False))
        return len(words) == len(given) and all(same)

    def values(self, given: Sequence[str], known: Known) -> list[Any]:
        """What stands in the places; raises ``Mistake`` where that is no value of its kind."""
        found = []
        for number, word in enumerate(self.words):
            if word in _RESTS:
                found.append(list(given[number:]))
            elif word.isupper():
                found.append(_PLACES[word](given[number], known))
        return found


def choose(forms: Iterable[Form], given: Sequence[str], known: Known) -> tuple[Form, list[Any]]:
    """The form that this line is written in, and its values; raises ``Mistake`` with the forms that there are."""
    forms = list(forms)
    related = [form for form in forms if form.words[0] == given[0]] or [
        form for form in forms if form.words[0].isupper()
    ]
    for form in related:
        if form.fits(given):
            return form, form.values(given, known)
    if related:
        raise Mistake(f"{' '.join(given)}: must be {' or '.join(f'`{form.usage}`' for form in related)}")
    words = sorted({form.words[0] for form in forms})
    near = difflib.get_close_matches(given[0], words, 1)
    hint = f" (did you mean {near[0]}?)" if near else f": there is {', '.join(words)}"
    raise Mistake(f"{given[0]}: no such command{hint}")


# -- values -----------------------------------------------------------------------------------------------------


def duration(text: str, _known: Known | None = None) -> float:
    """Seconds of ``1.5s``; a bare 0 needs no unit."""
    match = _DURATION.fullmatch(text)
    if match is None and text != "0":
        raise Mistake(f"{text}: must be a duration such as 100ms, 1.5s or 10m")
    seconds = 0.0 if match is None else round(float(match[1]) * _UNITS[match[2]], 9)
    if seconds > _LONGEST:
        raise Mistake(f"{text}: must be at most 30 days, {_LONGEST / 3600:.0f}h")
    return seconds


def share(text: str, _known: Known | None = None) -> float:
    """0.0 to 1.0 of ``20%``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text, re.ASCII)
    if match is None or float(match[1]) > 100:
        raise Mistake(f"{text}: must be a share from 0% to 100%")
    return float(match[1]) / 100


def whole(text: str, _known: Known | None = None) -> int:
    """A count."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Mistake(f"{text}: must be a whole number")
    return int(text)


def decimal(text: str, _known: Known | None = None) -> float:
    """A factor above 0."""
    if not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) or float(text) == 0:
        raise Mistake(f"{text}: must be a number above 0 such as 1.001")
    return float(text)


def address(text: str, _known: Known | None = None) -> IPAddress:
    """An IP address without a length."""
    try:
        return ip_address(text)
    except ValueError:
        raise Mistake(f"{text}: must be an IP address such as 192.0.2.100") from None


def switch(text: str, _known: Known | None = None) -> bool:
    """``on`` or ``off``."""
    return bool(one_of(text, {"on": True, "off": False}))


def one_of(text: str, allowed: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the table holds
    """The value of a word from a short list."""
    if text not in allowed:
        raise Mistake(f"{text}: must be {' or '.join(allowed)}")
    return allowed[text]


def name(text: str, _known: Known | None = None) -> str:
    """What a router, an instance or a check may be called."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", text, re.ASCII) or text in {EVERY, NONE}:
        raise Mistake(f"{text}: must be a name: a letter, then letters, digits, `_`, `.` or `-`; not {EVERY}, {NONE}")
    return text


def router(text: str, known: Known) -> str:
    """A router that there is."""
    if text not in known.names:
        there = f"there is {', '.join(known.names)}" if known.names else "`router` lines come first"
        raise Mistake(f"{text}: no such router: {there}")
    return text


def routers(text: str, known: Known) -> list[str]:
    """One or more, with commas between them and no blank; or all."""
    return list(known.names) if text == EVERY else [router(each, known) for each in text.split(",")]


def whom(text: str, known: Known) -> list[str]:
    """Routers, or none of them."""
    return [] if text == NONE else routers(text, known)


def check(text: str, known: Known) -> str:
    """A check that some router has."""
    if text not in known.checks:
        there = f"there is {', '.join(known.checks)}" if known.checks else "`router ... checks=NAME` declares it"
        raise Mistake(f"{text}: no such check: {there}")
    return text


_PLACES: dict[str, Callable[[str, Known], Any]] = {
    "ADDRESS": address,
    "CHECK": check,
    "DURATION": duration,
    "NAME": name,
    "NUMBER": whole,
    "PATH": lambda text, _: text,
    "RATE": decimal,
    "ROUTER": router,
    "ROUTERS": routers,
    "SHARE": share,
    "STATE": lambda text, _: one_of(text, {state: state for state in STATES}),
    "SWITCH": switch,
    "TIME": duration,
    "UPDOWN": lambda text, _: one_of(text, {"up": True, "down": False}),
    "WHOM": whom,
}
"""What a place accepts, by the word that stands for it in a usage."""


def options(words: Sequence[str], allowed: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """``KEY=VALUE`` pairs; raises ``Mistake`` with the keys that there are."""
    found: dict[str, Any] = {}
    for word in words:
        key, is_pair, value = word.partition("=")
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, 1)
            hint = f" (did you mean {near[0]}?)" if near else f": there is {', '.join(allowed)}"
            raise Mistake(f"{word}: unknown key{hint}")
        if not is_pair or not value:
            raise Mistake(f"{word}: must be {key}=VALUE, without blanks")
        if key in found:
            raise Mistake(f"{word}: {key} is given twice")
        try:
            found[key] = allowed[key](value)
        except Mistake as mistake:
            raise Mistake(f"{key}={mistake}") from None
    return found
