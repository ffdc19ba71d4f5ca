"""Addresses as the file has them: a text or a table, parsed, with the place where each stands."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import TYPE_CHECKING

from hafw.config.tables import AddressTable
from hafw.pipe import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hafw.vrrp.settings import IPAddress


@dataclass(frozen=True, slots=True)
class Vip:
    """One entry of ``virtual_addresses`` or ``excluded_addresses``."""

    key: str
    """``virtual_addresses[0]``."""
    ip: IPAddress
    prefixlen: int
    table: AddressTable

    def bound_on(self, interface: str) -> str:
        """Its own interface, or the instance's."""
        return self.table.interface or interface

    def address(self, interface: str, *, advertised: bool) -> Address:
        """As the plugins and the daemon hear of it."""
        return Address(
            address=str(self.ip),
            prefixlen=self.prefixlen,
            interface=self.bound_on(interface),
            label=self.table.label,
            scope=self.table.scope or ("link" if self.ip.version == 6 and self.ip.is_link_local else "global"),
            advertised=advertised,
        )


def parse_vips(key: str, entries: Iterable[str | AddressTable]) -> tuple[list[Vip], list[tuple[str, str]]]:
    """The entries that are addresses, and key and message of each that is none."""
    vips, mistakes = [], []
    for number, entry in enumerate(entries):
        table = entry if isinstance(entry, AddressTable) else AddressTable(address=entry)
        place = f"{key}[{number}]"
        try:
            found = _parse(table.address)
            vips.append(Vip(place, found.ip, found.network.prefixlen, table))
        except ValueError as error:
            mistakes.append((place, f'= "{table.address}": {error}'))
    return vips, mistakes


def parse_unicast(text: str) -> IPAddress:
    """An address that one machine may have, without a length; ``ValueError`` with the rule."""
    found = parse_ip(text)
    _must_be_usable(found)
    return found


def parse_ip(text: str) -> IPAddress:
    """Any address, without a length; ``ValueError`` with the rule."""
    if "/" in text:
        raise ValueError("must be an address without a length")
    return _parse(text, usable=False).ip


def _parse(text: str, *, usable: bool = True) -> IPv4Interface | IPv6Interface:
    if " " in text.strip():
        raise ValueError('must be one address; more goes into a table: { address = "192.0.2.1", interface = "eth0" }')
    if "%" in text:
        raise ValueError('must be without a zone: { address = "fe80::1", interface = "eth0" }')
    try:
        found = ip_interface(text)
    except ValueError:
        raise ValueError(_what_is_wrong(text)) from None
    if usable:
        _must_be_usable(found.ip)
        _must_be_a_host(found)
    return found


def _what_is_wrong(text: str) -> str:
    address, slash, _ = text.partition("/")
    if slash:
        try:
            longest = ip_address(address).max_prefixlen
        except ValueError:
            pass
        else:
            return f"the length must be 0 to {longest}"
    return "must be an IPv4 or IPv6 address such as 192.0.2.1, 192.0.2.1/24 or 2001:db8::1"


def _must_be_usable(ip: IPAddress) -> None:
    kinds = {
        "a multicast address": ip.is_multicast,
        "the unspecified address": ip.is_unspecified,
        "a loopback address": ip.is_loopback,
        "the broadcast address": str(ip) == "255.255.255.255",
    }
    for kind, applies in kinds.items():
        if applies:
            raise ValueError(f"is {kind}: must be one that a machine can have")


def _must_be_a_host(found: IPv4Interface | IPv6Interface) -> None:
    network = found.network
    if found.version == 6 or network.prefixlen >= 31:
        return
    if found.ip == network.network_address:
        raise ValueError(f"is the network itself, not an address in it: {network[1]}/{network.prefixlen} is one")
    if found.ip == network.broadcast_address:
        raise ValueError(f"is the broadcast address of {network}: choose one in it")


def duplicates(vips: Iterable[Vip], interface: str) -> Iterator[tuple[str, str]]:
    """Every entry whose address stands on the same interface before."""
    seen: dict[tuple[IPAddress, str], str] = {}
    for vip in vips:
        first = seen.setdefault((vip.ip, vip.bound_on(interface)), vip.key)
        if first != vip.key:
            yield vip.key, f'= "{vip.ip}": stands in {first} already: remove one'
