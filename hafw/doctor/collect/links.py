"""Interfaces, their addresses and bridges, and routes, as ``ip`` tells them."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from hafw.doctor.collect.programs import ask
from hafw.doctor.facts import Bound, Bridge, Interface, Port
from hafw.doctor.finding import Unseen
from hafw.doctor.need import subnets
from hafw.wire.netlink import Netlink
from hafw.wire.rtmessages import PROTO_HAFW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Network

    from hafw.config.model import Config
    from hafw.vrrp.settings import IPAddress


def interfaces(unseen: list[Unseen]) -> dict[str, Interface]:
    """Every interface of this machine."""
    answer = ask("ip", "-json", "-details", "address", "show")
    if answer is None or answer.code:
        why = "ip (package iproute2) is not installed" if answer is None else answer.error.strip()
        unseen.append(Unseen("interfaces, their addresses and bridges", why, "apt install iproute2"))
        return {}
    links = [each for each in json.loads(answer.output) if each.get("ifname")]
    ours = _bound_by_hafw()
    found = {each["ifname"]: _interface(each, ours) for each in links}
    for each in links:
        if (each.get("linkinfo") or {}).get("info_kind") == "bridge":
            found[each["ifname"]] = replace(found[each["ifname"]], bridge=_bridge(each, links))
    return found


def _bound_by_hafw() -> set[tuple[int, IPAddress]]:
    with Netlink() as netlink:
        return {(each.ifindex, each.address) for each in netlink.addresses() if each.proto == PROTO_HAFW}


def _interface(link: dict[str, Any], ours: set[tuple[int, IPAddress]]) -> Interface:
    flags = set(link.get("flags", ()))
    return Interface(
        name=link["ifname"],
        up="UP" in flags,
        carrier="LOWER_UP" in flags or "NO-CARRIER" not in flags,
        multicast="MULTICAST" in flags,
        arp="NOARP" not in flags,
        mtu=link.get("mtu", 0),
        mac=link.get("address", ""),
        addresses=tuple(_addresses(link, ours)),
        xdp=bool(link.get("xdp")),
    )


def _addresses(link: dict[str, Any], ours: set[tuple[int, IPAddress]]) -> Iterator[Bound]:
    for each in link.get("addr_info", ()):
        if "local" not in each:
            continue
        ip = ip_address(each["local"])
        flags = frozenset(word for word in ("tentative", "dadfailed") if each.get(word))
        yield Bound(ip=ip, prefixlen=each["prefixlen"], flags=flags, by_hafw=(link["ifindex"], ip) in ours)


def _bridge(link: dict[str, Any], links: Iterable[dict[str, Any]]) -> Bridge:
    data = link["linkinfo"].get("info_data") or {}
    ports = [
        Port(
            name=each["ifname"],
            floods_multicast=((each.get("linkinfo") or {}).get("info_slave_data") or {}).get("mcast_flood", True),
        )
        for each in links
        if each.get("master") == link["ifname"]
    ]
    return Bridge(snoops=bool(data.get("mcast_snooping")), querier=bool(data.get("mcast_querier")), ports=tuple(ports))


def routes(config: Config, there: dict[str, Interface]) -> dict[IPAddress, str]:
    """The interface by which the kernel reaches each peer, or somebody in each subnet that others speak from.

    Empty: not at all. Link-local addresses have no route that could be asked for.
    """
    found: dict[IPAddress, str] = {}
    for instance in config.instances.values():
        router, interface = instance.router, there.get(instance.router.interface)
        named = (*router.unicast_peers, *router.goodbye)
        found |= {each: _route(each) for each in named if not each.is_link_local}
        if interface is None or router.unicast_peers:
            continue
        own = {each.ip for each in interface.addresses}
        for network in subnets(interface):
            somebody = next((each for each in _first_hosts(network) if each not in own), None)
            if somebody is not None:
                found[somebody] = _route(somebody)
    return found


def _first_hosts(network: IPv4Network) -> list[IPv4Address]:
    return [network[at] for at in range(1, min(8, network.num_addresses - 1))]


def _route(address: IPAddress) -> str:
    answer = ask("ip", "-json", "route", "get", str(address))
    if answer is None or answer.code:
        return ""
    route = json.loads(answer.output)
    return str(route[0].get("dev", "")) if route else ""
