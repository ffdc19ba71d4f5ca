"""What one virtual router asks of this machine, in the words that the probes use."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING, Final

from hafw.doctor.firewall.rules import Packet
from hafw.vrrp.device import device_of
from hafw.vrrp.packet import MULTICAST_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import Config, InstanceConfig
    from hafw.doctor.facts import Facts, Interface
    from hafw.doctor.firewall.rules import Network
    from hafw.vrrp.settings import IPAddress, RouterSettings

_LINK_LOCAL: Final = ip_network("fe80::/10")


def places(config: Config, facts: Facts) -> Iterator[tuple[str, InstanceConfig, Interface]]:
    """``VI_1 on eth0``, for every instance whose interface is there."""
    for name, instance in config.instances.items():
        interface = facts.interfaces.get(instance.router.interface)
        if interface is not None:
            yield where(name, instance.router), instance, interface


def where(name: str, router: RouterSettings) -> str:
    """What an instance is called in findings."""
    return f"{name} on {router.interface}"


def group_of(router: RouterSettings) -> IPAddress | None:
    """The multicast group; ``None``: adverts go to peers."""
    return None if router.unicast_peers else router.multicast_group or MULTICAST_GROUP[router.family]


def bound_on(instance: InstanceConfig) -> dict[IPAddress, str]:
    """The interface of each virtual address, that below a device of ours for those on one."""
    router = instance.router
    own = device_of(router)
    return {
        ip_address(each.address): router.interface if own and each.interface == own else each.interface
        for each in instance.addresses
    }


def virtual_addresses(config: Config) -> dict[IPAddress, str]:
    """Every virtual address, and its instance."""
    return {ip_address(address.address): name for name, each in config.instances.items() for address in each.addresses}


def source_of(router: RouterSettings, interface: Interface) -> IPAddress | None:
    """The address that adverts come from, as the daemon would choose it."""
    if router.source_address is not None:
        return router.source_address
    own = [
        each.ip
        for each in interface.addresses
        if each.ip.version == router.family and not each.by_hafw and "dadfailed" not in each.flags
        if router.owner or each.ip not in router.all_addresses
    ]
    fitting = [each for each in own if router.family == 4 or each.is_link_local]
    return fitting[0] if fitting else None


def neighbours(router: RouterSettings, interface: Interface) -> tuple[Network, ...]:
    """Where the other routers' adverts come from: the peers, or the subnets of the interface."""
    if router.unicast_peers:
        return tuple(map(_host, router.unicast_peers))
    if router.family == 6:
        return (_LINK_LOCAL,)
    return subnets(interface)


def subnets(interface: Interface) -> tuple[IPv4Network, ...]:
    """The IPv4 networks that it is in by addresses of its own."""
    networks = {
        ip_interface(f"{each.ip}/{each.prefixlen}").network
        for each in interface.addresses
        if not each.by_hafw and not each.ip.is_loopback
    }
    ipv4 = (each for each in networks if isinstance(each, IPv4Network))
    return tuple(sorted(each for each in ipv4 if each.prefixlen < each.max_prefixlen))


def packets(router: RouterSettings, interface: Interface) -> Iterator[Packet]:
    """Every advert that has to get in or out."""
    group, source = group_of(router), source_of(router, interface)
    own = (_host(source),) if source is not None else neighbours(router, interface)
    if group is not None:
        around = neighbours(router, interface)
        yield Packet(direction="in", interface=interface.name, source=around, destination=_host(group))
        frame = router.virtual_mac
        yield Packet(direction="out", interface=interface.name, source=own, destination=_host(group), is_frame=frame)
        return
    for peer in router.unicast_peers:
        if source is not None:
            here = _host(source)
            yield Packet(direction="in", interface=interface.name, source=(_host(peer),), destination=here)
        yield Packet(direction="out", interface=interface.name, source=own, destination=_host(peer))


def goodbyes(router: RouterSettings, facts: Facts) -> Iterator[Packet]:
    """Those that a MASTER without its link sends on another network, and those of the others."""
    for other in router.goodbye:
        by = facts.interfaces.get(facts.routes.get(other, ""))
        if by is None:
            continue
        own = [each.ip for each in by.addresses if each.ip.version == other.version and not each.by_hafw]
        for here in own[:1]:
            yield Packet(direction="in", interface=by.name, source=(_host(other),), destination=_host(here))
            yield Packet(direction="out", interface=by.name, source=(_host(here),), destination=_host(other))


def _host(address: IPAddress) -> Network:
    return ip_network(address)
