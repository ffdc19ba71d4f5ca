"""Structure-aware changes: of JSON a value, of TOML a line. Pure; chance comes from the caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hafw.config.tables import AnnounceTable, CheckTable, ControlTable, InstanceTable, NodeTable, PluginTable
from hafw.config.types import keys_of
from hafw.keepalived.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Change = Callable[[bytes, Random], bytes]

HUGE = 10**400
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 256, 2**31, -(2**31), 2**63, HUGE, -HUGE),
    *(0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")),
    *("", "0", "eth0", "VI_1", "192.0.2.250", "fe80::1%eth0", "::ffff:192.0.2.1", "224.0.0.18", "\ud800", "\0", "\n"),
    *("a" * 300, "\x1b[2J", "3133c801", "zz", [], {}, [[]], [None], {"": None}, {"do": "status"}),
)
"""What is written by hand, by another version, or by a disk that forgets, and JSON's edges."""
TOML_VALUES = (
    *("true", "false", "0", "-1", "1", "255", "256", "70000", "1e999", "nan", "inf", "1" + "0" * 400, "0x33", "07"),
    *('""', '"eth0"', '"1s"', '"15ms"', '"0.001s"', '"1e400s"', '"-1s"', '"999999999h"', '"fe80::1/64"', '"::"'),
    *('"192.0.2.250"', '"192.0.2.250/33"', '"224.0.0.18"', '"env:HOME"', '"file:/dev/zero"', '"file:/"', '"file:"'),
    *('["192.0.2.250", "fd77::250"]', "[]", "{}", "[[]]", "[1, 2]", '["a", 1]', "{ lb1 = 200, lb2 = 100 }"),
    *('{ address = "192.0.2.250/24", interface = "eth1" }', '{ lb1 = "192.0.2.1", lb2 = {} }', '"credential:x"'),
    *('"\\u0000"', '"\\u202e"', '"""\n"""', "'''x'''", "[" * 300, f'"{"a" * 300}"', "", "yes", "1979-05-27"),
    *("07:32:00", "\u201ceth0\u201d"),
)
TABLES = (
    *("[node]", "[control]", "[process]", "[instance]", "[instance.VI_1]", "[instance.VI_2]", "[plugin.nginx]"),
    *("[instance.VI_1.check.nginx]", "[instance.VI_1.announce]", "[[instance.VI_1]]", '[instance."\\u001b"]'),
    *("[plugin.x]", "[x.y.z]"),
)
KEYS = tuple(
    dict.fromkeys(
        key.key
        for table in (InstanceTable, CheckTable, AnnounceTable, PluginTable, NodeTable, ControlTable)
        for key in keys_of(table)
    )
)


def change_json(data: bytes, chance: Random) -> bytes:
    """Change a value somewhere in one of the lines; octets that are no JSON stay as they are."""
    lines = data.split(b"\n")
    number = chance.randrange(len(lines))
    try:
        document = json.loads(lines[number])
    except (ValueError, RecursionError):
        return data
    if chance.random() < 0.1:
        lines.insert(number, lines[chance.randrange(len(lines))])
    else:
        lines[number] = json.dumps(_changed(document, chance)).encode()
    return b"\n".join(lines)


def _changed(value: Any, chance: Random) -> Any:  # noqa: ANN401 - any JSON
    """Go down at random; what is found there is replaced, left out, doubled or named otherwise."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        match chance.randrange(12):
            case 0:
                return {each: inner for each, inner in value.items() if each != key}
            case 1:
                return {**value, chance.choice(["", "x", "do", "version", *value]): chance.choice(VALUES)}
            case _:
                return {**value, key: _changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        if chance.random() < 0.2:
            return [*value[:at], *value[at : at + 1] * chance.choice([0, 2, 5]), *value[at + 1 :]]
        return [*value[:at], _changed(value[at], chance), *value[at + 1 :]]
    return chance.choice(VALUES)


def change_toml(data: bytes, chance: Random) -> bytes:
    """Change, add, leave out or move a line."""
    lines = data.decode(errors="replace").split("\n")
    number = chance.randrange(len(lines))
    line = lines[number]
    match chance.randrange(8):
        case 0:
            del lines[number]
        case 1:
            lines.insert(number, lines[chance.randrange(len(lines))])
        case 2:
            lines.insert(number, chance.choice(TABLES))
        case 3:
            lines.insert(number, f"{chance.choice(KEYS)} = {chance.choice(TOML_VALUES)}")
        case 4 if "=" in line:
            lines[number] = f"{chance.choice(KEYS)} ={line.partition('=')[2]}"
        case _:
            key, equals, _ = line.partition("=")
            lines[number] = f"{key}= {chance.choice(TOML_VALUES)}" if equals else chance.choice(TABLES)
    return "\n".join(lines).encode(errors="replace")


KEYWORDS = tuple(dict.fromkeys(keyword for words in WORDS.values() for keyword in words))
CONF_WORDS = (
    *(
        "{",
        "}",
        '"',
        "'",
        "# ",
        "$A",
        "${A}",
        "$A=",
        "@lb1",
        "~SEQ(A,1,3)",
        "~LST(A,x,y)",
        "include a",
        "on",
        "reverse",
    ),
    *("51", "255", "0", "-1", "1.5", "99999999999", "MASTER", "eth0", "192.0.2.1/24", "fe80::1", "::", "weight", "dev"),
)


def change_conf(data: bytes, chance: Random) -> bytes:
    """Of keepalived's language: change, add, leave out, double or join lines."""
    lines = data.decode(errors="replace").split("\n")
    at = chance.randrange(len(lines))
    words = lines[at].split(" ")
    match chance.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        case 2:
            lines.insert(at, " ".join(chance.choices((*KEYWORDS, *CONF_WORDS), k=chance.randrange(1, 4))))
        case 3:
            lines[at : at + 2] = [" ".join(lines[at : at + 2])]
        case _:
            words[chance.randrange(len(words))] = chance.choice((*KEYWORDS, *CONF_WORDS))
            lines[at] = " ".join(words)
    return "\n".join(lines).encode(errors="replace")


JSON_TARGETS = ("control", "plugin", "will", "inheritance", "line", "plans", "history", "outbox", "leave")
CHANGES: dict[str, Change] = {
    **dict.fromkeys(JSON_TARGETS, change_json),
    "config": change_toml,
    "keepalived": change_conf,
}
"""By target; the others are octets, which libFuzzer changes well enough."""
