"""The values that cross the pipe between the daemon and a plugin process.

They live apart from the hookspecs, so that the daemon imports no pluggy. ``hafw.api`` hands both on.
All values are frozen dataclasses of plain types, so that they survive JSON.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read when a line is decoded
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address to bind on becoming MASTER. Only configured virtual addresses are accepted by the daemon."""

    address: str
    """Without a length, as ``str(ipaddress.ip_address(...))`` prints it."""
    prefixlen: int
    """Bits of the network part: 0 to 32, of IPv6 0 to 128."""
    interface: str
    """Where it is bound, by name: the one that it is configured on."""
    label: str = ""
    """As ``ip address`` shows it, ``eth0:1``; empty: none. IPv4 only."""
    scope: str = "global"
    """``global``, ``link`` or ``host``."""
    advertised: bool = True
    """False for ``excluded_addresses`` and addresses of the other family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An Ethernet frame to send on becoming MASTER: a gratuitous ARP or an unsolicited NA, nothing else."""

    interface: str
    """Where it is sent, by name."""
    address: str
    """The virtual address that it announces."""
    data: bytes
    """All octets of it, from the destination's link-layer address on; at most 128."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """What a hook is told of one instance."""

    name: str
    """As in ``[instance.NAME]``."""
    vrid: int
    """1 to 255."""
    version: int
    """Of VRRP: 2 or 3."""
    priority: int
    """As configured: 1 to 254, of an owner 255."""
    interface: str
    """By name. It need not exist yet."""
    ifindex: int = 0
    """0 while the interface does not exist."""
    mac: str = ""
    """The interface's link-layer address, ``02:00:00:00:00:01``; empty while it does not exist."""
    virtual_mac: str = ""
    """What its addresses answer from, instead of ``mac``; empty: there is none. They are on a device that has it."""
    primary_address: str = ""
    """What its adverts come from, without a length; empty while the interface has none."""
    addresses: tuple[Address, ...] = ()
    """All that it binds as MASTER, those that it does not advertise too."""
    group: str = ""
    """The sync group; empty: none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a check."""

    healthy: bool
    """With ``reverse = true`` in the configuration it is taken the other way round."""
    detail: str = ""
    """One line for ``hafw status``, of at most 300 characters."""
    immediate: bool = False
    """It skips ``rise`` and ``fall``: for what cannot be a hiccup."""
    factor: int | None = None
    """How many times the check's weight counts, as a number in a file may say; ``None``: once, by its sign."""


