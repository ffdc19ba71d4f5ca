"""What is wrong with a machine, why it matters here, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to mend."""

    id: str
    """A stable word: a heading of docs/doctor.md."""
    where: str
    """``VI_1 on eth0``, ``hafw.service``."""
    what: str
    why: str
    """What comes of it, for this configuration."""
    fix: tuple[str, ...] = ()
    """Commands, to be run as root and in this order; empty: only ``keep`` helps."""
    keep: str = ""
    """Where a setting that outlives a reboot goes, or what to do where no command of this machine helps."""

    @property
    def severity(self) -> Severity:
        """Whether it breaks something (the exit code is 1), or may some day."""
        return CATALOGUE[self.id]


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be looked at, so that silence about it means nothing."""

    what: str
    why: str
    way_out: str = ""


CATALOGUE: dict[str, Severity] = {
    "interface-missing": "error",
    "interface-down": "error",
    "no-carrier": "error",
    "no-source-address": "error",
    "duplicate-own-address": "error",
    "no-route": "error",
    "multicast-off": "error",
    "group-refused": "error",
    "arp-off": "error",
    "mtu-too-small": "error",
    "bridge-port-floods-no-multicast": "warning",
    "bridge-snooping-without-querier": "warning",
    "firewall-drops-incoming": "error",
    "firewall-drops-outgoing": "error",
    "conntrack-full": "error",
    "rp-filter": "error",
    "arp-filter": "error",
    "arp-ignore": "error",
    "arp-flux": "warning",
    "ipv6-disabled": "error",
    "nonlocal-bind": "error",
    "vip-configured": "error",
    "networkd-removes-addresses": "warning",
    "networkmanager-removes-addresses": "warning",
    "cloud-without-multicast": "error",
    "clock-unsynchronised": "warning",
    "clock-differs": "error",
    "other-daemon": "error",
    "vrid-collision": "error",
    "peer-refused": "error",
    "peer-disagrees": "warning",
    "address-in-use": "error",
    "unit-capabilities": "error",
    "unit-network": "error",
    "unit-realtime": "error",
    "unit-memlock": "error",
    "unit-kill-mode": "warning",
    "unit-no-cleanup": "warning",
    "unit-scripts": "warning",
}
"""Every finding there is. ``error``: something fails, or two routers would be MASTER. ``warning``: not today."""
