"""A daemon whose guard dies before the election runs: the will is executed in its place."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hafw import will as last_will
from hafw.will import Bequest, Will

GUARD = """
import os, subprocess, sys
environment = {**os.environ, "HAFW_GUARDED": str(os.getpid())}
sys.exit(subprocess.Popen([sys.executable, "-P", "-m", "hafw", *sys.argv[1:]], env=environment).wait())
"""


@pytest.fixture
def variables(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path / "run"))
    last_will.write(Will(1, (Bequest("VI_1", "lo", 4, "127.0.0.1", {}, hold=0.0, addresses=()),)))
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def starting(tmp_path, variables):
    """A guard whose daemon has begun to import what it needs, and does not come to its end."""
    slow = tmp_path / "slow" / "click.py"
    slow.parent.mkdir()
    slow.write_text("import os; open(os.environ['SLOW']).read()")
    os.mkfifo(tmp_path / "fifo")
    path = f"{slow.parent}:{variables['PYTHONPATH']}"
    environment = {**variables, "PYTHONPATH": path, "SLOW": str(tmp_path / "fifo")}
    started = []

    def start(*words):
        argv = [sys.executable, "-c", GUARD, "run", "config.toml", *words]
        started.append(subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True))
        started.append((tmp_path / "fifo").open("w"))  # returns when the daemon opens the other end
        return started[0]

    yield start
    guard, end = started
    end.close()
    guard.wait(10)
    guard.stderr.close()


def test_a_guard_that_dies_while_the_daemon_starts_leaves_the_will_to_it(starting):
    guard = starting()
    guard.kill()
    said = guard.stderr.read().splitlines()  # to the daemon's end
    assert [line.partition("event=")[2].split()[0] for line in said] == ["orphaned", "will_begins", "will_done"]
    assert not last_will.will_path().exists()


def test_the_will_is_none_of_a_dry_runs_business(starting):
    guard = starting("--dry-run")
    guard.kill()
    assert guard.stderr.read() == ""
    assert last_will.will_path().exists()


def test_a_guard_that_was_dead_before_the_daemon_had_begun(variables):
    argv = [sys.executable, "-P", "-m", "hafw", "run", "config.toml"]
    dead = {**variables, "HAFW_GUARDED": "1"}
    done = subprocess.run(argv, env=dead, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    assert "event=will_done" in done.stderr
    assert not last_will.will_path().exists()


def test_a_living_guard_executes_the_will_itself(tmp_path, starting):
    guard = starting()
    (daemon,) = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
    os.kill(int(daemon), signal.SIGTERM)
    assert guard.wait(10) == 256 - signal.SIGTERM
    assert guard.stderr.read() == ""
    assert last_will.will_path().exists()
