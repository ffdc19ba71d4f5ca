"""Signs in the name of a router whose daemon is gone, or not there yet: the guard's goodbyes, the first adverts.

Standard library only, as everything that guard and the first moments of a daemon import.
"""

from __future__ import annotations

import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hafw.secret import key_octets, resolve_secret
from hafw.vrrp.settings import AntiReplay, HmacSettings
from hafw.vrrp.trailer import Signer
from hafw.will import Seal

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Says what a router has left to say, signed where it is to be.

    Raises ``ValueError`` when it cannot be signed, with the reason: unsigned nobody would believe it.
    """

    def __init__(self, bequest: Bequest, messages: Mapping[str, str]) -> None:
        """``messages``: those of the record, by destination, in hex."""
        self._hmac = None if bequest.seal is None else _hmac(bequest.seal)
        self._signer = Signer()
        self.mac = bytes.fromhex(bequest.mac)
        """What it comes from; empty: the interface's own."""
        self._source = ip_address(bequest.source)
        self._messages = [(ip_address(to), bytes.fromhex(message)) for to, message in messages.items()]
        short = min((len(message) for _, message in self._messages), default=_HEADER)
        if self._hmac is not None and short < _HEADER:
            raise ValueError(f"a message of {short} octets: an advert has at least {_HEADER}")

    def letters(self) -> list[tuple[bytes, IPAddress, IPAddress]]:
        """Payload, source and destination of each, as they leave now."""
        messages = self._messages
        if self._hmac is not None:
            messages = self._signer.sign_all(self._hmac, messages, self._source, time.time())
        return [(message, self._source, to) for to, message in messages]


def _hmac(seal: Seal) -> HmacSettings:
    key = key_octets(resolve_secret(seal.source).reveal())
    replay = AntiReplay(seal.anti_replay)
    return HmacSettings(keys={seal.key_id: key}, active=seal.key_id, anti_replay=replay, window=seal.window)
