"""Time as the election needs it: wakes that are not late, sleep that is noticed, and when a datagram really came.

trio rounds a wait up to a whole millisecond, and the kernel adds its timer slack; a timerfd knows neither. So an
interval of 10 ms is 10 ms.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time
from math import inf
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

SUSPENDED_FROM = 0.1
"""Seconds by which a machine must have slept to count as suspended."""
STEP = 0.001
"""Seconds between two looks by which the wall clock is set, not slewed."""

_TIMER_SPECIFICATION = struct.Struct("@llll")
"""An interval, which we leave 0, and a value: each in seconds and nanoseconds."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.timerfd_create.argtypes = [ctypes.c_int, ctypes.c_int]
_libc.timerfd_settime.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


class Timer(Protocol):
    """What wakes the election. Times are trio's."""

    def set(self, deadline: float) -> None:
        """Wake at ``deadline`` or earlier, never later; ``inf``: there is nothing to wake for."""

    async def wait(self) -> None:
        """Until then; afterwards it is not set."""


class TimerFd:
    """The kernel's precise timer. A deadline that moves away costs nothing: it wakes early, once, and is set again."""

    def __init__(self) -> None:
        self._descriptor = _libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._value = ctypes.create_string_buffer(_TIMER_SPECIFICATION.size)
        self._wakes_at = inf
        self._passed = False

    def set(self, deadline: float) -> None:
        """See ``Timer``."""
        if deadline >= self._wakes_at and not self._passed:
            return
        left = 0.0 if deadline == inf else max(deadline - trio.current_time(), 1e-9)  # 0 would disarm
        seconds = int(left)
        _TIMER_SPECIFICATION.pack_into(self._value, 0, 0, 0, seconds, int((left - seconds) * 1e9))
        if _libc.timerfd_settime(self._descriptor, 0, self._value, None) < 0:  # also ends what has passed
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")
        self._wakes_at, self._passed = deadline, False

    async def wait(self) -> None:
        """See ``Timer``."""
        await trio.lowlevel.wait_readable(self._descriptor)
        self._wakes_at, self._passed = inf, True

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class VirtualTimer:
    """The same in trio's own time, which a test can move."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._deadline = inf

    def set(self, deadline: float) -> None:
        """See ``Timer``."""
        self._deadline = self._scope.deadline = deadline

    async def wait(self) -> None:
        """See ``Timer``."""
        with trio.CancelScope(deadline=self._deadline) as self._scope:
            await trio.sleep_forever()
        self._deadline = inf


class SleepWatch:
    """Notices that the machine was suspended: CLOCK_BOOTTIME went on, CLOCK_MONOTONIC and all our deadlines did not."""

    def __init__(self) -> None:
        self._slept = _slept()

    def suspended(self) -> float:
        """Seconds since it was last asked; 0 when it was no suspension. Two clocks read without a system call."""
        slept = _slept()
        seconds = slept - self._slept
        if seconds <= SUSPENDED_FROM:
            return 0.0
        self._slept = slept
        return seconds


def _slept() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Stamps:
    """Turns the kernel's stamps, which are of the wall clock, into trio's time.

    Whatever is doubtful, since the wall clock was set meanwhile, is *now*: a MASTER that is believed in for a moment
    too long does less harm than one that is given up while it lives.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.now = self._steady_since = trio.current_time()
        """The time of the last look."""
        self._ahead = self.now - wall()

    def look(self) -> None:
        """Read the clocks; before a batch of stamps."""
        self.now = trio.current_time()
        ahead = self.now - self._wall()
        if abs(ahead - self._ahead) > STEP:
            self._steady_since = self.now
        self._ahead = ahead

    def moment(self, stamp: float) -> float:
        """When it came; ``stamp`` in seconds of the wall clock."""
        at = stamp + self._ahead
        return at if self._steady_since <= at <= self.now else self.now
