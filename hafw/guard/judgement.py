"""What to do about a daemon that is dead, or seems stuck. Pure: the time is an argument."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.lifeline import Sign
    from hafw.will import Bequest

FENCE_SHARE = 2 / 3
"""Of the time that the peers wait: a daemon that is silent for so long while MASTER is stuck."""
PATIENCE_MIN = 0.3
"""Seconds; of routers whose peers wait less, with intervals under 100 ms, see ``FENCE_AFTER``."""
FENCE_AFTER = 1.0
"""Seconds of silence that such a router has at least."""
START_MARGIN = 1.5
"""A start may take so many times as long as the last one."""


def fence_at(signs: Iterable[Sign], promises: Iterable[float] = ()) -> float:
    """When a daemon that gives no further sign counts as stuck; ``inf``: it is MASTER of nothing.

    ``promises`` are the times until which addresses are let go that a successor has, or is to have: a daemon that keeps
    them for longer answers for them beside it.

    The peers wait for three intervals after the last advert, and then for their skew, of which we count nothing. At
    two thirds of that the next advert is a whole interval late, which the election itself calls a stall, and which a
    machine that is merely busy does not do to a process for a second or a quarter of one; and an interval is left to
    resume in. Should it have been alive after all, the resumption costs nobody anything.

    At short intervals both reasons fail. Whoever waits for a processor may well be 15 ms late, and what is left of 30
    ms suffices for no resumption, so killing would turn a late advert into a failover. The peers help themselves
    there, and a daemon that comes to yields to them without a word. Only one that does not come to must be ended, since
    two machines answer for the addresses meanwhile: after a second.
    """
    stuck = (_stuck_at(sign) for sign in signs)
    return min((*stuck, *(release_at + FENCE_AFTER for release_at in promises)), default=inf)


def _stuck_at(sign: Sign) -> float:
    if sign.patience < PATIENCE_MIN:
        return sign.spoke_at + FENCE_AFTER
    interval = sign.promised_at - sign.spoke_at
    return sign.spoke_at + max(FENCE_SHARE * sign.patience, 1.5 * interval)


def amended(bequest: Bequest, sign: Sign | None) -> Bequest:
    """The record is a little older than the beat: a router that fell silent meanwhile is MASTER no more."""
    if sign is not None or bequest.slot < 0:
        return bequest
    return bequest.mute()


def is_resumable(bequest: Bequest, sign: Sign | None, now: float, start: float) -> bool:
    """Whether the next daemon, which needs ``start`` seconds until its first advert, comes before the peers' timers."""
    return sign is not None and bool(bequest.adverts) and now + START_MARGIN * start < sign.spoke_at + sign.patience


def hold_until(bequest: Bequest, sign: Sign | None, now: float, *, rival: bool, release_at: float = 0.0) -> float:
    """Until when the addresses answer at most, unless they are claimed; ``release_at``: what its daemon promised.

    Whoever was to claim them has done so three intervals after the last advert, or, if the goodbye leaves only now, a
    skew time (less than an interval) and an installation later. A rival has claimed them already.
    """
    # A router that has become MASTER since the record was written is silent for as long as its peers wait.
    if sign is None:
        return release_at or now + bequest.hold
    until = sign.spoke_at + max(bequest.hold, sign.patience)
    return until if rival else max(until, now + bequest.interval)
