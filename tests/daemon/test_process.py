"""``[process]``, each time in a process of its own: what the kernel then says of it, of its threads and children."""

import gc
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import trio

from hafw.daemon.process import COLLECT_EVERY, NICE, collect_now_and_then

ASK = """
import json, os, subprocess, sys, threading
from pathlib import Path
from hafw.config.model import ProcessConfig
from hafw.daemon.process import apply

class Log:
    said = []
    def warning(self, event, **fields):
        self.said.append({"event": event, **fields})

def look():
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(0).sched_priority

def child():
    code = "import os; print(os.sched_getscheduler(0))"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

def beside():
    seen["thread"], seen["child_of_thread"] = look(), child()
    seen["nice_of_thread"] = os.getpriority(os.PRIO_PROCESS, 0)

def earlier():
    ready.wait()
    seen["earlier_thread"] = look()

seen, ready = {}, threading.Event()
first = threading.Thread(target=earlier)
first.start()
exec(sys.argv[2])
apply(ProcessConfig(**json.loads(sys.argv[1])), Log())
ready.set()
second = threading.Thread(target=beside)
second.start()
first.join(); second.join()
locked = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmLck:")]
autogroup = Path("/proc/self/autogroup")
words = autogroup.read_text().split() if autogroup.exists() else []  # none where nobody led a session since the boot
seen["session"] = int(words[-1]) if words else None
seen |= {"own": look(), "child": child(), "nice": os.getpriority(os.PRIO_PROCESS, 0)}
seen |= {"cpus": sorted(os.sched_getaffinity(0)), "locked": int(locked[0])}
print(json.dumps({**seen, "left": os.environ.get("HAFW_CPUS"), "said": Log.said}))
"""
POWERLESS = "from hafw.plugin.confine import _set_capabilities; _set_capabilities(0)"


def ask(settings, before="", *, prefix=()):
    argv = [*prefix, sys.executable, "-c", ASK, json.dumps(settings), before]
    return json.loads(subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout)


def may_be_realtime():
    code = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))"
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.skipif(not may_be_realtime(), reason="this machine gives us no real-time priority")
def test_real_time_is_for_the_election_and_its_threads_below_it_and_never_for_children():
    seen = ask({"realtime": 10})
    assert seen["said"] == []
    assert seen["own"] == [os.SCHED_RR, 10]
    assert seen["thread"] == seen["earlier_thread"] == [os.SCHED_RR, 9]
    assert seen["child"] == seen["child_of_thread"] == os.SCHED_OTHER


@pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_SYS_NICE")
def test_it_comes_before_others_unless_somebody_has_chosen():
    seen = ask({})
    assert (seen["nice"], seen["nice_of_thread"], seen["said"]) == (NICE, NICE, [])
    assert ask({}, "os.nice(5)")["nice"] == 5
    seen = ask({}, POWERLESS + "; import resource as r; r.setrlimit(r.RLIMIT_NICE, (0, 0))")
    assert (seen["nice"], seen["said"]) == (0, []), "nobody has asked for it"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_SYS_NICE")
@pytest.mark.parametrize(
    ("prefix", "nice"),
    [
        (["setsid", "--wait"], NICE),
        (["setsid", "--wait", "sh", "-c", '"$@"; exit $?', "guard"], NICE),
        (["setsid", "--wait", "sh", "-c", '"$@"; exit $?', "shell", "sh", "-c", '"$@"; exit $?', "guard"], 0),
    ],
    ids=["its own session", "that of its guard", "somebody's shell"],
)
def test_a_session_of_its_own_comes_before_other_sessions(prefix, nice):
    has_autogroups = Path("/proc/self/autogroup").exists()
    assert ask({}, prefix=prefix)["session"] == (nice if has_autogroups else None)


def test_the_processors_are_taken_and_the_original_ones_left_for_children():
    allowed = sorted(os.sched_getaffinity(0))
    seen = ask({"cpus": allowed[:1]})
    assert (seen["said"], seen["cpus"]) == ([], allowed[:1])
    assert seen["left"] == ",".join(map(str, allowed))


def test_a_processor_that_is_not_there_is_named():
    allowed = sorted(os.sched_getaffinity(0))
    seen = ask({"cpus": [allowed[0], 1000]})
    assert seen["cpus"] == allowed[:1]
    (said,) = seen["said"]
    assert said["setting"] == "process.cpus"
    assert said["reason"].startswith("processor 1000 is not there for us: choose among ")
    seen = ask({"cpus": [1000]})
    assert seen["cpus"] == allowed
    assert [each["reason"].partition(":")[0] for each in seen["said"]] == ["none of these processors is there for us"]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes CAP_IPC_LOCK")
def test_memory_is_locked_as_it_is_touched():
    seen = ask({"lock_memory": True})
    assert (seen["said"], seen["locked"] > 0) == ([], True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take its own rights away")
def test_what_the_kernel_refuses_is_a_warning_that_names_what_is_missing():
    limits = "import resource as r; r.setrlimit(r.RLIMIT_RTPRIO, (0, 0)); r.setrlimit(r.RLIMIT_MEMLOCK, (65536, 65536))"
    seen = ask({"realtime": 10, "lock_memory": True}, f"{limits}; {POWERLESS}")
    reasons = {each["setting"]: each["reason"] for each in seen["said"]}
    assert set(reasons) == {"process.realtime", "process.lock_memory"}
    assert "CAP_SYS_NICE" in reasons["process.realtime"]
    assert "RLIMIT_RTPRIO of 10" in reasons["process.realtime"]
    assert "CAP_IPC_LOCK" in reasons["process.lock_memory"]
    assert "RLIMIT_MEMLOCK" in reasons["process.lock_memory"]
    assert seen["own"] == [os.SCHED_OTHER, 0]


class Knot:
    """Refers to itself: only a collection frees it."""

    def __init__(self):
        self.self = self


async def test_garbage_is_looked_for_now_and_then_and_only_then(autojump_clock, nursery):
    before = gc.get_threshold()
    nursery.start_soon(collect_now_and_then)
    try:
        await trio.sleep(COLLECT_EVERY / 2)
        knot = weakref.ref(Knot())
        many = [Knot() for _ in range(10_000)]
        assert knot() is not None
        await trio.sleep(COLLECT_EVERY)
        assert knot() is None
        assert len(many) == 10_000
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


KEPT = """
import json, os, trio
from hafw.config.model import ProcessConfig
from hafw.daemon.process import apply, look_after, threads

async def main():
    process, before = ProcessConfig(realtime=10), threads()
    apply(process, None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look_after, process)
        with trio.fail_after(10):
            while len(threads() - before) < 3:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    print(json.dumps([os.sched_getparam(each).sched_priority for each in threads() - before]))

trio.run(main)
"""


@pytest.mark.skipif(not may_be_realtime(), reason="this machine gives us no real-time priority")
def test_the_threads_that_may_be_needed_are_born_ahead_and_are_real_time_too():
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [9, 9, 9]
