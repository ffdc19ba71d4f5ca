"""The life of one ``hafw run``: daemons come and go, the guard stays.

A daemon that dies for the first time in a while is replaced at once, and resumes what it was MASTER of; whatever
cannot be resumed in time is handed over at once. One that dies again soon is not trusted with it: everything is handed
over, to the end, before the next one is started, and that after a pause.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

from hafw import will as last_will
from hafw.guard.execution import Estate, leave_no_footprint, read_will, say_goodbyes
from hafw.guard.judgement import amended, fence_at, hold_until, is_resumable
from hafw.guard.lock import STOPPING
from hafw.guard.sockets import SharedSockets
from hafw.guard.words import describe_status, say
from hafw.lifeline import VARIABLE, Beat, Inheritance, Line, SharedSocket
from hafw.wire.systemd import notify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hafw.guard.lock import Lock
    from hafw.will import Bequest, Will

STEADY = 60.0
"""Seconds of life after which a daemon's death is news, not a relapse."""
BACKOFF_MAX = 30.0
FAILED = 1
START = 0.15
"""Seconds from a daemon's death until the next one can speak, as long as no start was measured."""
OVERSLEPT = 0.05
"""Seconds by which the guard itself may wake late; beyond, the machine was paused, and the daemon with it."""
RESPITE = 0.5
"""Seconds that a daemon has, beyond the peers' patience, to make its first sign in a resumption."""
REAP = 0.1
"""Seconds that a killed daemon has to vanish; one that is stuck in the kernel will do nothing more when it wakes."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a daemon ended."""

    status: int
    at: float
    fenced: bool
    replaced: bool
    """It asked for a successor: ``hafw reexec``."""

    @property
    def cause(self) -> str:
        """In words."""
        if self.fenced:
            return "stuck, killed by the guard"
        return "reexec" if self.replaced else describe_status(self.status)


