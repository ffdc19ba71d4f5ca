"""Names of protocols, and rules as an operator knows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PROTOCOLS: Final = {
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ospf": 89,
    "vrrp": 112,
    "carp": 112,
    "sctp": 132,
    "udplite": 136,
}
_NO_ADVERT: Final = 254
"""For a name that is not known here: whatever it is, it is not VRRP."""
_TEXT_MAX: Final = 120


def protocol_number(value: Any) -> Any:  # noqa: ANN401
    """A number as it is, a name as its number, everything else unchanged."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else _PROTOCOLS.get(value.lower(), _NO_ADVERT)
    return value


def shown(statements: Sequence[Mapping[str, Any]]) -> str:
    """Statements of nft's JSON in its own language, near enough to find them with ``nft list ruleset``."""
    text = " ".join(filter(None, (_statement(*next(iter(each.items()), ("", None))) for each in statements)))
    return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 3]}..."


def _statement(kind: str, value: Any) -> str:  # noqa: ANN401
    if kind == "match":
        operator = "" if value["op"] in {"==", "in"} else f"{value['op']} "
        return f"{_expression(value['left'])} {operator}{_expression(value['right'])}"
    if kind == "vmap":
        return f"{_expression(value['key'])} vmap {_expression(value['data'])}"
    if kind in {"jump", "goto"}:
        return f"{kind} {value['target']}"
    if kind == "xt":
        return f"[iptables {(value or {}).get('name', 'extension')}]"
    if kind in {"counter", "comment", ""}:
        return ""
    return kind if value is None or isinstance(value, dict) else f"{kind} {_expression(value)}"


def _expression(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return ", ".join(map(_expression, value))
    if not isinstance(value, dict) or not value:
        return str(value)
    kind, inner = next(iter(value.items()))
    show = _SHOWN.get(kind)
    if show is not None:
        return show(inner)
    return str(kind) if inner is None else json.dumps(value)


def _meta(inner: Any) -> str:  # noqa: ANN401
    key = str(inner.get("key", ""))
    return key if key in {"iifname", "oifname", "iif", "oif"} else f"meta {key}"


_SHOWN: Final[Mapping[str, Callable[[Any], str]]] = {
    "meta": _meta,
    "ct": lambda inner: f"ct {inner.get('key', '')}",
    "payload": lambda inner: f"{inner.get('protocol', '')} {inner.get('field', '')}".strip(),
    "set": lambda inner: f"{{ {_expression(inner)} }}",
    "prefix": lambda inner: f"{inner['addr']}/{inner['len']}",
    "range": lambda inner: "-".join(map(_expression, inner)),
    "concat": lambda inner: " . ".join(map(_expression, inner)),
    "fib": lambda inner: f"fib {inner.get('result', '')}",
    "elem": lambda inner: _expression(inner.get("val", "") if isinstance(inner, dict) else inner),
}
