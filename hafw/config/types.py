"""What the types of configuration tables are made of: the same reading for the conversion and for the schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from hafw.config.values import format_duration


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """One key of a table, and the field that it becomes."""

    key: str
    """``from`` for the field ``from_``, which Python does not let anybody call ``from``."""
    name: str
    type: Any
    required: bool
    default: Any = None


def is_table(type_: Any) -> bool:  # noqa: ANN401 - any type at all
    """Whether the type is read key by key."""
    is_class = isinstance(type_, type)
    return is_class and (dataclasses.is_dataclass(type_) or issubclass(type_, msgspec.Struct))


def is_enumeration(type_: Any) -> bool:  # noqa: ANN401 - any type at all
    """Whether the file says the value of one of its members."""
    return isinstance(type_, type) and issubclass(type_, Enum)


@cache
def keys_of(table: type) -> tuple[Key, ...]:
    """The keys of a dataclass or ``msgspec.Struct``, in order."""
    try:
        hints = get_type_hints(table, include_extras=True)
    except NameError as error:
        rule = "what types an option is imported when the module runs, not under TYPE_CHECKING"
        raise NameError(f"{table.__qualname__}: {error}: {rule}") from error
    if issubclass(table, msgspec.Struct):
        return tuple(_struct_key(field, hints) for field in msgspec.structs.fields(table))
    return tuple(_dataclass_key(field, hints) for field in dataclasses.fields(cast("Any", table)) if field.init)


def _struct_key(field: msgspec.structs.FieldInfo, hints: Mapping[str, Any]) -> Key:
    default = None if field.default is msgspec.NODEFAULT else field.default
    key = field.encode_name if field.encode_name != field.name else field.name.removesuffix("_")
    return Key(key, field.name, hints[field.name], field.required, default)


def _dataclass_key(field: dataclasses.Field[Any], hints: Mapping[str, Any]) -> Key:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = None if field.default is dataclasses.MISSING else field.default
    return Key(field.name.removesuffix("_"), field.name, hints[field.name], required, default)


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """A type taken apart: without ``Annotated`` and ``None``, its parts and the rules about its values."""

    kind: Any
    """A plain class, ``list``, ``tuple``, ``dict``, ``Literal`` or ``Union``."""
    parts: tuple[Any, ...] = ()
    """The values of a ``Literal`` and of an enumeration; types, of the others."""
    rules: tuple[msgspec.Meta, ...] = ()


_GENERIC = {Sequence: list, Mapping: dict, UnionType: Union}


def shape_of(type_: Any) -> Shape:  # noqa: ANN401 - any type at all
    """Take a type apart. TOML has no null, so ``T | None`` is ``T``."""
    rules: tuple[msgspec.Meta, ...] = ()
    while True:
        origin, parts = get_origin(type_), get_args(type_)
        kind = _GENERIC.get(origin, origin)
        if origin is Annotated:
            rules += tuple(rule for rule in parts[1:] if isinstance(rule, msgspec.Meta))
            type_ = parts[0]
            continue
        if kind is Union:
            parts = tuple(part for part in parts if part is not NoneType)
            if len(parts) == 1:
                type_ = parts[0]
                continue
        if is_enumeration(type_):
            parts = tuple(each.value for each in type_)
        return Shape(kind or type_, parts, rules)


def text_of_rule(rule: msgspec.Meta, *, duration: bool) -> str:
    """The rule in words: ``must be 1 to 255``. ``extra={"rule": ...}`` says it better where it can."""
    if rule.extra and "rule" in rule.extra:
        return str(rule.extra["rule"])
    if rule.min_length is not None or rule.max_length is not None:
        return f"must have {_span(rule.min_length, rule.max_length, '')} entries"
    if rule.gt is not None:
        return f"must be more than {_number(rule.gt, duration=duration)}"
    low, high = (None if bound is None else _number(bound, duration=duration) for bound in (rule.ge, rule.le))
    return f"must be {_span(low, high, '')}"


def _span(low: object, high: object, unit: str) -> str:
    if low is None or high is None:
        return f"at least {low}{unit}" if high is None else f"at most {high}{unit}"
    return f"{low} to {high}{unit}"


def _number(value: float, *, duration: bool) -> str:
    return format_duration(value) if duration else f"{value:g}" if isinstance(value, float) else str(value)
