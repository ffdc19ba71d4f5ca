"""From frames to what is said about them, in order: one listening, live or from a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hafw.listen.fragments import Fragments
from hafw.listen.ledger import Ledger
from hafw.listen.link import is_read
from hafw.listen.message import message_untrusted
from hafw.listen.packet import packet_untrusted
from hafw.listen.remarks import remarks
from hafw.listen.scan import claim_untrusted

if TYPE_CHECKING:
    from hafw.listen.capture import Frame
    from hafw.listen.finding import Judgement
    from hafw.listen.judge import Judge
    from hafw.listen.message import Message
    from hafw.listen.packet import Packet
    from hafw.vrrp.settings import IPAddress

_ADDRESSES_MAX: Final = 256
"""Of one virtual MAC; there are 510 of these."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet, and everything about it."""

    packet: Packet
    message: Message | None
    judgement: Judgement
    remarks: tuple[str, ...]


class Session:
    """What was heard so far."""

    def __init__(self, judge: Judge) -> None:
        self.ledger: Final = Ledger()
        self.frames = 0
        """All that came, of VRRP or not."""
        self.unread: Final = Counter[int]()
        """Frames of link types that are not understood."""
        self.claims: Final[dict[tuple[int, int], set[IPAddress]]] = {}
        """By family and VRID: addresses that somebody claims from that virtual MAC, by ARP or NA."""
        self.fragments: Final = Fragments()
        self._judge = judge

    def hear(self, frame: Frame) -> Heard | None:
        """``None``: nothing of VRRP is in it."""
        self.frames += 1
        if not is_read(frame.link_type):
            self.unread[frame.link_type] += 1
            return None
        packet = packet_untrusted(frame, self.fragments)
        if packet is None:
            self._claim(frame)
            return None
        message = message_untrusted(packet.payload, packet.source.version)
        judgement = self._judge.judge(packet, message)
        said = (*remarks(packet, message, judgement), *self.ledger.note(packet, message, judgement))
        return Heard(packet, message, judgement, said)

    def _claim(self, frame: Frame) -> None:
        claim = claim_untrusted(frame)
        if claim is not None:
            family, vrid, address = claim
            known = self.claims.setdefault((family, vrid), set())
            if len(known) < _ADDRESSES_MAX:
                known.add(address)
