"""The tables of config.toml, key by key: what the file may say, before any rule that ties keys together.

The JSON schema of the file is made from these types, descriptions included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from hafw.config.values import Duration, Size
from hafw.secret import Secret  # noqa: TC001 - read by the reader
from hafw.vrrp.settings import DEFAULT_ANNOUNCE_REPEAT

_HOUR = 3600.0
_Milliseconds = Annotated[Duration, Meta(ge=0.01, le=_HOUR)]
_UpToAnHour = Annotated[Duration, Meta(ge=0, le=_HOUR)]
INTERVAL = Duration(1.0)
PLUGIN_MEMORY = Size(512 << 20)
NOW = Duration(0.0)
FLAP_HOLD, FLAP_HOLD_MAX = Duration(10.0), Duration(600.0)
_Text = Annotated[str, Meta(pattern=r"\S", extra={"rule": "must not be empty"})]

ANNOUNCE_REPEAT = tuple(map(Duration, DEFAULT_ANNOUNCE_REPEAT))
ANNOUNCE_REFRESH = Duration(60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTable:
    """``[node]``."""

    name: Annotated[str, Meta(description="Name of this router; $HOSTNAME is the short host name")] = "$HOSTNAME"
    startup_delay: Annotated[_UpToAnHour, Meta(description="How long a daemon waits before it takes part")] = NOW
    delay_after_boot: Annotated[
        _UpToAnHour, Meta(description="The same, counted from the machine's boot: a restart does not wait")
    ] = NOW


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTable:
    """``[control]``."""

    socket: Annotated[_Text, Meta(description="Path of the control socket")] = "/run/hafw/control.sock"
    group: Annotated[str, Meta(description="Group that may use the control socket")] = ""


_Processor = Annotated[int, Meta(ge=0, le=8191)]
_Realtime = Annotated[int, Meta(ge=1, le=99, extra={"rule": "must be 1 to 99, true (which is 50) or false"})]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTable:
    """``[process]``: for intervals so short that an ordinary process may come too late."""

    realtime: Annotated[bool | _Realtime, Meta(description="SCHED_RR priority, 1 to 99; true: 50")] = False
    cpus: Annotated[
        tuple[_Processor, ...],
        Meta(
            min_length=1,
            extra={"rule": "must name at least one processor; for all of them leave it out"},
            description="Numbers of the processors that the daemon may run on; all when left out",
        ),
    ] = ()
    lock_memory: Annotated[bool, Meta(description="Never be paged out")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTable:
    """``[journal]``: for `hafw replay`."""

    path: Annotated[str, Meta(description="The file, absolute; no journal when left out")] = ""
    max_size: Annotated[
        int, Meta(ge=100_000, le=1_000_000_000, description="Octets of the file, and of the one before it")
    ] = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressTable:
    """An address that needs more than its text."""

    address: Annotated[str, Meta(description="192.0.2.1, 192.0.2.1/24 or 2001:db8::1")]
    interface: Annotated[str, Meta(description="Where it is bound; the instance's interface when left out")] = ""
    label: Annotated[str, Meta(description="IPv4 only; begins with the interface's name")] = ""
    scope: Literal["global", "link", "host"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthTable:
    """``auth``: a password in version 2, which is no protection against people, or signed adverts."""

    type: Literal["pass", "hmac"]
    password: Annotated[
        Secret | None, Meta(description="pass: at most 8 octets; better file:/path, env:NAME, credential:NAME")
    ] = None
    keys: Annotated[
        dict[str, Secret], Meta(description="hmac: by id, 1 to 255, where each key of 32 to 64 octets comes from")
    ] = field(default_factory=dict)
    active: Annotated[
        int | None, Meta(ge=1, le=255, description="hmac: the id of the key to sign with; the only one when left out")
    ] = None
    mode: Annotated[
        Literal["enforce", "permissive", "receive-only"],
        Meta(description="hmac: whether adverts without a trailer are refused, whether ours have one"),
    ] = "enforce"
    anti_replay: Annotated[
        Literal["time", "monotonic"], Meta(description="hmac: time needs clocks that agree within the window")
    ] = "time"
    window: Annotated[
        Duration | None,
        Meta(ge=1, le=300, description="hmac: 3 intervals, and at least 5s, when left out"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceTable:
    """``[instance.NAME.announce]``."""

    repeat: Annotated[
        tuple[_UpToAnHour, ...],
        Meta(max_length=20, description="When the addresses are announced, counted from their installation"),
    ] = ANNOUNCE_REPEAT
    refresh: Annotated[_UpToAnHour, Meta(description="Between announcements after that; 0s: never")] = ANNOUNCE_REFRESH
    rate: Annotated[int, Meta(ge=1, le=100000, description="Frames per second")] = 50000
    verify: Annotated[
        str, Meta(description="Who is asked in the address's name after a takeover: gateway, an address, or off")
    ] = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTable:
    """``[instance.NAME.check.CHECK]``."""

    plugin: Annotated[str, Meta(description="The plugin that checks; the table's name when left out")] = ""
    critical: Annotated[bool, Meta(description="FAULT while it fails")] = False
    weight: Annotated[
        int | None,
        Meta(ge=-253, le=253, description="Added to the priority: while failing if negative, while healthy if not"),
    ] = None
    interval: _Milliseconds = INTERVAL
    timeout: Annotated[
        Duration | None, Meta(ge=0.01, le=_HOUR, description="800ms, or 80 % of an interval below 1s, when left out")
    ] = None
    reverse: Annotated[bool, Meta(description="What the plugin calls healthy counts as failed")] = False
    rise: Annotated[int, Meta(ge=1, le=1000, description="Successes in a row until it counts as healthy")] = 2
    fall: Annotated[int, Meta(ge=1, le=1000, description="Failures in a row until it counts as failed")] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """``[group.NAME]``: what belongs to a sync group as a whole."""

    check: dict[str, CheckTable] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTable:
    """``[instance.NAME]``: one virtual router."""

    interface: Annotated[str, Meta(description="Where adverts are sent and addresses bound")]
    version: Annotated[Literal[2, 3], Meta(description="VRRP version; keepalived's default is 2")] = 3
    vrid: Annotated[int, Meta(ge=1, le=255, description="Virtual router id, the same on all routers")]
    priority: Annotated[
        int | None,
        Meta(ge=1, le=255, extra={"rule": "must be 1 to 254 (255 is set by owner = true)"}, description="Highest wins"),
    ] = None
    owner: Annotated[bool, Meta(description="The addresses are this router's own; priority 255")] = False
    advertisement_interval: Annotated[Duration, Meta(description="Version 3: from 10ms; version 2: whole s")] = INTERVAL
    virtual_addresses: Annotated[
        tuple[str | AddressTable, ...],
        Meta(
            min_length=1, extra={"rule": "must have at least one address"}, description="The first one's family is sent"
        ),
    ]
    excluded_addresses: Annotated[
        tuple[str | AddressTable, ...], Meta(description="Bound and announced, not advertised")
    ] = ()
    preempt: Annotated[bool, Meta(description="Take over from a live MASTER of lower priority")] = True
    preempt_delay: _UpToAnHour = NOW
    flap_hold: Annotated[
        _UpToAnHour,
        Meta(description="A router that keeps failing preempts when it has been well for so long; 0s: no matter"),
    ] = FLAP_HOLD
    flap_hold_max: Annotated[
        _UpToAnHour,
        Meta(description="It doubles with each further trouble up to this; well for so long beyond that: forgotten"),
    ] = FLAP_HOLD_MAX
    down_timer_adverts: Annotated[int, Meta(ge=1, le=100, description="Missed adverts until MASTER is down")] = 3
    track_primary: Annotated[bool, Meta(description="False: serve without a link, too, as on a crossover cable")] = True
    auth: AuthTable | None = None
    unicast_peers: Annotated[tuple[str, ...] | None, Meta(description="The other routers; multicast when left out")] = (
        None
    )
    goodbye: Annotated[
        dict[str, str] | None,
        Meta(description="By router: an address on another network, to be told there of a lost link; needs hmac"),
    ] = None
    min_ttl: Annotated[int, Meta(ge=1, le=255, description="Of unicast adverts: less than 255 lets routed ones in")] = (
        255
    )
    source_address: str | None = None
    multicast_group: str | None = None
    checksum: Literal["auto", "rfc9568", "pseudo-header"] = "auto"
    announce: AnnounceTable = AnnounceTable()
    check: dict[str, CheckTable] | None = None
    accept: Annotated[bool, Meta(description="Answer on the addresses; false is not built")] = True
    virtual_mac: Annotated[
        bool, Meta(description="Adverts and addresses from 00-00-5E-00-01-VRID (IPv6: 02), on a device of their own")
    ] = False
    skew: Annotated[
        Literal["ranked", "rfc"] | None,
        Meta(description="ranked when the priorities of all routers are known and differ, else rfc, when left out"),
    ] = None
    last_resort: Annotated[bool, Meta(description="Serve on when a check fails and nobody takes over")] = True
    group: Annotated[str, Meta(description="Sync group: MASTER together with its other instances or not at all")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsTable:
    """``[plugin.NAME.limits]``: what its process may take of the machine."""

    memory: Annotated[
        Size,
        Meta(
            ge=32 << 20,
            le=1 << 40,
            extra={"rule": 'must be "32MiB" to "1024GiB": Python alone takes 20MiB'},
            description="Private memory of each of its processes; of all together where a cgroup v2 is delegated",
        ),
    ] = PLUGIN_MEMORY
    files: Annotated[int, Meta(ge=32, le=1 << 20, description="Open files of each of its processes")] = 1024
    processes: Annotated[
        int, Meta(ge=1, le=32768, description="Its process and all that it starts; one more ends all of them")
    ] = 256
    cpu_weight: Annotated[
        int,
        Meta(ge=1, le=100, description="Share of a busy processor; 100: that of an ordinary process"),
    ] = 100
    network: Annotated[bool, Meta(description="False: no network at all, not even the loopback")] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginTable:
    """The keys that every ``[plugin.NAME]`` may have; the others are the plugin's own."""

    enabled: Annotated[bool, Meta(description="False: leave it out; vip and arp are on by default")] = True
    plugin: Annotated[
        str, Meta(description="The installed plugin that this is one of; the table's name when left out")
    ] = ""
    file: Annotated[str, Meta(description="A plugin in one file instead of an installed one")] = ""
    user: Annotated[str, Meta(description="The user that its process runs as")] = ""
    delivery: Annotated[
        Literal["every", "latest"] | None,
        Meta(
            description="Of events that wait: tell every one, or the latest of each instance; the plugin's own choice"
        ),
    ] = None
    replay: Annotated[
        bool | None, Meta(description="Tell a new process of the plugin how things are; the plugin's own choice")
    ] = None
    limits: LimitsTable = LimitsTable()
