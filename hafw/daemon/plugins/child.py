"""One plugin process, from its start to its end: calls with deadlines, and nothing believed that it sends.

Whatever it does wrong has one consequence: its whole process group is killed, and ``why`` says for what. Reading is
bounded per wake-up, so that a flood costs the election no more than a line's worth of time.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import trio

from hafw.config.hiding import sounds_secret
from hafw.daemon.plugins.hearing import Hearing, Pending
from hafw.daemon.plugins.printed import Printed
from hafw.daemon.plugins.scratch import Scratch
from hafw.daemon.plugins.tracing import trace_of
from hafw.daemon.plugins.witness import NOBODY, Witness
from hafw.pipe import Call, Reply, Router, Start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

READ = 16384
"""Octets taken from the pipe per wake-up."""
OUTPUT_PAUSE = 0.1
"""Seconds between two reads of a full output pipe: a child that floods it waits for us, not we for it."""
EXIT = 0.3
"""Seconds between the end of its pipe and that of the process, if it is exiting."""
REAP = 5.0
"""Seconds that a killed process has to vanish; only one that is stuck in the kernel needs any."""
PASSED_ON = {"PATH", "LANG", "TZ", "HOME", "CREDENTIALS_DIRECTORY", "VIRTUAL_ENV"}
"""Environment of a plugin, beside ``LC_*``, ``HAFW_*`` unless it sounds secret, and what its own options name with
``env:``."""

NODE = "HAFW_NODE"
"""The variable that tells a plugin's process, and its scripts, on which router they are."""
RUN = "HAFW_RUN"
"""The one that tells them which daemon counts the ``seq`` of events."""

log = structlog.get_logger()


class ChildGone(Exception):  # noqa: N818 - a fact, not a mistake
    """The process ended before it answered; the text says why."""


class DeadlineMissed(ChildGone):
    """It ended because this very call took too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that was answered to one call."""

    reply: Reply
    parts: tuple[Reply, ...] = ()


