"""TOML values to typed ones, with every mistake collected instead of the first.

It knows nothing of the rest of the configuration: plugin processes read their own ``[plugin.X]`` tables with it. A
type is built from ``str``, ``int``, ``float``, ``bool``, ``Any``, ``Literal``, ``Enum``, lists, tuples,
``dict[str, T]``, unions, ``Duration``, ``Secret``, dataclasses and ``msgspec.Struct``;
``Annotated[T, msgspec.Meta(...)]`` adds rules.
"""

from __future__ import annotations

import math
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal, Union

from hafw.config.problem import Problem, did_you_mean, enumerate_words, nearest, show
from hafw.config.types import Shape, is_enumeration, is_table, keys_of, shape_of, text_of_rule
from hafw.config.values import Duration, Size, parse_duration, parse_size
from hafw.secret import Secret, resolve_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

__all__ = ["FAILED", "Duration", "Problem", "Reader", "Secret", "convert", "parse_duration"]

FAILED: Final = object()
"""What a value that could not be read becomes; the reader has said why."""

_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    dict: "a table",
    Duration: "a duration",
    Size: "a size",
    Secret: "a string",
}


def convert(value: object, type_: Any, path: str, *, machine: bool = True) -> tuple[Any, list[Problem]]:  # noqa: ANN401
    """The value as ``type_``, or ``None`` and every mistake in it. ``path`` is its key path.

    ``machine=False`` leaves secrets in files and in the environment unread.
    """
    reader = Reader(machine=machine)
    found = reader.read(value, type_, path)
    return (None if reader.problems else found), reader.problems


class Reader:
    """Reads values and collects mistakes. A subclass may choose among the values of a key in ``chosen``."""

    def __init__(self, *, machine: bool = True) -> None:
        self.problems: list[Problem] = []
        self.machine = machine

    def chosen(self, value: object, type_: Any, path: str) -> tuple[object, str]:  # noqa: ANN401, ARG002
        """The value that counts for a key, and its path; ``FAILED``: none does, and that was said."""
        return value, path

    def about_unknown(self, word: str, known: Iterable[str]) -> tuple[str, str]:
        """What to say of an unknown key, and which known one it stands for; empty: none."""
        return f"unknown key{did_you_mean(word, known)}", nearest(word, known)

    def read(self, value: object, type_: Any, path: str) -> Any:  # noqa: ANN401
        """The value as ``type_``, or ``FAILED``."""
        shape = shape_of(type_)
        found = self._read_shape(value, shape, path)
        if found is FAILED or all(_obeys(found, rule) for rule in shape.rules):
            return found
        broken = next(rule for rule in shape.rules if not _obeys(found, rule))
        rule = text_of_rule(broken, duration=shape.kind is Duration)
        shown = "" if _may_hold_secret(type_) else f"= {show(value)}: "
        return self._refuse(path, f"{shown}{rule}")

    def read_keys(self, value: dict[str, Any], table: type, path: str) -> dict[str, Any]:
        """Those fields of a table that could be read, by field name; mistakes in the others are collected."""
        known = {key.key: key for key in keys_of(table)}
        misspelt = set()
        for word in value:
            if word not in known:
                message, meant = self.about_unknown(word, known)
                self._refuse(f"{path}.{word}", message)
                misspelt.add(meant)
        found = {}
        for key in known.values():
            if key.key in value:
                chosen, place = self.chosen(value[key.key], key.type, f"{path}.{key.key}")
                found[key.name] = chosen if chosen is FAILED else self.read(chosen, key.type, place)
            elif key.required and key.key not in misspelt:
                self._refuse(f"{path}.{key.key}", f"is missing: {_expected(key.type)} is required")
        return {name: each for name, each in found.items() if each is not FAILED}

    def _refuse(self, path: str, message: str) -> object:
        self.problems.append(Problem(path, message))
        return FAILED

    def _read_shape(self, value: object, shape: Shape, path: str) -> Any:  # noqa: ANN401
        kind = shape.kind
        if kind in (Any, object):
            return value
        if _is_words(shape):
            return self._read_word(value, shape, path)
        if kind is Union:
            return self._read_union(value, shape.parts, path)
        if kind in (list, tuple):
            return self._read_list(value, shape, path)
        if kind is dict:
            return self._read_dict(value, shape, path)
        if kind is Duration:
            return self._parsed(value, kind, lambda text: Duration(parse_duration(text)), path)
        if kind is Size:
            return self._parsed(value, kind, lambda text: Size(parse_size(text)), path)
        if kind is Secret:
            return self._read_secret(value, path)
        if is_table(kind):
            return self._read_table(value, kind, path)
        return self._read_scalar(value, kind, path)

    def _read_scalar(self, value: object, kind: type, path: str) -> Any:  # noqa: ANN401
        if kind not in (str, bool, int, float):
            hint = ": declare it str, and make a Path of it in configure" if issubclass(kind, PurePath) else ""
            raise TypeError(f"{path}: a value of type {kind!r} cannot be read from TOML{hint}")
        if kind is float and type(value) is int:
            return self._parsed(value, kind, float, path)
        if type(value) is not kind:
            return self._wrong_type(value, _NAMES[kind], path)
        if isinstance(value, float) and not math.isfinite(value):
            return self._refuse(path, f"= {show(value)}: must be a finite number")
        return value

    def _parsed(self, value: object, kind: type, parse: Any, path: str) -> Any:  # noqa: ANN401
        try:
            return parse(value)
        except (ValueError, OverflowError) as error:
            if isinstance(value, list | dict):
                return self._wrong_type(value, _NAMES[kind], path)
            return self._refuse(path, f"= {show(value)}: {error}")

    def _read_secret(self, value: object, path: str) -> Any:  # noqa: ANN401
        if not isinstance(value, str):
            return self._refuse(path, "must be a string: the secret, or file:/path, env:NAME or credential:NAME")
        try:
            return resolve_secret(value, machine=self.machine)
        except ValueError as error:
            return self._refuse(path, str(error))

    def _read_word(self, value: object, shape: Shape, path: str) -> Any:  # noqa: ANN401
        for word in shape.parts:
            if type(word) is type(value) and word == value:
                return word if shape.kind is Literal else shape.kind(word)
        rule = f"must be {enumerate_words(map(show, shape.parts), 'or')}"
        hint = did_you_mean(value, map(str, shape.parts)) if isinstance(value, str) else ""
        return self._refuse(path, f"= {show(value)}: {rule}{hint}")

    def _read_union(self, value: object, parts: tuple[Any, ...], path: str) -> Any:  # noqa: ANN401
        secret = any(map(_may_hold_secret, parts))
        # A secret is not read as the plain text that it may be too: then nothing would say what it is.
        for part in sorted(parts, key=lambda part: secret and shape_of(part).kind in (str, Any, object)):
            if _fits(value, shape_of(part)):
                return self.read(value, part, path)
        return self._wrong_type(value, enumerate_words(map(_expected, parts), "or"), path, secret=secret)

    def _read_list(self, value: object, shape: Shape, path: str) -> Any:  # noqa: ANN401
        secret = any(map(_may_hold_secret, shape.parts))
        if not isinstance(value, list):
            wanted = "a list" if secret or isinstance(value, dict) else f"a list: [{show(value)}]"
            return self._wrong_type(value, wanted, path, secret=secret)
        parts = [part for part in shape.parts if part is not Ellipsis] or [Any]
        if shape.kind is tuple and Ellipsis not in shape.parts and shape.parts:
            if len(value) != len(parts):
                shown = "" if secret else f"= {show(value)}: "
                return self._refuse(path, f"{shown}must have {len(parts)} entries")
        else:
            parts = parts[:1] * len(value)
        found = [self.read(each, part, f"{path}[{n}]") for n, (each, part) in enumerate(zip(value, parts, strict=True))]
        return FAILED if FAILED in found else shape.kind(found)

    def _read_dict(self, value: object, shape: Shape, path: str) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            return self._wrong_type(value, "a table", path)
        part = shape.parts[1] if shape.parts else Any
        found = {key: self.read(each, part, f"{path}.{key}") for key, each in value.items()}
        return FAILED if any(each is FAILED for each in found.values()) else found

    def _read_table(self, value: object, table: type, path: str) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            return self._wrong_type(value, "a table", path)
        before = len(self.problems)
        found = self.read_keys(value, table, path)
        if len(self.problems) > before:
            return FAILED
        try:
            return table(**found)
        except (TypeError, ValueError) as error:
            return self._refuse(path, str(error))

    def _wrong_type(self, value: object, expected: str, path: str, *, secret: bool = False) -> object:
        """A value is not shown where a table belongs or stands: there may be a password in it."""
        if secret or isinstance(value, dict) or "a table" in expected:
            return self._refuse(path, f"is {_kind_of(value)}: must be {expected}")
        return self._refuse(path, f"= {show(value)}: must be {expected}")


