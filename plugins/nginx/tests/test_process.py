"""The pid file and its process, with ``sleep`` in nginx's place; test_real_nginx.py has the real one."""

from __future__ import annotations

import os
import queue
import stat
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
from hafw_nginx import Nginx

from hafw.api import Duration, Verdict

HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
GRACE = Duration(0.3)


@pytest.fixture
def pid_file(tmp_path):
    return tmp_path / "nginx.pid"


@pytest.fixture
def watch(watched, pid_file):
    return partial(watched, pid_file=str(pid_file), process="sleep", grace=GRACE)


@pytest.fixture
def alive(watch, process, pid_file, until):
    """A process that the monitor has seen alive: the file appears after the monitor said that it is missing."""

    def start(**options):
        nginx, reports = watch(**options)
        assert reports.get(timeout=5) == Verdict(False, f"{pid_file} is gone", immediate=True)
        child = process()
        pid_file.write_text(f"{child.pid}\n")
        until(lambda: not nginx._watch.problem)
        return nginx, reports, child

    return start


def is_silent(reports):
    with pytest.raises(queue.Empty):
        reports.get_nowait()
    return True


def test_a_crash_is_reported_at_once_and_past_fall(alive, pid_file):
    _, reports, child = alive()
    began = time.monotonic()
    child.kill()
    verdict = reports.get(timeout=5)
    assert time.monotonic() - began < 0.09, "sooner than any look at the pid file could have told"
    assert verdict == Verdict(False, f"sleep (pid {child.pid}) died and left {pid_file}", immediate=True)


def test_a_zombie_counts_as_dead(watch, process, pid_file):
    child = process()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    pid_file.write_text(str(child.pid))
    _, reports = watch()
    assert reports.get(timeout=5).detail == f"sleep (pid {child.pid}) died and left {pid_file}"


def test_while_the_process_is_down_the_check_fails_although_its_workers_answer(alive, answering):
    port, _ = answering([HEALTHY])
    nginx, reports, child = alive(url=f"http://127.0.0.1:{port}/")
    assert nginx.check() == Verdict(True, "HTTP 200")
    child.kill()
    died = reports.get(timeout=5)
    assert nginx.check() == Verdict(False, died.detail)


def test_recovery_is_left_to_the_check_and_its_rise(alive, process, pid_file, answering, until):
    port, _ = answering([HEALTHY])
    nginx, reports, child = alive(url=f"http://127.0.0.1:{port}/")
    child.kill()
    reports.get(timeout=5)
    pid_file.write_text(str(process().pid))
    until(lambda: not nginx._watch.problem)
    assert nginx.check() == Verdict(True, "HTTP 200")
    assert is_silent(reports)


def test_a_planned_restart_within_the_grace_time_is_no_failure(alive, process, pid_file, free_port, until):
    nginx, reports, child = alive(url=f"http://127.0.0.1:{free_port}/")
    pid_file.unlink()
    child.kill()
    until(lambda: nginx._watch.restarting)
    assert nginx.check() == Verdict(True, f"restarting: {pid_file} is gone, waiting 0.3s for a successor")
    pid_file.write_text(str(process().pid))
    until(lambda: not nginx._watch.restarting)
    assert nginx.check() == Verdict(False, f"connection refused on 127.0.0.1:{free_port}")
    assert is_silent(reports)


def test_a_stop_without_a_successor_is_a_failure_after_the_grace_time(alive, pid_file):
    _, reports, child = alive()
    pid_file.unlink()
    began = time.monotonic()
    child.kill()
    assert reports.get(timeout=5) == Verdict(False, f"{pid_file} is gone for 0.3s", immediate=True)
    assert GRACE <= time.monotonic() - began < 2


def test_a_successor_that_died_is_a_crash_before_the_grace_time_ends(alive, process, pid_file, until):
    nginx, reports, child = alive(grace=Duration(30))
    pid_file.unlink()
    child.kill()
    until(lambda: nginx._watch.restarting)
    successor = process()
    successor.kill()
    pid_file.write_text(str(successor.pid))
    assert reports.get(timeout=5).detail == f"sleep (pid {successor.pid}) died and left {pid_file}"


