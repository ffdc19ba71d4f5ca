"""The devices of routers with a virtual MAC: there as long as the router is, up as long as it has an address.

What is down accepts no frame (C-FWD-02) and sends none. So a router that lets its last address go first switches its
device off: a multicast listener report about that address would tell the switch that the virtual MAC is still here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw import footprint
from hafw.vrrp.device import device_mac, device_of
from hafw.wire.rtmessages import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.config.model import InstanceConfig
    from hafw.daemon.addresses.kernelview import KernelView
    from hafw.vrrp.settings import RouterSettings
    from hafw.wire.netlink import Netlink


class Devices:
    """Those of the running configuration."""

    def __init__(self, *, makes: bool) -> None:
        """``makes``: whether they are to be made; else they are only known by name."""
        self.stale = False
        """Whether others are wanted than were made."""
        self.trouble: dict[str, str] = {}
        """By name: why it is not there, or not as it should be."""
        self._makes = makes
        self._wanted: dict[str, footprint.Device] = {}

    @property
    def names(self) -> frozenset[str]:
        """Of those that are wanted."""
        return frozenset(self._wanted)

    def trouble_of(self, settings: RouterSettings) -> str:
        """Why this router cannot have what it needs; empty: it can, or needs nothing."""
        return self.trouble.get(device_of(settings), "")

    def want(self, instances: Iterable[InstanceConfig]) -> frozenset[str]:
        """These routers' devices from now on, no others; answers their names."""
        before, self._wanted = self._wanted, {}
        for instance in instances:
            settings = instance.router
            if name := device_of(settings):
                families = frozenset(each.version for each in settings.all_addresses)
                mac = device_mac(settings).hex(":")
                self._wanted[name] = footprint.Device(name, settings.interface, mac, settings.name, families)
        self.stale = self.stale or (self._makes and before != self._wanted)
        return self.names

    def lacks(self, view: KernelView) -> bool:
        """Whether one could be made that is not there."""
        wanted = self._wanted.values() if self._makes else ()
        return any(view.link(each.parent) and not view.link(each.name) for each in wanted)

    def tend(self, netlink: Netlink) -> None:
        """In a thread."""
        self.stale, wanted = False, tuple(self._wanted.values())
        if not self._makes:
            return
        try:
            self.trouble = footprint.tend(netlink, wanted)
        except (OSError, MalformedMessage) as error:
            self.trouble = {each.name: f"{each.name} on {each.parent}: {error}" for each in wanted}
