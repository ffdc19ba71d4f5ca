"""The one thread that talks to the kernel, which may make it wait for its routing lock."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")

SWITCH_INTERVAL = 0.0002
"""Seconds for which any thread may keep the interpreter from another that wants it; trio's wants it after every packet
that it sends, and at 5 ms, the default, a thread that writes or lists would slow it down to 200 packets a second."""


class KernelThread:
    """Carries out one call after another.

    Not one of trio's threads: those end when they are idle, and making one takes longer than adding an address.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "kernel")

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._executor.submit(int)  # that there is a thread
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have it called in the thread."""
        return self._executor.submit(call)

    async def run(self, call: Callable[[], T]) -> T:
        """Have it called, and wait for the result."""
        job = self.submit(call)
        await self.done(job)
        return job.result()

    async def done(self, job: Future[T]) -> None:
        """Wait until it has been called; as the thread cannot be interrupted, neither can this."""
        told, token = trio.Event(), trio.lowlevel.current_trio_token()
        job.add_done_callback(lambda _: token.run_sync_soon(told.set))
        with trio.CancelScope(shield=True):
            await told.wait()
