"""The differences from two keepalived routers that are there on purpose, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from parity.pair import GROUP, IN, LB1, LB2, OUT, SOLO
from parity.play import BEGIN, CASTS

if TYPE_CHECKING:
    from parity.play import Cast

Key = tuple["Cast", str, str]
"""Cast, step, and what of it differs."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Differences of one origin: everything of ``what``, at each of ``steps``, with each of ``casts``."""

    casts: tuple[Cast, ...]
    steps: tuple[str, ...]
    what: tuple[str, ...]
    why: str
    chance: bool = False
    """It may be that it does not happen."""

    @property
    def keys(self) -> set[Key]:
        """All of them."""
        return set(product(self.casts, self.steps, self.what))


_, FIRST, SECOND, BOTH = CASTS
"""hafw is lb1, lb2, or both."""


def _told(host: str, *subjects: str) -> tuple[str, ...]:
    return tuple(f"{host} is told of {subject}" for subject in subjects)


_GROUP: Final = (OUT, IN, GROUP)
_ALL: Final = (*_GROUP, SOLO)
_LAST_RESORT: Final = ("web fails on lb1 too", "web fails on lb1, lb2 has no link", "web fails on lb1, which is alone")
_RELOADS: Final = (
    "the priority of VI_SOLO is 200 on lb2",
    "the priority of VI_SOLO is as it was",
    "the priority of the group is 90 on lb1",
    "the priority of the group is as it was",
)
_EARLY: Final = (
    "keepalived says BACKUP before its checks have answered, so the priority that it tells lacks their weights; hafw "
    "takes part when each check has answered once, and tells the priority that it advertises"
)

JUSTIFIED: Final = (
    Reason(
        (FIRST, BOTH),
        (BEGIN[0], "lb1 is started", "lb1 is started after that", "lb1 is started, web has failed on lb2"),
        _told(LB1, SOLO),
        _EARLY,
    ),
    Reason(
        (SECOND, BOTH),
        (BEGIN[1], "lb2 is started", "the worker of lb2 is killed", "lb2 is started after that"),
        _told(LB2, SOLO),
        _EARLY,
    ),
    Reason(
        (FIRST, BOTH),
        _LAST_RESORT,
        (*(f"{kind} of {name}" for kind in ("MASTER", "address") for name in (OUT, IN)), *_told(LB1, *_GROUP)),
        "the last resort: with two keepalived nobody has the addresses when the check fails everywhere; hafw serves "
        "on, degraded, until a router that is well relieves it. `last_resort = false` is as keepalived",
    ),
    Reason(
        (FIRST, BOTH),
        ("web is well on lb2 first", "web is well on lb1, lb2 has no link", "web is well on lb1, which is alone"),
        _told(LB1, *_GROUP),
        "the last resort ends: FAULT when another router relieves it, and nothing when its own check is well again",
    ),
    Reason(
        (FIRST, BOTH),
        ("the worker of lb1 is killed",),
        (*_told(LB1, *_ALL), *_told(LB2, *_ALL)),
        "keepalived's parent starts another, which begins as BACKUP: two failovers. hafw resumes and nothing moves, if "
        "it starts within three adverts (here 0.3 s); else it hands over, and begins like keepalived",
        chance=True,
    ),
    Reason(
        (FIRST, BOTH),
        ("somebody removes the address of VI_IN",),
        _told(LB1, *_GROUP),
        "keepalived gives up the role and takes it again; hafw puts the address back and stays MASTER",
    ),
    Reason((FIRST, BOTH), ("somebody removes the address of VI_SOLO",), _told(LB1, SOLO), "the same"),
    Reason(
        (SECOND,),
        ("somebody removes the address of VI_IN", "somebody removes the address of VI_SOLO"),
        (*_told(LB1, *_ALL), *_told(LB2, *_ALL)),
        "keepalived's lb1 gives up the role and takes it again after its skew; hafw's ranked skew is shorter than "
        "that, so lb2 may be MASTER until lb1 preempts",
        chance=True,
    ),
    Reason(
        (SECOND,),
        ("both have eth0 again",),
        _told(LB2, *_ALL),
        "both begin to wait at the same time, and hafw's lb2 waits less than keepalived's lb1: ranked skew again",
        chance=True,
    ),
    Reason(
        (FIRST, SECOND, BOTH),
        _RELOADS,
        (*_told(LB1, *_ALL), *_told(LB2, *_ALL)),
        "a reload of keepalived forgets what its checks have said, so that weights come and go and roles with them, "
        "and tells every BACKUP again; hafw keeps it, and tells what has changed",
        chance=True,
    ),
)
