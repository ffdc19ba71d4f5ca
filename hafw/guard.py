"""The parent process. It starts the daemon, outlives it, and executes its last will.

Small on purpose: standard library, the will's record and the wire; no trio, no click, no plugin. What it does while
the daemon lives is to sleep: it passes signals down and systemd's notifications up.

The will is a handover: one priority 0 for each router that was MASTER, then the addresses go on answering until
another machine claims them, at most three intervals, then they are removed. Removing them at once would cost the
client the successor's skew time for nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hafw import will as last_will
from hafw.wire.claims import ClaimSocket
from hafw.wire.netlink import Netlink
from hafw.wire.sockets import VrrpSocket
from hafw.wire.systemd import notify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.vrrp.settings import IPAddress
    from hafw.will import Bequest, Will
    from hafw.wire.rtmessages import AddressEntry, Link

STEADY = 60.0
"""Seconds of life after which a daemon's death is news, not a relapse."""
BACKOFF_MAX = 30.0
OOM_SCORE = -900
FAILED = 1
NOTIFY_MAX = 4096


def say(event: str, **fields: object) -> None:
    """One log line in the daemon's form; there is no structlog here."""
    words = " ".join(f'{key}="{value}"' if " " in str(value) else f"{key}={value}" for key, value in fields.items())
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [sys.stderr], [], 0)[1]:  # a reader of the log that stalls must not stall the will
            print(f"level=warning event={event} process=guard {words}".rstrip(), file=sys.stderr, flush=True)  # noqa: T201


def guard(words: list[str]) -> int:
    """Be the parent of ``hafw run``; returns the exit code."""
    if "--dry-run" in words:  # holds nothing, leaves nothing
        return Guard(words, None).run()
    lock = take_lock()
    if lock is None:
        say("refused", reason=f"another hafw daemon holds {lock_path()}: stop it, or set HAFW_RUN_DIR")
        return FAILED
    execute_leftover()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
        score.write(str(OOM_SCORE))
    return Guard(words, lock).run()


def cleanup() -> int:
    """``hafw cleanup``: execute the will of a daemon that is dead; refuse beside a live one."""
    lock = take_lock()
    if lock is None:
        print(f"hafw: a live daemon holds {lock_path()}: nothing to clean up", file=sys.stderr)  # noqa: T201
        return FAILED
    execute_leftover()
    os.close(lock)
    return 0


def lock_path() -> str:
    """Held by guard and daemon alike, for as long as one of them lives."""
    return str(last_will.run_directory() / "lock")