class Child:
    """A plugin process. ``run`` has to run beside the calls; it returns when nothing is left of the process."""

    def __init__(self, start: Start, witness: Witness = NOBODY) -> None:
        """Spawn it, in the calling thread: the parent-death signal is tied to the thread that forks.

        Raises ``OSError`` when the machine has no room for another process.
        """
        self.why = ""
        self.ending = trio.Event()
        """Set when it is dead or was killed; every call after it raises ``ChildGone``."""
        self._printed = Printed(start.name, lambda line, logged: witness.printed(start.name, line, logged=logged))
        self.scratch = Scratch(start.name)
        self._trace = trace_of(start)
        shows = start.shows or self._trace is not None
        self._start = start = replace(start, scratch=self.scratch.path, shows=shows)
        self._name = start.name
        self._told: dict[str, Router] = {}
        self._hearing = Hearing()
        self._hello = self._hearing.expect("start")
        self._send_lock = trio.StrictFIFOLock()
        self._torn = False
        ours, theirs = socket.socketpair()
        output, printed = os.pipe()
        try:
            self._process = _spawn(theirs, printed, environment(start.options) | own_variables(start))
        except BaseException:
            self.scratch.remove()
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(printed)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._output = trio.lowlevel.FdStream(output)

    async def run(self) -> None:
        """Read what it says until it ends, then leave nothing of it behind."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                nursery.start_soon(self._read_output)
                nursery.start_soon(self._watch)
                await self.ending.wait()
                nursery.cancel_scope.cancel()
        finally:
            self.kill("ended by the daemon")
            with trio.CancelScope(shield=True):
                await self._reap()

    def kill(self, why: str) -> None:
        """End it and whatever it started; the first ``why`` counts."""
        if self.ending.is_set():
            return
        self.why = why
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.ending.set()
        self._hearing.close()

    async def hello(self, timeout: float) -> Reply:  # noqa: ASYNC109 - missing it has a consequence
        """What it says when it has loaded its plugin, or why it could not."""
        with trio.move_on_after(timeout):
            await self._send(msgspec.json.encode(self._start) + b"\n")
            await self._hello.done.wait()
        if self._trace:  # not before: only the plugin knows which of its options are secrets
            said = self._hello.reply.hello if self._hello.reply else None
            self._trace.started(self.pid, said.options if said else None, trio.current_time())
        return self._answer(self._hello, "loading it", timeout).reply

    async def call(
        self,
        hook: str,
        lane: str,
        timeout: float = math.inf,  # noqa: ASYNC109 - missing it has a consequence
        *,
        routers: Sequence[Router] = (),
        on_part: Callable[[Reply], None] | None = None,
        **arguments: Any,  # noqa: ANN401 - the fields of Call
    ) -> Answer:
        """Call a hook. Raises ``ChildGone``; a call that misses its deadline kills the process.

        ``routers`` are those the call speaks of: only what it has not been told yet crosses the pipe. ``on_part``
        takes the parts of the answer as they come; it is called in the reading task and must not wait.
        """
        if self.ending.is_set():
            raise ChildGone(self.why)
        began = trio.current_time()
        pending = self._hearing.expect(hook, on_part)
        if self._trace:
            pending.on_part = self._trace.of_parts(pending.on_part, hook, began)
            self._trace.called(pending.id, hook, {"lane": lane, **arguments}, began)
        news = tuple(each for each in routers if hook == "configure" or self._told.get(each.name) != each)
        self._told.update({each.name: each for each in news})
        line = (
            msgspec.json.encode(Call(id=pending.id, hook=hook, lane=lane, routers=news, **arguments), enc_hook=str)
            + b"\n"
        )
        with trio.move_on_after(timeout):
            await self._send(line)
            await pending.done.wait()
        return self._traced(pending, hook, timeout, began)

    def _traced(self, pending: Pending, hook: str, timeout: float, began: float) -> Answer:
        trace, now = self._trace, trio.current_time()
        try:
            answer = self._answer(pending, hook, timeout)
        except ChildGone as error:
            if trace:
                trace.ended(pending.id, hook, str(error), now - began, now)
            raise
        if trace:
            for reply in (*answer.parts, answer.reply):
                trace.answered(pending.id, hook, reply, now - began, now)
        return answer

    async def tell(self, number: int, answer: Mapping[str, Any]) -> None:
        """Answer a question of its own: a line to which nothing is replied."""
        await self._send(msgspec.json.encode(Call(id=number, hook="", lane="", answer=answer), enc_hook=str) + b"\n")

    def _answer(self, pending: Pending, what: str, timeout: float) -> Answer:
        if pending.reply is not None:
            self._hearing.forget(pending)
            return Answer(pending.reply, tuple(pending.parts))
        if self.ending.is_set():
            raise ChildGone(self.why)
        self.kill(f"{what} took longer than {timeout:g}s")
        raise DeadlineMissed(self.why)

    async def _send(self, line: bytes) -> None:
        async with self._send_lock:
            if self._torn:
                self.kill("a call to it was cut short")
                return
            try:
                await self._stream.send_all(line)
            except trio.Cancelled:
                self._torn = True  # half a line is out: nothing that followed would be understood
                raise
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self.ending.wait()

    async def _read(self) -> None:
        while data := await self._receive():
            offence = self._hearing.feed_untrusted(data)
            if offence:
                self.kill(offence)
            if self.ending.is_set():
                return
        with trio.move_on_after(EXIT):  # its exit status says more
            await self.ending.wait()
        self.kill("closed its pipe")

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(READ))
        except trio.BrokenResourceError:
            return b""

    @property
    def lines_dropped(self) -> int:
        """Lines of its output that were too many for the log."""
        return self._printed.dropped

    async def _watch(self) -> None:
        await trio.lowlevel.wait_readable(self._pidfd)
        # Not reaped yet, so that its process group cannot be anybody else's when it is killed.
        status = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)  # noqa: ASYNC222
        self._drain_output()
        self.kill(describe_exit(status, self._printed.last))

    async def _read_output(self) -> None:
        while data := await self._output.receive_some(READ):
            self._printed.feed(bytes(data), trio.current_time())
            if len(data) == READ:
                await trio.sleep(OUTPUT_PAUSE)

    def _drain_output(self) -> None:
        """What it printed last says why it died."""
        with contextlib.suppress(OSError):
            self._printed.feed(os.read(self._output.fileno(), READ) + b"\n", trio.current_time())

    async def _reap(self) -> None:
        with trio.move_on_after(REAP) as patience:
            await trio.lowlevel.wait_readable(self._pidfd)
        if patience.cancelled_caught:
            log.error("plugin_unkillable", plugin=self._name, pid=self.pid)
        await trio.to_thread.run_sync(self._process.poll)  # as ``census.bury``
        os.close(self._pidfd)
        await self._stream.aclose()
        await self._output.aclose()
        with trio.move_on_after(REAP):  # what takes longer is swept by the next daemon, if nothing is left of us
            await trio.to_thread.run_sync(self.scratch.remove, abandon_on_cancel=True)


def _spawn(channel: socket.socket, output: int, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """Isolated (-I): neither the folder we are started in nor PYTHONPATH decides what a plugin imports."""
    return subprocess.Popen(
        [sys.executable, "-I", "-u", "-m", "hafw.plugin", str(channel.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[channel.fileno()],
        cwd="/",
        env=variables,
        start_new_session=True,
    )


def environment(options: Any) -> dict[str, str]:  # noqa: ANN401 - any TOML value
    """Ours without anybody's secrets, but with those variables that these very options ask for."""
    asked = {text.removeprefix("env:") for text in _texts(options) if text.startswith("env:")}
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name in asked or (name.startswith(("LC_", "HAFW_")) and not sounds_secret(name))
    }


def own_variables(start: Start) -> dict[str, str]:
    """By which it is told from others, the router that it is on, and its temporary folder."""
    known = {NODE: start.node, "TMPDIR": start.scratch}
    return {RUN: start.run, "HAFW_PLUGIN": start.name} | {name: value for name, value in known.items() if value}


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def describe_exit(status: os.waitid_result | None, last_line: str) -> str:
    """How a process ended, and what it printed last when it was not well."""
    if status is None:
        return "ended"
    if status.si_code == os.CLD_EXITED:
        last = f": {last_line}" if status.si_status and last_line else ""
        return f"exited with {status.si_status}{last}"
    return f"was killed by {signal.Signals(status.si_status).name}"
