"""A journal through today's code: the same events at the same times, and the first thing that is done differently.

Compared is what the journal says, JSON against JSON; so an action of which one side knows more is a difference too.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any

from hafw.journal import VERSION, BadRecord, decode, encode
from hafw.node import ConfigurationReplaced, Instance, InstanceSettings, Node
from hafw.vrrp.actions import Action, Transition
from hafw.vrrp.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTEXT = 5
"""Steps that are shown before a difference."""
_FRAME = {"journal", "hafw", "host", "at", "life", "seq", "lost", "instances"}
"""What every beginning has; the rest are notes."""


class BadJournal(Exception):  # noqa: N818 - the journal is the error, not us
    """A line that makes no sense."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"{line}: {message}")


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a Node, in words."""

    line: int
    host: str
    at: float
    event: str
    actions: tuple[str, ...]
    """What the journal has of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first step that came out differently, and the ones before it."""

    step: Step
    actual: tuple[str, ...]
    before: tuple[Step, ...]


@dataclass(slots=True)
class Account:
    """What a journal holds, and what became of it."""

    began: float = inf
    """The time of the first line; all others count from it. After a reboot they go on where they had stopped."""
    seconds: float = 0.0
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name, the notes of its first beginning."""
    lives: int = 0
    """Nodes that began here, or went on."""
    events: int = 0
    actions: int = 0
    transitions: list[tuple[float, str, Transition]] = field(default_factory=list)
    """When, on which host."""
    lost: int = 0
    """Events that the recorder had to leave out."""
    untold: int = 0
    """Actions of routers of which nothing was known yet."""
    cut_off: list[int] = field(default_factory=list)
    """Lines that a death or a full disk ended too early."""
    difference: Difference | None = None


