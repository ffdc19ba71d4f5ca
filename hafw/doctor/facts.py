"""What this machine is like, as values: ``collect`` fills them in, and the probes judge them."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - of a dataclass
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.doctor.finding import Unseen
    from hafw.doctor.firewall.rules import Table
    from hafw.vrrp.packet import Datagram
    from hafw.vrrp.settings import IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """An address on an interface."""

    ip: IPAddress
    prefixlen: int
    flags: frozenset[str] = frozenset()
    """Of IPv6: ``tentative``, ``dadfailed``."""
    by_hafw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An interface that is part of a bridge."""

    name: str
    floods_multicast: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """What a bridge does with groups."""

    snoops: bool
    querier: bool
    """It asks for members itself."""
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface."""

    name: str
    up: bool = True
    carrier: bool = True
    multicast: bool = True
    arp: bool = True
    mtu: int = 1500
    mac: str = ""
    addresses: tuple[Bound, ...] = ()
    bridge: Bridge | None = None
    """If it is one."""
    xdp: bool = False
    """A program of somebody's sees every frame first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the kernel says of its own clock."""

    synchronised: bool
    error: float
    """Seconds that it may be wrong at most, as far as the kernel knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program's configuration that listens on an address."""

    program: str
    place: str
    """``/etc/nginx/nginx.conf:12``."""
    address: IPAddress
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A process on this machine that speaks VRRP."""

    program: str
    pid: int
    vrids: frozenset[int] = frozenset()
    """As its configuration says; empty: not known."""
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An advert that was heard on the wire, before any packet filter."""

    interface: str
    mac: str
    """Where its frame came from."""
    datagram: Datagram
    time: float
    """When, in seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A virtual address in a configuration that binds it at boot."""

    file: str
    line: int
    address: IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """An interface that somebody configures."""

    interface: str
    by: str
    """``systemd-networkd`` or ``NetworkManager``."""
    file: str = ""
    """Its ``.network`` file."""
    keeps: str = ""
    """``KeepConfiguration=``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A systemd unit that runs hafw, drop-ins included: key and values by section-less name."""

    name: str
    path: str
    values: Mapping[str, tuple[str, ...]]

    def last(self, key: str, default: str = "") -> str:
        """The value in force of a key that is given once."""
        return self.values.get(key, (default,))[-1] if self.values.get(key) else default

    def words(self, key: str) -> tuple[str, ...]:
        """All values of a key that is a list."""
        return tuple(word for value in self.values.get(key, ()) for word in value.split())

    def on(self, key: str) -> bool:
        """Whether a switch is on."""
        return self.last(key).lower() in {"yes", "true", "1", "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script that the configuration runs, and what its text says it does."""

    path: str
    gains: tuple[int, str] | None = None
    """Line and word of the first program that wants rights of its own: ``sudo``, ``sendmail``."""
    writes: tuple[tuple[int, str], ...] = ()
    """Line and path of every redirection to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that was found out. What was not looked at is ``None`` or missing, and named in ``unseen``."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)
    """sysctl, by its name: ``net.ipv4.conf.eth0.rp_filter``."""
    routes: Mapping[IPAddress, str] = field(default_factory=dict)
    """The interface by which the kernel reaches an address."""
    refused: Mapping[tuple[str, IPAddress], str] = field(default_factory=dict)
    """Groups that the kernel did not let us join, by interface and group, with its reason."""
    filters: tuple[Table, ...] = ()
    firewalld: Mapping[str, str] = field(default_factory=dict)
    """The zone of each interface, where firewalld runs."""
    nftables_file: str = ""
    """Where rules come from at boot, if it is there."""
    conntrack: tuple[int, int] | None = None
    """Entries, and how many there may be."""
    clock: Clock | None = None
    services: tuple[Service, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    heard: tuple[Heard, ...] = ()
    answers: Mapping[tuple[str, IPAddress], frozenset[str]] = field(default_factory=dict)
    """The MACs that answered for a virtual address, by interface and address."""
    mentions: tuple[Mention, ...] = ()
    managed: tuple[Managed, ...] = ()
    units: tuple[Unit, ...] = ()
    scripts: tuple[Script, ...] = ()
    cloud: str = ""
    """Amazon EC2, Google Cloud, Microsoft Azure; empty: none that is known to carry no multicast."""
    unseen: tuple[Unseen, ...] = ()
