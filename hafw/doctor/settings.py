"""Kernel settings (sysctl) that keep adverts out, or virtual addresses from being answered or bound."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from hafw.doctor.finding import Finding, Unseen
from hafw.doctor.need import bound_on, neighbours, places, subnets, virtual_addresses, where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hafw.config.model import Config, InstanceConfig
    from hafw.doctor.facts import Facts, Interface
    from hafw.vrrp.settings import IPAddress

KEEP: Final = "/etc/sysctl.d/60-hafw.conf: {}"
_FULL: Final = 0.95


def probe(config: Config, facts: Facts) -> Iterator[Finding | Unseen]:
    """All of them."""
    for place, instance, interface in places(config, facts):
        yield from _reverse_path(place, instance, interface, facts)
        yield from _flux(place, instance, interface, facts)
    for name, instance in config.instances.items():
        yield from _silent(where(name, instance.router), instance, facts)
        yield from _ipv6(where(name, instance.router), instance, facts)
    yield from _nonlocal(config, facts)
    yield from _conntrack(facts)


def setting(facts: Facts, name: str, interface: str, family: int = 4) -> int:
    """One of ``net.ipv4.conf``, the higher of ``all`` and the interface's own, as the kernel takes most of them."""
    return max(facts.settings.get(f"net.ipv{family}.conf.{each}.{name}", 0) for each in ("all", interface))


def assignment(settings: Mapping[str, int]) -> dict[str, tuple[str, ...] | str]:
    """The commands that set these, and where they are kept."""
    words = [f"{name}={value}" for name, value in settings.items()]
    lines = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return {"fix": tuple(f"sysctl -w {quote(each)}" for each in words), "keep": KEEP.format(lines)}


def elsewhere(instance: InstanceConfig, interface: Interface, facts: Facts) -> dict[str, str]:
    """The other routers, or their subnet, that the kernel reaches by another interface than their adverts come by."""
    found = {}
    for network in neighbours(instance.router, interface):
        for address, by in facts.routes.items():
            if address.version == network.version and address in network and by and by != interface.name:
                known = network.prefixlen == network.max_prefixlen
                found[str(address if known else network)] = by
    return found


def _reverse_path(place: str, instance: InstanceConfig, interface: Interface, facts: Facts) -> Iterator[Finding]:
    """The kernel checks multicast as well (RFC 3704)."""
    if instance.router.family == 6:
        return
    astray = elsewhere(instance, interface, facts)
    said = " and ".join(f"{network} is reached by {by}" for network, by in astray.items())
    if astray and setting(facts, "rp_filter", interface.name) == 1:
        name = f"net.ipv4.conf.{interface.name}.rp_filter"
        yield Finding(
            id="rp-filter",
            where=place,
            what=f"rp_filter is strict (1) on {interface.name}, and {said}",
            why=f"the kernel drops adverts that come in by {interface.name}: this router becomes MASTER beside another",
            **assignment({name: 2}),  # type: ignore[arg-type]
        )
    if astray and setting(facts, "arp_filter", interface.name) and not instance.router.virtual_mac:
        names = [each for each in ("all", interface.name) if facts.settings.get(f"net.ipv4.conf.{each}.arp_filter")]
        yield Finding(
            id="arp-filter",
            where=place,
            what=f"arp_filter is on for {interface.name}, and {said}",
            why="the kernel does not answer ARP for addresses there: nobody reaches the virtual addresses",
            **assignment({f"net.ipv4.conf.{each}.arp_filter": 0 for each in names}),  # type: ignore[arg-type]
        )


