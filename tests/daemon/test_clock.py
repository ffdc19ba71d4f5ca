"""Timers, suspend and stamps. The kernel's timer runs in real time, but nothing here asserts how fast."""

import json
import select
import subprocess
import sys
from math import inf

import pytest
import trio
import trio.testing

from hafw.daemon.clock import STEP, Stamps, TimerFd, VirtualTimer

TIMERS = pytest.mark.parametrize("make", [TimerFd, VirtualTimer])
SHORT, FAR = 0.002, 3600.0


@TIMERS
async def test_it_wakes_when_the_time_has_come_and_not_before(make):
    timer, deadline = make(), trio.current_time() + SHORT
    timer.set(deadline)
    await timer.wait()
    assert trio.current_time() >= deadline


@TIMERS
async def test_a_deadline_that_has_passed_wakes_at_once(make):
    timer = make()
    for deadline in (trio.current_time() - FAR, 0.0, trio.current_time()):
        timer.set(deadline)
        await timer.wait()


@TIMERS
async def test_a_deadline_that_moves_closer_counts_while_somebody_waits(make):
    timer = make()
    timer.set(trio.current_time() + FAR)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timer.wait)
        await trio.testing.wait_all_tasks_blocked()
        timer.set(trio.current_time() + SHORT)


async def test_the_kernels_timer_is_silent_when_there_is_nothing_to_wake_for():
    timer = TimerFd()
    timer.set(0.0)
    await timer.wait()
    timer.set(inf)
    assert select.select([timer._descriptor], [], [], 0) == ([], [], [])
    timer.set(0.0)
    assert select.select([timer._descriptor], [], [], 1)[0]
    timer.close()


async def test_a_deadline_that_moves_away_costs_nothing_and_wakes_early():
    timer, early = TimerFd(), trio.current_time() + SHORT
    timer.set(early)
    timer.set(early + FAR)
    await timer.wait()
    assert early <= trio.current_time() < early + FAR


ASLEEP = """
import ctypes, json, os
from hafw.daemon.clock import SleepWatch
libc, watch = ctypes.CDLL(None, use_errno=True), SleepWatch()
seen = [watch.suspended()]
for slept in (5000, 5050, 12345):
    # A clock that jumps as it does in a suspend: this process enters a time namespace.
    if libc.unshare(0x80):
        raise SystemExit(77)
    with open("/proc/self/timens_offsets", "w") as offsets:
        offsets.write(f"boottime {slept // 1000} {slept % 1000 * 1000000}")
    inside = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
    if libc.setns(inside, 0x80):
        raise SystemExit(77)
    seen += [watch.suspended(), watch.suspended()]
print(json.dumps(seen))
"""


def test_a_suspend_is_seen_once_and_by_its_length():
    done = subprocess.run([sys.executable, "-c", ASLEEP], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel gives us no time namespace")
    before, first, again, short, _, second, _ = json.loads(done.stdout)
    assert (before, again, short) == (0, 0, 0), "an awake machine was not suspended, nor is what follows a look new"
    assert first == pytest.approx(5, abs=0.05)
    assert second == pytest.approx(7.345, abs=0.05), "what was too short to count is not forgotten"


# -- stamps -----------------------------------------------------------------------------------------------------------


class Wall:
    """A wall clock that somebody sets."""

    def __init__(self):
        self.ahead = 1_800_000_000.0

    def __call__(self):
        return trio.current_time() + self.ahead


async def test_a_stamp_tells_when_it_came(autojump_clock):
    wall = Wall()
    stamps = Stamps(wall)
    came, stamp = trio.current_time() + 1, wall() + 1
    await trio.sleep(3)
    stamps.look()
    assert stamps.moment(stamp) == pytest.approx(came, abs=1e-6)


@pytest.mark.parametrize("step", [-3600.0, -0.2, 0.2, 3600.0])
async def test_after_the_wall_clock_was_set_a_stamp_of_before_never_makes_a_master_look_dead(autojump_clock, step):
    wall = Wall()
    stamps = Stamps(wall)
    await trio.sleep(1)
    stamp, came = wall(), trio.current_time()
    await trio.sleep(1)
    wall.ahead += step
    for _ in range(2):
        stamps.look()
        assert came <= stamps.moment(stamp) <= trio.current_time()
        await trio.sleep(1)
    stamp, came = wall(), trio.current_time()
    await trio.sleep(1)
    stamps.look()
    assert stamps.moment(stamp) == pytest.approx(came, abs=1e-6), "and later ones are believed again"


async def test_a_clock_that_is_slewed_is_believed(autojump_clock):
    wall = Wall()
    stamps = Stamps(wall)
    await trio.sleep(1)
    for _ in range(5):
        stamp, came = wall(), trio.current_time()
        wall.ahead += STEP / 2
        await trio.sleep(1)
        stamps.look()
        assert stamps.moment(stamp) == pytest.approx(came, abs=STEP)


async def test_a_stamp_that_was_not_told_or_lies_in_the_future_is_now(autojump_clock):
    wall = Wall()
    stamps = Stamps(wall)
    await trio.sleep(1)
    stamps.look()
    assert stamps.moment(0.0) == stamps.moment(wall() + 60) == trio.current_time()
