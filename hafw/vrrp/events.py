"""What goes into a Node. Frozen values; the union ``Event`` is closed.

``router`` is the instance's name. The time is not in the event: it is the last argument of ``handle``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.vrrp.packet import Advertisement
    from hafw.vrrp.settings import IPAddress


@dataclass(frozen=True, slots=True)
class Startup:
    """This router may take part in the election, as soon as its link, plan and checks are known."""

    router: str
    deferring: bool = False
    """The daemon before this one handed over: its successor is not preempted by this one either."""
    delay: float = 0.0
    """Seconds to wait first."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Leave the election for good, as a planned handover if MASTER (C-FSM-10, C-FSM-20)."""

    router: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """This router was MASTER when its daemon died, and nobody has noticed: go on (takes the place of ``Startup``).

    Ignored when it comes too late: then a ``Startup`` must follow.
    """

    router: str
    since: float
    """When it became MASTER."""
    last_advert_at: float
    """When the dead daemon last advertised."""
    primary: IPAddress
    """The address it advertised from."""
    verdicts: dict[str, bool]
    """By check, what was last known of it."""
    silence: float | None = None
    """Seconds that the peers heard nothing, if somebody spoke for us since; ``None``: since ``last_advert_at``."""
    cause: str = ""
    """How the daemon died."""


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """Hand over if MASTER: one priority 0, then hold until claimed.

    Nobody took over within master_down_interval: goes on as MASTER, or releases with ``force``. Afterwards this router
    does not preempt its successor.
    """

    router: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class MaintenanceChanged:
    """While ``on`` this router stays BACKUP whatever happens; a MASTER releases, even if nobody takes over."""

    router: str
    on: bool


@dataclass(frozen=True, slots=True)
class Suspended:
    """The machine was suspended: the monotonic clock stood still for this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AdvertReceived:
    """An advertisement that passed every check of section 7.1; never one of our own (C-RX-22)."""

    router: str
    advert: Advertisement
    source: IPAddress


@dataclass(frozen=True, slots=True)
class Tick:
    """The Node's deadline has passed; the sockets were drained before."""


@dataclass(frozen=True, slots=True)
class AddressesInstalled:
    """The keeper read back from the kernel that every address wanted as bound is there."""

    router: str


@dataclass(frozen=True, slots=True)
class AddressesRefused:
    """The kernel refused an address; ``error`` names the address and the errno."""

    router: str
    error: str


@dataclass(frozen=True, slots=True)
class AddressesLost:
    """Somebody removed bound addresses; ``culprit`` is who is suspected, or empty."""

    router: str
    addresses: tuple[IPAddress, ...]
    culprit: str = ""


@dataclass(frozen=True, slots=True)
class AddressesClaimed:
    """Another machine's gratuitous ARP or NA claimed these; one event per drained socket."""

    router: str
    addresses: tuple[IPAddress, ...]
    mac: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The interface of some routers changed.

    ``up``: it exists, is administratively up and has carrier. ``primary``: by family (4 or 6) the address that
    adverts are sent from, without any virtual address.
    """

    interface: str
    up: bool
    primary: dict[int, IPAddress]
    problem: str = ""
    """Why it is not up, in words for the status: "does not exist", "no carrier", ..."""


@dataclass(frozen=True, slots=True)
class PlanReported:
    """The plugins said what to bind and send on becoming MASTER; ``problem``: why they could not, or empty."""

    router: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VerdictReported:
    """A check of this router said healthy or not; rise and fall are counted by the Node."""

    router: str
    check: str
    healthy: bool
    detail: str = ""
    duration: float = 0.0
    immediate: bool = False
    """Skip rise and fall: the death of the process itself was seen."""
    factor: int | None = None
    """How many times the check's weight counts, healthy or not; ``None``: once, by its sign."""


@dataclass(frozen=True, slots=True)
class FaultRaised:
    """The router cannot serve; ``reason`` is the first cause. Sent by the Node to its routers."""

    router: str
    reason: str
    detail: str
    can_send: bool = True
    """False when the link is gone: no priority 0 can leave (C-FSM-36)."""
    last_resort: bool = False
    """Serve all the same, degraded, if no other router takes over: a check that fails everywhere proves nothing."""


@dataclass(frozen=True, slots=True)
class FaultCleared:
    """The last cause is gone. Sent by the Node to its routers."""

    router: str
    reason: str


Event = (
    Startup
    | Shutdown
    | Resumed
    | ReleaseAsked
    | MaintenanceChanged
    | Suspended
    | AdvertReceived
    | Tick
    | AddressesInstalled
    | AddressesRefused
    | AddressesLost
    | AddressesClaimed
    | LinkChanged
    | PlanReported
    | VerdictReported
    | FaultRaised
    | FaultCleared
)