def _silent(place: str, instance: InstanceConfig, facts: Facts) -> Iterator[Finding]:
    """ARP requests come in by the interface of the adverts; the kernel may answer by choice only."""
    router = instance.router
    level = setting(facts, "arp_ignore", router.interface)
    beside = [ip for ip, on in bound_on(instance).items() if ip.version == 4 and on != router.interface]
    own = [ip for ip, on in bound_on(instance).items() if ip.version == 4 and on == router.interface]
    names = [each for each in ("all", router.interface) if facts.settings.get(f"net.ipv4.conf.{each}.arp_ignore")]
    if level == 8 and own + beside:
        silent, least = own + beside, 1 if router.virtual_mac else 0
        why = "the kernel answers no ARP request at all there"
    elif level in {1, 2} and beside:
        silent, least = beside, 0
        why = f"the kernel answers on {router.interface} only for addresses that are bound on it"
    else:
        return
    yield Finding(
        id="arp-ignore",
        where=place,
        what=f"arp_ignore is {level} on {router.interface}",
        why=f"{why}: nobody finds {_listed(silent)}",
        **assignment({f"net.ipv4.conf.{each}.arp_ignore": least for each in names}),  # type: ignore[arg-type]
    )


def _flux(place: str, instance: InstanceConfig, interface: Interface, facts: Facts) -> Iterator[Finding]:
    """Two interfaces on one segment: both answer for every address, and a client may keep the wrong MAC."""
    if instance.router.virtual_mac or not any(ip.version == 4 for ip in bound_on(instance)):
        return
    own = set(subnets(interface))
    for other in facts.interfaces.values():
        shared = own & set(subnets(other))
        if other.name == interface.name or not other.up or not shared or setting(facts, "arp_ignore", other.name):
            continue
        yield Finding(
            id="arp-flux",
            where=place,
            what=f"{interface.name} and {other.name} are both in {', '.join(map(str, sorted(shared)))}",
            why=f"{other.name} answers ARP for the virtual addresses too: clients may learn its MAC, and lose the"
            f" address when {interface.name} alone hands over",
            **assignment({f"net.ipv4.conf.{other.name}.arp_ignore": 1}),  # type: ignore[arg-type]
        )


def _ipv6(place: str, instance: InstanceConfig, facts: Facts) -> Iterator[Finding]:
    wanted: dict[str, list[IPAddress]] = {}
    for ip, on in bound_on(instance).items():
        if ip.version == 6:
            wanted.setdefault(on, []).append(ip)
    for interface, addresses in wanted.items():
        if facts.settings.get(f"net.ipv6.conf.{interface}.disable_ipv6"):
            yield Finding(
                id="ipv6-disabled",
                where=place,
                what=f"IPv6 is switched off on {interface} (disable_ipv6 = 1)",
                why=f"the kernel refuses {_listed(addresses)}: a takeover fails, and the router goes to FAULT",
                **assignment({f"net.ipv6.conf.{interface}.disable_ipv6": 0}),  # type: ignore[arg-type]
            )


def _nonlocal(config: Config, facts: Facts) -> Iterator[Finding]:
    """A service that listens on a virtual address does not start while another router has it."""
    ours = virtual_addresses(config)
    for service in facts.services:
        name = ours.get(service.address)
        version = service.address.version
        key = f"net.ipv{version}.ip_nonlocal_bind"
        if name is None or config.instances[name].router.owner or facts.settings.get(key):
            continue
        shown = f"[{service.address}]" if version == 6 else str(service.address)
        yield Finding(
            id="nonlocal-bind",
            where=f"{service.program}, {name}",
            what=f"{service.place} listens on {shown}:{service.port}, and {key} is 0",
            why=f"as BACKUP this machine does not have the address: {service.program} does not start or reload",
            fix=(f"sysctl -w {key}=1",),
            keep=KEEP.format(f"{key} = 1") + f"; or let {service.program} listen on the port alone",
        )


def _conntrack(facts: Facts) -> Iterator[Finding]:
    if facts.conntrack is None:
        return
    entries, limit = facts.conntrack
    if limit and entries >= _FULL * limit:
        yield Finding(
            id="conntrack-full",
            where="this machine",
            what=f"connection tracking holds {entries} of {limit} entries",
            why="when it is full the kernel drops what is new, adverts among it: routers no longer hear each other",
            **assignment({"net.netfilter.nf_conntrack_max": 2 * limit}),  # type: ignore[arg-type]
        )


def _listed(addresses: Iterable[IPAddress]) -> str:
    words = list(map(str, addresses))
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
