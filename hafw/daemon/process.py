"""``[process]``: how the kernel treats this daemon. What it refuses is a warning that names what is missing.

Real-time priority is for this process alone: SCHED_RESET_ON_FORK gives its children the ordinary scheduler, and
``hafw.plugin.confine`` gives them the processors back.

The same flag would give our own threads the ordinary scheduler, and that would defeat the purpose. A thread that works
in Python holds the interpreter lock; if busy programs keep it from the processor, the election waits for all of them.
So the threads are real-time too, one priority below the election: what they do in the kernel for thousands of addresses
gives way to an advert, even on a single processor. It takes fractions of a second at a takeover and milliseconds every
half minute, and the kernel keeps 5 % of a processor from all real-time work, so nobody starves.

Without any setting the daemon is as nice as can be to itself: little work that must not wait. With 32 busy programs on
2 processors and an advert every 10 ms that makes 98 % of the adverts of it, where 15 % left before. Where the kernel
has autogroups, niceness counts within a session only, and every session has the same share: each plugin leads one, and
so does every login. So the session becomes as nice, if it is ours: with 40 busy sessions 28 % of the adverts left
before, and 99.8 % leave now.

A new thread has to be born first, as an ordinary one, and Python waits for that: on a machine with 4 busy programs it
took 192 ms. So the few that are ever needed at a time are kept alive.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    from hafw.config.model import ProcessConfig

CPUS_VARIABLE = "HAFW_CPUS"
"""The processors that children may run on, since ours are fewer."""
NICE = -20
THREADS_KEPT = 3
"""Of trio's: one for addresses, one for the records of the will, one for a command."""
THREADS_REST = 5.0
"""Seconds; trio ends a thread that had nothing to do for 10."""
OPEN_FILES = 4096
"""For the clients of the control socket, and for 255 routers with their plugins."""
COLLECT_EVERY = 60.0
"""Seconds."""
COLLECT_AT_ONCE = 50_000
"""Objects by which we have grown since: something runs away, and memory matters more than a pause."""

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_CAP_IPC_LOCK = 14
_POLICY = os.SCHED_RR | os.SCHED_RESET_ON_FORK

_libc = ctypes.CDLL(None, use_errno=True)


class Log(Protocol):
    """What is needed of a structlog logger."""

    def warning(self, event: str, **fields: Any) -> object:  # noqa: ANN401 - as structlog has it
        """Tell of a setting that is not in force."""


def apply(process: ProcessConfig, log: Log) -> None:
    """Put it into force, before any child is started and any address is touched."""
    _open_more_files()
    if os.getpriority(os.PRIO_PROCESS, 0) in {0, NICE}:  # or somebody has chosen; ours is that of a daemon before us
        with contextlib.suppress(PermissionError):
            for thread in threads():
                os.setpriority(os.PRIO_PROCESS, thread, NICE)
            _lead_other_sessions()
    steps: dict[str, tuple[object, Callable[[], str]]] = {
        "cpus": (process.cpus, lambda: _run_on(process.cpus)),
        "lock_memory": (process.lock_memory, _lock_memory),
        "realtime": (process.realtime, lambda: _be_realtime(process.realtime)),
    }
    for name, (wanted, step) in steps.items():
        if wanted and (reason := step()):
            log.warning("process_setting_refused", setting=f"process.{name}", value=wanted, reason=reason)


async def look_after(process: ProcessConfig) -> None:
    """What goes on for as long as the daemon runs."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect_now_and_then)
        if process.realtime:
            nursery.start_soon(keep_threads)


async def keep_threads() -> None:
    """Give trio's threads something to do, all at the same time."""

    async def meet() -> None:
        await trio.to_thread.run_sync(met.wait)

    while True:
        met = threading.Barrier(THREADS_KEPT)
        async with trio.open_nursery() as nursery:
            for _ in range(THREADS_KEPT):
                nursery.start_soon(meet)
        await trio.sleep(THREADS_REST)


async def collect_now_and_then() -> None:
    """Look for garbage once a minute, and not in the middle of a takeover.

    What start-up made stays, and is never looked at again: with it a full collection took 28 ms, without it 0.2 ms with
    one instance and 5 ms with 255. While adverts come and go nothing grows, and Python would collect nothing; but 255
    takeovers cost 78 collections, 63 ms together and up to 21 ms each.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AT_ONCE)
    while True:
        await trio.sleep(COLLECT_EVERY)
        gc.collect()


def _open_more_files() -> None:
    """As far as it is allowed: the usual 1,024 would be used up by clients. Plugins get the usual again (confine)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _lead_other_sessions() -> None:
    """Unless it is somebody's shell that started us: whatever else runs there is none of our concern."""
    if os.getsid(0) in {os.getpid(), os.getppid()}:  # of the guard, as with systemd or in a container
        with contextlib.suppress(OSError):  # a kernel without autogroups; without CAP_SYS_ADMIN, once in 0.1 s
            Path("/proc/self/autogroup").write_text(str(NICE))


def _run_on(cpus: Iterable[int]) -> str:
    """Returns what is wrong, or nothing; so do the others."""
    before, wanted = os.sched_getaffinity(0), set(cpus)
    allowed = ", ".join(map(str, sorted(before)))
    try:
        for thread in threads():
            os.sched_setaffinity(thread, wanted)
    except (OSError, OverflowError):
        return f"none of these processors is there for us: choose among {allowed}"
    os.environ[CPUS_VARIABLE] = ",".join(map(str, sorted(before)))
    missing = ", ".join(map(str, sorted(wanted - os.sched_getaffinity(0))))
    return f"processor {missing} is not there for us: choose among {allowed}" if missing else ""


def _lock_memory() -> str:
    refusal = "it takes CAP_IPC_LOCK, or an unlimited RLIMIT_MEMLOCK (systemd: LimitMEMLOCK=infinity)"
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and not _has_capability(_CAP_IPC_LOCK):
        return refusal  # a limit that suffices now would later refuse memory that we need
    if _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0:
        return ""
    return f"{os.strerror(ctypes.get_errno()).lower()}: {refusal}"


def _be_realtime(priority: int) -> str:
    beside = max(1, priority - 1)
    try:
        os.sched_setscheduler(0, _POLICY, os.sched_param(priority))
        for thread in threads() - {threading.get_native_id()}:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(thread, _POLICY, os.sched_param(beside))
    except PermissionError:
        limit = f"RLIMIT_RTPRIO of {priority} (systemd: LimitRTPRIO={priority})"
        return f"it takes CAP_SYS_NICE or an {limit}, and a control group with a real-time budget"
    except OSError as error:
        return (error.strerror or str(error)).lower()

    def join(_frame: FrameType, _event: str, _argument: object) -> None:
        sys.setprofile(None)
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, _POLICY, os.sched_param(beside))

    threading.setprofile(join)  # the one way to be called first in every new thread, whoever starts it
    return ""


def threads() -> set[int]:
    """Of this process, by the kernel's number."""
    return {int(each.name) for each in Path("/proc/self/task").iterdir()}


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
