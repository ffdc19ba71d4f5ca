"""The guard with a daemon of straw: what befalls it besides a daemon's death must not befall the addresses."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hafw import will as last_will
from hafw.guard.lock import Lock
from hafw.will import Bequest, Will

TREE = str(Path(__file__).parents[1])
GUARD = """
import sys
from hafw.guard import guard
sys.executable = sys.argv[1]
sys.exit(guard(["run", "config.toml"]))
"""
STRAW = f"""#!{sys.executable}
import json, os, signal, sys
sys.path.insert(0, {TREE!r})
from hafw import will
from hafw.lifeline import Beat, Inheritance, Line, Sign
mine = Inheritance.take()
line = Line.raised(mine.line)
def say(**words):
    print(json.dumps(words), flush=True)
def ready():
    line.say({{"notify": "READY=1"}})
"""
VI_1, VI_2 = (
    Bequest(
        name=name,
        interface="lo",
        family=4,
        source="127.0.0.1",
        goodbyes={},
        hold=3.0,
        addresses=(),
        slot=slot,
        interval=1000.0,
        adverts={"224.0.0.18": "3133c80100010000"},
    )
    for slot, name in enumerate(("VI_1", "VI_2"))
)


class Straw:
    """A guard whose daemon is a script."""

    def __init__(self, directory):
        self.run_directory = directory / "run"
        self.executable = directory / "daemon"
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.settimeout(10)
        self._notified.bind(str(directory / "notify"))
        self._variables = {
            **os.environ,
            "HAFW_RUN_DIR": str(self.run_directory),
            "NOTIFY_SOCKET": str(directory / "notify"),
            "PYTHONPATH": TREE,
        }

    def write(self, script):
        """In one step: a guard may be about to start it."""
        fresh = self.executable.with_suffix(".new")
        fresh.write_text(STRAW + script)
        fresh.chmod(0o700)
        fresh.replace(self.executable)

    def start(self, script):
        self.write(script)
        argv = [sys.executable, "-c", GUARD, str(self.executable)]
        pipe = subprocess.PIPE
        self.guard = subprocess.Popen(argv, env=self._variables, stdout=pipe, stderr=pipe, text=True)

    def notification(self):
        return self._notified.recv(4096).decode()

    def end(self):
        """Exit code, what the daemons said, what the guard said."""
        out, err = self.guard.communicate(timeout=10)
        return self.guard.returncode, [json.loads(line) for line in out.splitlines()], err

    def close(self):
        self._notified.close()


@pytest.fixture
def straw(tmp_path, monkeypatch):
    made = Straw(tmp_path)
    monkeypatch.setenv("HAFW_RUN_DIR", str(made.run_directory))
    yield made
    made.close()


def test_a_reload_that_is_asked_of_a_starting_daemon_waits_until_it_is_ready(straw):
    straw.start("""
waiting = {signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, waiting)  # SIGHUP would kill us
for number in (signal.SIGHUP, signal.SIGTERM):
    os.kill(os.getppid(), number)
first = signal.sigtimedwait(waiting, 10).si_signo
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
ready()
say(heard=[first, signal.sigtimedwait({signal.SIGHUP}, 10).si_signo], notify=os.environ.get("NOTIFY_SOCKET"))
""")
    assert straw.notification() == f"MAINPID={straw.guard.pid}\nREADY=1"
    assert straw.end() == (0, [{"heard": [15, 1], "notify": None}], "")


def test_a_daemon_that_cannot_be_started_is_tried_again(straw):
    straw.start("""
ready()
os.unlink(sys.argv[0])
os.kill(os.getpid(), signal.SIGKILL)
""")
    said = [straw.guard.stderr.readline() for _ in range(2)]
    assert "event=daemon_died" in said[0]
    assert "event=daemon_not_started" in said[1]
    assert "No such file or directory" in said[1]
    straw.write("say(alive=True)")
    code, daemons, _ = straw.end()
    assert (code, daemons) == (0, [{"alive": True}])


def test_the_first_daemon_that_cannot_be_started_is_the_last(straw):
    straw.start("")
    straw.end()
    straw.executable.write_text("#!/nonexistent\n")
    argv = [sys.executable, "-c", GUARD, str(straw.executable)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    assert "event=daemon_not_started" in done.stderr
    assert "Traceback" not in done.stderr


DIES_AND_IS_RESUMED = """
if mine.cause:
    record = [[each.name, bool(each.adverts)] for each in will.read().bequests]
    say(resume=mine.resume, withheld=mine.withheld, record=record)
    sys.exit()
import time
now = time.monotonic()
Beat(mine.beat).mark(0, Sign(now, now + 1000, 3000))
ready()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_handed_over_stays_in_the_record_without_its_voice(straw):
    straw.start(leaving((VI_1, VI_2)) + DIES_AND_IS_RESUMED)
    code, (seen,), _ = straw.end()
    assert code == 0
    assert seen == {"resume": ["VI_1"], "withheld": ["VI_2"], "record": [["VI_1", True], ["VI_2", False]]}
    assert not last_will.will_path().exists()


def test_a_run_directory_that_takes_no_record_keeps_nothing_from_being_resumed(straw):
    obstacle = "\nos.mkdir(will.will_path().with_suffix('.new')) if not mine.cause else None\n"
    straw.start(leaving((VI_1, VI_2)) + obstacle + DIES_AND_IS_RESUMED)
    code, (seen,), said = straw.end()
    assert code == 0
    assert seen["resume"] == ["VI_1"]
    assert "event=will_not_written" in said
    assert "Traceback" not in said


def leaving(bequests):
    """For a script: leave this record behind."""
    text = Will(1, bequests).dumps()
    return f"\nif not mine.cause:\n    will.replace_file(will.will_path(), {text.encode()!r})\n"


def test_what_cannot_be_removed_or_noted_ends_nobody(straw):
    straw.run_directory.mkdir()
    for path in (last_will.will_path(), last_will.plans_path()):
        path.mkdir()  # cannot be unlinked, as on a read-only file system
    last_will.history_path().touch()
    last_will.clear()
    assert not last_will.history_path().exists()
    descriptor = os.open(last_will.history_path(), os.O_RDONLY | os.O_CREAT)
    Lock(descriptor, straw.run_directory).note("1 stopping")
    assert os.read(descriptor, 64) == b""
    os.close(descriptor)
