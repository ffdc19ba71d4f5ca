"""Signs in the name of a router whose daemon is gone, or not there yet: the guard's goodbyes, the first adverts.

Standard library only, as everything that guard and the first moments of a daemon import.
"""

from __future__ import annotations

import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hafw.secret import key_octets, resolve_secret
from hafw.vrrp.packet import with_trailer
from hafw.vrrp.settings import AntiReplay, HmacSettings
from hafw.vrrp.trailer import Signer
from hafw.will import Seal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafw.vrrp.settings import IPAddress, RouterSettings
    from hafw.will import Bequest


_HEADER = 8
"""Octets of an advert without an address."""


def seal_of(settings: RouterSettings) -> Seal | None:
    """What the record keeps of it; ``None``: this router does not sign."""
    hmac = settings.hmac
    if hmac is None or not hmac.signs:
        return None
    return Seal(hmac.active, hmac.source, str(hmac.anti_replay), hmac.window)


class Messenger:
    """Says what a router has left to say, to each destination, signed where it is to be.

    Raises ``ValueError`` when it cannot be signed, with the reason: unsigned nobody would believe it.
    """

    def __init__(self, bequest: Bequest) -> None:
        seal = bequest.seal
        self._source = ip_address(bequest.source)
        self._signer = Signer()
        self._hmac = None if seal is None else _hmac(seal)

    def letters(self, messages: Mapping[str, str]) -> Iterator[tuple[bytes, IPAddress, IPAddress]]:
        """Payload, source and destination of each; ``messages`` are those of the record, in hex."""
        trailer = b""
        for number, (to, text) in enumerate(messages.items()):
            message, destination = bytes.fromhex(text), ip_address(to)
            if self._hmac is None:
                yield message, self._source, destination
                continue
            if len(message) < _HEADER:
                raise ValueError(f"a message of {len(message)} octets: an advert has at least {_HEADER}")
            if number == 0:
                trailer = self._signer.sign(self._hmac, message, self._source, time.time())
            yield with_trailer(message, trailer, self._source, destination), self._source, destination


def _hmac(seal: Seal) -> HmacSettings:
    key = key_octets(resolve_secret(seal.source).reveal())
    replay = AntiReplay(seal.anti_replay)
    return HmacSettings(keys={seal.key_id: key}, active=seal.key_id, anti_replay=replay, window=seal.window)
