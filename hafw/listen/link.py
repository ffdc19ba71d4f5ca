"""Frames to what they carry: Ethernet with any VLAN tags, Linux cooked captures (SLL, SLL2), raw IP."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.listen.capture import Frame

ETHERNET: Final = 1
RAW: Final = 101
_COOKED, _COOKED_2 = 113, 276
_RAW_TOO: Final = (12, 14, 228, 229)
"""What other systems and older files call it, and the two for one family only."""
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
TAGS: Final = (0x8100, 0x88A8, 0x9100, 0x9200)
"""802.1Q, 802.1ad, and what was used for stacked tags before."""
_MAC_LENGTH: Final = 6
_SENT_BY_US: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the link layer says of a frame."""

    ethertype: int
    payload: bytes
    source: bytes = b""
    """The sender's MAC; empty where there is none."""
    destination: bytes = b""
    """Empty where it is unknown: cooked captures have lost it."""
    vlans: tuple[int, ...] = ()
    outgoing: bool | None = None


def link_untrusted(frame: Frame) -> Link | None:
    """``None``: too short for what it should be, or of a link type that is not read (see ``is_read``)."""
    parse = _PARSERS.get(frame.link_type)
    try:
        return None if parse is None else parse(frame)
    except struct.error:
        return None


def is_read(link_type: int) -> bool:
    """Whether frames of this type are understood at all."""
    return link_type in _PARSERS


def _ethernet(frame: Frame) -> Link:
    destination, source, ethertype = struct.unpack_from("!6s6sH", frame.data)
    ethertype, payload, vlans = _untagged(ethertype, frame.data[14:])
    return Link(
        ethertype=ethertype,
        payload=payload,
        source=source,
        destination=destination,
        vlans=frame.vlans + vlans,
        outgoing=frame.outgoing,
    )


def _untagged(ethertype: int, payload: bytes) -> tuple[int, bytes, tuple[int, ...]]:
    """Any number of tags; each takes four octets, so it ends."""
    vlans: list[int] = []
    while ethertype in TAGS:
        tag, ethertype = struct.unpack_from("!HH", payload)
        vlans.append(tag & 0x0FFF)
        payload = payload[4:]
    return ethertype, payload, tuple(vlans)


def _cooked(frame: Frame) -> Link:
    kind, _, length, address, ethertype = struct.unpack_from("!HHH8sH", frame.data)
    return _of_cooked(frame, kind, address[:length], ethertype, frame.data[16:])


def _cooked_2(frame: Frame) -> Link:
    ethertype, _, _, _, kind, length, address = struct.unpack_from("!HHIHBB8s", frame.data)
    return _of_cooked(frame, kind, address[:length], ethertype, frame.data[20:])


def _of_cooked(frame: Frame, kind: int, address: bytes, ethertype: int, rest: bytes) -> Link:
    ethertype, payload, vlans = _untagged(ethertype, rest)
    return Link(
        ethertype=ethertype,
        payload=payload,
        source=address if len(address) == _MAC_LENGTH else b"",
        vlans=frame.vlans + vlans,
        outgoing=kind == _SENT_BY_US,
    )


def _raw(frame: Frame) -> Link | None:
    version = frame.data[0] >> 4 if frame.data else 0
    ethertype = {4: IPV4, 6: IPV6}.get(version)
    if ethertype is None:
        return None
    return Link(ethertype=ethertype, payload=frame.data, vlans=frame.vlans, outgoing=frame.outgoing)


_PARSERS: Final[dict[int, Callable[[Frame], Link | None]]] = {
    ETHERNET: _ethernet,
    _COOKED: _cooked,
    _COOKED_2: _cooked_2,
    **dict.fromkeys((RAW, *_RAW_TOO), _raw),
}
