"""The device that has the virtual MAC of a router: what it is called, and what leaves with its MAC.

Its name tells interface, VRID and family apart and is always the same, so that what a dead daemon left is recognised.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hafw.vrrp.packet import virtual_mac

if TYPE_CHECKING:
    from hafw.vrrp.settings import RouterSettings


def device_name(interface: str, vrid: int, family: int) -> str:
    """At most 15 characters: ``hafw4-51-1f2e``; an interface's name may have 15 itself, so a digest stands for it."""
    return f"hafw{family}-{vrid}-{sha256(interface.encode()).hexdigest()[:4]}"


def device_of(settings: RouterSettings) -> str:
    """Where this router's addresses are; empty: on interfaces that are there anyway."""
    return device_name(settings.interface, settings.vrid, settings.family) if settings.virtual_mac else ""


def device_mac(settings: RouterSettings) -> bytes:
    """What the device has; empty without one."""
    return virtual_mac(settings.vrid, settings.family) if settings.virtual_mac else b""


def advert_mac(settings: RouterSettings) -> bytes:
    """What adverts come from (C-PKT-18); empty: the interface's own. To a peer they are routed, as any packet is."""
    return b"" if settings.unicast_peers else device_mac(settings)
