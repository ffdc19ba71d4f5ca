"""HTTP/1.1 on trio with h11: bounded in connections, octets and patience."""

from __future__ import annotations

import contextlib
import socket
import sys
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import h11
import trio

from hafw_web.routes import ALWAYS, Request, Response, text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

HEAD_MAX: Final = 16384
"""Octets of a request's line and headers."""
READ: Final = 8192
IDLE: Final = 30.0
"""Seconds that a connection is kept open for the next request."""
PIECE: Final = 65536
"""Octets that a client has to take within the timeout."""
SPARE: Final = 50
"""Connections above the limit that are told so; those above them are closed without a word."""
FAREWELL: Final = 0.5
"""Seconds in which a client may still speak and not lose what it was answered."""
BUFFER: Final = 65536
"""Octets that the kernel keeps for a client that does not read."""
GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, OSError)
"""The client has left, or is too slow: nothing to say and nobody to say it to."""


class Server:
    """Serves ``answer`` to everybody who connects."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]], connections: int, timeout: float) -> None:
        self._answer = answer
        self._most = connections
        self._most_streams = connections * 3 // 4
        self._timeout = timeout
        self._open = 0
        self._streams = 0

    async def run(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Until cancelled."""
        await trio.serve_listeners(self._serve, list(listeners))

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._open += 1
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            async with stream:
                if self._open <= self._most + SPARE:
                    await self._admit(Client(stream, self._timeout))
        except GONE:
            pass
        finally:
            self._open -= 1

    async def _admit(self, client: Client) -> None:
        if self._open <= self._most:
            await self._talk(client)
        else:
            await client.respond(text(503, f"{self._most} connections are open: that is all there may be"))
        await client.leave()

    async def _talk(self, client: Client) -> None:
        patience = self._timeout
        while request := await self._request(client, patience):
            response = await self._response(request)
            if response.stream is None:
                await client.respond(response, head_only=request.method == "HEAD")
            elif request.method == "HEAD":
                await client.respond(Response(response.code, response.kind), head_only=True)
            else:
                await self._stream(client, response, response.stream)
            if not client.ready_for_next():
                return
            patience = IDLE

    async def _request(self, client: Client, patience: float) -> Request | None:
        """The next one; None when the client has left, was too slow, or talks nonsense, which it is told."""
        try:
            return await client.request(patience)
        except h11.RemoteProtocolError as error:
            refusal = text(error.error_status_hint, f"this is no HTTP request: {error}")
        except trio.TooSlowError:
            if not client.has_begun:
                return None
            refusal = text(408, f"the request did not come within {self._timeout:g} s")
        with contextlib.suppress(h11.LocalProtocolError):  # it has been answered already
            await client.respond(refusal)
        return None

    async def _response(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Exception:  # noqa: BLE001 - one request must not take the page from everybody else
            traceback.print_exc(limit=-3, file=sys.stderr)
            return text(500, "a mistake of hafw: the log has the lines it comes from")

    async def _stream(self, client: Client, response: Response, frames: AsyncGenerator[bytes, None]) -> None:
        if self._streams >= self._most_streams:
            await client.respond(text(503, f"{self._most_streams} event streams are open: that is all there may be"))
            return
        self._streams += 1
        try:
            await client.stream(response, frames)
        finally:
            self._streams -= 1


class Client:
    """One connection."""

    def __init__(self, stream: trio.SocketStream, timeout: float) -> None:
        self.has_begun = False
        """Something of the next request has come."""
        self._stream = stream
        self._timeout = timeout
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_MAX)

    async def request(self, patience: float) -> Request | None:
        """The next request: its first octet within ``patience`` seconds, all of it within the timeout after that.

        None: the client has left.
        """
        self.has_begun = bool(self._http.trailing_data[0])
        with trio.fail_after(self._timeout if self.has_begun else patience) as scope:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._stream.receive_some(READ)
                if data and not self.has_begun:
                    self.has_begun = True
                    scope.deadline = trio.current_time() + self._timeout
                self._http.receive_data(data)
        return _request_of(event) if isinstance(event, h11.Request) else None

    def ready_for_next(self) -> bool:
        """Whether the connection may carry another request; after one with a body it may not."""
        if self._http.our_state is not h11.DONE:
            return False
        try:
            if self._http.their_state is h11.SEND_BODY and not isinstance(self._http.next_event(), h11.EndOfMessage):
                return False
        except h11.RemoteProtocolError:
            return False
        if self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def respond(self, response: Response, *, head_only: bool = False) -> None:
        """A whole response."""
        length = () if response.code == HTTPStatus.NOT_MODIFIED else (("Content-Length", str(len(response.body))),)
        await self._send(_head(response, length))
        if not head_only:
            for first in range(0, len(response.body), PIECE):
                await self._send(h11.Data(data=response.body[first : first + PIECE]))
        await self._send(h11.EndOfMessage())

    async def stream(self, response: Response, frames: AsyncGenerator[bytes, None]) -> None:
        """Frames until the client leaves, or is too slow for one."""
        await self._send(_head(response, (("X-Accel-Buffering", "no"),)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_gone, nursery.cancel_scope)
            with contextlib.suppress(*GONE):
                async with contextlib.aclosing(frames):
                    async for frame in frames:
                        for first in range(0, len(frame), PIECE):
                            await self._send(h11.Data(data=frame[first : first + PIECE]))
            nursery.cancel_scope.cancel()

    async def leave(self) -> None:
        """Close after what the client still says: closing on unread octets would take the answer away from it."""
        with trio.move_on_after(FAREWELL):
            await self._stream.send_eof()
            while await self._stream.receive_some(READ):
                pass

    async def _until_gone(self, scope: trio.CancelScope) -> None:
        """Whatever a client of a stream still says is of no use."""
        with contextlib.suppress(*GONE):
            while await self._stream.receive_some(READ):
                pass
        scope.cancel()

    async def _send(self, event: Any) -> None:  # noqa: ANN401 - h11's events
        if data := self._http.send(event):
            with trio.fail_after(self._timeout):
                await self._stream.send_all(data)


def _request_of(event: h11.Request) -> Request:
    return Request(
        method=event.method.decode("ascii"),
        target=event.target.decode("latin-1"),
        http_1_0=event.http_version < b"1.1",
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers},
    )


def _head(response: Response, more: tuple[tuple[str, str], ...]) -> h11.Response:
    headers = [("Content-Type", response.kind), *ALWAYS, *response.headers, *more]
    return h11.Response(status_code=response.code, headers=headers, reason=HTTPStatus(response.code).phrase)
