"""What comes out of a Node. Frozen values; the union ``Action`` is closed.

The order of a returned list is part of the contract; the shell carries it out from first to last:

- after silence (no MASTER on the segment): ``SendAdvertisement, SetAddresses, Transition``, and ``Announce`` once
  the addresses are installed;
- preempting a live MASTER: ``SetAddresses`` while still BACKUP; once installed ``SendAdvertisement, Transition,
  Announce``;
- leaving MASTER: ``SendAdvertisement(priority=0)`` where one is due (``SendGoodbye`` without a link), ``SetAddresses``
  with every address held until claimed, ``Transition``.

A sync group does each of these for all of its members in one list: every ``SendAdvertisement`` of a takeover comes
before the rest of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.vrrp.settings import IPAddress, State


@dataclass(frozen=True, slots=True)
class SendAdvertisement:
    """Send one advertisement now, in the same call."""

    router: str
    priority: int


@dataclass(frozen=True, slots=True)
class SendGoodbye:
    """Say priority 0 to each of ``RouterSettings.goodbye``: the router's own interface cannot be used any more."""

    router: str


@dataclass(frozen=True, slots=True)
class SetAddresses:
    """The whole set of addresses this router wants; idempotent.

    ``bound`` must be there and is put back when lost. ``held`` stays if it is there (release on claim) and is never
    added. Anything else of this router is removed.
    """

    router: str
    bound: tuple[IPAddress, ...] = ()
    held: tuple[IPAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Announce:
    """Send the prepared gratuitous ARP and NA frames of every bound address once, paced."""

    router: str


@dataclass(frozen=True, slots=True)
class Transition:
    """The state changed; ``seq`` grows by one per transition of the Node."""

    router: str
    old: State
    new: State
    reason: str
    seq: int
    priority: int
    """The effective priority at that moment."""
    detail: str = ""
    peer: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class GroupTransition:
    """The state of a sync group changed; comes after the ``Transition`` of its members, and shares their ``seq``."""

    router: str
    """The member that began it."""
    group: str
    old: State
    new: State
    reason: str
    seq: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something an operator wants to know; ``kind`` is one of the stable event words of the control socket."""

    router: str
    kind: str
    fields: Mapping[str, str | float] = field(default_factory=dict)


Action = SendAdvertisement | SendGoodbye | SetAddresses | Announce | Transition | GroupTransition | Notice
