"""One message to one receiver, again and again until it is taken, refused for good, or patience is over."""

from __future__ import annotations

import http.client
import math
import random
import socket
import ssl
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from hafw.patience import Clock, insist
from hafw_webhook.signature import signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw_webhook.post import Answer, Way
    from hafw_webhook.shapes import Rendered

MOST_SAID: Final = 200
"""Characters of what a receiver says that are passed on."""
AGAIN: Final = {408, 425, 429, *range(500, 600)}
"""Statuses after which the same message may be taken later; any other one but 2xx is final."""
ADVICE: Final = {
    **dict.fromkeys((400, 415, 422), "it does not understand the message: look at shape and template"),
    **dict.fromkeys((401, 403), "it refuses us: look whether url, headers and token are what it gave out"),
    **dict.fromkeys((404, 410), "it has no such hook: make a new one there, and put its URL into url"),
    405: "nobody takes messages at this URL: look at url",
    407: 'the proxy wants a login: proxy = "http://USER:PASSWORD@HOST:PORT"',
    413: "the message is too long for it: shorten template",
    429: "it takes fewer messages than we send: fewer words in on, or fewer instances",
}


@dataclass(slots=True, kw_only=True)
class Receiver:
    """One URL."""

    name: str
    way: Way
    headers: Mapping[str, str]
    key: bytes
    timeout: float
    patience: float
    hidden: tuple[str, ...] = ()
    clock: Clock = field(default=time)
    chance: Callable[[], float] = random.random
    rest_until: float = 0.0
    """By its own word nothing is to be sent before, of whichever instance."""

    def deliver(self, message: Rendered) -> str:
        """Empty when it was taken; otherwise why not, how often it was tried, and what to do."""
        why = insist(
            lambda left: self._attempt(message, left),
            self.patience,
            rest_until=lambda: self.rest_until,
            clock=self.clock,
            chance=self.chance,
        )
        for secret in self.hidden:
            why = why.replace(secret, "...")
        return why

    def _attempt(self, message: Rendered, left: float) -> tuple[str, bool]:
        """Why it was not taken, if it was not, and whether that is final."""
        headers = {**self.headers, "Content-Type": message.kind, "Idempotency-Key": message.identity}
        if self.key:
            headers["X-Hafw-Signature"] = signature(self.key, int(self.clock.time()), message.body)
        try:
            answer = self.way.post(message.body, headers, min(self.timeout, left))
        except ssl.SSLCertVerificationError as error:
            return f"certificate refused: {error.verify_message}: if it is of your own authority, set ca_file", True
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            return explain(error), False
        if answer.status < 300:
            return "", True
        if answer.status in {429, 503}:
            self.rest_until = self.clock.monotonic() + seconds_of(answer.retry_after, self.clock.time())
        return told(answer), answer.status not in AGAIN


def seconds_of(retry_after: str, now: float) -> float:
    """RFC 9110 section 10.2.3: seconds (Discord's have a fraction) or a date; what is neither counts as nothing."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - now
        except (ValueError, OverflowError):
            return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def told(answer: Answer) -> str:
    """What the receiver said, and what to do about it."""
    words = f"HTTP {answer.status} {answer.words}".strip()
    said = f" ({answer.said[:MOST_SAID]})" if answer.said else ""
    if 300 <= answer.status < 400:
        return f"{words}: a redirect is not followed, for it would hand on what is secret: put the new URL into url"
    otherwise = "it is in trouble: its own log says more" if answer.status >= 500 else ""
    advice = ADVICE.get(answer.status, otherwise)
    return f"{words}{said}" + (f": {advice}" if advice else "")


def explain(error: Exception) -> str:
    """One line, and what to do."""
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror}): look at url and at this machine's resolver"
    if isinstance(error, TimeoutError):
        return f"{error or 'connecting took too long'}: is there a firewall or a busy receiver?"
    if isinstance(error, ssl.SSLError):
        return f"no TLS ({(error.reason or str(error)).lower().replace('_', ' ')}): is it http://, or another port?"
    if isinstance(error, http.client.HTTPException):
        return f"no valid HTTP answer ({' '.join(str(error).split())[:MOST_SAID] or type(error).__name__})"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return str(error)