def replay(lines: Iterable[str]) -> Account:
    """Live through it up to the first difference. Raises ``BadJournal``."""
    account, lives, recent = Account(), dict[str, _Life](), deque[Step](maxlen=CONTEXT)
    latest: dict[str, float] = {}
    for number, record in _records(lines, account):
        try:
            host, at = str(record["host"]), float(record["at"])
            if record.get("life") == "begins" and at < latest.get(host, -inf):  # a reboot: its clock begins anew
                account.began = at - account.seconds
            latest[host] = at
            account.began = min(account.began, at)
            account.seconds = max(account.seconds, at - account.began)
            if "journal" in record:
                lives[host] = _Life.begin(record, account)
            elif host not in lives:
                raise BadJournal(number, f"{host or 'this host'} has no beginning before it: the journal is not whole")
            elif "event" in record:
                account.difference = lives[host].live(number, record, account, recent)
            else:
                lives[host].learn(record)
        except BadRecord as error:
            raise BadJournal(number, str(error)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise BadJournal(number, f"no line of a journal: {error!r}") from None
        if account.difference is not None:
            break
    if not account.lives:
        raise BadJournal(1, "no beginning: this is no journal, or it is empty")
    return account


def _records(lines: Iterable[str], account: Account) -> Iterable[tuple[int, dict[str, Any]]]:
    """Only before a beginning, and at the end, may a line be cut off."""
    torn = 0
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        is_one = isinstance(record, dict)
        if torn and not (is_one and "journal" in record):
            raise BadJournal(torn, "is no JSON object: the journal is damaged here")
        if is_one:
            torn = 0
            yield number, record
        elif line.strip():
            torn = number
            account.cut_off.append(number)


class _Life:
    """One Node, as far as it is known."""

    def __init__(self, host: str, node: _PartialNode, untold: set[str]) -> None:
        self.host = host
        self._node = node
        self._untold = untold
        """Routers whose state is still to come."""

    @staticmethod
    def begin(record: dict[str, Any], account: Account) -> _Life:
        if record["journal"] != VERSION:
            said = f"journal = {record['journal']!r}: this hafw reads journals of version {VERSION}"
            raise BadRecord(said)
        host, at = str(record["host"]), float(record["at"])
        instances = decode(record["instances"])
        if not all(isinstance(each, InstanceSettings) for each in instances):
            raise BadRecord("instances: must be InstanceSettings")
        goes_on = record["life"] == "goes on"
        notes = {key: each for key, each in record.items() if key not in _FRAME}
        account.hosts.setdefault(host, {"hafw": record["hafw"], **notes})
        account.lives += 1
        account.lost += int(record.get("lost", 0))
        untold = {each.router.name for each in instances} if goes_on else set()
        node = _PartialNode(instances, at, untold)
        node.seq = int(record["seq"])
        return _Life(host, node, untold)

    def learn(self, record: dict[str, Any]) -> None:
        """The state of one router more."""
        instance = decode(record["state"])
        if not isinstance(instance, Instance):
            raise BadRecord("state: must be that of an Instance")
        if instance.name in self._untold:
            self._node.adopt(instance)
            self._untold.remove(instance.name)

    def live(self, number: int, record: dict[str, Any], account: Account, recent: deque[Step]) -> Difference | None:
        """One step."""
        event, at = decode(record["event"]), float(record["at"])
        if not isinstance(event, Event | ConfigurationReplaced):
            raise BadRecord("event: must be an event")
        is_whole = not self._untold
        told = [each for each in record["actions"] if each["router"] not in self._untold]
        account.untold += len(record["actions"]) - len(told)
        step = Step(number, self.host, at - account.began, words(record["event"]), tuple(map(words, told)))
        try:
            actions = self._node.handle(event, at)
        except Exception as error:  # noqa: BLE001 - whatever today's code does wrong is what is looked for
            return Difference(step, (f"{type(error).__name__}: {error}",), tuple(recent))
        actual = [encode(each) for each in actions]
        if not is_whole:  # the transitions of all routers are numbered
            self._node.seq = max([self._node.seq, *(each.get("seq", 0) for each in record["actions"])])
            told, actual = ([{**each, "seq": 0} for each in side] for side in (told, actual))
        recorded, wished = float(decode(record["next"])), self._node.deadline
        if told != actual:
            return Difference(step, tuple(map(words, actual)), tuple(recent))
        if is_whole and recorded != wished:
            then, now = (f"to be called next at {each - account.began:.6f}" for each in (recorded, wished))
            return Difference(replace(step, actions=(*step.actions, then)), (*step.actions, now), tuple(recent))
        recent.append(step)
        account.events += 1
        account.actions += len(actions)
        account.transitions += [(step.at, self.host, each) for each in actions if isinstance(each, Transition)]
        return None


class _PartialNode(Node):
    """A Node of which some routers are not known: it is as if they were not there, until they are adopted."""

    def __init__(self, instances: Iterable[InstanceSettings], now: float, untold: set[str]) -> None:
        settings = tuple(instances)
        super().__init__((each for each in settings if each.router.name not in untold), now)
        self._untold = untold
        self._order = [each.router.name for each in settings]

    def handle(self, event: Event | ConfigurationReplaced, now: float) -> list[Action]:
        """As a Node does."""
        actions = super().handle(event, now)
        if isinstance(event, ConfigurationReplaced):
            self._order = [each.router.name for each in event.instances]
            self._untold &= set(self._order)
            for name in self._untold:
                del self.instances[name]
                self._deadlines.set(name, inf)
            self._regroup()
        return actions

    def adopt(self, instance: Instance) -> None:
        """Know this one too, in its place: events for several routers go round in order."""
        known = {**self.instances, instance.name: instance}
        self.instances = {name: known[name] for name in self._order if name in known}
        self._regroup()
        self._schedule([instance])


def words(record: Any) -> str:  # noqa: ANN401 - JSON of a journal
    """An event or an action for people: ``SendAdvertisement router=VI_1 priority=100``."""
    match record:
        case {"is": str(_), "value": value}:
            return str(value)
        case {"is": "AdvertReceived", "advert": {"priority": priority, "interval": interval}}:
            said = {"router": record.get("router"), "source": record.get("source")}
            return f"AdvertReceived {_pairs({**said, 'priority': priority, 'interval': interval})}"
        case {"is": "ConfigurationReplaced", "instances": list(instances)}:
            return f"ConfigurationReplaced instances={len(instances)}"
        case {"is": str(name), **rest}:
            return f"{name} {_pairs(dict(rest))}".rstrip()
        case {"ip": text} | {"float": text}:
            return str(text)
        case {"map": list(pairs)}:
            return "{" + ", ".join(f"{words(key)}: {words(each)}" for key, each in pairs) + "}"
        case list() | {"list": list()}:
            items = record if isinstance(record, list) else record["list"]
            return "[" + ", ".join(map(words, items)) + "]"
        case str():
            return record if record and " " not in record else json.dumps(record, ensure_ascii=False)
        case _:
            return json.dumps(record)


def _pairs(record: dict[Any, Any]) -> str:
    """What is empty says nothing."""
    return " ".join(f"{key}={words(each)}" for key, each in record.items() if each not in (None, "", [], {"map": []}))