def _may_hold_secret(type_: Any, above: tuple[type, ...] = ()) -> bool:  # noqa: ANN401
    """Whether a value of this type is, or has in it, what nobody may see; ``above``: the tables that it is in."""
    shape = shape_of(type_)
    if is_table(shape.kind):
        if shape.kind in above:
            return False
        return any(_may_hold_secret(key.type, (*above, shape.kind)) for key in keys_of(shape.kind))
    parts = () if _is_words(shape) else shape.parts
    return shape.kind is Secret or any(_may_hold_secret(each, above) for each in parts)


def _is_words(shape: Shape) -> bool:
    return shape.kind is Literal or is_enumeration(shape.kind)


def _fits(value: object, shape: Shape) -> bool:
    """Whether a value can only be meant as this member of a union."""
    if _is_words(shape):
        return value in shape.parts
    if is_table(shape.kind) or shape.kind is dict:
        return isinstance(value, dict)
    if shape.kind in (list, tuple):
        return isinstance(value, list)
    if shape.kind in (Duration, Size, Secret):
        return isinstance(value, str)
    if shape.kind is float:
        return type(value) in (int, float)
    return shape.kind in (Any, object) or type(value) is shape.kind


def _expected(type_: Any) -> str:  # noqa: ANN401
    shape = shape_of(type_)
    if _is_words(shape):
        return enumerate_words(map(show, shape.parts), "or")
    if shape.kind is Union:
        return enumerate_words(map(_expected, shape.parts), "or")
    return "a table" if is_table(shape.kind) else _NAMES.get(shape.kind, "a value")


def _kind_of(value: object) -> str:
    return "a table" if isinstance(value, dict) else _NAMES.get(type(value), "a date or time")


def _obeys(value: Any, rule: msgspec.Meta) -> bool:  # noqa: ANN401
    text = value.reveal() if isinstance(value, Secret) else value
    return not (
        (rule.ge is not None and value < rule.ge)
        or (rule.gt is not None and value <= rule.gt)
        or (rule.le is not None and value > rule.le)
        or (rule.lt is not None and value >= rule.lt)
        or (rule.min_length is not None and len(text) < rule.min_length)
        or (rule.max_length is not None and len(text) > rule.max_length)
        or (rule.pattern is not None and re.search(rule.pattern, text) is None)
    )
