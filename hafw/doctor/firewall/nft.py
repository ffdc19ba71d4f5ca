"""``nft --json list ruleset``, read as rules that can be walked. What is not known here is a condition that may hold.

The form: libnftables-json(5).
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, cast

from hafw.doctor.firewall import rules
from hafw.doctor.firewall.rules import Chain, Network, Packet, Rule, Table, Truth
from hafw.doctor.firewall.words import protocol_number, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hafw.doctor.firewall.rules import Verdict

    Condition = Callable[[Packet], Truth]
    Sets = Mapping[tuple[str, str, str], Sequence[Any]]

_VERDICTS: Final[Mapping[str, Verdict]] = {
    "accept": "accept",
    "drop": "drop",
    "reject": "drop",
    "return": "return",
    "continue": "continue",
    "notrack": "notrack",
    "queue": "unknown",
    "fwd": "unknown",
    "dup": "continue",
    "tproxy": "unknown",
}
_HARMLESS: Final = {
    "counter",
    "log",
    "comment",
    "mangle",
    "set",
    "map",
    "flow",
    "ct helper",
    "ct timeout",
    "masquerade",
}
_HARMLESS_TARGETS: Final = {
    "LOG",
    "NFLOG",
    "ULOG",
    "MARK",
    "CONNMARK",
    "TRACE",
    "TCPMSS",
    "CHECKSUM",
    "DSCP",
    "TOS",
    "CT",
}
_OTHER_PROTOCOLS: Final = {
    *("tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6", "igmp", "ah", "esp", "comp", "arp", "vlan", "gre"),
}
"""Payload expressions that hold for a packet of this protocol only."""


def tables(document: Mapping[str, Any]) -> list[Table]:
    """Every table of the ruleset, in its order."""
    entries = [each for each in document.get("nftables", ()) if isinstance(each, dict)]
    sets = {
        (one["family"], one["table"], one["name"]): one.get("elem", ())
        for each in entries
        for kind in ("set", "map")
        if (one := each.get(kind)) is not None
    }
    listed: dict[tuple[str, str], dict[str, Chain]] = {}
    lines: dict[tuple[str, str, str], list[Rule]] = {}
    for each in entries:
        if one := each.get("table"):
            listed[one["family"], one["name"]] = {}
        elif one := each.get("rule"):
            chain = (one["family"], one["table"], one["chain"])
            lines.setdefault(chain, []).extend(_Reading(one, sets).rules())
    for each in entries:
        if (one := each.get("chain")) and one.get("type", "filter") != "nat":
            key = (one["family"], one["table"])
            listed.setdefault(key, {})[one["name"]] = _chain(one, lines.get((*key, one["name"]), []))
    return [Table(family, name, "nft", chains) for (family, name), chains in listed.items()]


def uses_xt(document: Mapping[str, Any], family: str, table: str) -> bool:
    """Whether iptables has put something in that nft itself cannot read."""
    return any(
        "xt" in statement
        for each in document.get("nftables", ())
        if (rule := each.get("rule")) and (rule["family"], rule["table"]) == (family, table)
        for statement in rule.get("expr", ())
    )


def _chain(one: Mapping[str, Any], rules_: Sequence[Rule]) -> Chain:
    devices = one.get("dev", ())
    return Chain(
        name=one["name"],
        rules=tuple(rules_),
        hook=one.get("hook", ""),
        priority=one.get("prio", 0) if isinstance(one.get("prio", 0), int) else 0,
        policy="drop" if one.get("policy") == "drop" else "accept",
        devices=(devices,) if isinstance(devices, str) else tuple(devices),
    )


class _Reading:
    """One rule; a verdict map in it makes several of it."""

    def __init__(self, rule: Mapping[str, Any], sets: Sets) -> None:
        self._statements = [each for each in rule.get("expr", ()) if isinstance(each, dict)]
        self._where = (rule["family"], rule["table"])
        self._sets = sets
        self._text = shown(self._statements)

    def rules(self) -> Iterator[Rule]:
        """In order; the conditions of a statement hold for all behind it."""
        conditions: list[Condition] = []
        for statement in self._statements:
            ((kind, value),) = list(statement.items())[:1] or [("", None)]
            if kind == "match":
                conditions.append(self._match(value))
            elif kind in {"jump", "goto"}:
                yield Rule(tuple(conditions), cast("Verdict", kind), value["target"], self._text)
            elif kind == "vmap":
                yield from self._vmap(value, conditions)
            elif kind == "xt":
                yield from self._xt(value or {}, conditions)
            elif kind in _VERDICTS:
                yield Rule(tuple(conditions), _VERDICTS[kind], "", self._text)
            elif kind == "mangle" and self._sets_mark(value):
                yield Rule(tuple(conditions), "mark", "", self._text)
            elif kind not in _HARMLESS or (isinstance(value, dict) and value.get("stmt")):
                conditions.append(rules.maybe)  # limit, quota, connlimit, and what comes after this was written

    def _sets_mark(self, value: Any) -> bool:  # noqa: ANN401
        key = value.get("key") if isinstance(value, dict) else None
        return isinstance(key, dict) and any(
            isinstance(inner, dict) and inner.get("key") == "mark" for inner in key.values()
        )

    def _xt(self, extension: Mapping[str, Any], conditions: list[Condition]) -> Iterator[Rule]:
        """What iptables' extensions do, nft shows by name only, or not at all."""
        if extension.get("type") != "target":
            conditions.append(rules.maybe)
        elif extension.get("name") == "REJECT":
            yield Rule(tuple(conditions), "drop", "", self._text)
        elif extension.get("name") not in _HARMLESS_TARGETS:
            yield Rule(tuple(conditions), "unknown", "", self._text)

    def _vmap(self, value: Mapping[str, Any], conditions: Sequence[Condition]) -> Iterator[Rule]:
        for entry in self._elements(value["data"]):
            if not isinstance(entry, list | tuple) or len(entry) != 2:
                continue
            key, verdict = entry
            ((kind, target),) = list(verdict.items())[:1]
            condition = self._compare(value["key"], "==", key)
            text = f"{self._text} ({shown([verdict])})"
            if kind in {"jump", "goto"}:
                yield Rule((*conditions, condition), cast("Verdict", kind), target["target"], text)
            elif kind in _VERDICTS:
                yield Rule((*conditions, condition), _VERDICTS[kind], "", text)

    def _match(self, match: Mapping[str, Any]) -> Condition:
        return self._compare(match["left"], match["op"], match["right"])

    def _compare(self, left: Any, operator: str, right: Any) -> Condition:  # noqa: ANN401
        if operator == "!=":
            return rules.negated(self._compare(left, "==", right))
        if not isinstance(left, dict):
            return rules.maybe
        if "concat" in left:
            return self._concatenated(left["concat"], right)
        if "&" in left:
            return _masked(left["&"], list(self._values(right)))
        ((kind, what),) = list(left.items())[:1]
        read = _LEFT.get(kind)
        return read(what, operator, list(self._values(right))) if read is not None else rules.maybe

    def _concatenated(self, parts: Sequence[Any], right: Any) -> Condition:  # noqa: ANN401
        """Holds when all parts are those of one element."""
        entries = [each.get("concat", ()) if isinstance(each, dict) else () for each in self._values(right)]
        rows = [
            [self._compare(part, "==", value) for part, value in zip(parts, entry, strict=True)]
            for entry in entries
            if len(entry) == len(parts)
        ]
        if len(rows) < len(entries):
            return rules.maybe
        return lambda packet: rules.either(rules.both(each(packet) for each in row) for row in rows)

    def _values(self, right: Any) -> Iterator[Any]:  # noqa: ANN401
        """What the right side lists, named sets looked up."""
        if isinstance(right, str) and right.startswith("@"):
            yield from self._elements(right)
        elif isinstance(right, dict) and "set" in right:
            for each in right["set"] if isinstance(right["set"], list) else [right["set"]]:
                yield from self._values(each)
        elif isinstance(right, dict) and "elem" in right:
            yield right["elem"]["val"] if isinstance(right["elem"], dict) else right["elem"]
        elif isinstance(right, list):
            for each in right:
                yield from self._values(each)
        else:
            yield right

    def _elements(self, data: Any) -> list[Any]:  # noqa: ANN401
        if isinstance(data, str) and data.startswith("@"):
            found = self._sets.get((*self._where, data[1:]), ())
            return [each["elem"]["val"] if isinstance(each, dict) and "elem" in each else each for each in found]
        return list(data.get("set", ())) if isinstance(data, dict) else []


