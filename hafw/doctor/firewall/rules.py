"""A packet filter as a value, and what it does with one packet: whichever tool has made it.

Three answers: it holds, it does not, or that cannot be known from here (a limit, a mark, somebody else's address).
A rule of the third kind may apply and may not, so a chain may have several ends; only a single one is told as a fact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address, summarize_address_range
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Network = IPv4Network | IPv6Network
Verdict = Literal["accept", "drop", "return", "jump", "goto", "notrack", "mark", "unknown", "continue"]
Direction = Literal["in", "out"]

_DEPTH_MAX: Final = 32
"""Jumps; the kernel allows 16."""
PATHS: Final[Mapping[Direction, tuple[str, ...]]] = {
    "in": ("ingress", "prerouting", "input"),
    "out": ("output", "postrouting", "egress"),
}
"""The hooks that a packet of this machine passes, in order; a whole frame only the last one."""


class Truth(Enum):
    """Whether a condition holds for a packet."""

    NO = 0
    MAYBE = 1
    YES = 2


def both(truths: Iterable[Truth]) -> Truth:
    """All of them together."""
    return min(truths, key=lambda each: each.value, default=Truth.YES)


def either(truths: Iterable[Truth]) -> Truth:
    """At least one of them."""
    return max(truths, key=lambda each: each.value, default=Truth.NO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """An advert on its way through this machine."""

    direction: Direction
    interface: str
    source: tuple[Network, ...]
    """Where its source address lies; one network of one address: it is known."""
    destination: Network
    protocol: int = 112
    ttl: int = 255
    states: frozenset[str] = frozenset({"new"})
    """What connection tracking may say. Nobody answers an advert, so it is never established."""
    is_frame: bool = False
    """It leaves as a whole frame, by a packet socket."""
    marked: bool = False
    """A rule may have given it a mark; before that it has 0."""

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.destination.version

    @property
    def is_multicast(self) -> bool:
        """Whether it goes to a group."""
        return self.destination.is_multicast


Condition = "Callable[[Packet], Truth]"


@dataclass(frozen=True, slots=True)
class Rule:
    """If all conditions hold, the verdict."""

    conditions: tuple[Callable[[Packet], Truth], ...]
    verdict: Verdict
    target: str = ""
    """The chain to jump to."""
    text: str = ""
    """As its tool would show it."""

    def applies(self, packet: Packet) -> Truth:
        """Whether it does."""
        return both(condition(packet) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Chain:
    """A list of rules; with a hook the kernel itself enters it."""

    name: str
    rules: tuple[Rule, ...]
    hook: str = ""
    priority: int = 0
    policy: Literal["accept", "drop"] = "accept"
    devices: tuple[str, ...] = ()
    """``netdev``: the interfaces; empty: all."""


@dataclass(frozen=True, slots=True)
class Table:
    """Chains that know each other."""

    family: str
    """``ip``, ``ip6``, ``inet``, ``netdev``, ``bridge``."""
    name: str
    tool: Literal["nft", "iptables", "iptables-legacy", "iptables-nft"]
    chains: Mapping[str, Chain]

    def sees(self, packet: Packet) -> bool:
        """Whether packets of this family come by."""
        return self.family in {"inet", "netdev", "ip" if packet.family == 4 else "ip6"}


@dataclass(frozen=True, slots=True)
class Block:
    """A chain that drops a packet, or may drop it."""

    table: Table
    chain: Chain
    """The one that the kernel enters."""
    because: str
    """The rule or the policy."""
    certain: bool


def blocks(tables: Iterable[Table], packet: Packet) -> list[Block]:
    """Every base chain that drops it or may, in the order in which the packet meets them.

    A chain that accepts does not end the way, one that drops does; those behind it are told all the same, because
    whoever mends the first one meets them next.
    """
    found = []
    entered = [
        (hook, chain.priority, table, chain)
        for table in tables
        if table.sees(packet)
        for chain in table.chains.values()
        if (hook := chain.hook) in PATHS[packet.direction]
        if not chain.devices or packet.interface in chain.devices
        if not packet.is_frame or hook == "egress"
    ]
    order = PATHS[packet.direction]
    for _, _, table, chain in sorted(entered, key=lambda each: (order.index(each[0]), each[1])):
        ends, packet = _walk(table, chain, packet, 0)
        if "return" in ends:
            del ends["return"]
            ends.setdefault(chain.policy, f"policy {chain.policy}, and no rule before it accepts protocol 112")
        if "drop" in ends:
            found.append(Block(table, chain, ends["drop"], certain=len(ends) == 1))
    return found


def _walk(table: Table, chain: Chain, packet: Packet, depth: int) -> tuple[dict[str, str], Packet]:
    """Each end that is possible, with its reason; and the packet as it left."""
    ends: dict[str, str] = {}
    if depth > _DEPTH_MAX:
        return {"accept": "", "drop": f"chain {chain.name} jumps too deeply"}, packet
    for rule in chain.rules:
        truth = rule.applies(packet)
        if truth is Truth.NO:
            continue
        if rule.verdict == "notrack":
            untracked = frozenset({"untracked"})
            packet = replace(packet, states=untracked if truth is Truth.YES else packet.states | untracked)
            continue
        if rule.verdict == "mark":
            packet = replace(packet, marked=True)
            continue
        here, packet = _ends(table, chain, rule, packet, depth)
        goes_on = here.pop("continue", None) is not None
        for end, why in here.items():
            ends.setdefault(end, why)
        if truth is Truth.YES and not goes_on:
            return ends, packet
    ends.setdefault("return", "")
    return ends, packet


def _ends(table: Table, chain: Chain, rule: Rule, packet: Packet, depth: int) -> tuple[dict[str, str], Packet]:
    """What comes of a rule that applies; ``continue``: the next one is looked at."""
    why = f"chain {chain.name}: {rule.text}"
    if rule.verdict in {"jump", "goto"}:
        target = table.chains.get(rule.target)
        if target is None:
            return {"accept": why, "drop": why, "continue": why}, packet
        ends, packet = _walk(table, target, packet, depth + 1)
        if rule.verdict == "jump" and "return" in ends:
            ends["continue"] = ends.pop("return")
        return ends, packet
    if rule.verdict == "unknown":
        return {"accept": why, "drop": why, "continue": why}, packet
    return {rule.verdict: why}, packet


# -- conditions -------------------------------------------------------------------------------------------------


def maybe(_packet: Packet) -> Truth:
    """What cannot be judged from here."""
    return Truth.MAYBE


def never(_packet: Packet) -> Truth:
    """What never holds for an advert."""
    return Truth.NO


def always(_packet: Packet) -> Truth:
    """What holds for every advert."""
    return Truth.YES


def negated(condition: Callable[[Packet], Truth]) -> Callable[[Packet], Truth]:
    """Its contrary."""
    return lambda packet: Truth(2 - condition(packet).value)


def truth(*, holds: bool) -> Truth:
    """Of something that is known."""
    return Truth.YES if holds else Truth.NO


def on_interface(direction: Direction, names: Iterable[str]) -> Callable[[Packet], Truth]:
    """``iifname`` and ``oifname``; a name may end with ``*``. The other direction's interface is none."""
    patterns = tuple(names)

    def holds(packet: Packet) -> Truth:
        name = packet.interface if packet.direction == direction else ""
        return truth(holds=any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in patterns))

    return holds


