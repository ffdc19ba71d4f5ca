"""What plugins want bound and sent on becoming MASTER, checked: through a plan a plugin gains no privilege."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.pipe import Address, Frame, Reply, Router
    from hafw.vrrp.settings import IPAddress

FRAMES_PER_ADDRESS = 4
FRAME_MAX = 128
"""Octets; a gratuitous ARP has 42 or 60, a neighbour advertisement 86."""
LABEL_MAX = 15
SCOPES = ("global", "link", "host")

_ETHERTYPE_ARP = b"\x08\x06"
_ARP_IPV4_OVER_ETHERNET = b"\x00\x01\x08\x00\x06\x04"
_ETHERTYPE_IPV6 = b"\x86\xdd"
_ICMPV6, _NEIGHBOUR_ADVERTISEMENT = 58, 136


class PlanRefused(Exception):  # noqa: N818 - what happened to it
    """There is no plan; the text names the plugin and the offence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a takeover of one router is."""

    addresses: dict[IPAddress, Address] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    """In the order in which they are sent."""
    first: dict[IPAddress, Frame] = field(default_factory=dict)
    """The first frame of each address."""


class Draft:
    """A plan in the making; an offence refuses the whole of it."""

    def __init__(self, router: Router) -> None:
        self.plan = Plan()
        self._configured = {each.address: each for each in router.addresses}
        self._frames_of: Counter[str] = Counter()

    def take(self, plugin: str, part: Reply) -> None:
        """Add a part of a plugin's answer, or raise ``PlanRefused``."""
        try:
            for address in part.addresses:
                self._bind(address)
            for frame in part.frames:
                self._send(frame)
        except ValueError as error:
            raise PlanRefused(f"plugin {plugin}: {error}") from None

    def _bind(self, address: Address) -> None:
        ip = self._configured_ip(address.address, address.interface)
        if not 0 <= address.prefixlen <= ip.max_prefixlen:
            raise ValueError(f"{ip}/{address.prefixlen}: the length must be 0 to {ip.max_prefixlen}")
        if address.scope not in SCOPES:
            raise ValueError(f"{ip} with scope {address.scope!r}: must be {', '.join(SCOPES)}")
        if address.label and not (address.label.startswith(address.interface) and len(address.label) <= LABEL_MAX):
            rule = f"must begin with {address.interface} and have at most {LABEL_MAX} characters"
            raise ValueError(f"{ip} with label {address.label!r}: {rule}")
        if self.plan.addresses.setdefault(ip, address) != address:
            raise ValueError(f"{ip} is bound differently by another plugin")

    def _send(self, frame: Frame) -> None:
        ip = self._configured_ip(frame.address, frame.interface)
        if announced(frame.data) != ip:
            rule = "must be an ARP or a neighbour advertisement for this very address"
            raise ValueError(f"a frame of {len(frame.data)} octets for {ip}: {rule}")
        self._frames_of[frame.address] += 1
        if self._frames_of[frame.address] > FRAMES_PER_ADDRESS:
            raise ValueError(f"more than {FRAMES_PER_ADDRESS} frames for {ip}")
        self.plan.frames.append(frame)
        self.plan.first.setdefault(ip, frame)

    def _configured_ip(self, address: str, interface: str) -> IPAddress:
        configured = self._configured.get(address)
        if configured is None:
            raise ValueError(f"{address!r} is no virtual address of this instance")
        if interface != configured.interface:
            raise ValueError(f"{address} on {interface}: it is configured on {configured.interface}")
        return ip_address(address)


def announced(frame: bytes) -> IPAddress | None:
    """The address that an Ethernet frame claims as its sender's; ``None``: it is not of the kind that may be sent."""
    if len(frame) > FRAME_MAX:
        return None
    ethertype = frame[12:14]
    if ethertype == _ETHERTYPE_ARP and len(frame) >= 42 and frame[14:20] == _ARP_IPV4_OVER_ETHERNET:
        return IPv4Address(frame[28:32])
    if ethertype == _ETHERTYPE_IPV6 and len(frame) >= 78 and frame[20] == _ICMPV6:
        return IPv6Address(frame[62:78]) if frame[54] == _NEIGHBOUR_ADVERTISEMENT else None
    return None
