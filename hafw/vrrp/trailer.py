"""Authenticated adverts: the HMAC trailer of keepalived 2.4 and draft-cassen-vrrp-auth-hmac.

28 octets after the VRRP message: type, key id, reserved, a 64-bit sequence number that is a time of day (seconds,
1/65536 s, a counter), and 16 octets of HMAC-SHA256. Version 2 and 3, both families, multicast and unicast.

Pure: the time of day is given by the caller, in seconds since the Unix epoch. Keys are in no ``repr``, no message.
"""

from __future__ import annotations

import struct
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Final

from hafw.vrrp.packet import BadPacket, with_trailer
from hafw.vrrp.settings import AntiReplay, HmacMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.vrrp.settings import HmacSettings, IPAddress

    Messages = Sequence[tuple[IPAddress, bytes]]
    """Each with its destination."""

SENDERS: Final = 4
"""Multicast senders whose last sequence is remembered: the one not heard for longest goes first."""

_TYPE_HMAC_SHA256 = 1
_PREFIX = struct.Struct("!BBHQ")
_PSEUDO_HEADER = struct.Struct("!BBBB16s")
_DIGEST_LENGTH = 16
_SEQUENCE_BITS = 64
_SECONDS_BITS = 32


class Signer:
    """Makes the trailers of one router; its sequence only grows, and nothing is kept across a restart."""

    def __init__(self) -> None:
        self._last: int | None = None

    def sign_all(
        self, settings: HmacSettings, messages: Messages, source: IPAddress, clock: float
    ) -> list[tuple[IPAddress, bytes]]:
        """One advert as it leaves, by destination: ``messages`` differ in their checksum alone, which is not signed."""
        if not messages:
            return []
        trailer = self.sign(settings, messages[0][1], source, clock)
        return [(to, with_trailer(message, trailer, source, to)) for to, message in messages]

    def sign(self, settings: HmacSettings, message: bytes, source: IPAddress, clock: float) -> bytes:
        """Return the trailer of this VRRP message. Once per advert: unicast copies carry the same one."""
        sequence = self._last = self._next(settings, clock)
        prefix = _PREFIX.pack(_TYPE_HMAC_SHA256, settings.active, 0, sequence)
        return prefix + _digest(settings.keys[settings.active], message, prefix, source)

    def _next(self, settings: HmacSettings, clock: float) -> int:
        reading, last = _reading(clock), self._last
        if last is None or _later(reading, last):
            return reading
        if settings.anti_replay is AntiReplay.TIME and _seconds_ahead(last, clock) > settings.window:
            return reading  # the clock was set back: what goes on from before would count as stale
        return (last + 1) % (1 << _SEQUENCE_BITS)


class Verifier:
    """Checks the trailers that one router receives, and remembers of each sender how far it has come."""

    def __init__(self) -> None:
        self._marks: dict[IPAddress, int] = {}

    def check_untrusted(
        self, settings: HmacSettings, message: bytes, trailer: bytes, source: IPAddress, clock: float
    ) -> None:
        """Note that this one was heard; raise ``BadPacket`` and nothing else, on any bytes.

        ``message`` is a VRRP message of the right shape, ``trailer`` has ``TRAILER_LENGTH`` octets or none.
        """
        if not trailer:
            if settings.mode is HmacMode.ENFORCE:
                raise BadPacket("hmac-missing", "no HMAC trailer: sign on the sender, or mode = permissive here")
            return
        sequence = _verify(settings, message, trailer, source, clock)
        mark = self._marks.get(source)
        # A mark outside the window is none: the sender's clock was wrong when it was made, and is corrected now.
        if mark is not None and not _stale(settings, mark, clock) and not _later(sequence, mark):
            raise BadPacket("hmac-replayed", "its sequence was used before: a replay, or a copy that came twice")
        self._marks.pop(source, None)
        self._marks[source] = sequence

    def forget(self, most: int) -> None:
        """Keep so many senders: in unicast every configured peer has its place."""
        while len(self._marks) > most:
            del self._marks[next(iter(self._marks))]


def _verify(settings: HmacSettings, message: bytes, trailer: bytes, source: IPAddress, clock: float) -> int:
    """Return the sequence number of a trailer that one of our keys has made."""
    kind, key_id, reserved, sequence = _PREFIX.unpack_from(trailer)
    if kind != _TYPE_HMAC_SHA256 or reserved:
        said = f"extension type {kind}, reserved {reserved}: must be {_TYPE_HMAC_SHA256} and 0"
        raise BadPacket("hmac-malformed", said)
    if _stale(settings, sequence, clock):  # before the digest, so that a flood of old adverts is cheap
        said = f"signed {_seconds_ahead(sequence, clock):+d}s from our clock, allowed {settings.window:g}s"
        raise BadPacket("hmac-stale", f"{said}: compare the clocks")
    key = settings.keys.get(key_id)
    if key is None:
        ours = ", ".join(map(str, sorted(settings.keys)))
        raise BadPacket("hmac-unknown-key", f"signed with key {key_id}, ours are {ours}")
    if not compare_digest(trailer[_PREFIX.size :], _digest(key, message, trailer[: _PREFIX.size], source)):
        raise BadPacket("hmac-invalid", f"the HMAC is wrong: another key {key_id}, or the advert was changed")
    return int(sequence)


def _stale(settings: HmacSettings, sequence: int, clock: float) -> bool:
    return settings.anti_replay is AntiReplay.TIME and abs(_seconds_ahead(sequence, clock)) > settings.window


def _digest(key: bytes, message: bytes, prefix: bytes, source: IPAddress) -> bytes:
    """Over pseudo-header, message with a checksum of zero, prefix and zeros in the place of the result."""
    version, vrid = message[0] >> 4, message[1]
    signed = _PSEUDO_HEADER.pack(source.version, version, vrid, 0, source.packed)
    signed += message[:6] + b"\0\0" + message[8:] + prefix + bytes(_DIGEST_LENGTH)
    return digest(key, signed, "sha256")[:_DIGEST_LENGTH]


def _reading(clock: float) -> int:
    """The clock as a sequence number, its counter 0."""
    return (int(clock * 65536) << 16) % (1 << _SEQUENCE_BITS)


def _seconds_ahead(sequence: int, clock: float) -> int:
    """Whole seconds by which a sequence number is ahead of the clock; its 32 bits go round (RFC 1982)."""
    half = 1 << (_SECONDS_BITS - 1)
    return ((sequence >> _SECONDS_BITS) - int(clock) + half) % (1 << _SECONDS_BITS) - half


def _later(one: int, other: int) -> bool:
    """Tell whether ``one`` comes after ``other`` by the serial number arithmetic of RFC 1982."""
    return 0 < (one - other) % (1 << _SEQUENCE_BITS) < 1 << (_SEQUENCE_BITS - 1)