def test_an_upgrade_follows_the_new_process_and_reports_nothing(alive, process, pid_file, until, follows):
    _, reports, old = alive()
    new = process()
    pid_file.write_text(str(new.pid))
    old.kill()
    until(partial(follows, new.pid))
    assert is_silent(reports)
    new.kill()
    assert reports.get(timeout=5).detail == f"sleep (pid {new.pid}) died and left {pid_file}"


def test_a_new_process_is_followed_although_the_old_one_lives_on(alive, process, pid_file, until, follows):
    _, reports, _old = alive()
    new = process()
    pid_file.write_text(str(new.pid))
    until(partial(follows, new.pid))
    new.kill()
    assert reports.get(timeout=5).detail == f"sleep (pid {new.pid}) died and left {pid_file}"


@pytest.mark.parametrize(("content", "said"), [
    ("", "{0} is empty"),
    ("nginx\n", "{0} holds 'nginx', which is no process id"),
    ("-1\n", "{0} holds '-1', which is no process id"),
    ("99999999999\n", "{0} holds '99999999999', which is no process id"),
])  # fmt: skip
def test_a_pid_file_that_makes_no_sense_is_a_failure_from_the_start(watch, pid_file, content, said):
    pid_file.write_text(content)
    _, reports = watch()
    assert reports.get(timeout=5) == Verdict(False, said.format(pid_file), immediate=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a pid namespace needs root")
def test_a_pid_of_another_pid_namespace_is_told_with_the_way_out(watch, pid_file, until):
    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "1000"]) as unshare:
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
        until(lambda: (pid := children.read_text()) and Path(f"/proc/{int(pid)}/comm").read_text() == "sleep\n")
        pid_file.write_text("1\n")
        nginx, reports = watch()
        verdict = reports.get(timeout=5)
        unshare.kill()
    first = Path("/proc/1/comm").read_text().strip()
    begins = f"{pid_file} names pid 1, which is {first} and not sleep; pid 1 of another pid namespace is sleep (pid "
    assert verdict.detail.startswith(begins)  # which one, if others run too, nobody can say
    assert verdict.detail.endswith(" here): run hafw in that namespace, or leave pid_file out")
    assert nginx.check().detail == verdict.detail


def test_a_pid_that_was_given_to_another_program_is_a_crash(watched, process, pid_file):
    child = process()
    pid_file.write_text(str(child.pid))
    _, reports = watched(pid_file=str(pid_file), process="nginx", grace=GRACE)
    assert reports.get(timeout=5).detail == f"{pid_file} names pid {child.pid}, which is sleep and not nginx"


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """A ``systemctl`` on PATH that does what the test says; there is no systemd in a container."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def does(script: str) -> Path:
        program = folder / "systemctl"
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/systemctl.log\n{script}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return tmp_path / "systemctl.log"

    return does


def test_a_crash_is_brought_back_through_its_unit_once(alive, process, pid_file, systemctl, until):
    successor = process()
    log = systemctl(f"echo {successor.pid} > {pid_file}")
    nginx, reports, child = alive(restart="hafw-test.service")
    child.kill()
    assert reports.get(timeout=5).immediate
    until(lambda: not nginx._watch.problem)
    successor.kill()
    assert reports.get(timeout=5).immediate, "a second crash within 30 s"
    until(lambda: nginx._watch.problem)
    assert log.read_text() == "restart hafw-test.service\n"


def test_a_restart_that_failed_is_told_by_the_check(alive, pid_file, systemctl, until):
    systemctl("echo Unit hafw-test.service not found.; exit 5")
    nginx, reports, child = alive(restart="hafw-test.service")
    child.kill()
    reports.get(timeout=5)
    until(lambda: nginx._revival.failure)
    assert nginx.check().detail == (
        f"sleep (pid {child.pid}) died and left {pid_file}; "
        "systemctl restart hafw-test.service failed: Unit hafw-test.service not found."
    )


def test_a_planned_stop_is_not_undone(alive, pid_file, systemctl):
    log = systemctl("")
    _, reports, child = alive(restart="hafw-test.service")
    pid_file.unlink()
    child.kill()
    assert reports.get(timeout=5).detail == f"{pid_file} is gone for 0.3s"
    assert not log.exists()


def test_without_a_pid_file_there_is_nothing_to_monitor():
    nginx = Nginx()
    reports = queue.Queue()
    nginx.monitor(reports.put)
    assert is_silent(reports)
    assert nginx._watch is None
