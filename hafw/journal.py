"""The journal of a Node: everything that went in and came out, line by line, so that it can be lived through again.

Pure: values to JSON and back. A journal is JSON lines of three kinds, each with its ``host`` and the time ``at``:

- a **beginning** (``journal``: the version of this form) with the settings of every instance. ``life`` says whether
  the Node ``begins`` there, or ``goes on``: the file is a new one, or lines were ``lost``;
- a **step** (``event``, ``actions``): one call of ``handle``;
- a **state** of one router, after a beginning of a Node that goes on. They come one by one, a line per step, because
  that of 255 routers would take too long at a time; until its state is there, nothing is known of a router. Those of
  one sync group come together, for none of them decides alone.

Secrets are never in it: the election does not use them, so settings are written without.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import isfinite
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol, get_args

import hafw
from hafw.node import Cause, CheckSettings, CheckStatus, ConfigurationReplaced, Instance, InstanceSettings, Node
from hafw.node.flapping import Damping
from hafw.vrrp.actions import Action
from hafw.vrrp.contest import Claim, Contest
from hafw.vrrp.departure import Departure
from hafw.vrrp.events import Event
from hafw.vrrp.listener import Listener
from hafw.vrrp.member import Member
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.peer import Peer
from hafw.vrrp.settings import Checksum, RouterSettings, State
from hafw.vrrp.speaker import Speaker
from hafw.vrrp.tenure import Tenure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

VERSION = 1
"""Of the form of the lines."""

_VALUES = (ConfigurationReplaced, InstanceSettings, CheckSettings, RouterSettings, Advertisement, Peer, Claim, Cause)
_LIVING = (Instance, Damping, Member, Tenure, Listener, Speaker, Contest, Departure, CheckStatus)
"""What changes; written with a number, since one of them may be known to several others."""
_ENUMS = (State, Checksum)
_KINDS: dict[str, Any] = {
    each.__name__: each for each in (*get_args(Event), *get_args(Action), *_VALUES, *_LIVING, *_ENUMS)
}


class BadRecord(Exception):  # noqa: N818 - the record is the error, not us
    """JSON that is nothing of ours; says what is wrong, not where."""


# -- values to JSON and back ------------------------------------------------------------------------------------------


def encode(value: object) -> Any:  # noqa: ANN401 - JSON
    """Settings, events, actions, or an ``Instance`` with all that belongs to it. Raises ``TypeError`` for others."""
    return _encode(value, {})


def _encode(value: Any, known: dict[int, int]) -> Any:  # noqa: ANN401
    match value:
        case Enum():
            return {"is": type(value).__name__, "value": value.value}
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else {"float": str(value)}
        case IPv4Address() | IPv6Address():
            return {"ip": str(value)}
        case tuple():
            return [_encode(each, known) for each in value]
        case list():
            return {"list": [_encode(each, known) for each in value]}
        case dict():
            return {"map": [[_encode(key, known), _encode(each, known)] for key, each in value.items()]}
        case MethodType():
            return {"method": value.__name__, "of": _encode(value.__self__, known)}
        case _:
            return _encode_object(value, known)


def _encode_object(value: Any, known: dict[int, int]) -> dict[str, Any]:  # noqa: ANN401
    kind = type(value)
    if _KINDS.get(kind.__name__) is not kind:
        raise TypeError(f"{kind.__name__}: the journal knows no such kind")
    if isinstance(value, RouterSettings):
        value = replace(value, password=None, hmac=None)
    head: dict[str, Any] = {"is": kind.__name__}
    if kind in _LIVING:
        if id(value) in known:
            return {"same": known[id(value)]}
        head["number"] = known[id(value)] = len(known)
    return head | {name: _encode(getattr(value, name), known) for name in _names(value)}


def _names(value: Any) -> list[str]:  # noqa: ANN401
    """What it consists of: found out, not listed, so that nothing new can be forgotten."""
    return [each.name for each in fields(value)] if is_dataclass(value) else list(vars(value))


def decode(record: Any) -> Any:  # noqa: ANN401 - whatever was written
    """What ``encode`` was given, without secrets. Raises ``BadRecord``."""
    try:
        return _decode(record, {})
    except BadRecord:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BadRecord(f"{str(error) or type(error).__name__}: not written by hafw {hafw.__version__}") from None


def _decode(record: Any, known: dict[int, Any]) -> Any:  # noqa: ANN401
    match record:
        case list():
            return tuple(_decode(each, known) for each in record)
        case {"float": str(text)}:
            return float(text)
        case {"ip": str(text)}:
            return ip_address(text)
        case {"list": list(items)}:
            return [_decode(each, known) for each in items]
        case {"map": list(pairs)}:
            return {_decode(key, known): _decode(each, known) for key, each in pairs}
        case {"same": int(number)}:
            return known[number]
        case {"method": str(name), "of": owner}:
            return getattr(_decode(owner, known), name)
        case {"is": str(name), **rest}:
            return _decode_object(name, {str(key): each for key, each in rest.items()}, known)
        case dict():
            raise BadRecord(f"an object with {', '.join(record) or 'nothing in it'}: no value of a journal")
        case _:
            return record


def _decode_object(name: str, rest: dict[str, Any], known: dict[int, Any]) -> Any:  # noqa: ANN401
    kind = _KINDS.get(name)
    if kind is None:
        raise BadRecord(f"{name}: hafw {hafw.__version__} knows no such kind")
    if kind in _ENUMS:
        return kind(rest["value"])
    if kind not in _LIVING:
        return kind(**{key: _decode(each, known) for key, each in rest.items()})
    found = kind.__new__(kind)
    known[rest.pop("number")] = found  # before its parts, which may know it
    for key, each in rest.items():
        setattr(found, key, _decode(each, known))
    return found


# -- lines ------------------------------------------------------------------------------------------------------------


def beginning(  # noqa: PLR0913 - the parts of a line, each by name
    host: str,
    at: float,
    instances: Iterable[InstanceSettings],
    *,
    seq: int = 0,
    goes_on: bool = False,
    lost: int = 0,
    notes: Mapping[str, Any] | None = None,
) -> str:
    """The line of a beginning.

    ``seq``: of the Node's last transition; one that begins may have it from another. ``goes_on``: it has lived before,
    and so many lines were ``lost``. ``notes`` are JSON for people: the date, the seed of a swarm.
    """
    life = {"life": "goes on", "seq": seq, "lost": lost} if goes_on else {"life": "begins", "seq": seq}
    head = {"journal": VERSION, "hafw": hafw.__version__, "host": host, "at": at, **life, **(notes or {})}
    return _text({**head, "instances": [encode(each) for each in instances]})


def step(host: str, at: float, event: Event | ConfigurationReplaced, actions: Iterable[Action], deadline: float) -> str:
    """The line of a step. ``deadline``: the Node's, after it; without it too early a deadline would not show."""
    came = [encode(each) for each in actions]
    return _text({"host": host, "at": at, "event": encode(event), "actions": came, "next": encode(deadline)})


