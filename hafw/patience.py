"""Telling somebody who may not be there: again until it is taken or patience is over, and several at once.

Part of the API, beside ``hafw.notification``: a plugin's hook is not called again for what it could not deliver, so it
tries again itself, while later events of the instance wait.
"""

from __future__ import annotations

import math
import random
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from hafw.notification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between two attempts."""


class Clock(Protocol):
    """What passes and what is waited for; the module ``time`` is one."""

    def monotonic(self) -> float:
        """Seconds, for durations."""

    def time(self) -> float:
        """Seconds since 1970, for signatures and dates."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


def insist(
    attempt: Callable[[float], tuple[str, bool]],
    patience: float,
    *,
    rest_until: Callable[[], float] = lambda: 0.0,
    clock: Clock = time,
    chance: Callable[[], float] = random.random,
) -> str:
    """Attempt it until it is done, refused for good, or ``patience`` seconds are over; empty when it is done.

    ``attempt`` gets the seconds that are left, and says why it failed (empty: it did not) and whether that is final.
    Nothing is attempted before ``rest_until``, in the time of ``clock.monotonic``.
    """
    begin = clock.monotonic()
    deadline, attempts, why = begin + patience, 0, ""
    while True:
        now = clock.monotonic()
        pause = max(rest_until() - now, backoff(attempts, chance()) if attempts else 0.0)
        if now + pause >= deadline:
            why = why or "it asked not to be told anything for now, longer than patience lasts"
            tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
            return f"given up after {tries} in {math.ceil(now - begin)}s: {why}"
        if pause:
            clock.sleep(pause)
        attempts += 1
        why, final = attempt(max(deadline - clock.monotonic(), 0.1))
        if final or not why:
            return why


def backoff(attempts: int, chance: float) -> float:
    """Seconds before the next attempt: doubling, and less by up to a half, so that many senders do not come at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 30))
    return longest * (1 - chance / 2)


def tell_all(receivers: Sequence[tuple[str, Callable[[], str]]]) -> Outcome:
    """Tell them at the same time, each by its name, and wait for the last; what each returns is why it failed."""
    found: dict[str, str] = {}

    def tell(name: str, deliver: Callable[[], str]) -> None:
        try:
            found[name] = deliver()
        except Exception as error:  # noqa: BLE001 - the others are told all the same, and this is said
            found[name] = f"{type(error).__name__}: {error}"

    threads = [threading.Thread(target=tell, args=each, daemon=True) for each in receivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [name for name, _ in receivers if not found[name]]
    failures = [f"{name}: {found[name]}" for name, _ in receivers if found[name]]
    said = ([f"told {', '.join(told)}"] if told else []) + failures
    return Outcome(output="; ".join(said), exit=1 if failures else 0)
