"""What happened on a simulated LAN, as an operator would tell it: lines for people, stretches of time for pictures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Announce, GroupTransition, Notice, SendAdvertisement, SendGoodbye, Transition
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.sim.seen import Entry, Span
    from hafw.sim.troubles import TroubledLan
    from hafw.vrrp.settings import IPAddress

NAMES_SHOWN = 4
SEVERAL = " + "
"""Between the names of those who hold one address at the same time."""
STOPPED, DEGRADED = "STOPPED", "DEGRADED"
"""Beside the states of a router: no daemon, and MASTER with a failed check because nobody else is."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that was so for a while: a state, or who held an address."""

    start: float
    end: float
    what: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What the scenario did to the routers, for the axis of a picture."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """One line of output."""

    time: float
    whom: str
    text: str

    def __str__(self) -> str:
        return f"{self.time:9.3f}s  {self.whom}  {self.text}"


@dataclass(slots=True)
class _Row:
    """The states of one router, from each change to the next."""

    changes: list[tuple[float, str]] = field(default_factory=lambda: [(0.0, STOPPED)])

    @property
    def now(self) -> str:
        return self.changes[-1][1]

    def become(self, what: str, now: float) -> None:
        if what != self.now:
            self.changes.append((now, what))


class Story:
    """Reads the log of a LAN as it grows."""

    def __init__(self, lan: TroubledLan, vips: Sequence[IPAddress]) -> None:
        self.lan = lan
        self.vips = tuple(vips)
        self.marks: list[Mark] = []
        self.verbose = False
        """Tell every advert and announcement too."""
        self._routers = [(name, each.router.name) for name, host in lan.hosts.items() for each in host.instances]
        self._is_single = len(self.instances) == 1
        self._width = max(len(self.label(*each)) for each in self._routers)
        self._called = _callsigns(lan)
        self._rows = {each: _Row() for each in self._routers}
        self._read = self._counted = 0
        self._moved: dict[IPAddress, int] = {}

    def label(self, host: str, instance: str) -> str:
        """How a router is called: with its instance, where there are several."""
        return host if self._is_single else f"{host}/{instance}"

    @property
    def instances(self) -> list[str]:
        """By name, in order."""
        return list(dict.fromkeys(instance for _, instance in self._routers))

    @property
    def groups(self) -> dict[str, list[str]]:
        """The sync groups, by name, with their members in order."""
        found: dict[str, list[str]] = {}
        for each in (one.router for host in self.lan.hosts.values() for one in host.instances):
            if each.group and each.name not in found.setdefault(each.group, []):
                found[each.group].append(each.name)
        return found

    def called(self, vip: IPAddress) -> str:
        """An address, with its instance where there are several."""
        if self._is_single:
            return str(vip)
        every = (one.router for host in self.lan.hosts.values() for one in host.instances)
        return f"{vip} ({next(each.name for each in every if vip in each.all_addresses)})"

    # -- lines --------------------------------------------------------------------------------------------------

    def news(self) -> list[str]:
        """What happened since this was last asked, one line each."""
        told = [line for entry in self.lan.log[self._read :] for line in self._tell(entry)]
        self._read = len(self.lan.log)
        arrivals, departures = self._movements()  # a kernel has an address before anybody says so
        return [str(line) for line in sorted([*arrivals, *told, *departures], key=lambda line: line.time)]

    def gone(self, host: str) -> None:
        """A daemon died, which nobody logs."""
        for name, instance in self._routers:
            if name == host:
                self._rows[name, instance].become(STOPPED, self.lan.now)

    def _tell(self, entry: Entry) -> list[Told]:
        row = self._rows[entry.host, entry.action.router]
        speaks = row.now in {State.MASTER, DEGRADED}
        match entry.action:
            case Transition(reason=reason) as action:
                degraded = reason == "last-resort"
                row.become(_state(DEGRADED if degraded else action.new), entry.time)
                detail = f" ({action.detail})" if action.detail and action.detail != reason else ""
                text = f"{action.old} -> {action.new}: {reason}{detail}"
            case GroupTransition(group=group, old=old, new=new, reason=reason):
                text = f"group {group}: {old} -> {new}: {reason}"
            case Notice(kind=kind, fields=fields):
                if kind == "resumed" or (kind == "degraded" and not fields["on"]):
                    row.become(State.MASTER, entry.time)
                text = " ".join([kind, *(f"{key}={self._value(each)}" for key, each in fields.items() if each != "")])
            case SendGoodbye():
                text = "says goodbye by another network: priority 0"
            case SendAdvertisement(priority=0):
                text = "says goodbye: priority 0"
            case SendAdvertisement(priority=priority) if self.verbose or not speaks:
                begins = not speaks and self._becomes_master(entry)
                if begins and not self.verbose:
                    return []
                says = "advertises" if speaks or begins else "reminds the MASTER:"
                text = f"{says} priority {priority}"
            case Announce() if self.verbose:
                text = "announces its addresses"
            case _:
                return []
        return [self._line(entry.time, entry.host, entry.action.router, text)]

    def _becomes_master(self, entry: Entry) -> bool:
        """Whether this advert is the first of a new MASTER, whose transition says it all."""
        row = self._rows[entry.host, entry.action.router]
        if row.now == STOPPED:  # a resumed one, or an owner
            return True
        later = (each for each in self.lan.log[self._read :] if each.host == entry.host and each.time == entry.time)
        return any(isinstance(each.action, Transition) and each.action.new is State.MASTER for each in later)

    def _line(self, time: float, host: str, instance: str, text: str) -> Told:
        return Told(time, self.label(host, instance).ljust(self._width), text)

    def _value(self, value: str | float | bool) -> str:  # noqa: FBT001 - what notices carry
        """As one word; a machine that is known by its address is called by its name."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:g}"
        text = " ".join(self._called.get(word, word) for word in str(value).split())
        return f'"{text}"' if " " in text else text

    def _movements(self) -> tuple[list[Told], list[Told]]:
        """Addresses that came to kernels and that left them, those of one moment in one line."""
        moves: defaultdict[tuple[float, str, str, str], list[str]] = defaultdict(list)
        for vip in self.vips:
            changes = self.lan.changes(vip)
            known, self._moved[vip] = self._moved.get(vip, 1), len(changes)
            for (_, before), (time, after) in pairwise(changes[known - 1 :]):
                for host in sorted(before ^ after):
                    moves[time, host, self._instance(host, vip), "holds" if host in after else "drops"].append(str(vip))
        lines: dict[str, list[Told]] = {"holds": [], "drops": []}
        for (time, host, instance, verb), names in moves.items():
            lines[verb].append(self._line(time, host, instance, f"{verb} {_few(names)}"))
        return lines["holds"], lines["drops"]

    def _instance(self, host: str, vip: IPAddress) -> str:
        given = self.lan.hosts[host].instances
        return next(each.router.name for each in given if vip in each.router.all_addresses)

    # -- stretches ----------------------------------------------------------------------------------------------

    @property
    def routers(self) -> list[tuple[str, list[Stretch]]]:
        """By label, the states of each router."""
        return [(self.label(*each), _stretches(self._rows[each].changes, self.lan.now)) for each in self._routers]

    def states(self, host: str) -> dict[str, str]:
        """By instance, what this host is now."""
        node = self.lan.hosts[host].node
        if self.lan.is_frozen(host):
            return {instance: self._rows[host, instance].now for name, instance in self._routers if name == host}
        if node is None:
            return {instance: STOPPED for name, instance in self._routers if name == host}
        return {name: _state(each.router.state) for name, each in node.instances.items()}

    def holders(self, vip: IPAddress) -> list[Stretch]:
        """Who held an address, as ``lb1``, ``lb1 + lb2`` or nothing."""
        order = list(self.lan.hosts)
        changes = [(time, SEVERAL.join(sorted(hosts, key=order.index))) for time, hosts in self.lan.changes(vip)]
        return _stretches(changes, self.lan.now)

    # -- looking ------------------------------------------------------------------------------------------------

    def status(self) -> list[str]:
        """What every router is now, one line each, as ``hafw status`` has it."""
        return [self._describe(*each) for each in self._routers]

    def _describe(self, host: str, instance: str) -> str:
        settings = self.lan.hosts[host].settings(instance)
        held = [str(vip) for vip in settings.all_addresses if host in self.lan.holders(vip)]
        node = self.lan.hosts[host].node
        priority = settings.priority if node is None else node.instances[instance].router.priority
        lowered = f"{priority}/{settings.priority}" if priority != settings.priority else str(priority)
        label = self.label(host, instance).ljust(self._width)
        return f"{label}  {self._rows[host, instance].now:8}  {lowered:>7}  {_few(held) or '-'}"

    def traffic(self) -> list[str]:
        """What was sent since this was last asked."""
        since, self._counted = self._counted, len(self.lan.log)
        sent = dict.fromkeys(self.lan.hosts, 0)
        for entry in self.lan.log[since:]:
            sent[entry.host] += isinstance(entry.action, SendAdvertisement)
        return [f"{host.ljust(max(map(len, sent)))}  {number} adverts" for host, number in sent.items()]

    def outages(self, vip: IPAddress, since: float = 0.0) -> list[Span]:
        """When nobody had the address; not before the first one had it, for nobody misses what never was."""
        first = next((time for time, hosts in self.lan.changes(vip) if hosts), self.lan.now)
        return self.lan.unheld(vip, max(since, first))

    def adverts(self, since: float = 0.0) -> dict[str, int]:
        """How many adverts each host has sent."""
        sent = dict.fromkeys(self.lan.hosts, 0)
        for entry in self.lan.log:
            if entry.time >= since and isinstance(entry.action, SendAdvertisement):
                sent[entry.host] += 1
        return sent


def _callsigns(lan: TroubledLan) -> dict[str, str]:
    """By MAC, and by own address where no two have the same: the name of the machine."""
    own = [str(address) for host in lan.hosts.values() for address in host.primary.values()]
    return {
        word: name
        for name, host in lan.hosts.items()
        for word in (host.mac, *map(str, host.primary.values()))
        if own.count(word) <= 1
    }


def _state(state: str) -> str:
    return STOPPED if state == State.INITIALIZE else str(state)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _stretches(changes: Sequence[tuple[float, str]], now: float) -> list[Stretch]:
    ends = [time for time, _ in changes[1:]] + [now]
    return [Stretch(start, end, what) for (start, what), end in zip(changes, ends, strict=True) if start < end]