def take_lock() -> int | None:
    """The open lock, or ``None`` when somebody alive holds it."""
    last_will.run_directory().mkdir(parents=True, exist_ok=True)
    lock = os.open(lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


class Guard:
    """The life of one ``hafw run``."""

    def __init__(self, words: list[str], lock: int | None) -> None:
        self._words = words
        self._lock = lock
        self._stopping = False
        self._ready = False
        self._wakeup, waker = socket.socketpair()
        self._wakeup.setblocking(False)
        waker.setblocking(False)
        self._waker = waker
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notified.bind(f"\0hafw-guard-{os.getpid()}")

    def run(self) -> int:
        """Start the daemon again and again until it is told to stop, or cannot start at all."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        backoff = 0.0
        while True:
            began = time.monotonic()
            code = self._live_and_die(self._spawn())
            if self._stopping or code == 0 or not self._ready:
                # A daemon that never became ready has said why; starting it again would only say it again.
                execute_leftover(dead_for=0.0)
                return max(code, 0) if self._ready or code >= 0 else FAILED
            lived = time.monotonic() - began
            backoff = 0.0 if lived > STEADY else min(max(2 * backoff, 0.1), BACKOFF_MAX)
            say("daemon_died", status=describe_status(code), lived=f"{lived:.3f}s", restart_in=f"{backoff:g}s")
            execute_leftover(dead_for=0.0)
            self._pause(backoff)
            if self._stopping:
                return 0

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "HAFW_GUARDED": str(os.getpid()), "NOTIFY_SOCKET": f"@hafw-guard-{os.getpid()}"}
        keep = () if self._lock is None else (self._lock,)
        # -P: whatever lies in the current directory is not ours.
        return subprocess.Popen([sys.executable, "-P", "-m", "hafw", *self._words], env=environment, pass_fds=keep)

    def _live_and_die(self, daemon: subprocess.Popen[bytes]) -> int:
        """Pass signals down and notifications up until the daemon is dead; returns its status."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.register(self._notified, select.POLLIN)
        while (status := daemon.poll()) is None:
            poll.poll()
            self._relay()
            for number in self._signals():
                with contextlib.suppress(ProcessLookupError):
                    daemon.send_signal(signal.SIGTERM if number == signal.SIGINT else number)
        self._relay()
        return status

    def _signals(self) -> list[int]:
        """What has arrived, without SIGCHLD; a wish to stop is remembered."""
        try:
            numbers = list(self._wakeup.recv(1024))
        except BlockingIOError:
            return []
        self._stopping |= signal.SIGTERM in numbers or signal.SIGINT in numbers
        return [number for number in numbers if number != signal.SIGCHLD]

    def _relay(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while message := self._notified.recv(NOTIFY_MAX):
                self._ready |= b"READY=1" in message
                notify(f"MAINPID={os.getpid()}\n{message.decode(errors='replace')}")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            select.select([self._wakeup], [], [], left)
            self._signals()


def describe_status(code: int) -> str:
    """How a process ended, in words."""
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


# -- the will ---------------------------------------------------------------------------------------------------


def execute_leftover(dead_for: float | None = None) -> None:
    """Execute and remove the will that lies in the run directory, if there is one.

    ``dead_for``: seconds since its writer died; ``None``: nobody saw it die, the record's age has to do.
    """
    dead_for = last_will.dead_for() if dead_for is None else dead_for
    try:
        will = last_will.read()
    except last_will.BadWill as error:
        say("will_unreadable", path=last_will.will_path(), reason=error, action="look for leftover addresses yourself")
        will = None
    if will is not None:
        execute(will, dead_for)
    last_will.will_path().unlink(missing_ok=True)


def execute(will: Will, dead_for: float) -> None:
    """Hand over on behalf of a daemon that died ``dead_for`` seconds ago: goodbye, hold until claimed, remove.

    Whoever was to claim the addresses has done so when three intervals are over: then nothing is waited for.
    """
    routers = ",".join(bequest.name for bequest in will.bequests)
    say("will_begins", routers=routers)
    with contextlib.ExitStack() as stack:
        netlink = stack.enter_context(Netlink())
        links = {link.name: link for link in netlink.links()}
        estate = Estate(will, time.monotonic() - dead_for, links, netlink.addresses(), stack)
        for bequest in will.bequests:
            if bequest.interface in links:
                say_goodbye(bequest, links[bequest.interface].index)
        while estate.entries:
            for refusal in netlink.change([], estate.due(time.monotonic())):
                say("address_stuck", address=refusal.address, reason=refusal.message)
            estate.wait()
    say("will_done", routers=routers)


def say_goodbye(bequest: Bequest, ifindex: int) -> None:
    """Send the prepared priority 0, once: a repeat would restart the peers' skew."""
    try:
        with contextlib.closing(VrrpSocket.open(bequest.interface, ifindex, bequest.family, None)) as wire:
            for target, message in bequest.goodbyes.items():
                wire.send(bytes.fromhex(message), ip_address(bequest.source), ip_address(target))
    except OSError as error:
        say("goodbye_failed", router=bequest.name, reason=error)


class Estate:
    """The addresses of a will while it is carried out, and who claims them."""

    def __init__(
        self,
        will: Will,
        died_at: float,
        links: dict[str, Link],
        present: Iterable[AddressEntry],
        stack: contextlib.ExitStack,
    ) -> None:
        there = {(entry.ifindex, entry.address): entry for entry in present}
        macs = {link.index: link.mac for link in links.values()}
        self.entries: dict[IPAddress, tuple[AddressEntry, float]] = {}
        for bequest in will.bequests:
            for each in bequest.addresses:
                link = links.get(each.interface)
                entry = there.get((link.index, ip_address(each.address))) if link else None
                if entry is not None:
                    self.entries[entry.address] = (entry, died_at + bequest.hold)
        homes = {(entry.ifindex, entry.address.version) for entry, _ in self.entries.values()}
        self._claims = [stack.enter_context(ClaimSocket(index, family, macs[index])) for index, family in homes]
        for claims in self._claims:
            claims.watch(self.entries.keys())

    def wait(self) -> None:
        """Sleep until somebody claims an address or the first time is over; what is claimed is due at once."""
        if not self.entries:
            return
        nearest = min(until for _, until in self.entries.values()) - time.monotonic()
        select.select(self._claims, [], [], max(nearest, 0))
        for claims in self._claims:
            for address in claims.drain():
                if address in self.entries:
                    self.entries[address] = (self.entries[address][0], 0.0)

    def due(self, now: float) -> list[AddressEntry]:
        """What is to be removed now; it is no longer part of the estate."""
        going = [address for address, (_, until) in self.entries.items() if now >= until]
        return [self.entries.pop(address)[0] for address in going]
