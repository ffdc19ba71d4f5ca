from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hafw.daemon.plugins import processes


@pytest.fixture
def child():
    with subprocess.Popen(["sleep", "60"], env={"NAME": "a=b", "EMPTY": ""}) as process:
        yield process.pid
        process.kill()


def test_a_thread_that_ends_meanwhile_hides_no_children_of_the_others(child, monkeypatch):
    threads = [str(sys.maxsize), *os.listdir("/proc/self/task")]  # noqa: PTH208 - as it is read
    monkeypatch.setattr(processes.os, "listdir", lambda _path: threads)
    assert child in set(processes.children(os.getpid()))


def test_the_children_of_nobody_are_an_error(child):
    with pytest.raises(OSError, match="No such file"):
        list(processes.children(sys.maxsize))


def test_an_environment_is_by_name_and_empty_of_who_is_gone(child):
    assert processes.environment(child) == {"NAME": "a=b", "EMPTY": ""}
    assert processes.environment(sys.maxsize) == {}