EVERY, LATEST = "every", "latest"
"""What becomes of events that a plugin has not taken yet when newer ones come: ``docs/plugins/delivery.md``."""
DEADLINE_MAX = 3600.0
"""Seconds: the longest that a plugin may ask for one event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What every change says of its own delivery, which is at least once: ``docs/plugins/delivery.md``."""

    seq: int = 0
    """Counts up from change to change of a daemon, of instances, groups and addresses together; given as it is told."""
    run: str = ""
    """The daemon that told it first: ``run`` and ``seq`` are the same whenever and however often the change comes."""
    attempt: int = 1
    """More than 1: an earlier process had it and died before it answered; it may have done all of it, or nothing."""
    missed: int = 0
    """So many changes of the same thing (state, address, group) gave way to this one: ``old`` was not told."""
    replayed: bool = False
    """It was told before, to an earlier process, and nothing has happened since: this is how things are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange(Delivery):
    """A transition, as the event hooks hear it."""

    time: str
    """UTC, ISO 8601 with milliseconds."""
    instance: str
    """Its name."""
    old: str
    """The state before: as ``new``."""
    new: str
    """``MASTER``, ``BACKUP``, ``FAULT``, ``INITIALIZE``; ``STOP`` when the daemon ends, ``DELETED`` by a reload."""
    reason: str
    """A stable word, such as ``no-response``: ``docs/runbook.md`` has them."""
    priority: int
    """What counts now, with the weights of the checks: 1 to 255."""
    peer: str = ""
    """The other router that it is about, by its address; empty: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a hook is told of a sync group."""

    name: str
    """As instances name it: ``group = NAME``."""
    members: tuple[str, ...]
    """Its instances, in configured order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange(Delivery):
    """A transition of a sync group, as the ``group_changed`` hook hears it, after those of its members."""

    time: str
    """UTC, ISO 8601 with milliseconds."""
    group: str
    """Its name."""
    members: tuple[str, ...]
    """Its instances, in configured order."""
    old: str
    """The state before: as ``new``."""
    new: str
    """``MASTER``: every member is. ``FAULT``: one is. ``BACKUP``, ``INITIALIZE``; ``STOP`` when the daemon ends."""
    reason: str
    """A stable word, as of an instance."""
    instance: str = ""
    """The member that began it."""
    priority: int = 0
    """As keepalived tells it of groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VipChange(Delivery):
    """What happened to one virtual address, as the ``vip_changed`` hook hears it."""

    time: str
    """UTC, ISO 8601 with milliseconds."""
    instance: str
    """The one that it belongs to."""
    address: str
    """Without a length."""
    change: str
    """The stable event words: ``vip_bound``, ``vip_lost``, ``vip_restored``, ``vip_released``."""
    culprit: str = ""
    """Who is suspected to have removed it."""


LINE_MAX = 65536
"""Octets of a line from a plugin process; longer answers come in parts. The daemon decodes a line without a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An installed package that offers a plugin."""

    value: str
    """Of the entry point: ``hafw_nginx:plugin``."""
    package: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line to a plugin process: what it has to know before it loads the plugin."""

    name: str
    options: Mapping[str, Any] | None
    """As TOML gave them; ``None``: it is only loaded, to be asked for their schema."""
    file: str = ""
    offers: tuple[Offer, ...] = ()
    """Without a file: the daemon has read the metadata once, which costs each process 3 MiB and 30 ms."""
    user: str = ""
    parent: int
    """The daemon's process id: a child of anybody else is an orphan and ends."""
    memory: int
    """Octets of private memory it may have."""
    files: int = 1024
    """It may have open."""
    tasks: int = 4096
    """Processes and threads of its user, its own among them, beyond which it gets no more."""
    nice: int = 0
    network: bool = True
    scratch: str = ""
    """Its own temporary folder; empty: there is none."""
    machine: bool = True
    """False: the file is of another machine, so secrets are left unread."""
    run: str = ""
    """The daemon's, as changes have it."""
    node: str = ""
    """The name of this router, which the plugin finds in ``HAFW_NODE``; empty: it is left as it is."""
    shows: bool = False
    """It shall say what may be shown of its options, in ``Hello``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A line to a plugin process: call a hook, in the thread of this lane. Calls of a lane keep their order."""

    id: int
    hook: str
    lane: str
    routers: tuple[Router, ...] = ()
    """Those that have changed since the last call; of ``configure``: all of them."""
    router: str = ""
    change: StateChange | None = None
    vip_change: VipChange | None = None
    group_change: GroupChange | None = None
    event: Mapping[str, Any] | None = None
    budget: float = 0.0
    answer: Mapping[str, Any] | None = None
    """To the question with this id: nothing is called, and nothing is replied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a plugin with the ``serve`` hook wants to know of the daemon."""

    number: int
    """Of the plugin's own counting: the answer carries it."""
    do: str
    """``status``, ``events``, ``history`` or ``plugins``, as of the control socket."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """The other keys of the request, such as ``since``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a hook wants kept: the end of a script's output, and how it ended."""

    output: str = ""
    exit: int = 0
    """Not 0: the call has failed."""
    command: str = ""
    """What it was that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception, in words."""

    kind: str
    """The exception's; empty: the message says all there is to say."""
    message: str
    trace: str = ""
    """Where the plugin's own code raised it, or called what raised it: file, line and function."""
    problems: tuple[tuple[str, str], ...] = ()
    """Mistakes in the options: key path and message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a plugin process says of its plugin, when it has loaded it and again when it has configured it."""

    hooks: Mapping[str, bool]
    """Hooks it implements, and whether they take ``router``."""
    package: str
    """The distribution, or the file."""
    version: str = ""
    user: str = ""
    """Whom it runs as by now."""
    deadline: float = 0.0
    """Seconds that it asks for one event; 0: the usual ones."""
    delivery: str = EVERY
    """``every`` or ``latest``."""
    replay: bool = False
    """A new process wants to be told how things are."""
    warnings: tuple[tuple[str, str], ...] = ()
    """Of ``configure``, and of what it uses of an API that will go: key path and message."""
    options: Mapping[str, Any] | None = None
    """What is in force and may be shown of them, if that was asked for, in the first one: ``hafw.config.hiding``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A line from a plugin process, about the call with this id; 0 is its start."""

    id: int
    more: bool = False
    """A part of the answer. The verdicts of a monitor are parts too."""
    seconds: float = 0.0
    failure: Failure | None = None
    hello: Hello | None = None
    verdict: Verdict | None = None
    addresses: tuple[Address, ...] = ()
    frames: tuple[Frame, ...] = ()
    outcome: Outcome | None = None
    question: Question | None = None
    """A part of the endless answer to ``serve``."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What the plugin was found to use, since the last reply, of an API that will go."""
