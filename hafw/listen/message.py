"""What a message says of itself, whether it is good or not: for people to read, never for a decision.

Whether it is good says ``hafw.vrrp.packet`` alone, the judge of the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from hafw.vrrp.auth import DATA_LENGTH
from hafw.vrrp.packet import TRAILER_LENGTH

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress

_HEADER_LENGTH: Final = 8
_ADDRESS_LENGTH: Final = {4: 4, 6: 16}
_CARP_LENGTH: Final = 36
_CARP_START: Final = 0x21
_CARP_WORDS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An HMAC trailer."""

    key_id: int
    signed_at: int
    """Seconds since the Unix epoch, by the signer's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The fields, as far as there are octets for them."""

    version: int
    type: int
    vrid: int | None = None
    priority: int | None = None
    count: int | None = None
    interval: float | None = None
    """Seconds; ``None`` in a version that is not known."""
    addresses: tuple[IPAddress, ...] = ()
    checksum: int | None = None
    auth_type: int | None = None
    """Version 2 only."""
    password: bytes = b""
    """Of version 2 with type 1; not to be shown, for it may be that of another cluster."""
    signature: Signature | None = None
    carp: bool = False
    """Another protocol with the same number and virtual MACs; ``vrid`` is its VHID, ``priority`` its advskew."""


def message_untrusted(payload: bytes, family: int) -> Message | None:
    """``None``: there is not a single octet."""
    if not payload:
        return None
    version, kind = payload[0] >> 4, payload[0] & 0x0F
    if len(payload) < _HEADER_LENGTH:
        return Message(version=version, type=kind, vrid=payload[1] if len(payload) > 1 else None)
    if len(payload) == _CARP_LENGTH and payload[0] == _CARP_START and payload[3] == _CARP_WORDS:
        return Message(version=version, type=kind, vrid=payload[1], priority=payload[2], carp=True)
    length = _ADDRESS_LENGTH[family]
    count = payload[3]
    end = _HEADER_LENGTH + count * length
    whole = [payload[at : at + length] for at in range(_HEADER_LENGTH, min(end, len(payload)), length)]
    old = version == 2
    data = payload[end : end + DATA_LENGTH] if old else b""
    return Message(
        version=version,
        type=kind,
        vrid=payload[1],
        priority=payload[2],
        count=count,
        interval=_interval(version, payload),
        addresses=tuple(ip_address(each) for each in whole if len(each) == length),
        checksum=int.from_bytes(payload[6:8], "big"),
        auth_type=payload[4] if old else None,
        password=data.rstrip(b"\0") if old and payload[4] == 1 else b"",
        signature=_signature(payload, end + (DATA_LENGTH if old else 0)),
    )


def _interval(version: int, payload: bytes) -> float | None:
    if version == 2:
        return float(payload[5])
    return (int.from_bytes(payload[4:6], "big") & 0x0FFF) / 100 if version == 3 else None


def _signature(payload: bytes, at: int) -> Signature | None:
    """Whatever has as many octets after the message as a trailer has is one."""
    if len(payload) != at + TRAILER_LENGTH:
        return None
    return Signature(key_id=payload[at + 1], signed_at=int.from_bytes(payload[at + 4 : at + 8], "big"))
