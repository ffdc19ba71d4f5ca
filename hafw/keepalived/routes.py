"""``virtual_routes`` and ``virtual_rules``: lines of ``ip route`` and ``ip rule``."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router

_KINDS = ("blackhole", "unreachable", "prohibit")
_TABLES = {"main": 254, "default": 253, "local": 255}
_SCOPES = {"global": "global", "universe": "global", "0": "global", "link": "link", "253": "link", "host": "host"}
_ROUTE = {"via": "via", "gw": "via", "dev": "dev", "oif": "dev", "src": "src", "to": "to"}
_RULE = {"from": "from", "to": "to", "iif": "iif", "dev": "iif", "oif": "oif"}
_NUMBERS = {"table": "table", "metric": "metric", "priority": "priority", "preference": "priority", "fwmark": "fwmark"}
_FLAGS = ("no_track", "inet", "inet6", "onlink", "append")
Table = dict[str, "Value"]


class RouteReading:
    """Reads the routes and rules of all instances."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._found: dict[str, list[Value]] = {"route": [], "rule": []}

    def read(self, instance: str, block: Statement) -> None:
        """One block."""
        kind = "route" if block.word == "virtual_routes" else "rule"
        block.told = True
        lines = [*block.body] if block.body else []
        if block.arguments:
            lines.insert(0, type(block)(block.arguments, block.place, block.quoted[1:]))
        for line in lines:
            line.told = True
            table, wrong = self._table(kind, list(line.words))
            wrong = wrong or (_wrong_route(table) if kind == "route" else _wrong_rule(table))
            if wrong:
                self._router.note(line, "decide", f"{wrong}: left out; a notify script can set it")
                continue
            first = self._found[kind]
            first.append({"instance": instance, **table})
            self._router.draft.section("plugin", "routes", place=block.place).put(kind, list(first), block.place)

    def _table(self, kind: str, words: list[str]) -> tuple[Table, str]:
        """The keys that a line names, and what hafw cannot do of it."""
        table: Table = {}
        named = _ROUTE if kind == "route" else _RULE
        while words:
            word = words.pop(0)
            value = words[0] if words else ""
            if word in _FLAGS:
                continue
            if word in _KINDS and kind == "route":
                table["kind"] = word
            elif word in named and value:
                table[named[word]] = words.pop(0)
            elif word in _NUMBERS and value:
                number = _TABLES.get(words[0]) if word == "table" else None
                if number is None and not (value.isdecimal() and 0 < int(value[:11]) < 2**32):
                    return table, f"`{word} {value}`: hafw takes a number"
                key = "metric" if kind == "route" and word in ("priority", "preference") else _NUMBERS[word]
                table[key] = number or int(value)
                words.pop(0)
            elif word == "scope" and value in _SCOPES and kind == "route":
                table["scope"] = _SCOPES[words.pop(0)]
            elif kind == "route" and "to" not in table and _network(word):
                table["to"] = word
            else:
                return table, f"hafw knows no `{word}` of a {kind}"
        return table, ""


def _network(text: str) -> str:
    """The network in its proper form; empty: it is none."""
    if text == "default":
        return text
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


def _wrong_route(table: Table) -> str:
    to = _network(str(table.get("to", "")))
    if not to:
        return "names no network"
    table["to"] = to
    families = {ip_network(to).version} if to != "default" else set()
    for key in ("via", "src"):
        try:
            families |= {ip_address(str(table[key])).version} if key in table else set()
        except ValueError:
            return f"`{table[key]}` is no address"
    if len(families) != 1:
        return "is of no family, or of both"
    if ("kind" in table) == bool({"via", "dev"} & set(table)):
        return "needs via or dev, unless it is a blackhole and the like"
    return ""


def _wrong_rule(table: Table) -> str:
    for key in ("from", "to"):
        found = _network(str(table[key])) if key in table else "0.0.0.0/0"
        if not found or found == "default":
            return f"`{table[key]}` is no network"
        if key in table:
            table[key] = found
    if "table" not in table:
        return "names no table"
    if len({ip_network(str(table[key])).version for key in ("from", "to") if key in table}) > 1:
        return "mixes IPv4 and IPv6"
    if not {"from", "to", "iif", "oif", "fwmark"} & set(table):
        return "would catch this machine's own traffic"
    return ""