def state(host: str, at: float, instance: Instance) -> str:
    """The line of a state."""
    return _text({"host": host, "at": at, "router": instance.name, "state": encode(instance)})


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


# -- recording --------------------------------------------------------------------------------------------------------


class Paper(Protocol):
    """What a journal is written on. Nothing here may block or fail."""

    @property
    def full(self) -> bool:
        """Whether there should be a beginning, on a new page."""

    @property
    def ready(self) -> bool:
        """Whether a beginning could be written after something was lost."""

    def begin(self, line: Callable[[int], str], lost: int = 0) -> bool:
        """As ``write``, for the line of a beginning: it is told of ``lost`` ones and of what was taken and lost."""

    def write(self, line: Callable[[], str]) -> bool:
        """Take a line, to be made when there is time for it; False: it is lost."""


class Pages:
    """Paper without an end, in memory."""

    full, ready = False, True

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: Callable[[], str]) -> bool:
        """Keep it."""
        self.lines.append(line())
        return True

    def begin(self, line: Callable[[int], str], lost: int = 0) -> bool:
        """Keep it."""
        return self.write(partial(line, lost))


class RecordedNode(Node):
    """A Node that writes down its life. What cannot be written is counted, and the journal says so."""

    def __init__(  # noqa: PLR0913 - a Node's, and those of its journal by name
        self,
        instances: Iterable[InstanceSettings],
        now: float,
        paper: Paper,
        host: str = "",
        *,
        notes: Callable[[], Mapping[str, Any]] = dict,
        seq: int = 0,
    ) -> None:
        """``notes`` of each beginning; ``seq`` as of a Node."""
        settings = tuple(instances)
        super().__init__(settings, now, seq)
        self._paper, self._host, self._notes = paper, host, notes
        self._untold: list[str] = []
        """Routers whose state is to follow, the next one last."""
        self._lost = 0
        told = notes()
        self._is_readable = paper.begin(lambda _lost: beginning(host, now, settings, seq=seq, notes=told))

    def handle(self, event: Event | ConfigurationReplaced, now: float) -> list[Action]:
        """As a Node does, and write it down."""
        actions = super().handle(event, now)
        if self._is_readable and self._paper.write(
            partial(step, self._host, now, event, tuple(actions), self.deadline)
        ):
            if self._paper.full:
                self._begin_again(now)
            elif self._untold:
                self._tell(now)
        else:
            self._is_readable = False
            self._lost += 1
            if self._paper.ready:
                self._begin_again(now)
        return actions

    def _begin_again(self, now: float) -> None:
        settings = tuple(each.settings for each in self.instances.values())
        seq, lost, told = self.seq, self._lost, self._notes()
        begin = partial(beginning, self._host, now, settings, seq=seq, goes_on=True, notes=told)
        self._is_readable = self._paper.begin(lambda all_lost: begin(lost=all_lost), lost)
        if self._is_readable:
            self._lost, self._untold = 0, list(reversed(self.instances))

    def _tell(self, now: float) -> None:
        """Of one router more; made now, for it will change."""
        name = self._untold.pop()
        instance = self.instances.get(name)
        group = self.groups.get(instance.settings.router.group) if instance else None
        for each in group.members if group else [instance] if instance else []:
            line = state(self._host, now, each)
            self._is_readable = self._is_readable and self._paper.write(lambda line=line: line)  # type: ignore[misc]
        if group:
            told = {each.name for each in group.members}
            self._untold = [each for each in self._untold if each not in told]
