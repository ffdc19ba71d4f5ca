"""Packets that nobody of the cluster has sent: wrong ones, which change nothing, and forged ones that look right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hafw.sim.octets import plain
from hafw.vrrp.settings import HmacSettings
from hafw.vrrp.trailer import Signer

if TYPE_CHECKING:
    from random import Random

    from hafw.vrrp.packet import Datagram
    from hafw.vrrp.settings import IPAddress, RouterSettings

WRONG: Final = [
    *("checksum", "ttl", "vrid", "version", "type", "short", "long", "count", "interval", "unicast", "own source"),
    *("noise", "password"),
]
"""What every receiver refuses (C-SIM-08)."""
LIKELY: Final = ["goodbye", "better", "worse", "equal"]
"""What a receiver believes, unless adverts are signed: in the MASTER's name, or in that of a stranger."""


def wrong(kind: str, settings: RouterSettings, source: IPAddress, own: IPAddress, rng: Random) -> Datagram:
    """A datagram for a router with these settings and address: the best that an advert can be, but for one thing."""
    right = plain(settings, 255, source)
    octets = bytearray(right.payload)
    match kind:
        case "ttl":
            return replace(right, ttl=rng.choice([0, 1, 254]))
        case "unicast":
            return replace(right, destination=own)
        case "own source":
            return plain(settings, 255, own)
        case "vrid":
            return plain(replace(settings, vrid=settings.vrid + 7), 255, source)
        case "version":
            return plain(_of_other_version(settings), 255, source)
        case "password" if settings.version == 2:
            return plain(replace(settings, password=b"guess", hmac=None), 255, source)
        case "short":
            return replace(right, payload=right.payload[: rng.randrange(len(octets))])
        case "long":
            return replace(right, payload=right.payload + bytes(rng.randrange(1, 40)))
        case "noise":
            return replace(right, payload=rng.randbytes(rng.randrange(80)))
        case _:
            place = {"type": 0, "count": 3, "interval": 4}.get(kind, 6)  # the checksum is wrong in each of them
            octets[place] ^= 0x04
            return replace(right, payload=bytes(octets))


def _of_other_version(settings: RouterSettings) -> RouterSettings:
    return replace(settings, version=5 - settings.version, advertisement_interval=1.0)


def likely(kind: str, settings: RouterSettings, source: IPAddress, rng: Random) -> Datagram:
    """An advert that is right in all but its sender; ``source``: in whose name."""
    priority = {"goodbye": 0, "better": rng.choice([254, 255]), "worse": 1}.get(kind, settings.priority)
    return plain(settings, priority, source)


def signed_wrongly(message: Datagram, settings: RouterSettings, clock: float, rng: Random) -> Datagram:
    """A message without a trailer, with one by another key, or one that was changed after it was signed."""
    assert settings.hmac is not None
    assert message.destination is not None
    if rng.random() < 0.3:
        return message
    key = {settings.hmac.active: bytes(32)} if rng.random() < 0.5 else settings.hmac.keys
    hmac = HmacSettings(keys=key, active=settings.hmac.active)
    ((_, payload),) = Signer().sign_all(hmac, [(message.destination, message.payload)], message.source, clock)
    if key is settings.hmac.keys:
        payload = payload[:-1] + bytes([payload[-1] ^ 1])
    return replace(message, payload=payload)
