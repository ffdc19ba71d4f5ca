"""Text to a TOML document, or the one mistake that ``tomllib`` stops at, in words that say what to type instead."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from hafw.config.hiding import hidden, untyped
from hafw.config.problem import Problem, show

if TYPE_CHECKING:
    from collections.abc import Callable

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_KEEPALIVED = re.compile(
    r"^[ \t]*(?:vrrp_(?:instance|script|sync_group|track_process|track_file)|global_defs|virtual_server(?:_group)?"
    r"|static_(?:ipaddress|routes|rules))\b[^=\n]*$",
    re.MULTILINE,
)
_PLAIN = re.compile(r"[ \t]*([A-Za-z0-9_.-]+)[ \t]*=[ \t]*+(?![\[{])([^#\n]*)")
"""``key = value`` on a line of its own, the value being neither list nor table."""
_PLACE = re.compile(r"^[ \t]*(?:\[+[ \t]*[\"']?|(?=plugin[ \t]*\.))(\w+)", re.MULTILINE)
"""What looks like a table, or is a key of a plugin's: the first word of its name."""
_TYPED = {"node", "instance", "group", "control", "process", "journal"}
"""Tables whose keys are known here; a plugin's are not."""
_KEY = re.compile(r"([A-Za-z0-9_-]+)[ \t]*=[ \t]*")
_WORD = re.compile(r"[^\s\"',\[\]{}=#]+")
_NEAR_BOOLEANS = {"true", "false", "yes", "no", "on", "off"}
_CURLY = "\u201c\u201d\u201e\u2018\u2019"
"""What a word processor makes of quotes."""
_ABOUT_VALUES = ("Invalid value", "Expected newline", "Unclosed")


class UnreadableError(Exception):
    """A file in which nothing can be checked."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.problem = Problem("", message, line)


def parse(text: str) -> dict[str, Any]:
    """The document, or ``UnreadableError``."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        foreign = _KEEPALIVED.search(text)
        if foreign:
            line = text.count("\n", 0, foreign.start()) + 1
            message = "this looks like a keepalived.conf: hafw reads TOML; see examples/classic/config.toml"
            raise UnreadableError(message, line) from None
        raise _unreadable(text, str(error)) from None
    except ValueError:
        raise UnreadableError("not TOML: a number of more than 4300 digits") from None


def _unreadable(text: str, said: str) -> UnreadableError:
    message, match = _POSITION.sub("", said), _POSITION.search(said)
    if match is None or match[1] is None:
        return UnreadableError(f"not TOML: {_lower(message)}", text.rstrip("\n").count("\n") + 1)
    line, column = int(match[1]), int(match[2])
    if message.startswith(("Cannot overwrite", "Cannot declare", "Duplicate")):
        message += ": the same key or table stands in the file twice"
    elif message.startswith(_ABOUT_VALUES):
        # tomllib counts lines so too: "\r\n" has become "\n" before.
        lines = text.replace("\r\n", "\n").split("\n")
        message = _hint("\n".join(lines[: line - 1]), lines[line - 1], column - 1) or message
    elif message.startswith("Illegal character '\\n'"):
        message = "a string ends on the line where it begins: its last quote is missing"
    return UnreadableError(f"not TOML: {_lower(message)}", line)


def _lower(message: str) -> str:
    return f"{message[:1].lower()}{message[1:]}"


def _hint(before: str, line: str, at: int) -> str:
    """What to write for the value that stands ``at`` this place of its line; empty: no idea."""
    places = _PLACE.findall(f"{before}\n{line}")
    may_show = hidden if not places or places[-1] in _TYPED else untyped
    plain = _PLAIN.match(line)
    if plain:
        return _about(plain[1], plain[2].rstrip(), may_show, named=True)
    word = next((each for each in _WORD.finditer(line) if each.start() <= at <= each.end()), None)
    key = next(reversed([*_KEY.finditer(f"{before}\n{line[:at]}")]), None)
    if word is None or key is None or line[word.end() :].lstrip().startswith("="):
        return ""
    return _about(key[1], word[0], may_show, named=line[: word.start()].endswith(key[0]))


def _about(key: str, value: str, may_show: Callable[[str, Any], Any], *, named: bool) -> str:
    """``named``: the value follows its key at once, so that both can be shown.

    ``may_show``: by key and value, what may be shown of the value.
    """
    start = f"{key} = " if named else ""
    if not value:
        return f"{key} has no value"
    if value.lower() in _NEAR_BOOLEANS:
        right = "true" if value.lower() in {"true", "yes", "on"} else "false"
        return f"true and false are lower case and the only two: {start}{right}"
    if re.search(r"[\"']| = ", value):
        return ""
    if re.fullmatch(r"[+-]?0+[0-9]+", value):
        return f"a number has no leading zero: {start}{show(may_show(key, int(value)))}"
    straight = "straight " if value[0] in _CURLY else ""
    return f"strings need {straight}quotes: {start}{show(may_show(key, value.strip(_CURLY)))}"