class Guard:
    """Starts the daemon again and again until it is told to stop, or the daemon cannot start at all."""

    def __init__(self, words: list[str], lock: Lock | None) -> None:
        self._words = words
        self._lock = lock
        self._stopping = False
        self._ready = False
        """Whether any daemon was."""
        self._listening = False
        """Whether this one is: before that, SIGHUP would kill it."""
        self._reload_asked = False
        self._beat = Beat.create()
        self._line: Line
        self._sockets = SharedSockets()
        self._estate = Estate()
        self._start = START
        self._began = 0.0
        """When the start that is under way began, with the death before it if that is to be resumed."""
        self._death: Death | None = None
        """The last one."""
        self._resuming: tuple[Bequest, ...] = ()
        self._withheld: tuple[str, ...] = ()
        self._replacing = False
        self._crashed_at = -STEADY
        self._backoff = 0.0
        """Seconds until the next daemon is started."""
        self._respite_until = 0.0
        """Nobody is stuck before that."""
        self._wakeup, waker = socket.socketpair()
        self._wakeup.setblocking(False)
        waker.setblocking(False)
        self._waker = waker

    def run(self) -> int:
        """Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        code = None
        while code is None:
            began = time.monotonic()
            try:
                daemon = self._spawn()
            except OSError as error:
                code = self._go_without(error)
            else:
                code = self._outlive(daemon, began)
        if self._lock:
            leave_no_footprint()
        return code

    def _outlive(self, daemon: subprocess.Popen[bytes], began: float) -> int | None:
        """From its first breath to its last; returns the exit code if it was the last daemon."""
        death = self._death = self._live_and_die(daemon)
        over = not death.replaced and (self._stopping or death.status == 0 or not self._ready)
        if not over and not death.replaced:
            lived = f"{death.at - began:.3f}s"
            say("daemon_died", status=death.cause, lived=lived, restart_in=f"{self._backoff:g}s")
        if over or not self._resuming:
            self._settle()
        if over:  # a daemon that never became ready has said why, and would say it again
            if self._lock:
                last_will.clear()
            return max(death.status, 0) if self._ready or death.status >= 0 else FAILED
        self._pause(self._backoff)
        return 0 if self._stopping and not self._resuming else None

    def _go_without(self, error: OSError) -> int | None:
        """No process can be had: what was to be resumed is handed over; returns the exit code if that was all."""
        self._back_off()
        say("daemon_not_started", reason=error, restart_in=f"{self._backoff:g}s" if self._ready else "never")
        self._hand_over(self._resuming, self._sockets.rivals(self._resuming))
        self._resuming = ()
        self._settle()
        if not self._ready:
            return FAILED
        self._pause(self._backoff)
        return 0 if self._stopping else None

    # -- a daemon's life ----------------------------------------------------------------------------------------

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._line, theirs = Line.pair()
        self._replacing = self._listening = self._reload_asked = False  # it reads the file anyway
        self._beat.keep_only(each.slot for each in self._resuming)  # the others' daemon is dead
        death = self._death
        inheritance = Inheritance(
            line=theirs.fileno(),
            beat=self._beat.descriptor,
            sockets=self._sockets.all,
            resume=names(self._resuming),
            withheld=self._withheld,
            cause=death.cause if death else "",
            died_at=death.at if death else 0.0,
            fenced=death.fenced if death else False,
        )
        environment = {
            **os.environ,
            "HAFW_GUARDED": str(os.getpid()),
            VARIABLE: inheritance.dumps(),
        }
        environment.pop("NOTIFY_SOCKET", None)  # systemd is to hear of us only
        keep = [inheritance.line, inheritance.beat, *(shared.descriptor for shared in inheritance.sockets)]
        keep += [self._lock.descriptor] if self._lock else []
        self._began = death.at if death and self._resuming else time.monotonic()
        with theirs:
            try:  # -P: whatever lies in the current directory is not ours.
                argv = [sys.executable, "-P", "-m", "hafw", *self._words]
                return subprocess.Popen(argv, env=environment, pass_fds=keep)
            except OSError:
                self._line.close()
                raise

    def _live_and_die(self, daemon: subprocess.Popen[bytes]) -> Death:
        """Pass signals down and notifications up until the daemon is dead, if need be by our hand.

        A process that was killed takes 30 ms and more to vanish, since the kernel closes its packet sockets one by
        one. The line is closed first (see ``Line.raised``), so what is urgent is done at that sign.
        """
        fenced = dying = False
        while daemon.poll() is None and not fenced and not dying:
            slept_until = self._sleep()
            self._attend()
            self._pass_on(daemon)
            dying = self._line.ended and bool(self._beat.signs())
            fenced = not dying and daemon.poll() is None and self._is_stuck(slept_until)
        if fenced:
            daemon.kill()
        self._attend()
        self._signals()
        died_at = time.monotonic()
        replaced = self._replacing and not self._stopping
        self._inherit(died_at, replaced=replaced)
        self._line.close()
        return Death(reap(daemon), died_at, fenced=fenced, replaced=replaced)

    def _sleep(self) -> float:
        """Until something happens, or is overdue; tell until when at most."""
        until = min(self._fence_at(), self._estate.deadline)
        poll = select.poll()
        sources = [self._wakeup.fileno(), *(each.fileno() for each in self._estate.claims)]
        for source in sources if self._line.ended else [*sources, self._line.fileno()]:
            poll.register(source, select.POLLIN)
        left = max(until - time.monotonic(), 0)
        poll.poll(None if left == inf else left * 1000)
        return until

    def _attend(self) -> None:
        """To everything but signals."""
        while message := self._line.hear():
            self._heed(*message)
        if self._withheld:
            self._estate.step()
            if self._estate.settled:
                self._line.say({"done": self._withheld})
                self._close_estate()

    def _heed(self, message: dict[str, Any], descriptor: int | None) -> None:
        """One message of the daemon's."""
        match message:
            case {"opened": fields} if descriptor is not None:
                self._sockets.add(SharedSocket(**fields, descriptor=descriptor))
            case {"closed": fields}:
                self._sockets.drop(SharedSocket(**fields))
            case {"awake": _}:
                self._start = time.monotonic() - self._began
            case {"yielded": names, "rivals": rivals}:
                going = [each for each in self._resuming if each.name in names]
                self._hand_over(going, set(rivals))
                for each in going:
                    self._beat.silence(each.slot)
            case {"replace": True}:
                self._replacing = True
            case {"notify": state}:
                self._tell_systemd(state)

    # -- stuck --------------------------------------------------------------------------------------------------

    def _fence_at(self) -> float:
        return max(fence_at(self._beat.signs(), self._beat.promises()), self._respite_until)

    def _is_stuck(self, slept_until: float) -> bool:
        """Whether the daemon owes its peers an advert for so long that it has to be ended.

        If we woke late ourselves, the machine was paused or is starved, and the daemon gets fresh time.
        """
        now = time.monotonic()
        if now < self._fence_at():
            return False
        if now <= slept_until + OVERSLEPT:
            return True
        self._respite_until = now + RESPITE
        return False

    # -- a daemon's death ---------------------------------------------------------------------------------------

    def _inherit(self, now: float, *, replaced: bool) -> None:
        """Decide of each router whether it is to be resumed; begin to hand over the others, at once."""
        relapse = now < self._crashed_at + STEADY
        if not replaced:
            self._back_off(reset=not relapse)
            self._crashed_at = now
        trusted = self._ready and not self._stopping and (replaced or not relapse)
        self._resuming = ()
        if not self._lock:
            return
        will = read_will()
        fresh = [each for each in will.bequests if each.name not in self._withheld]
        signs = {each.name: self._beat.sign(each.slot) for each in fresh}
        bequests = [amended(each, signs[each.name]) for each in fresh]
        rivals = self._sockets.rivals(bequests)
        able = [
            each.name
            for each in bequests
            if trusted and each.name not in rivals and is_resumable(each, signs[each.name], now, self._start)
        ]
        together = last_will.whole_groups(able, bequests)
        self._resuming = tuple(each for each in bequests if each.name in together)
        self._hand_over([each for each in bequests if each not in self._resuming], rivals)
        if self._resuming:
            self._record(will)
            self._respite_until = max(sign.spoke_at + sign.patience for sign in signs.values() if sign) + RESPITE

    def _record(self, will: Will) -> None:
        """For the next daemon, and for whoever finds nobody of us alive: the goodbyes of what is handed over are said.

        Without room for it the record stays as it was, which serves the next daemon as well.
        """
        going = [each.mute() for each in will.bequests if each.name in self._withheld]
        try:
            last_will.write(replace(will, bequests=(*self._resuming, *going)))
        except OSError as error:
            say("will_not_written", path=last_will.will_path(), reason=error)

    def _back_off(self, *, reset: bool = False) -> None:
        self._backoff = 0.0 if reset else min(max(2 * self._backoff, 0.1), BACKOFF_MAX)

    def _settle(self) -> None:
        """See the handover of everything to its end, before another daemon is started."""
        self._estate.settle()
        self._close_estate()
        self._sockets.clear()
        if self._lock:
            with contextlib.suppress(OSError):
                last_will.will_path().unlink(missing_ok=True)

    def _hand_over(self, bequests: Collection[Bequest], rivals: Collection[str]) -> None:
        """Begin to carry out the will of these: the goodbye first, unless another MASTER is there already."""
        if not bequests:
            return
        if not self._withheld:
            say("will_begins", routers=",".join(names(bequests)))
        say_goodbyes([each for each in bequests if each.name not in rivals], self._sockets)
        now = time.monotonic()
        self._estate.take([(each, self._hold_until(each, now, rival=each.name in rivals)) for each in bequests])
        self._withheld += names(bequests)

    def _hold_until(self, bequest: Bequest, now: float, *, rival: bool) -> float:
        sign, release_at = self._beat.sign(bequest.slot), self._beat.promised(bequest.slot)
        return hold_until(bequest, sign, now, rival=rival, release_at=release_at)

    def _close_estate(self) -> None:
        if self._withheld:
            say("will_done", routers=",".join(self._withheld))
        self._withheld = ()
        self._estate.close()
        self._estate = Estate()

    # -- signals and notifications ------------------------------------------------------------------------------

    def _signals(self) -> list[int]:
        """What has arrived; a wish to stop is remembered, and told to whoever tries the lock."""
        try:
            numbers = list(self._wakeup.recv(1024))
        except BlockingIOError:
            return []
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stopping = True
            if self._lock:
                self._lock.note(f"{os.getpid()} {STOPPING}")
        return numbers

    def _pass_on(self, daemon: subprocess.Popen[bytes]) -> None:
        """To the daemon what has arrived; SIGHUP not before it is ready."""
        numbers = set(self._signals())
        self._reload_asked |= signal.SIGHUP in numbers
        if self._reload_asked and self._listening:
            self._reload_asked = False
            daemon.send_signal(signal.SIGHUP)
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            daemon.send_signal(signal.SIGTERM)

    def _tell_systemd(self, state: str) -> None:
        """What the daemon says of itself; that it is well only while it keeps its promises."""
        if state == "READY=1":
            self._ready = self._listening = True
        if state != "WATCHDOG=1" or time.monotonic() < self._fence_at():
            notify(f"MAINPID={os.getpid()}\n{state}")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            select.select([self._wakeup], [], [], left)
            self._signals()


def names(bequests: Iterable[Bequest]) -> tuple[str, ...]:
    """Of their routers."""
    return tuple(each.name for each in bequests)


def reap(daemon: subprocess.Popen[bytes]) -> int:
    """Its status, within ``REAP`` seconds: one that is stuck in the kernel counts as killed, which it was."""
    try:
        return daemon.wait(REAP)
    except subprocess.TimeoutExpired:
        daemon.kill()
        return -signal.SIGKILL
