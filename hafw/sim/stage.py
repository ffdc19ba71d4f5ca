"""The routers of a scenario as its ``router`` lines describe them, and the LAN that is made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Any

from hafw.node import CheckSettings, InstanceSettings
from hafw.sim.grammar import Mistake, address, duration, name, one_of, options, share, whole
from hafw.sim.troubles import TroubledLan
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hafw.vrrp.settings import IPAddress

OWNER = 255
INTERFACE = "eth0"
ELSEWHERE = ip_address("198.51.100.1")
"""Stands for the others on another network."""
Configurations = dict[str, tuple[InstanceSettings, ...]]
"""By node, its instances: what a configuration file says of a cluster."""


def _yes(text: str) -> bool:
    return bool(one_of(text, {"yes": True, "no": False}))


def _between(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not low <= whole(text) <= high:
            raise Mistake(f"{text}: must be {low} to {high}")
        return int(text)

    return read


def _addresses(text: str) -> tuple[IPAddress, ...]:
    return tuple(address(each) for each in text.split(","))


def _checks(text: str) -> tuple[CheckSettings, ...]:
    return tuple(_check(each) for each in text.split(","))


def _check(text: str) -> CheckSettings:
    """``nginx``: critical. ``nginx:-60``: a weight."""
    called, weighted, weight = text.partition(":")
    if not weighted:
        return CheckSettings(name=name(called), critical=True)
    number = weight.removeprefix("-")
    if not 1 <= whole(number) <= 253:
        raise Mistake(f"{text}: a weight must be -253 to 253, and not 0")
    return CheckSettings(name=name(called), weight=-int(number) if number != weight else int(number))


ROUTER_KEYS: dict[str, tuple[Callable[[str], Any], str]] = {
    "priority": (_between(1, OWNER), "1 to 254, 100 when left out; 255 is the owner of the addresses"),
    "preempt": (_yes, "`no`: never displaces a live MASTER"),
    "preempt_delay": (duration, "how long a better router waits before it takes over"),
    "flap_hold": (duration, "how long it must be well before it preempts, when it keeps failing; off when left out"),
    "vip": (_addresses, "the virtual addresses, with commas between them; 192.0.2.100 when left out"),
    "interval": (duration, "the advertisement interval, 1s when left out"),
    "version": (_between(2, 3), "of the protocol: 2, or 3 when left out"),
    "vrid": (_between(1, 255), "the virtual router's number, 51 when left out"),
    "skew": (
        lambda text: one_of(text, {"ranked": True, "rfc": False}),
        "`rfc`: the skew of the protocol, as keepalived has it; `ranked` when left out and all priorities differ",
    ),
    "last_resort": (_yes, "`no`: a failed check releases the addresses even if nobody takes over"),
    "goodbye": (_yes, "`yes`: when its link goes, it tells the others by another network"),
    "checks": (_checks, "`nginx` is critical, `nginx:-60` lowers the priority while it fails"),
    "instance": (name, "VI_1 when left out; one `router` line per instance of a router"),
    "group": (name, "a sync group: its instances are MASTER together or not at all"),
    "interface": (name, "eth0 when left out; what `link` can unplug alone"),
    "address": (address, "the router's own; 192.0.2.1, 192.0.2.2, ... (or fe80::1, ...) when left out"),
}
"""By key of a ``router`` line: how it is read, and what it says."""
LAN_KEYS: dict[str, tuple[Callable[[str], Any], str]] = {
    "delay": (duration, "of every frame, 1ms when left out"),
    "jitter": (duration, "up to this much is added to the delay"),
    "loss": (share, "of all frames"),
    "install": (duration, "what a kernel needs to add the addresses, 2ms when left out"),
    "seed": (whole, "of chance: the same seed is the same run"),
}


@dataclass(frozen=True, slots=True)
class _Described:
    """One ``router`` line."""

    host: str
    settings: RouterSettings
    checks: tuple[CheckSettings, ...]
    is_ranked: bool
    address: IPAddress | None


class Stage:
    """What is known before time runs. ``lan`` is built when it is first asked for; then no router can be added."""

    def __init__(self) -> None:
        self._described: list[_Described] = []
        self._configured: Configurations = {}
        self._common: dict[str, Any] = {}
        self._wire: dict[str, Any] = {}
        self._lan: TroubledLan | None = None

    @property
    def names(self) -> list[str]:
        """The routers, in the order in which they were named."""
        return list(dict.fromkeys([*self._configured, *(each.host for each in self._described)]))

    @property
    def instances(self) -> list[RouterSettings]:
        """One of each instance, as some router has it."""
        every = [each.router for some in self._configured.values() for each in some]
        return list({each.name: each for each in [*every, *(each.settings for each in self._described)]}.values())

    @property
    def checks(self) -> list[str]:
        """The checks that some router has."""
        every = [check for some in self._configured.values() for each in some for check in each.checks]
        return list(
            dict.fromkeys(check.name for check in [*every, *(c for each in self._described for c in each.checks)])
        )

    @property
    def vips(self) -> list[IPAddress]:
        """Every virtual address, in order."""
        return list(dict.fromkeys(vip for each in self.instances for vip in each.all_addresses))

    @property
    def is_set(self) -> bool:
        """Whether time may run."""
        return self._lan is not None

    # -- what the lines say -------------------------------------------------------------------------------------

    def wire(self, words: Sequence[str]) -> None:
        """A ``lan`` line."""
        self._refuse_late("lan")
        self._wire |= options(words, {key: read for key, (read, _) in LAN_KEYS.items()})

    def common(self, words: Sequence[str]) -> None:
        """A ``defaults`` line: for the ``router`` lines below it."""
        self._refuse_late("defaults")
        self._common |= _router_options(words)

    def describe(self, host: str, words: Sequence[str]) -> None:
        """A ``router`` line."""
        self._refuse_late("router")
        given = {**self._common, **_router_options(words)}
        instance = given.get("instance", "VI_1")
        if any((each.host, each.settings.name) == (host, instance) for each in self._described):
            raise Mistake(
                f"{host}: has {instance} already: a second instance needs instance=NAME and a vrid of its own"
            )
        priority = given.get("priority", 100)
        settings = RouterSettings(
            name=instance,
            interface=given.get("interface", INTERFACE),
            group=given.get("group", ""),
            vrid=given.get("vrid", 51),
            version=given.get("version", 3),
            priority=priority,
            owner=priority == OWNER,
            advertisement_interval=given.get("interval", 1.0),
            virtual_addresses=given.get("vip", (ip_address("192.0.2.100"),)),
            preempt=given.get("preempt", True),
            preempt_delay=given.get("preempt_delay", 0.0),
            flap_hold=given.get("flap_hold", 0.0),
            last_resort=given.get("last_resort", True),
            goodbye=(ELSEWHERE,) if given.get("goodbye") else (),
        )
        _refuse_unspeakable(settings)
        own = given.get("address")
        self._described.append(_Described(host, settings, given.get("checks", ()), given.get("skew", True), own))

    def configure(self, nodes: Configurations) -> None:
        """A ``config`` line: the routers of a configuration file."""
        self._refuse_late("config")
        self._configured |= nodes

    def _refuse_late(self, command: str) -> None:
        if self.is_set:
            raise Mistake(f"{command}: comes too late: it must stand above the first command that happens in time")

    # -- the LAN ------------------------------------------------------------------------------------------------

    @property
    def lan(self) -> TroubledLan:
        """The LAN with every router on it; no daemon runs yet."""
        if self._lan is None:
            if not self.names:
                raise Mistake("there is no router yet: begin with `router NAME`")
            keys = {"install": "install_delay"}
            wire = {keys.get(key, key): value for key, value in self._wire.items() if key != "seed"}
            self._lan = TroubledLan(Random(self._wire.get("seed", 0)), **wire)  # noqa: S311 - chance, not secrets
            for number, host in enumerate(self.names, 1):
                self._lan.add(host, self._instances(host), *self._own(host, number))
        return self._lan

    def _instances(self, host: str) -> list[InstanceSettings]:
        mine = [each for each in self._described if each.host == host]
        return [
            *self._configured.get(host, ()),
            *(InstanceSettings(router=self._ranked(each), checks=each.checks) for each in mine),
        ]

    def _ranked(self, described: _Described) -> RouterSettings:
        """With its place among the priorities, when all are distinct: as the configuration does it."""
        settings = described.settings
        level = [each.settings.priority for each in self._described if each.settings.name == settings.name]
        if not described.is_ranked or len(set(level)) < len(level) or len(level) < 2:
            return settings
        return replace(settings, rank=sorted(level, reverse=True).index(settings.priority))

    def _own(self, host: str, number: int) -> tuple[IPAddress, ...]:
        """A router's own addresses, one per family."""
        own: dict[int, IPAddress] = {4: ip_address(f"192.0.2.{number}"), 6: ip_address(f"fe80::{number:x}")}
        for each in self._described:
            if each.host == host and each.address is not None:
                own[each.address.version] = each.address
        return tuple(own.values())


def _router_options(words: Sequence[str]) -> dict[str, Any]:
    return options(words, {key: read for key, (read, _) in ROUTER_KEYS.items()})


def _refuse_unspeakable(settings: RouterSettings) -> None:
    """What cannot be said on the wire; the configuration refuses the same."""
    interval = settings.advertisement_interval
    if settings.version == 2 and (interval % 1 or not 1 <= interval <= 255):
        raise Mistake(f"interval={interval:g}s: version 2 knows whole seconds only, 1s to 255s")
    if settings.version == 3 and (not 0.01 <= interval <= 40.95 or abs(interval * 100 - round(interval * 100)) > 1e-9):
        raise Mistake(f"interval={interval:g}s: must be 10ms to 40.95s in steps of 10ms")
    if len({vip.version for vip in settings.virtual_addresses}) > 1:
        raise Mistake("vip: must be addresses of one family, IPv4 or IPv6")
    if settings.family == 6 and (settings.version == 2 or not settings.virtual_addresses[0].is_link_local):
        raise Mistake("vip: IPv6 needs version=3, and a link-local address such as fe80::100 as the first")
