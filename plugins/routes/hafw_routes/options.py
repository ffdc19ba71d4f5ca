"""What ``[plugin.routes]`` may say, and what it means to the kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from hafw.api import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Network = IPv4Network | IPv6Network
    Address = IPv4Address | IPv6Address

REFRESH = Duration(5)
_Text = Annotated[str, Meta(min_length=1)]
_Unsigned = Annotated[int, Meta(ge=1, le=2**32 - 1)]
_SCOPES = {"global": 0, "link": 253, "host": 254}
_KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``[[plugin.routes.route]]``, in the words of ``ip route``."""

    instance: _Text
    to: _Text
    """A network, or ``default``."""
    via: str = ""
    dev: str = ""
    src: str = ""
    table: _Unsigned | None = None
    metric: _Unsigned | None = None
    scope: Literal["global", "link", "host"] | None = None
    kind: Literal["unicast", "blackhole", "unreachable", "prohibit"] = "unicast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``[[plugin.routes.rule]]``, in the words of ``ip rule``."""

    instance: _Text
    table: _Unsigned
    from_: str = ""
    to: str = ""
    iif: str = ""
    oif: str = ""
    fwmark: _Unsigned | None = None
    priority: _Unsigned | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.routes]``."""

    route: tuple[Route, ...] = ()
    rule: tuple[Rule, ...] = ()
    refresh: Annotated[Duration, Meta(ge=0, le=3600)] = REFRESH
    """How often what somebody removed is put back; 0s: never."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One route or rule."""

    text: str
    """As ``ip`` would show it."""
    is_rule: bool
    device: str
    """Of a route; its index is looked up when it is needed."""
    keys: dict[str, Any] = field(compare=False)
    """As pyroute2 calls them."""


def wishes(options: Options) -> dict[str, tuple[Wish, ...]]:
    """By instance: what it wants, in the order of the file, rules after routes."""
    found: dict[str, list[Wish]] = {}
    for route in options.route:
        found.setdefault(route.instance, []).append(_route(route))
    for rule in options.rule:
        found.setdefault(rule.instance, []).append(_rule(rule))
    return {name: tuple(each) for name, each in found.items()}


def mistakes(options: Options, instances: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    if not options.route and not options.rule:
        yield "route", "is missing: [[plugin.routes.route]] or [[plugin.routes.rule]] says what there shall be"
    for number, route in enumerate(options.route):
        for key, message in (*_unknown(route.instance, instances), *_mistakes_of_route(route)):
            yield f"route[{number}].{key}", message
    for number, rule in enumerate(options.rule):
        for key, message in (*_unknown(rule.instance, instances), *_mistakes_of_rule(rule)):
            yield f"rule[{number}].{key}", message


def _unknown(instance: str, instances: Sequence[str]) -> Iterator[tuple[str, str]]:
    if instance not in instances:
        yield "instance", f'= "{instance}": must be one of {", ".join(instances)}'


def _mistakes_of_route(route: Route) -> Iterator[tuple[str, str]]:
    to = network(route.to) if route.to != "default" else None
    if isinstance(to, str):
        yield "to", f'= "{route.to}": {to}, or "default"'
    via, src = address(route.via), address(route.src)
    for key, found in (("via", via), ("src", src)):
        if isinstance(found, str):
            yield key, f'= "{getattr(route, key)}": {found}'
    families = {each.version for each in (to, via, src) if each is not None and not isinstance(each, str)}
    if len(families) > 1:
        yield "to", f'= "{route.to}": mixes IPv4 and IPv6 with via or src: one family a route'
    if not families and route.to == "default":
        yield "via", 'is missing: of which family is the default route? via = ..., or to = "0.0.0.0/0" or "::/0"'
    elif route.kind == "unicast" and not (route.via or route.dev):
        yield "via", "is missing: where to? via = ..., or dev = ..."
    if route.kind != "unicast" and (route.via or route.dev):
        yield "kind", f'= "{route.kind}": goes nowhere: leave via and dev out'


def _mistakes_of_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    ends = {"from": network(rule.from_) if rule.from_ else None, "to": network(rule.to) if rule.to else None}
    for key, found in ends.items():
        if isinstance(found, str):
            yield key, f'= "{rule.from_ if key == "from" else rule.to}": {found}'
    if len({each.version for each in ends.values() if each is not None and not isinstance(each, str)}) > 1:
        yield "to", f'= "{rule.to}": is of another family than from = "{rule.from_}"'
    if not any((rule.from_, rule.to, rule.iif, rule.oif, rule.fwmark)):
        yield "from", "is missing: a rule for everything would catch this machine's own traffic: from, to, iif, ..."


def network(text: str) -> Network | str:
    """The network, or what is wrong with it."""
    try:
        return ip_network(text)
    except ValueError:
        try:
            return f"has host bits: did you mean {ip_network(text, strict=False)}?"
        except ValueError:
            return "must be a network such as 10.0.0.0/8 or 2001:db8::/32"


def address(text: str) -> Address | str | None:
    """The address, nothing, or what is wrong with it."""
    try:
        return ip_address(text) if text else None
    except ValueError:
        return "must be an address such as 192.0.2.1 or 2001:db8::1"


def _family(*texts: str) -> int:
    found = next(text for text in texts if text and text != "default")
    return 2 if ip_network(found, strict=False).version == 4 else 10


def _route(route: Route) -> Wish:
    family = _family(route.to, route.via, route.src)
    default = "0.0.0.0/0" if family == 2 else "::/0"
    keys: dict[str, Any] = {"family": family, "dst": default if route.to == "default" else str(ip_network(route.to))}
    given = {"gateway": route.via, "prefsrc": route.src, "table": route.table, "priority": route.metric}
    keys |= {key: value for key, value in given.items() if value}
    if route.scope is not None:
        keys["scope"] = _SCOPES[route.scope]
    elif family == 2 and route.kind == "unicast" and not route.via:
        keys["scope"] = _SCOPES["link"]  # as ip does it
    keys["type"] = _KINDS[route.kind]
    words = [*([route.kind] if route.kind != "unicast" else []), route.to]
    for word in ("via", "dev", "src", "table", "metric", "scope"):
        if value := getattr(route, word):
            words += [word, str(value)]
    return Wish(" ".join(words), is_rule=False, device=route.dev, keys=keys)


def _rule(rule: Rule) -> Wish:
    family = _family(rule.from_, rule.to) if rule.from_ or rule.to else 2
    keys: dict[str, Any] = {"family": family, "table": rule.table}
    given = {"src": rule.from_, "dst": rule.to}
    keys |= {key: str(ip_network(value)) for key, value in given.items() if value}
    more = {"iifname": rule.iif, "oifname": rule.oif, "fwmark": rule.fwmark, "priority": rule.priority}
    keys |= {key: value for key, value in more.items() if value}
    words = ["rule"]
    for word in ("from_", "to", "iif", "oif", "fwmark", "table", "priority"):
        if value := getattr(rule, word):
            words += [word.rstrip("_"), str(value)]
    return Wish(" ".join(words), is_rule=True, device="", keys=keys)
