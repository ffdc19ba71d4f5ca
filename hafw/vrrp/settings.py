"""What one virtual router is told: its configuration, as frozen values.

All durations are float seconds. The wire's units live in ``packet.py`` only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

IPAddress = IPv4Address | IPv6Address

DEFAULT_ANNOUNCE_REPEAT = (0.0, 0.05, 0.25, 1.0, 5.0)
"""Seconds after the addresses are installed at which they are announced."""


class State(StrEnum):
    """RFC 9568 section 6.4 (MASTER is its Active), and keepalived's FAULT."""

    INITIALIZE = "INITIALIZE"
    BACKUP = "BACKUP"
    MASTER = "MASTER"
    FAULT = "FAULT"


class Checksum(StrEnum):
    """The VRRPv3 over IPv4 checksum that is *sent*; both are accepted (C-PKT-08, C-PKT-09)."""

    AUTO = "auto"
    """The form last heard from a peer; the pseudo-header form until one was heard."""
    RFC9568 = "rfc9568"
    """Over the VRRP message only."""
    PSEUDO_HEADER = "pseudo-header"
    """Over an IPv4 pseudo-header and the message: keepalived and FRR accept no other by default."""


class AntiReplay(StrEnum):
    """What makes a signed advert too old."""

    TIME = "time"
    """Signed outside the window, or not above the sender's last one; needs clocks that agree."""
    MONOTONIC = "monotonic"
    """Not above the sender's last one."""


class HmacMode(StrEnum):
    """How far the roll-out has come: every router to ``receive-only``, then ``permissive``, then ``enforce``."""

    ENFORCE = "enforce"
    """A valid trailer is required."""
    PERMISSIVE = "permissive"
    """Sign, but accept adverts without a trailer."""
    RECEIVE_ONLY = "receive-only"
    """Sign nothing; verify what is there; accept adverts without a trailer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacSettings:
    """Signed adverts: the HMAC trailer of draft-cassen-vrrp-auth-hmac. No key is in its ``repr``."""

    keys: dict[int, bytes] = field(repr=False)
    """By key id, 1 to 255: 32 to 64 octets."""
    active: int
    """The key to sign with."""
    anti_replay: AntiReplay = AntiReplay.TIME
    window: float = 5.0
    """Seconds that a sender's clock may differ from ours, with ``TIME``."""
    mode: HmacMode = HmacMode.ENFORCE
    source: str = ""
    """Where the active key comes from, for those who sign when this process is gone."""

    @property
    def signs(self) -> bool:
        """Whether what is sent carries a trailer."""
        return self.mode is not HmacMode.RECEIVE_ONLY


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """One ``[instance.NAME]``; the config reader has checked every value."""

    name: str
    interface: str
    vrid: int
    """1 to 255 (C-PKT-02)."""
    version: int = 3
    """2 or 3."""
    priority: int = 100
    """1 to 254, or 255 when ``owner`` (C-PKT-03)."""
    owner: bool = False
    advertisement_interval: float = 1.0
    """Seconds: version 3 0.01 to 40.95 in steps of 0.01, version 2 whole seconds 1 to 255."""
    virtual_addresses: tuple[IPAddress, ...]
    """Advertised, in configured order, of one family (C-PKT-11, C-PKT-13); IPv6: the first is link-local (C-PKT-12)."""
    excluded_addresses: tuple[IPAddress, ...] = ()
    """Bound and announced with the others, never advertised; may be of the other family."""
    preempt: bool = True
    preempt_delay: float = 0.0
    flap_hold: float = 0.0
    """Seconds that a router which keeps failing has to be well before it preempts, the first time; 0: no matter."""
    flap_hold_max: float = 600.0
    down_timer_adverts: int = 3
    rank: int | None = None
    """Ranked skew: the position among all configured priorities, 0 the highest. ``None``: the RFC's skew alone."""
    last_resort: bool = True
    """Whether a MASTER whose check fails, and whom nobody relieves, serves on, degraded."""
    group: str = ""
    """The sync group: its members are MASTER together or not at all; empty: this router decides alone."""
    password: bytes | None = field(default=None, repr=False)
    """VRRPv2 simple text authentication, at most 8 octets; ``None``: authentication type 0."""
    hmac: HmacSettings | None = None
    """Signed adverts; excludes ``password``."""
    track_primary: bool = True
    """Whether it takes a link to serve; without, keepalived's ``dont_track_primary``."""
    unicast_peers: tuple[IPAddress, ...] = ()
    """Empty: multicast."""
    min_ttl: int = 255
    """What a unicast advert's TTL or hop limit must be at least; multicast is never routed, and has 255."""
    goodbye: tuple[IPAddress, ...] = ()
    """Addresses of the others on another network, to tell them that the MASTER's link is gone; needs ``hmac``."""
    source_address: IPAddress | None = None
    """``None``: the interface's primary address (IPv6: its link-local address)."""
    multicast_group: IPAddress | None = None
    """``None``: 224.0.0.18 or ff02::12."""
    virtual_mac: bool = False
    """Whether the addresses are on a device of their own that has the virtual router's MAC (RFC 9568 section 7.3)."""
    checksum: Checksum = Checksum.AUTO
    announce_repeat: tuple[float, ...] = DEFAULT_ANNOUNCE_REPEAT
    announce_refresh: float = 60.0
    """Seconds between announcements once the repeats are done; 0: never."""

    @property
    def family(self) -> int:
        """4 or 6: the advertised family, that of the first virtual address."""
        return self.virtual_addresses[0].version

    @property
    def all_addresses(self) -> tuple[IPAddress, ...]:
        """Everything that a MASTER binds, advertised addresses first."""
        return self.virtual_addresses + self.excluded_addresses
