"""The control socket: one JSON line per request and reply, and the event stream.

A client can never delay the election: it is served by tasks of its own, its requests are bounded and begun one at a
time, between two turns of the loop, and a client that does not ask or does not read is dropped, never waited for.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import json
import os
import resource
import socket as stdlib_socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import trio

from hafw.daemon.audience import Audience, Dropped, encoded, gap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hafw.daemon.observe import Observer
    from hafw.records import Record

    Command = Callable[[Mapping[str, Any]], Awaitable[Record]]

LINE_MAX = 65536
"""Octets of one request."""
CLIENTS_MAX = 1280
FOLLOWERS_MAX = 1024
"""Of these; whoever follows the events leaves room for those that ask."""
DESCRIPTORS_KEPT = 256
"""For everything that the daemon does beside serving clients; of a small limit a quarter."""
BACKLOG = 1024
"""Callers that wait in the kernel."""
SEND_BUFFER = 32768
"""Octets that the kernel keeps for one that follows the events; it counts twice that, with its own overhead."""
FIRST_REQUEST = 10.0
"""Seconds until a client has asked for something."""
NEXT_REQUEST = 300.0
"""Seconds until it asks for more, or is dropped."""
REPLY_TIMEOUT = 5.0
"""Seconds a client has to take a reply."""
NO_ROOM_PAUSE = 0.1
"""Seconds until the next caller is looked at, when there is no room even to refuse one."""
LOOKS = {"status", "history", "plugins"}
OUT_OF_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


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
        self._door, self._looking = trio.Lock(), trio.Lock()
        self._audience = Audience(observer, self._turn)
        self._listening: stdlib_socket.socket
        self._spare = -1
        """A descriptor to give up when there is no other."""

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
        listening.listen(BACKLOG)
        self._listening = listening
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
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            async with listener, trio.open_nursery() as nursery:
                nursery.start_soon(self._audience.run)
                while True:
                    try:
                        stream = await listener.accept()
                    except OSError as error:
                        if error.errno not in OUT_OF_ROOM:
                            raise
                        await self._without_room(error)
                    else:
                        nursery.start_soon(self._serve, stream)
        finally:
            with contextlib.suppress(OSError):
                os.close(self._spare)
            self.path.unlink(missing_ok=True)

    async def _without_room(self, error: OSError) -> None:
        """There is no descriptor left: give up one of ours to tell a caller, who would wait for an answer for ever."""
        os.close(self._spare)
        try:
            caller, _ = self._listening.accept()
        except OSError:
            pass
        else:
            reason = f"the daemon has no room for another client: {os.strerror(error.errno or 0).lower()}"
            refuse(caller, self._refusal("no-room", reason))
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        await trio.sleep(NO_ROOM_PAUSE)

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            async with stream:
                await self._receive(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._clients -= 1

    async def _receive(self, stream: trio.SocketStream) -> None:
        try:
            if refusal := self._has_no_room_for(stream):
                await self._say(stream, refusal.record())
            else:
                await self._talk(stream)
        except Dropped as reason:
            self._tell("client_dropped", str(reason), stream)

    def _has_no_room_for(self, stream: trio.SocketStream) -> CommandError | None:
        if self._clients > CLIENTS_MAX:
            return self._refusal(
                "too-many-clients", f"{CLIENTS_MAX} clients are connected, which is the most: end some"
            )
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        number = stream.socket.fileno() if isinstance(stream, trio.SocketStream) else -1
        if soft != resource.RLIM_INFINITY and number >= soft - min(DESCRIPTORS_KEPT, soft // 4):
            limit = f"{soft} open files (systemd: LimitNOFILE, `ulimit -n`)"
            return self._refusal("no-room", f"the daemon keeps the rest of its {limit} for itself: end some clients")
        return None

    def _refusal(self, kind: str, message: str) -> CommandError:
        self._tell("client_refused", message)
        return CommandError(kind, message)

    def _tell(self, what: str, reason: str, stream: trio.SocketStream | None = None) -> None:
        """Count it, and log it now and then; no event, for it would go to those that are too slow already."""
        self._observer.count("", what.replace("_", "s-"))
        program = program_of(stream) if stream else ""
        if self._observer.now_and_then(what, program, trio.current_time()):
            count = self._observer.counters["", what.replace("_", "s-")]
            self._observer.log.warning(what, reason=reason, client=program, count=count)

    async def _turn(self) -> None:
        """Wait until all that was ready to run has run: thousands of clients are no more in a turn than one."""
        async with self._door:
            await trio.lowlevel.checkpoint()

    async def _talk(self, stream: trio.SocketStream) -> None:
        buffer, patience = bytearray(), FIRST_REQUEST
        due = trio.current_time() + patience
        while True:
            data = b""
            with trio.move_on_at(due) as waiting:
                data = await stream.receive_some(LINE_MAX)
            if waiting.cancelled_caught:
                await self._drop(stream, f"no request within {patience:g}s")
            if not data:
                return
            buffer += data
            while (end := buffer.find(b"\n")) >= 0:
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                if await self._answer(stream, line):
                    return
                patience = NEXT_REQUEST
                due = trio.current_time() + patience
            if len(buffer) > LINE_MAX:
                too_long = CommandError("too-long", f"a request is at most {LINE_MAX} octets")
                await self._say(stream, too_long.record())
                with trio.move_on_after(REPLY_TIMEOUT):  # closing on unread data would take the answer away
                    while await stream.receive_some(LINE_MAX):
                        pass
                return

    async def _drop(self, stream: trio.SocketStream, reason: str) -> NoReturn:
        await self._say(stream, CommandError("dropped", reason).record())
        raise Dropped(reason)

    async def _answer(self, stream: trio.SocketStream, line: bytes) -> bool:
        """Serve one request; True when the connection has become an event stream and that has ended, or was refused."""
        await self._turn()
        try:
            request = parse_request_untrusted(line)
            if request["do"] == "events":
                await self._stream_events(stream, request)
                return True
            reply = await self._run(request)
        except CommandError as error:
            await self._say(stream, error.record())
            return error.kind == "too-many-clients"  # who may not follow would keep the place of one who only asks
        await self._say(stream, reply)
        return False

    async def _run(self, request: Mapping[str, Any]) -> Record:
        """One command. Of those that only look one at a time: each takes a turn of the loop for every instance."""
        command = self._command(request["do"])
        if request["do"] not in LOOKS:
            return await command(request)
        async with self._looking:
            return await command(request)

    def _command(self, name: str) -> Command:
        if name not in self._commands:
            known = ", ".join(sorted([*self._commands, "events"]))
            raise CommandError("unknown-command", f"do = {name!r}: must be one of {known}", "do")
        return self._commands[name]

    async def _stream_events(self, stream: trio.SocketStream, request: Mapping[str, Any]) -> None:
        begin = Beginning.of(request)
        if begin.stay and self._audience.size >= FOLLOWERS_MAX:
            way_out = "end some, or ask for what there is now (hafw events --no-follow)"
            reason = f"{FOLLOWERS_MAX} clients follow the events, which is the most: {way_out}"
            raise self._refusal("too-many-clients", reason)
        if isinstance(stream, trio.SocketStream):
            stream.socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_SNDBUF, SEND_BUFFER)
        with self._audience.seat():
            newest, (seq, missing) = self._observer.seq, begin.position(self._observer)
            status = await self._run({"do": "status"})
            await self._say(stream, {"seq": newest, "stream": self._observer.stream, "status": status})
            if missing:
                await self._say(stream, missing)
            await self._audience.follow(stream, seq, stay=begin.stay)

    async def _say(self, stream: trio.SocketStream, reply: Record) -> None:
        with trio.move_on_after(REPLY_TIMEOUT) as patience:
            await stream.send_all(encoded(reply))
        if patience.cancelled_caught:
            raise Dropped(f"too slow: a reply was not read within {REPLY_TIMEOUT:g}s")


@dataclass(frozen=True, slots=True)
class Beginning:
    """From where on a client wants the events."""

    since: int | None
    """After this one; ``None``: as many of the newest as ``newest`` says."""
    newest: int | None
    stream: str
    """Of which daemon ``since`` was a number; empty: of this one, for all that the client knows."""
    stay: bool

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self:
        """What the request asks for; raises ``CommandError``."""
        since, newest, stream = (request.get(key) for key in ("since", "n", "stream"))
        for key, value, kind in (("since", since, int), ("n", newest, int), ("stream", stream, str)):
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise CommandError("bad-request", "since and n must be whole numbers, and stream a string", key)
        for key, number in (("since", since), ("n", newest)):
            if number is not None and number < 0:
                raise CommandError("bad-request", f"{key} = {number}: must be 0 or more", key)
        return cls(since, newest, stream or "", request.get("follow") is not False)

    def position(self, observer: Observer) -> tuple[int, Record | None]:
        """The number after which to begin, and what is to be told of a gap that the numbers do not show."""
        if self.since is None and self.newest is None:
            return observer.seq, None
        seq, missing = self.since or 0, None
        if seq > observer.seq or self.stream not in {"", observer.stream}:
            first = min(seq, observer.born) if self.stream else 0
            missing = restarted(seq, first + 1, observer)
            seq = first
        numbers = [event["seq"] for event in observer.events if event["seq"] > seq]
        if self.newest is not None and (self.since is None or self.newest < len(numbers)):
            shown = numbers[len(numbers) - self.newest :] if self.newest < len(numbers) else numbers
            seq = shown[0] - 1 if shown else observer.seq
        return seq, missing


def restarted(after: int, next_one: int, observer: Observer) -> Record:
    """What a client is told that has heard another daemon."""
    detail = (
        f"another daemon counts since {observer.began}, from {observer.born + 1} on; of what the one before told, only"
        " transitions may be left: see its log"
    )
    return {**gap(after, next_one), "missed": None, "detail": detail}


def refuse(caller: stdlib_socket.socket, refusal: CommandError) -> None:
    """Say so and close, without waiting for anybody."""
    with caller, contextlib.suppress(OSError):
        caller.setblocking(False)
        caller.send(encoded(refusal.record()))


def program_of(stream: trio.SocketStream) -> str:
    """Who is at the other end, for the log: the command and its process, or what is known of them."""
    try:
        size = struct.calcsize("3i")
        raw = stream.socket.getsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_PEERCRED, size)
        pid, uid, _ = struct.unpack("3i", raw)
        command = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except (OSError, trio.ClosedResourceError, AttributeError):
        return ""
    return f"{command} (uid {uid})"


def parse_request_untrusted(line: bytes) -> dict[str, Any]:
    """One request; raises ``CommandError`` and nothing else."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError("bad-json", f"not a JSON object: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise CommandError("bad-request", 'a request is an object like {"do": "status"}', "do")
    return request