def _meta(what: Mapping[str, Any], operator: str, values: list[Any]) -> Condition:
    key = what.get("key")
    if key in {"iifname", "iif"}:
        return rules.on_interface("in", map(str, values))
    if key in {"oifname", "oif"}:
        return rules.on_interface("out", map(str, values))
    if key == "l4proto":
        return _numeric(rules.with_protocol, operator, [protocol_number(each) for each in values])
    if key in {"nfproto", "protocol"}:
        families = {4 if each in {"ipv4", "ip"} else 6 for each in values if each in {"ipv4", "ip", "ipv6", "ip6"}}
        return lambda packet: rules.truth(holds=packet.family in families)
    if key == "mark":
        return _marked(0xFFFFFFFF, values)
    if key == "pkttype":
        return rules.of_type(["host" if each == "unicast" else str(each) for each in values], "destination")
    return rules.maybe


def _payload(what: Mapping[str, Any], operator: str, values: list[Any]) -> Condition:
    protocol, field = what.get("protocol"), what.get("field")
    if protocol in _OTHER_PROTOCOLS:
        return rules.never
    if protocol not in {"ip", "ip6"}:
        return rules.maybe
    condition = _ip_field(str(field), operator, values)
    family = rules.of_family(4 if protocol == "ip" else 6)
    return lambda packet: rules.both((family(packet), condition(packet)))


