"""Keys and values of a ``config.toml`` that hafw writes, whole: in a message ``problem.show`` shortens them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def key(name: str) -> str:
    """A key, in quotes where TOML wants them."""
    return name if _BARE.fullmatch(name) else string(name)


def value(found: object) -> str:
    """A value on one line; a path is its text."""
    if isinstance(found, str | Path):
        return string(str(found))
    if isinstance(found, list | tuple):
        return f"[{', '.join(map(value, found))}]"
    if isinstance(found, Mapping):
        return f"{{ {', '.join(f'{key(str(name))} = {value(each)}' for name, each in found.items())} }}"
    return str(found).lower() if isinstance(found, bool) else str(found)


def string(text: str) -> str:
    """A basic string."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(each: str) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    if each.isprintable():
        return each
    return f"\\u{ord(each):04x}" if ord(each) <= 0xFFFF else f"\\U{ord(each):08x}"
