"""What comes of a call: a result, a failure in the daemon's words, verdicts as they come."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from hafw.daemon.plugins.witness import Called

PATIENCE = 60.0
"""Seconds that a test waits for what has no deadline of its own."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one call of a hook; of an event that was delivered several times, of the last."""

    hook: str
    instance: str = ""
    """Or the sync group."""
    seq: int = 0
    output: str = ""
    exit: int = 0
    seconds: float = 0.0
    """How long the daemon waited for the answer."""
    error: str = ""
    """In the words of ``hafw plugins``; empty: it worked."""
    attempts: int = 1
    """Deliveries, the last one included. 0: it has no such hook, or wants the latest only and that came."""


class HookFailed(AssertionError):  # noqa: N818 - what happened to it
    """A hook raised, returned an exit status that is not 0, or took its process with it."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.why = result.error
        """What ``hafw plugins`` would show as the last error."""
        place = f" of {result.instance}" if result.instance else ""
        tries = f" (after {result.attempts} deliveries)" if result.attempts > 1 else ""
        super().__init__(f"{result.hook}{place}: {result.error}{tries}")


class Verdicts(Generic[T]):
    """Verdicts in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[T] = []
        self.ended = ""
        """Why no more come; empty: more may."""
        self._read = 0
        self._news = threading.Condition()

    def next(self, timeout: float = PATIENCE) -> T:
        """The next one that was not asked for yet; ``HookFailed`` when none comes within so many seconds."""
        with self._news:
            self._news.wait_for(lambda: len(self.all) > self._read or self.ended, timeout)
            if len(self.all) <= self._read:
                error = self.ended or f"no verdict within {timeout:g}s"
                raise HookFailed(Result(hook="monitor", error=error))
            self._read += 1
            return self.all[self._read - 1]

    def hear(self, verdict: T) -> None:
        """Called by the harness, in its own thread."""
        with self._news:
            self.all.append(verdict)
            self._news.notify_all()

    def end(self, why: str) -> None:
        """Called by the harness: no more come."""
        with self._news:
            self.ended = self.ended or why
            self._news.notify_all()


def result_of(calls: list[Called], hook: str, instance: str, seq: int) -> Result:
    """Of all deliveries of one event; raises ``HookFailed`` when the last one failed."""
    if not calls:
        return Result(hook=hook, instance=instance, seq=seq, attempts=0)
    last = calls[-1]
    outcome = last.reply.outcome if last.reply else None
    result = Result(
        hook=hook,
        instance=instance,
        seq=seq,
        output=outcome.output if outcome else "",
        exit=outcome.exit if outcome else 0,
        seconds=last.seconds,
        error=last.error,
        attempts=len(calls),
    )
    if result.error:
        raise HookFailed(result)
    return result
