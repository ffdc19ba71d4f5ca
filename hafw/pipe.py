"""The values that cross the pipe between the daemon and a plugin process.

They live apart from the hookspecs, so that the daemon imports no pluggy. ``hafw.api`` hands both on.
All values are frozen dataclasses of plain types, so that they survive JSON.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address to bind on becoming MASTER. Only configured virtual addresses are accepted by the daemon."""

    address: str
    """Without a length, as ``str(ipaddress.ip_address(...))`` prints it."""
    prefixlen: int
    interface: str
    label: str = ""
    scope: str = "global"
    """``global``, ``link`` or ``host``."""
    advertised: bool = True
    """False for ``excluded_addresses`` and addresses of the other family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An Ethernet frame to send on becoming MASTER: a gratuitous ARP or an unsolicited NA, nothing else."""

    interface: str
    address: str
    """The virtual address that it announces."""
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """What a hook is told of one instance."""

    name: str
    vrid: int
    version: int
    priority: int
    """Configured priority."""
    interface: str
    ifindex: int = 0
    """0 while the interface does not exist."""
    mac: str = ""
    """The interface's link-layer address, ``02:00:00:00:00:01``; empty while it does not exist."""
    primary_address: str = ""
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a check. ``immediate`` skips rise and fall: the process itself was seen to die."""

    healthy: bool
    detail: str = ""
    """One line for ``hafw status``."""
    immediate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A transition, as the event hooks hear it. ``seq`` identifies it: delivery is at least once."""

    seq: int
    time: str
    """UTC, ISO 8601 with milliseconds."""
    instance: str
    old: str
    new: str
    """``MASTER``, ``BACKUP``, ``FAULT``, ``INITIALIZE``; ``STOP`` when the daemon ends."""
    reason: str
    priority: int
    """Effective priority."""
    peer: str = ""
