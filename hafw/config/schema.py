"""The JSON schema (draft 2020-12) of config.toml, made from the types that read it, so that the two cannot differ."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Union

from hafw.config.tables import (
    ControlTable,
    GroupTable,
    InstanceTable,
    JournalTable,
    NodeTable,
    PluginTable,
    ProcessTable,
)
from hafw.config.types import is_enumeration, is_table, keys_of, shape_of
from hafw.config.values import Duration, Size
from hafw.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Meta

    from hafw.config.types import Key, Shape

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = "#/$defs/duration"
_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number"}
_RULES = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def schema(plugin_schemas: Mapping[str, Schema]) -> Schema:
    """The schema of the whole file; ``plugin_schemas`` describe the own keys of installed plugins, by name."""
    plugins = {name: _plugin(own) for name, own in plugin_schemas.items()}
    return {
        "$schema": _DRAFT,
        "title": "hafw config.toml",
        "description": "One file for every router: a value may be a table keyed by node name",
        "$defs": {
            "duration": {
                "type": "string",
                "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$",
                "examples": ["100ms", "1.5s", "10m", "1h"],
            }
        },
        "type": "object",
        "properties": {
            "node": schema_of(NodeTable),
            "instance": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _table(InstanceTable, by_node=True),
            },
            "group": {"type": "object", "additionalProperties": _table(GroupTable, by_node=True)},
            "plugin": {"type": "object", "properties": plugins, "additionalProperties": _plugin({"type": "object"})},
            "control": _table(ControlTable, by_node=True),
            "process": _table(ProcessTable, by_node=True),
            "journal": _table(JournalTable, by_node=True),
        },
        "required": ["instance"],
        "additionalProperties": False,
    }


def schema_of(type_: Any) -> Schema:  # noqa: ANN401 - any type that ``convert`` reads
    """The schema of one type; durations refer to ``#/$defs/duration`` of the whole."""
    return _schema(type_, by_node=False)


def _plugin(own: Schema) -> Schema:
    """The keys of every plugin and its own; ``file`` and ``user`` may differ by node, and so may the others."""
    common = _table(PluginTable, by_node=True)["properties"]
    wrapped = {key: _by_node(each) for key, each in own.get("properties", {}).items()}
    merged: Schema = {"type": "object", "properties": {**wrapped, **common}}
    if own.get("required"):
        merged["required"] = own["required"]
    if wrapped or own.get("additionalProperties") is False:
        merged["additionalProperties"] = False
    return merged


def _by_node(inner: Schema) -> Schema:
    """What is true of the key, and not of one value, stands outside: editors look for it there."""
    about: Schema = {key: inner[key] for key in ("description", "default") if key in inner}
    value = {key: each for key, each in inner.items() if key not in about}
    return {**about, "anyOf": [value, {"type": "object", "minProperties": 1, "additionalProperties": value}]}


def _schema(type_: Any, *, by_node: bool) -> Schema:  # noqa: ANN401
    shape = shape_of(type_)
    found = _of_shape(shape, by_node=by_node)
    for rule in shape.rules:
        found = {**found, **_rules(rule, shape)}
    return found


def _of_shape(shape: Shape, *, by_node: bool) -> Schema:
    kind, parts = shape.kind, [part for part in shape.parts if part is not Ellipsis]
    if is_table(kind):
        return _table(kind, by_node=by_node)
    if kind is Literal or is_enumeration(kind):
        return {"enum": parts}
    if kind is Union:
        return {"anyOf": [_schema(part, by_node=False) for part in parts]}
    if kind in (list, tuple):
        return {"type": "array", "items": _schema(parts[0], by_node=False) if parts else {}}
    if kind is dict:
        inner = _schema(parts[1], by_node=by_node) if parts else {}
        return {"type": "object", "additionalProperties": inner}
    if kind is Duration:
        return {"$ref": _DURATION}
    if kind is Size:
        return {"type": "string", "pattern": "^[0-9]{1,12}(KiB|MiB|GiB)$"}
    if kind is Secret:
        return {"type": "string", "description": "The secret, or file:/path, env:NAME, credential:NAME"}
    return {"type": _PLAIN[kind]} if kind in _PLAIN else {}


def _table(table: type, *, by_node: bool) -> Schema:
    properties = {}
    for key in keys_of(table):
        inner = _schema(key.type, by_node=by_node) | _default(key)
        kind = shape_of(key.type).kind
        properties[key.key] = _by_node(inner) if by_node and not is_table(kind) and kind is not dict else inner
    required = [key.key for key in keys_of(table) if key.required]
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _default(key: Key) -> Schema:
    """As the file would say it; none for a table, whose keys have theirs, and none for what is not there."""
    if key.required or key.default is None or dataclasses.is_dataclass(key.default):
        return {}
    return {"default": _plain(key.default)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value of any type that ``convert`` reads
    if isinstance(value, Duration | Size):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _rules(rule: Meta, shape: Shape) -> Schema:
    found: Schema = {}
    if rule.description:
        found["description"] = rule.description
    # A duration or a size is a string to the schema: bounds are for numbers.
    if shape.kind not in (Duration, Size):
        found |= {name: getattr(rule, key) for key, name in _RULES.items() if getattr(rule, key) is not None}
    if rule.pattern:
        found["pattern"] = rule.pattern
    lengths = ("minItems", "maxItems") if shape.kind in (list, tuple) else ("minLength", "maxLength")
    for name, value in zip(lengths, (rule.min_length, rule.max_length), strict=True):
        if value is not None:
            found[name] = value
    return found
