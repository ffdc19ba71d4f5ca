"""What a virtual router is: its state and why it is in it, and the parts that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.vrrp.actions import Notice, Transition
from hafw.vrrp.listener import Listener
from hafw.vrrp.settings import State
from hafw.vrrp.speaker import Speaker
from hafw.vrrp.tenure import Tenure

if TYPE_CHECKING:
    from hafw.vrrp.departure import Departure
    from hafw.vrrp.events import FaultRaised
    from hafw.vrrp.peer import Peer
    from hafw.vrrp.settings import IPAddress, RouterSettings


class Standing:
    """The protocol's mutable state lives here and in what it owns."""

    def __init__(self, settings: RouterSettings, now: float) -> None:
        self.settings = settings
        self.tenure = Tenure(settings)
        self.listener = Listener(settings)
        self.speaker = Speaker(settings, self.listener)
        self.state = State.INITIALIZE
        self.reason = "starting"
        self.detail = ""
        self.since = now
        self.primary: IPAddress | None = settings.source_address
        self.handing_over = False
        """MASTER that has said goodbye and waits for a successor."""
        self._departure: Departure | None = None
        self._fault: FaultRaised | None = None

    # -- what others may ask ------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When ``Tick`` wants to be called next; ``inf``: never."""
        return min(self.listener.down_at, self.speaker.deadline, self.tenure.deadline)

    @property
    def priority(self) -> int:
        """The effective one."""
        return self.listener.priority

    @property
    def degraded(self) -> bool:
        """MASTER with a failed check, because nobody else would be."""
        return self.speaker.degraded

    @property
    def peer(self) -> Peer | None:
        """Who was last heard."""
        return self.listener.peer

    @property
    def done(self) -> bool:
        """Out of the election and holding nothing: the process may end."""
        return self.state is State.INITIALIZE and not self.tenure.held

    def _move(
        self, state: State, reason: str, now: float, detail: str = "", peer: IPAddress | None = None
    ) -> Transition:
        old, self.state = self.state, state
        self.reason, self.detail, self.since = reason, detail, now
        return Transition(self.settings.name, old, state, reason, 0, self.priority, detail, peer)

    def _notice(self, kind: str, **fields: str | float) -> Notice:
        return Notice(self.settings.name, kind, fields)
