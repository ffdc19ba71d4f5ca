"""How a MASTER speaks: its adverts, its answers to other MASTERs, and the silence of one that has resigned.

Says what to send and when; who is MASTER is the router's business.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Action, Notice, SendAdvertisement, SendGoodbye
from hafw.vrrp.contest import Contest

if TYPE_CHECKING:
    from hafw.vrrp.events import AddressesClaimed
    from hafw.vrrp.listener import Listener
    from hafw.vrrp.peer import Peer
    from hafw.vrrp.settings import IPAddress, RouterSettings

LAST_RESORT_PRIORITY = 1
"""What a degraded MASTER and a reminder advertise: nobody gives way to it."""
REPLIES_PER_INTERVAL = 4
"""Bound on the immediate answers of C-FSM-22 and C-FSM-25: no two routers can drive each other (C-SEC-05)."""


class Speaker:
    """The voice of one virtual router. ``adver_at`` is when the next advert is due; ``inf``: it is silent."""

    def __init__(self, settings: RouterSettings, listener: Listener) -> None:
        self.settings = settings
        self.adver_at = inf
        self.degraded = False
        """MASTER with a failed check, because nobody else would be."""
        self.rival: Peer | None = None
        """A second MASTER that ought to give way; gone when it has missed three adverts."""
        self.rival_since = 0.0
        self.contest = Contest(settings.name)
        """A second MASTER that never gives way, since neither accepts the other's adverts."""
        self._listener = listener
        self._replied_at = -inf
        self._owed_at = inf
        """When somebody is answered who spoke too soon after the last answer; ``inf``: nobody waits for one."""
        self._goodbye_at = inf

    @property
    def deadline(self) -> float:
        """When ``tick`` wants to be called next; ``inf``: never."""
        if self.rival is None and self.contest.claim is None and self._owed_at == inf:  # nearly always
            return self.adver_at
        return min(self.adver_at, self._owed_at, self._rival_until, self.contest.deadline)

    @property
    def _rival_until(self) -> float:
        return inf if self.rival is None else self.rival.heard_at + 3 * self.rival.interval

    @property
    def priority(self) -> int:
        """What adverts say now, but for a goodbye."""
        return LAST_RESORT_PRIORITY if self.degraded else self._listener.priority

    def reconfigure(self, settings: RouterSettings, now: float) -> None:
        """Keep the new word at once: the next advert is at most one new interval away."""
        self.settings = settings
        if self.adver_at < inf:
            self.adver_at = min(self.adver_at, now + settings.advertisement_interval)

    def shift(self, seconds: float) -> None:
        """The clock stood still: everything is later than it looks."""
        self.adver_at -= seconds
        self.rival_since -= seconds
        self.contest.shift(seconds)
        if self.rival is not None:
            self.rival = replace(self.rival, heard_at=self.rival.heard_at - seconds)

    # -- adverts ------------------------------------------------------------------------------------------------

    def begin(self, now: float, *, degraded: bool = False) -> SendAdvertisement:
        """Speak at once, and from now on."""
        self.degraded = degraded
        self._goodbye_at = now + self._listener.master_down_interval
        self.adver_at = now + self.settings.advertisement_interval  # C-FSM-32
        return self._advert(self.priority)

    def fall_silent(self, now: float) -> list[Action]:
        """No longer MASTER, or about not to be."""
        self.adver_at, self._owed_at, self.degraded = inf, inf, False
        return [*self._end_rivalry(now), *self.contest.end(now)]

    def goodbye(self, *, can_send: bool) -> list[Action]:
        """Priority 0; without a link to those who can be told by another network."""
        if can_send:
            return [self._advert(0)]
        return [SendGoodbye(self.settings.name)] if self.settings.goodbye else []

    def late(self, now: float) -> float:
        """Seconds by which the next advert is late, if more than an interval: 0 otherwise.

        Two adverts are missing then; the others have every right to have another MASTER.
        """
        late = now - self.adver_at
        return late if late >= self.settings.advertisement_interval else 0.0

    def tick(self, now: float) -> list[Action]:
        """What is due."""
        actions = self._due(now) if now >= self.adver_at else self._reply(now) if now >= self._owed_at else []
        return [*actions, *(self._end_rivalry(now) if now >= self._rival_until else []), *self.contest.tick(now)]

    def _due(self, now: float) -> list[Action]:
        """C-FSM-21. The next one is due an interval after this one was *due*, so that lateness does not add up."""
        late, priority = self.late(now), self.priority
        self.adver_at = (now if late else self.adver_at) + self.settings.advertisement_interval
        if self.degraded and now >= self._goodbye_at:
            priority, self._goodbye_at = 0, now + self._listener.master_down_interval
        advert = self._advert(priority)
        return [advert, Notice(self.settings.name, "stall", {"seconds": round(late, 3)})] if late else [advert]

    def _advert(self, priority: int) -> SendAdvertisement:
        """Whoever waits for an answer has it, whatever this is sent for."""
        self._owed_at = inf
        return SendAdvertisement(self.settings.name, priority)

    # -- other MASTERs ------------------------------------------------------------------------------------------

    def answer_goodbye(self, source: IPAddress, now: float) -> list[Action]:
        """C-FSM-22, as often as C-SEC-05 allows; a rival that gives up is none any more."""
        answer = self._reply(now)
        if answer:
            self.adver_at = now + self.settings.advertisement_interval
        gone = self.rival is not None and self.rival.source == source
        return [*answer, *(self._end_rivalry(now) if gone else [])]

    def answer_rival(self, rival: Peer, now: float) -> list[Action]:
        """Hear another MASTER that loses: RFC 9568 answers at once, version 2 only discards (C-FSM-25)."""
        answer = self._reply(now) if self.settings.version == 3 else []
        known, self.rival = self.rival, rival
        self.contest.explain()
        if known is not None:
            return answer
        self.rival_since = now
        fields: dict[str, str | float] = {"peer": str(rival.source), "peer_priority": rival.priority}
        return [*answer, Notice(self.settings.name, "split_brain", fields)]

    def hear_claim(self, event: AddressesClaimed, now: float) -> list[Action]:
        """Somebody answers for our addresses while we are MASTER; of one whose adverts we hear, those tell more."""
        return [] if self.rival is not None else [*self.contest.claimed(event, now)]

    def _reply(self, now: float) -> list[Action]:
        """Answer at once, or as soon as the bound allows: of two rivals that speak together each has to hear it."""
        free_at = self._replied_at + self.settings.advertisement_interval / REPLIES_PER_INTERVAL
        if now < free_at:
            self._owed_at = free_at
            return []
        self._replied_at = now
        return [self._advert(self.priority)]

    def _end_rivalry(self, now: float) -> list[Action]:
        rival, self.rival = self.rival, None
        if rival is None:
            return []
        fields: dict[str, str | float] = {"peer": str(rival.source), "seconds": round(now - self.rival_since, 3)}
        return [Notice(self.settings.name, "split_brain_over", fields)]
