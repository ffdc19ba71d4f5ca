"""A Node as it is at one moment: a value that two Nodes share when, and only when, they will behave alike.

An exhaustive search meets the same situation on many paths and at many times, and has to know it again. So times count
from now, and what is long over counts as long over; what is only told to people is left out. Every attribute has a
line in ``RULES``: one that has none is an ``UnknownAttribute``, for what a search does not see it does not check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from math import inf
from types import MethodType, NoneType
from typing import TYPE_CHECKING, Any

from hafw.node.flapping import Damping
from hafw.node.host import Node
from hafw.node.instance import RETRY_MAX, CheckStatus, Instance
from hafw.vrrp.contest import CLAIM_PATIENCE, Claim, Contest
from hafw.vrrp.deadlines import Deadlines
from hafw.vrrp.departure import Departure
from hafw.vrrp.listener import Listener
from hafw.vrrp.member import Member
from hafw.vrrp.speaker import Speaker
from hafw.vrrp.tenure import RESTORE_WINDOW, Tenure

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hafw.vrrp.peer import Peer

Rule = Callable[[Any, float, Any], Any]
"""Of a value, the time and whose value it is, what counts."""
INTERVALS = 5
"""Intervals after which nobody asks any more when something was; the longest patience is less than four."""


class UnknownAttribute(Exception):  # noqa: N818 - it names what happened
    """The state of a Node has grown, and nobody has said what that means for the comparison of two."""


def _same(value: Any, _now: float, _owner: Any) -> Hashable:  # noqa: ANN401
    return value  # type: ignore[no-any-return]


def _at(horizon: Callable[[Any], float]) -> Rule:
    """A time: all that lie further back than this are the same."""

    def count(value: float | None, now: float, owner: Any) -> float | None:  # noqa: ANN401
        return None if value is None else max(value - now, -horizon(owner))

    return count


def _intervals(owner: Any) -> float:  # noqa: ANN401
    return INTERVALS * float(owner.settings.advertisement_interval)


def _peer(value: Peer | None, now: float, _owner: object) -> Hashable:
    """Who was heard; when it is given up, it does not matter since when."""
    if value is None:
        return None
    return value.source, value.priority, value.interval, max(value.heard_at - now, -3 * value.interval)


def _living(value: Peer | None, now: float, owner: object) -> Hashable:
    return _peer(value, now, owner) if value is not None and value.live(now) else None


def _claim(value: Claim | None, now: float, _owner: object) -> Hashable:
    return value and (value.over, max(value.heard_at - now, -CLAIM_PATIENCE))


def _losses(value: list[float], now: float, _owner: object) -> Hashable:
    return tuple(each - now for each in value if each > now - RESTORE_WINDOW)


def _release(value: tuple[Any, float] | None, _now: float, owner: Instance) -> Hashable:
    return value and (value[0], value[1] == owner.router.since)


def _while(condition: Callable[[Any], bool], rule: Rule) -> Rule:
    """Nobody reads it otherwise before it is set anew."""
    return lambda value, now, owner: rule(value, now, owner) if condition(owner) else None


def _part(value: Any, now: float, _owner: object) -> Hashable:  # noqa: ANN401
    return _image(value, now)


def _parts(value: dict[str, Any], now: float, _owner: object) -> Hashable:
    return tuple([_image(each, now) for each in value.values()])


def _items(value: dict[str, Any], _now: float, _owner: object) -> Hashable:
    return tuple(value.items())


def _name_of(value: MethodType | None, _now: float, _owner: object) -> Hashable:
    return value and value.__name__


def _is_holding(owner: Tenure) -> bool:
    return bool(owner.held)


def _has_more_to_announce(owner: Tenure) -> bool:
    return owner._announce_at < inf  # noqa: SLF001 - this is about nothing but its attributes


_FIXED = None
"""The settings, and what is made of them: they do not change while a search runs."""
_TOLD = None
"""Only people hear of it."""
_DERIVED = None
"""Follows from the rest."""
_NOW: Rule = _at(lambda _: 0.0)
"""A time of the future; when it has come, it has come."""
_RECENT: Rule = _at(_intervals)

RULES: dict[type, dict[str, Rule | None]] = {
    Node: {"instances": _parts, "groups": _DERIVED, "_group_of": _DERIVED, "seq": _TOLD, "_deadlines": _DERIVED},
    Instance: {
        "settings": _FIXED,
        "name": _FIXED,
        "router": _part,
        "checks": _parts,
        "causes": _items,
        "wanted": _same,
        "link_known": _same,
        "quiet_since": _at(lambda owner: _intervals(owner.router)),
        "planned": _same,
        "delayed_until": _NOW,
        "retry_at": _NOW,
        "_retry_after": _same,
        "_failed_at": _at(lambda _: 2 * RETRY_MAX),
        "damping": _part,
        "_release": _release,
    },
    Damping: {
        "troubles": _same,
        "since": lambda value, _now, _owner: value is not None,
        "until": _NOW,
        "hold": _same,
        "_troubled": _same,
        "_forget_at": _NOW,
    },
    CheckStatus: {
        "settings": _FIXED,
        "healthy": _same,
        "streak": _same,
        "factor": _same,
        "detail": _TOLD,
        "duration": _TOLD,
        "at": _TOLD,
    },
    Member: {
        "settings": _FIXED,
        "tenure": _part,
        "listener": _part,
        "speaker": _part,
        "state": _same,
        "reason": _TOLD,
        "detail": _TOLD,
        "since": _TOLD,  # but for the comparison in Instance._release
        "primary": _same,
        "handing_over": _same,
        "_departure": lambda value, now, _: value and _image(value, now),
        "_fault": _same,
        "_unrelieved_in": lambda value, _, owner: value is not None and value is owner._departure,  # noqa: SLF001
    },
    Departure: {"force": _same, "successor": _same, "_silent": _same, "_began": _TOLD, "_took": _TOLD},
    Listener: {
        "settings": _FIXED,
        "priority": _same,
        "peer": _peer,
        "_other": _living,
        "down_at": _RECENT,
        "again_at": _NOW,
        "master_adver_interval": _same,
        "maintenance": _same,
        "held_back_until": _NOW,
        "deferring": _same,
        "clashes": _same,
        "_reserve": _same,
        "_reserved_at": _RECENT,
        "_preempt_at": _NOW,
        "_forgiven": _same,
    },
    Speaker: {
        "settings": _FIXED,
        "adver_at": _RECENT,
        "degraded": _same,
        "rival": _peer,
        "rival_since": _TOLD,
        "contest": _part,
        "_listener": _FIXED,
        "_replied_at": _at(lambda owner: owner.settings.advertisement_interval),
        "_owed_at": _NOW,
        "_goodbye_at": _while(lambda owner: owner.degraded, _NOW),
    },
    Contest: {"claim": _claim, "_name": _FIXED},
    Tenure: {
        "settings": _FIXED,
        "bound": _same,
        "installed": _same,
        "serving": _same,
        "held": _same,
        "hold_until": _NOW,
        "claimed": _same,
        "_when_over": _while(_is_holding, _name_of),
        "_awaits_successor": _while(_is_holding, _same),
        "_hold_seconds": _while(_is_holding, _same),
        "_served_from": _TOLD,
        "_announced": _while(_has_more_to_announce, _same),
        "_announce_from": _while(
            _has_more_to_announce, _at(lambda owner: max(owner.settings.announce_repeat, default=0.0))
        ),
        "_announce_at": _NOW,
        "_reannounced_at": _at(lambda owner: owner.settings.advertisement_interval),
        "_lost_at": _TOLD,
        "_losses": _losses,
        "_restore_at": _NOW,
    },
}
_LIVING = {*RULES, Deadlines}
_KNOWN = {kind: [(name, rule) for name, rule in rules.items() if rule is not None] for kind, rules in RULES.items()}


def image(node: Node, now: float) -> Hashable:
    """What this Node is at this moment."""
    return _parts(node.instances, now, node)


def _image(value: Any, now: float) -> Hashable:  # noqa: ANN401
    return tuple([rule(getattr(value, name), now, value) for name, rule in _KNOWN[type(value)]])


def copy(node: Node) -> Node:
    """Another one like it, that may go another way; many times as quick as ``copy.deepcopy``.

    Raises ``UnknownAttribute`` where there is one that has no rule.
    """
    return _copy(node, {})  # type: ignore[no-any-return]


def _copy(value: Any, known: dict[int, Any]) -> Any:  # noqa: ANN401
    kind: Any = type(value)
    if kind in _LIVING:
        return known[id(value)] if id(value) in known else _copy_living(value, known)
    if kind is dict:
        return {key: _copy(each, known) for key, each in value.items()}
    if kind is list:
        return [_copy(each, known) for each in value]
    if kind is MethodType:
        return MethodType(value.__func__, _copy(value.__self__, known))
    _expect_frozen(kind)
    return value


@cache
def _expect_frozen(kind: Any) -> None:  # noqa: ANN401 - a type
    """What is not copied is shared, so it must not change. Sync groups are such a kind: no small world has one yet."""
    if issubclass(kind, NoneType | int | float | str | tuple | Enum | IPv4Address | IPv6Address):
        return
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        raise UnknownAttribute(f"{kind.__name__}: say in hafw/sim/image.py how it is copied and compared")


def _copy_living(value: Any, known: dict[int, Any]) -> Any:  # noqa: ANN401
    kind: Any = type(value)
    found = known[id(value)] = kind.__new__(kind)
    names = [each.name for each in fields(kind)] if is_dataclass(kind) else list(vars(value))
    if kind in RULES and not RULES[kind].keys() >= set(names):
        new = ", ".join(sorted(set(names) - RULES[kind].keys()))
        raise UnknownAttribute(f"{kind.__name__}.{new}: say in hafw/sim/image.py what it means for the comparison")
    for name in names:
        setattr(found, name, _copy(getattr(value, name), known))
    return found
