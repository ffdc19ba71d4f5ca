"""The control socket: one JSON line per request and reply, and the event stream.

A client can never delay the election: it is served by tasks of its own, its requests are bounded, and a client that
does not read is dropped, never waited for.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import json
import os
import socket as stdlib_socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hafw.daemon.observe import Observer
    from hafw.records import Record

    Command = Callable[[Mapping[str, Any]], Awaitable[Record]]

LINE_MAX = 65536
"""Octets of one request."""
CLIENTS_MAX = 1100
SUBSCRIBER_QUEUE = 1000
"""Events that a client may lag behind before it is dropped."""
REPLY_TIMEOUT = 5.0
"""Seconds a client has to take a reply or an event."""


class CommandError(Exception):
    """A request that cannot be served; ``kind`` is a stable word."""

    def __init__(self, kind: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.path = path

    def record(self) -> Record:
        """What the client is told."""
        return {"error": {"kind": self.kind, "message": str(self), "path": self.path}}


class ControlSocket:
    """Serves commands by name: ``{"do": NAME, ...}``."""

    def __init__(self, path: str, group: str, commands: Mapping[str, Command], observer: Observer) -> None:
        self.path = Path(path)
        self._group = group
        self._commands = commands
        self._observer = observer
        self._clients = 0

    def bind(self, *, inherited: bool = False) -> trio.SocketListener:
        """Take the path; raises ``OSError`` when another daemon answers there.

        ``inherited``: the path was that of a daemon before us, and our guard has seen its end. While the kernel clears
        it away, and for as long as it is stuck there, it would seem to answer.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not inherited:
            self._refuse_living()
        self.path.unlink(missing_ok=True)
        listening = stdlib_socket.socket(stdlib_socket.AF_UNIX)
        before = os.umask(0o117)  # born with mode 0660: there is no moment at which anybody may connect
        try:
            listening.bind(str(self.path))
        finally:
            os.umask(before)
        if self._group:
            os.chown(self.path, -1, grp.getgrnam(self._group).gr_gid)
        listening.listen(128)
        return trio.SocketListener(trio.socket.from_stdlib_socket(listening))

    def _refuse_living(self) -> None:
        with stdlib_socket.socket(stdlib_socket.AF_UNIX) as probe:
            probe.setblocking(False)
            refusal = probe.connect_ex(str(self.path))
        if refusal in {0, errno.EAGAIN}:  # one whose queue of callers is full lives, and is not waited for
            raise OSError(errno.EADDRINUSE, f"another hafw daemon answers on {self.path}: stop it, or set --socket")
        if refusal not in {errno.ECONNREFUSED, errno.ENOENT}:
            raise OSError(refusal, os.strerror(refusal), str(self.path))

    async def run(self, listener: trio.SocketListener) -> None:
        """Serve until cancelled, then remove the path."""
        try:
            await trio.serve_listeners(self._serve, [listener])
        finally:
            self.path.unlink(missing_ok=True)

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            async with stream:
                if self._clients <= CLIENTS_MAX:
                    await self._talk(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        finally:
            self._clients -= 1

    async def _talk(self, stream: trio.SocketStream) -> None:
        buffer = bytearray()
        while data := await stream.receive_some(LINE_MAX):
            buffer += data
            while (end := buffer.find(b"\n")) >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                if await self._answer(stream, line):
                    return
            if len(buffer) > LINE_MAX:
                too_long = CommandError("too-long", f"a request is at most {LINE_MAX} octets")
                await self._say(stream, too_long.record())
                with trio.move_on_after(REPLY_TIMEOUT):  # closing on unread data would take the answer away
                    while await stream.receive_some(LINE_MAX):
                        pass
                return

    async def _answer(self, stream: trio.SocketStream, line: bytes) -> bool:
        """Serve one request; True when the connection has become an event stream and that has ended."""
        try:
            request = parse_request_untrusted(line)
            if request["do"] == "events":
                await self._stream_events(stream, request)
                return True
            reply = await self._command(request["do"])(request)
        except CommandError as error:
            reply = error.record()
        await self._say(stream, reply)
        return False

    def _command(self, name: str) -> Command:
        if name not in self._commands:
            known = ", ".join(sorted([*self._commands, "events"]))
            raise CommandError("unknown-command", f"do = {name!r}: must be one of {known}", "do")
        return self._commands[name]

    async def _stream_events(self, stream: trio.SocketStream, request: Mapping[str, Any]) -> None:
        since, limit = request.get("since", self._observer.seq), request.get("n", SUBSCRIBER_QUEUE)
        if not isinstance(since, int) or not isinstance(limit, int):
            raise CommandError("bad-request", "since and n must be whole numbers", "since")
        send, receive = trio.open_memory_channel[dict[str, Any]](SUBSCRIBER_QUEUE)

        def deliver(event: Record) -> None:
            try:
                send.send_nowait(event)
            except trio.WouldBlock:  # too slow: end its stream, never wait
                send.close()
                unsubscribe()

        unsubscribe = self._observer.subscribe(deliver)
        try:
            await self._say(stream, {"seq": self._observer.seq, "status": await self._commands["status"]({})})
            for event in self._observer.since(since, limit):
                await self._say(stream, event)
            if request.get("follow") is False:
                return
            async for event in receive:
                await self._say(stream, event)
        finally:
            with contextlib.suppress(ValueError):
                unsubscribe()

    async def _say(self, stream: trio.SocketStream, reply: Record) -> None:
        with trio.fail_after(REPLY_TIMEOUT):
            await stream.send_all(json.dumps(reply, ensure_ascii=False, default=str).encode() + b"\n")


def parse_request_untrusted(line: bytes) -> dict[str, Any]:
    """One request; raises ``CommandError`` and nothing else."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError("bad-json", f"not a JSON object: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise CommandError("bad-request", 'a request is an object like {"do": "status"}', "do")
    return request
