"""Signed adverts, as they are heard: how far each sender has come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

from hafw.vrrp.trailer import SENDERS, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.vrrp.settings import IPAddress, RouterSettings


class Authentication:
    """Of every router; what was heard outlives a reload, so that it opens no door to replays."""

    def __init__(self) -> None:
        self._verifiers: dict[str, Verifier] = {}

    def of(self, settings: RouterSettings, source: IPAddress, at: float) -> Callable[[bytes, bytes], None] | None:
        """Check message and trailer of an advert that came ``at`` this time; ``None``: there is nothing to check."""
        if settings.hmac is None:
            return None
        hmac, verifier = settings.hmac, self._verifiers.setdefault(settings.name, Verifier())
        clock = time.time() - (trio.current_time() - at)  # it may have waited in the socket

        def check_untrusted(message: bytes, trailer: bytes) -> None:
            verifier.check_untrusted(hmac, message, trailer, source, clock)
            verifier.forget(len(settings.unicast_peers) or SENDERS)

        return check_untrusted
