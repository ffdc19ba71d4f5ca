"""What may be shown of a plugin's options: by their types, and where nobody knows those, by their names.

The types are known in the plugin's process alone. It says what may be shown, and whoever shows it asks for that; what
it has not said yet, or cannot say of a key that it does not know, is no text that anybody shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from hafw.config.types import is_table, keys_of
from hafw.config.values import Duration, Size
from hafw.secret import Secret

HIDDEN = "(hidden)"
_SECRET_WORD = "pass|secret|token|credential|private|auth"  # noqa: S105 - words, no password
_SECRET_KEY = re.compile(rf"{_SECRET_WORD}|(?:^|[_-])key", re.IGNORECASE)
_REFERENCE = re.compile(r"(?:file|env|credential):")
_URL_PASSWORD = re.compile(r"(?<=://)([^/@\s]*):[^/@\s]*@")
_URL_QUERY = re.compile(rf"(?<=[?&])([^=&#\s]*(?:{_SECRET_WORD}|key)[^=&#\s]*)=[^&#\s]+", re.IGNORECASE)


def sounds_secret(name: str) -> bool:
    """Whether whoever gave this name to a key or a variable keeps a secret in it."""
    return _SECRET_KEY.search(name) is not None


def hidden(key: str, value: Any) -> Any:  # noqa: ANN401 - whatever TOML may hold
    """By the name: a key that sounds secret is one; where it is kept may be shown, and that it is empty."""
    return _each(_by_name, key, value)


def untyped(key: str, value: Any) -> Any:  # noqa: ANN401
    """Of an unknown type: any text may be a secret, and any number one that lacks its quotes."""
    return _each(_any_value, key, value)


def in_force(value: object, key: str = "") -> Any:  # noqa: ANN401
    """An option as it was read, as the file would say it: with every default, and of a ``Secret`` where it is kept.

    What is ``None`` is left out of its table. What no file can say, such as an object of the plugin's own, is hidden.
    """
    if isinstance(value, Secret):
        return value.source or (HIDDEN if value else "")
    table: type = type(value)
    if is_table(table):
        found = {each.key: getattr(value, each.name) for each in keys_of(table)}
        return {name: in_force(each, f"{key}_{name}") for name, each in found.items() if each is not None}
    if isinstance(value, Mapping):
        return {str(name): in_force(each, f"{key}_{name}") for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [in_force(each, key) for each in value]
    if isinstance(value, Enum):
        return in_force(value.value, key)
    if isinstance(value, Duration | Size):  # no secret, whatever the key is called: token_lifetime
        return str(value)
    return _by_name(key, value) if isinstance(value, str | bool | int | float) else HIDDEN


def as_written(key: str, value: Any, shown: Any) -> Any:  # noqa: ANN401
    """Of what stands in the file that which may be shown; ``shown``: its ``in_force``, ``None`` for an unknown key."""
    if isinstance(value, dict) and isinstance(shown, Mapping):
        return {inner: as_written(f"{key}_{inner}", each, shown.get(inner)) for inner, each in value.items()}
    if isinstance(value, list) and isinstance(shown, list) and len(value) == len(shown):
        return [as_written(key, each, one) for each, one in zip(value, shown, strict=True)]
    if shown is None or isinstance(value, dict | list):
        return untyped(key, value)
    return shown


def _each(leaf: Any, key: str, value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {inner: _each(leaf, f"{key}_{inner}", each) for inner, each in value.items()}
    if isinstance(value, list):
        return [_each(leaf, key, each) for each in value]
    return leaf(key, value)


def _by_name(key: str, value: Any) -> Any:  # noqa: ANN401
    if _is_harmless(value):
        return value
    if sounds_secret(key):
        return HIDDEN
    if not isinstance(value, str) or "://" not in value:
        return value
    return _URL_QUERY.sub(rf"\1={HIDDEN}", _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", value))


def _any_value(_key: str, value: Any) -> Any:  # noqa: ANN401
    return value if _is_harmless(value) else HIDDEN


def _is_harmless(value: object) -> bool:
    return value == "" or isinstance(value, bool) or (isinstance(value, str) and _REFERENCE.match(value) is not None)
