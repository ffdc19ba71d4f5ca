"""The daemon's trio code in a thread beside the test, which stays ordinary and blocking."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class Background:
    """A trio loop in a thread of its own. Processes that it starts end with the thread at the latest."""

    def __init__(self, name: str) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,), name=name, daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stopped = trio.Event()
        async with trio.open_nursery() as self._nursery:
            self._ready.set()
            await self._stopped.wait()
            self._nursery.cancel_scope.cancel()

    def begin(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> Future[T]:  # noqa: ANN401
        """Start it there; what it returns or raises is the future's."""
        future: Future[T] = Future()

        async def work() -> None:
            try:
                future.set_result(await function(*arguments))
            except trio.Cancelled:
                future.set_exception(RuntimeError("the plugin under test was closed meanwhile"))
                raise
            except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
                future.set_exception(error)

        self._token.run_sync_soon(self._nursery.start_soon, work)
        return future

    def spawn(self, function: Callable[..., Awaitable[object]], *arguments: Any) -> None:  # noqa: ANN401
        """Start it there beside everything else, from there; an exception in it ends the loop."""
        self._nursery.start_soon(function, *arguments)

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:  # noqa: ANN401
        """Do it there, and wait for it here."""
        return self.begin(function, *arguments).result()

    def close(self) -> None:
        """Cancel what runs there; returns when the thread has ended. Again: nothing."""
        if self._thread.is_alive():
            self._token.run_sync_soon(self._stopped.set)
            self._thread.join()
