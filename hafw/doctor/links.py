"""Whether the interfaces can carry adverts and answer for virtual addresses."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from hafw.doctor.finding import Finding, Unseen
from hafw.doctor.need import group_of, places, source_of, where
from hafw.vrrp.packet import TRAILER_LENGTH, max_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import Config, InstanceConfig
    from hafw.doctor.facts import Facts, Interface

_OPTIONS_OF_LINK: Final = "the network configuration of {0} (systemd-networkd: [Link] {1} in its .network file)"
_USUAL_MTU: Final = 1500


def probe(config: Config, facts: Facts) -> Iterator[Finding | Unseen]:
    """What an interface lacks."""
    for name, instance in config.instances.items():
        if instance.router.interface not in facts.interfaces:
            yield _missing(where(name, instance.router), instance, facts)
    for name, instance in config.instances.items():
        yield from _routes(where(name, instance.router), instance, facts)
    for place, instance, interface in places(config, facts):
        if not interface.up:
            yield _down(place, interface)
            continue
        yield from _carrier(place, instance, interface)
        yield from _source(place, instance, interface)
        yield from _flags(place, instance, interface)
        yield from _group(place, instance, facts)
        yield from _mtu(place, instance, interface)


def _missing(place: str, instance: InstanceConfig, facts: Facts) -> Finding:
    there = ", ".join(sorted(facts.interfaces)) or "none"
    return Finding(
        id="interface-missing",
        where=place,
        what=f"there is no interface {instance.router.interface} on this machine (there is {there})",
        why="the router waits in FAULT until it appears",
        keep=f"instance.{instance.router.name}.interface in the configuration, or the network configuration",
    )


def _down(place: str, interface: Interface) -> Finding:
    return Finding(
        id="interface-down",
        where=place,
        what=f"{interface.name} is switched off",
        why="the router stays in FAULT",
        fix=(f"ip link set dev {quote(interface.name)} up",),
        keep=f"the network configuration of {interface.name}",
    )


def _carrier(place: str, instance: InstanceConfig, interface: Interface) -> Iterator[Finding]:
    if not interface.carrier and instance.router.track_primary:
        yield Finding(
            id="no-carrier",
            where=place,
            what=f"{interface.name} is on, and has no carrier",
            why="the router stays in FAULT",
            keep="the cable, the port of the switch, or the other end of a virtual link",
        )


def _source(place: str, instance: InstanceConfig, interface: Interface) -> Iterator[Finding]:
    router = instance.router
    wanted = [each for each in interface.addresses if each.ip == router.source_address]
    if router.source_address is not None and not wanted:
        length = 24 if router.source_address.version == 4 else 64
        yield Finding(
            id="no-source-address",
            where=place,
            what=f"{interface.name} has not {router.source_address}, which is the source_address",
            why="the router stays in FAULT: its adverts have no sender",
            fix=(f"ip address add {router.source_address}/{length} dev {quote(interface.name)}",),
            keep=f"the network configuration of {interface.name}; or leave source_address out",
        )
    elif source_of(router, interface) is None:
        yield _no_source(place, instance, interface)
    failed = [each for each in interface.addresses if "dadfailed" in each.flags]
    for each in failed:
        yield Finding(
            id="duplicate-own-address",
            where=place,
            what=f"{each.ip} of {interface.name} is in use by another machine (duplicate address detection failed)",
            why="the kernel does not use it: adverts that should come from it are not sent",
            fix=(
                f"ip address del {each.ip}/{each.prefixlen} dev {quote(interface.name)}",
                f"ip address add {each.ip}/{each.prefixlen} dev {quote(interface.name)}",
            ),
            keep="give one of the two machines another address first: the commands only try again",
        )


def _no_source(place: str, instance: InstanceConfig, interface: Interface) -> Finding:
    if instance.router.family == 6:
        return Finding(
            id="no-source-address",
            where=place,
            what=f"{interface.name} has no link-local IPv6 address",
            why="adverts over IPv6 come from it (RFC 9568 section 5.1.2.1): the router stays in FAULT",
            fix=(
                f"sysctl -w net.ipv6.conf.{quote(interface.name)}.disable_ipv6=0",
                f"sysctl -w net.ipv6.conf.{quote(interface.name)}.addr_gen_mode=0",
            ),
            keep=_OPTIONS_OF_LINK.format(interface.name, "LinkLocalAddressing=ipv6 under [Network]"),
        )
    return Finding(
        id="no-source-address",
        where=place,
        what=f"{interface.name} has no IPv4 address of its own",
        why="adverts come from it: the router stays in FAULT",
        fix=(f"ip address add ADDRESS/LENGTH dev {quote(interface.name)}   # one that no other machine has",),
        keep=f"the network configuration of {interface.name}",
    )


def _routes(place: str, instance: InstanceConfig, facts: Facts) -> Iterator[Finding]:
    router = instance.router
    for key, addresses in (("unicast_peers", router.unicast_peers), ("goodbye", router.goodbye)):
        lost = [str(each) for each in addresses if facts.routes.get(each) == ""]
        if lost:
            yield Finding(
                id="no-route",
                where=place,
                what=f"the kernel has no route to {', '.join(lost)} ({key})",
                why="adverts to it are not sent: it becomes MASTER beside this router"
                if key == "unicast_peers"
                else "it is not told when this router loses its link, and takes over later",
                fix=tuple(f"ip route add {each} via GATEWAY   # or mend the address" for each in lost),
                keep=f"the network configuration; or instance.{router.name}.{key}",
            )


def _flags(place: str, instance: InstanceConfig, interface: Interface) -> Iterator[Finding | Unseen]:
    group = group_of(instance.router)
    if group is not None and not interface.multicast:
        yield Finding(
            id="multicast-off",
            where=place,
            what=f"{interface.name} does not do multicast (no MULTICAST among its flags)",
            why=f"adverts go to {group}: routers do not hear each other, and each becomes MASTER",
            fix=(f"ip link set dev {quote(interface.name)} multicast on",),
            keep=_OPTIONS_OF_LINK.format(interface.name, "Multicast=yes")
            + "; where the network carries none: unicast_peers in the configuration",
        )
    if not interface.arp:
        yield Finding(
            id="arp-off",
            where=place,
            what=f"{interface.name} does not answer ARP or neighbour solicitations (NOARP among its flags)",
            why="nobody learns where the virtual addresses are",
            fix=(f"ip link set dev {quote(interface.name)} arp on",),
            keep=_OPTIONS_OF_LINK.format(interface.name, "ARP=yes"),
        )
    if interface.xdp:
        yield Unseen(
            f"whether the XDP program on {interface.name} lets adverts in",
            "it sees every frame before the kernel does, and is not looked into",
            f"ip link set dev {quote(interface.name)} xdp off, to try without it",
        )


def _group(place: str, instance: InstanceConfig, facts: Facts) -> Iterator[Finding]:
    group = group_of(instance.router)
    why = facts.refused.get((instance.router.interface, group)) if group is not None else None
    if why is None or group is None:
        return
    most = "net.ipv4.igmp_max_memberships"
    yield Finding(
        id="group-refused",
        where=place,
        what=f"the kernel does not let a program join {group} on {instance.router.interface}: {why}",
        why="adverts to the group are not heard: the router becomes MASTER beside another",
        fix=(f"sysctl -w {most}=20",) if group.version == 4 else (),
        keep=f"/etc/sysctl.d/60-hafw.conf: {most} = 20" if group.version == 4 else "the IPv6 settings of the interface",
    )


def _mtu(place: str, instance: InstanceConfig, interface: Interface) -> Iterator[Finding]:
    """Adverts must not be fragmented: whole frames cannot be, and who drops fragments drops the adverts."""
    router = instance.router
    trailer = TRAILER_LENGTH if router.hmac is not None and router.hmac.signs else 0
    count = len(router.virtual_addresses)
    if not interface.mtu or count <= max_addresses(router.version, router.family, interface.mtu - trailer):
        return
    fits = max(0, max_addresses(router.version, router.family, interface.mtu - trailer))
    yield Finding(
        id="mtu-too-small",
        where=place,
        what=f"an advert of {count} addresses does not fit the MTU of {interface.mtu} ({fits} do)",
        why="it would be sent in fragments, which firewalls drop, or not at all",
        fix=(f"ip link set dev {quote(interface.name)} mtu {_USUAL_MTU}",),
        keep=_OPTIONS_OF_LINK.format(interface.name, f"MTUBytes={_USUAL_MTU}")
        + f"; or move addresses to excluded_addresses, beyond the first {max(fits, 1)}",
    )