def _ip_field(field: str, operator: str, values: list[Any]) -> Condition:
    if field in {"saddr", "daddr"}:
        networks = [network for each in values for network in _networks(each)]
        if len(networks) < len(values):
            return rules.maybe
        return rules.in_networks("source" if field == "saddr" else "destination", networks)
    if field in {"protocol", "nexthdr"}:
        return _numeric(rules.with_protocol, operator, [protocol_number(each) for each in values])
    if field in {"ttl", "hoplimit"}:
        return _numeric(rules.with_ttl, operator, values)
    if field == "version":
        return rules.always
    return rules.maybe


def _ct(what: Mapping[str, Any], _operator: str, values: list[Any]) -> Condition:
    if what.get("key") == "mark":
        return _marked(0xFFFFFFFF, values)
    return rules.with_state(map(str, values)) if what.get("key") == "state" else rules.maybe


def _masked(parts: Sequence[Any], values: list[Any]) -> Condition:
    """``meta mark & 0x8000 == 0x8000``; masks of anything else are not judged."""
    left, mask = parts
    is_mark = isinstance(left, dict) and any(
        isinstance(inner, dict) and inner.get("key") == "mark" for inner in left.values()
    )
    return _marked(mask, values) if is_mark and isinstance(mask, int) else rules.maybe


def _marked(mask: int, values: list[Any]) -> Condition:
    if not all(isinstance(each, int) for each in values):
        return rules.maybe
    conditions = [rules.with_mark(each, mask) for each in values]
    return lambda packet: rules.either(condition(packet) for condition in conditions)


def _fib(what: Mapping[str, Any], _operator: str, values: list[Any]) -> Condition:
    flags = what.get("flags", ())
    flags = [flags] if isinstance(flags, str) else flags
    of: Any = "source" if "saddr" in flags else "destination"
    if what.get("result") == "type":
        return rules.of_type(map(str, values), of)
    # A reverse path filter. Neighbours are on the link; where they are not, the finding about rp_filter says so.
    return lambda _packet: rules.truth(holds=values not in ([False], ["missing"], [0]))


_LEFT: Final[Mapping[str, Callable[[Any, str, list[Any]], Condition]]] = {
    "meta": _meta,
    "payload": _payload,
    "ct": _ct,
    "fib": _fib,
}


def _numeric(
    condition: Callable[[Callable[[int], bool]], Condition], operator: str, values: Iterable[Any]
) -> Condition:
    """``==``, a set, a range, ``<`` and the like."""
    spans: list[tuple[int, int]] = []
    for each in values:
        if isinstance(each, int) and not isinstance(each, bool):
            spans.append((each, each))
        elif isinstance(each, dict) and isinstance(each.get("range"), list):
            first, last = each["range"]
            spans.append((int(first), int(last)))
        else:
            return rules.maybe
    bound = spans[0][0] if spans else 0
    if operator in {"<", "<=", ">", ">="}:
        tests: dict[str, Callable[[int], bool]] = {
            "<": lambda number: number < bound,
            "<=": lambda number: number <= bound,
            ">": lambda number: number > bound,
            ">=": lambda number: number >= bound,
        }
        return condition(tests[operator])
    return condition(lambda number: any(first <= number <= last for first, last in spans))


def _networks(value: Any) -> list[Network]:  # noqa: ANN401
    """An address, a prefix or a range of addresses; empty: neither."""
    try:
        if isinstance(value, str):
            return [ip_network(value)]
        if isinstance(value, dict) and "prefix" in value:
            return [ip_network(f"{value['prefix']['addr']}/{value['prefix']['len']}", strict=False)]
        if isinstance(value, dict) and "range" in value:
            return rules.networks_between(*map(str, value["range"]))
    except ValueError:
        pass
    return []
