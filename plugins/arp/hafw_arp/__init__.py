"""Announces virtual addresses: gratuitous ARP for IPv4, unsolicited neighbour advertisements for IPv6.

scapy builds one frame of each form per interface; the addresses are then patched into copies of its bytes. Building
each of 4,000 addresses' frames with scapy takes 2.5 s, patching takes 10 ms. scapy is imported by the hook and not by
the module: it costs 200 ms, which a process that only reads the options need not pay.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from hafw.api import Frame, Router, hookimpl

SIOCGIFHWADDR = 0x8927
NO_MAC = "00:00:00:00:00:00"
"""What the kernel says of loopback and tunnels."""

# Offsets into the Ethernet frame.
ARP_SENDER, ARP_TARGET = 28, 38
NA_SOURCE, NA_TARGET, NA_CHECKSUM = 22, 62, 56
ICMPV6 = 54


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.arp]``."""

    request: bool = True
    """Gratuitous ARP as a request: what keepalived sends, and what most neighbours learn from."""
    reply: bool = True
    """The same as a reply as well: some switches and gateways learn from no other form."""
    router: Literal["auto", "always", "never"] = "auto"
    """The Router flag of the neighbour advertisement. RFC 9568 sets it; a host that does not forward and sets it is
    taken for a router, so ``auto`` follows the kernel's ``forwarding`` of the interface."""


def mac_of(interface: str) -> str:
    """The link-layer address now; empty while the interface is not there or has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, SIOCGIFHWADDR, struct.pack("16s16x", interface.encode()))
        except OSError:
            return ""
    mac = answer[18:24].hex(":")
    return "" if mac == NO_MAC else mac


def forwards(interface: str) -> bool:
    """Whether this host routes IPv6 on the interface; False when the kernel does not say."""
    try:
        return Path(f"/proc/sys/net/ipv6/conf/{interface}/forwarding").read_text() == "1\n"
    except OSError:
        return False


def arp_template(mac: str, operation: int) -> bytearray:
    """A gratuitous ARP for 0.0.0.0 (C-ARP-06; target MAC ff:ff:ff:ff:ff:ff as every deployed router has it)."""
    from scapy.layers.l2 import ARP, Ether  # noqa: PLC0415 - see the module's docstring

    everybody = "ff:ff:ff:ff:ff:ff"
    arp = ARP(op=operation, hwsrc=mac, psrc="0.0.0.0", hwdst=everybody, pdst="0.0.0.0")  # noqa: S104 - patched
    return bytearray(bytes(Ether(src=mac, dst=everybody) / arp))


def na_template(mac: str, *, router: bool) -> bytearray:
    """An unsolicited neighbour advertisement for :: to all nodes (C-ND-05)."""
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6  # noqa: PLC0415
    from scapy.layers.l2 import Ether  # noqa: PLC0415

    advertisement = ICMPv6ND_NA(R=int(router), S=0, O=1, tgt="::", cksum=0) / ICMPv6NDOptDstLLAddr(lladdr=mac)
    packet = IPv6(src="::", dst="ff02::1", hlim=255) / advertisement
    return bytearray(bytes(Ether(src=mac, dst="33:33:00:00:00:01") / packet))


def ones_complement_sum(data: bytes | bytearray) -> int:
    """RFC 1071, of an even number of octets, not yet inverted."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def patched_arp(template: bytearray, address: bytes) -> bytes:
    """The template for this address: sender and target are both the virtual address."""
    frame = bytearray(template)
    frame[ARP_SENDER : ARP_SENDER + 4] = address
    frame[ARP_TARGET : ARP_TARGET + 4] = address
    return bytes(frame)


def patched_na(template: bytearray, address: bytes) -> bytes:
    """The template from and for this address, its ICMPv6 checksum over the pseudo-header of RFC 8200 section 8.1."""
    frame = bytearray(template)
    frame[NA_SOURCE : NA_SOURCE + 16] = address
    frame[NA_TARGET : NA_TARGET + 16] = address
    length = len(frame) - ICMPV6
    covered = frame[NA_SOURCE:ICMPV6] + struct.pack("!II", length, socket.IPPROTO_ICMPV6) + frame[ICMPV6:]
    struct.pack_into("!H", frame, NA_CHECKSUM, ~ones_complement_sum(covered) & 0xFFFF)
    return bytes(frame)


def patched(template: bytearray, address: bytes) -> bytes:
    """The template of this address's family, for this address."""
    return patched_arp(template, address) if len(address) == 4 else patched_na(template, address)


class Arp:
    """Frames for the daemon to send; it sends, paces and repeats them itself."""

    def __init__(self) -> None:
        self._options = Options()

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.arp]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Nothing to refuse: every combination means something, all off means silence for IPv4."""
        self._options = options

    @hookimpl
    def takeover(self, router: Router) -> list[Frame]:
        """The frames of every address, in order; none for an interface without a link-layer address."""
        macs = cache(lambda interface: router.mac if interface == router.interface else mac_of(interface))
        templates = cache(self._templates)
        virtual = router.virtual_mac
        return [
            Frame(interface=address.interface, address=address.address, data=patched(template, ip.packed))
            for address in router.addresses
            for ip in (ip_address(address.address),)
            for template in templates(
                router.interface if virtual else address.interface,  # the device forwards if its interface does
                virtual or macs(address.interface),
                ip.version,
            )
        ]

    def _templates(self, interface: str, mac: str, family: int) -> list[bytearray]:
        if mac in ("", NO_MAC):
            return []
        if family == 4:
            operations = [operation for operation, on in ((1, self._options.request), (2, self._options.reply)) if on]
            return [arp_template(mac, operation) for operation in operations]
        flag = {"always": True, "never": False, "auto": forwards(interface)}[self._options.router]
        return [na_template(mac, router=flag)]


plugin = Arp()
