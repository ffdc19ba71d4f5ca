"""What is worth a word about one advert although it is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hafw.listen.finding import Judgement, Verdict
from hafw.listen.scan import virtual_mac_untrusted
from hafw.vrrp.packet import TTL
from hafw.vrrp.settings import Checksum
from hafw.wire.frames import multicast_mac

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.listen.message import Message
    from hafw.listen.packet import Packet

_OWNER: Final = 255
_LAST_RESORT: Final = 1


def remarks(packet: Packet, message: Message | None, judgement: Judgement) -> Iterator[str]:
    """In words; none is a reason to discard it."""
    if message is not None and not message.carp and judgement.verdict is not Verdict.REFUSED:
        yield from _of_role(message)
    yield from _of_macs(packet, message)
    if judgement.advert is not None and judgement.advert.checksum is Checksum.RFC9568:
        yield "its checksum has no pseudo-header, as RFC 9568 wants it: keepalived and FRR refuse such adverts"
    if judgement.verdict is Verdict.ACCEPTED and packet.ttl < TTL:
        yield f"TTL {packet.ttl}: it was routed, as min_ttl allows"
    if packet.pieces > 1:
        yield f"came in {packet.pieces} fragments: more addresses than one frame holds"
    if packet.options:
        yield "has IP options" if packet.source.version == 4 else "has IPv6 extension headers"


def _of_role(message: Message) -> Iterator[str]:
    if message.priority == 0:
        yield "goodbye: it ends being MASTER, and the others take over now"
    elif message.priority == _OWNER:
        yield "the address owner: it always preempts"
    elif message.priority == _LAST_RESORT:
        yield "priority 1: the last resort of a hafw whose checks fail, or its one reminder after it gave way"


def _of_macs(packet: Packet, message: Message | None) -> Iterator[str]:
    """A virtual MAC that is another router's, and a group that something made a unicast of."""
    source, destination, to = packet.link.source, packet.link.destination, packet.destination
    virtual = virtual_mac_untrusted(source)
    if virtual and message is not None and virtual != (packet.source.version, message.vrid):
        yield f"from the virtual MAC of VRID {virtual[1]} over IPv{virtual[0]}, {source.hex(':')}"
    if to.is_multicast and destination and destination != multicast_mac(to):
        yield f"sent to {destination.hex(':')}, not to the group's {multicast_mac(to).hex(':')}: changed on the way?"