def with_protocol(numbers: Callable[[int], bool]) -> Callable[[Packet], Truth]:
    """The number of the protocol in the IP header."""
    return lambda packet: truth(holds=numbers(packet.protocol))


def of_family(family: int) -> Callable[[Packet], Truth]:
    """IPv4 or IPv6."""
    return lambda packet: truth(holds=packet.family == family)


def with_state(states: Iterable[str]) -> Callable[[Packet], Truth]:
    """What connection tracking says."""
    wanted = frozenset(each.lower() for each in states)

    def holds(packet: Packet) -> Truth:
        if packet.states <= wanted:
            return Truth.YES
        return Truth.MAYBE if packet.states & wanted else Truth.NO

    return holds


def in_networks(field_: Literal["source", "destination"], networks: Iterable[Network]) -> Callable[[Packet], Truth]:
    """``saddr`` and ``daddr``."""
    wanted = tuple(networks)

    def holds(packet: Packet) -> Truth:
        own = packet.source if field_ == "source" else (packet.destination,)
        return _within(own, [each for each in wanted if each.version == packet.family])

    return holds


def _within(own: tuple[Network, ...], wanted: Iterable[Network]) -> Truth:
    """Whether all, some or none of the addresses that it may be are among the wanted ones."""
    wanted = tuple(wanted)
    if own and all(any(each.subnet_of(other) for other in wanted) for each in own):  # type: ignore[arg-type]
        return Truth.YES
    if own and not any(each.overlaps(other) for each in own for other in wanted):
        return Truth.NO
    return Truth.MAYBE


def of_type(words: Iterable[str], of: Literal["source", "destination"]) -> Callable[[Packet], Truth]:
    """``pkttype``, ``fib daddr type``, ``-m addrtype``."""
    wanted = frozenset(each.lower() for each in words)

    def holds(packet: Packet) -> Truth:
        if of == "source":
            own = {"unicast"} if packet.direction == "in" else {"local"}
        elif packet.is_multicast:
            own = {"multicast"}
        else:
            own = {"local", "host"} if packet.direction == "in" else {"unicast", "host"}
        return truth(holds=bool(own & wanted))

    return holds


def with_mark(value: int, mask: int) -> Callable[[Packet], Truth]:
    """The mark of the packet or of its connection, which is 0 until a rule sets it."""
    return lambda packet: Truth.MAYBE if packet.marked else truth(holds=value & mask == 0)


def with_ttl(numbers: Callable[[int], bool]) -> Callable[[Packet], Truth]:
    """The TTL or hop limit."""
    return lambda packet: truth(holds=numbers(packet.ttl))


def networks_between(first: str, last: str) -> list[Network]:
    """A range of addresses as networks; several of them count as one where they are compared one by one."""
    one, two = ip_address(first), ip_address(last)
    return list(summarize_address_range(one, two))
