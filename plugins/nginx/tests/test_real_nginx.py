from __future__ import annotations

import os
import select
import signal
import threading
import time
from pathlib import Path

import pytest

from hafw.api import Duration, Verdict

pytestmark = pytest.mark.peer("nginx")


@pytest.fixture
def followed(real_nginx, watched, until):
    """A running nginx whose master process the monitor follows."""
    url = f"http://127.0.0.1:{real_nginx.port}/"
    nginx, reports = watched(
        url=url, pid_file=str(real_nginx.pid_file), grace=Duration(2), config_file=str(real_nginx.config)
    )
    assert reports.get(timeout=5).detail == f"{real_nginx.pid_file} is gone"
    real_nginx.start()
    until(lambda: not nginx._watch.problem and real_nginx.has_workers())
    return nginx, reports


@pytest.mark.parametrize(("path", "verdict"), [
    ("/", Verdict(True, "HTTP 200")),
    ("/moved", Verdict(True, "HTTP 301")),
    ("/broken", Verdict(False, "HTTP 503, expected 200-399")),
])  # fmt: skip
def test_what_nginx_answers_is_the_verdict(real_nginx, watched, path, verdict, until):
    real_nginx.start()
    nginx, _ = watched(url=f"http://127.0.0.1:{real_nginx.port}{path}", pid_file=str(real_nginx.pid_file))
    until(lambda: not nginx._watch.problem)
    assert nginx.check() == verdict


def test_kill_9_of_the_master_process_is_reported_at_once_although_the_workers_answer(real_nginx, followed):
    nginx, reports = followed
    pid = real_nginx.pid
    began = time.monotonic()
    real_nginx.signal(signal.SIGKILL)
    verdict = reports.get(timeout=5)
    assert time.monotonic() - began < 0.09
    assert verdict == Verdict(False, f"nginx (pid {pid}) died and left {real_nginx.pid_file}", immediate=True)
    assert not nginx.check().healthy


def test_kill_9_of_all_of_its_processes_is_reported_at_once(real_nginx, followed):
    _, reports = followed
    pid, workers = real_nginx.pid, real_nginx.workers()
    for each in (pid, *workers):
        os.kill(each, signal.SIGKILL)
    assert reports.get(timeout=5).detail == f"nginx (pid {pid}) died and left {real_nginx.pid_file}"


@pytest.fixture
def judged(followed, until):
    """Every verdict of checks that never pause, while the test does what it likes."""
    nginx, reports = followed
    verdicts, over = [], threading.Event()

    def go_on_checking():
        while not over.is_set():
            verdicts.append(nginx.check())

    checking = threading.Thread(target=go_on_checking)
    checking.start()
    until(lambda: verdicts)
    yield nginx, reports, verdicts
    over.set()
    checking.join()


def stop(real_nginx, until):
    pidfd = os.pidfd_open(real_nginx.pid)
    real_nginx.signal(signal.SIGTERM)
    until(lambda: select.select([pidfd], [], [], 0)[0])  # in a container nobody may collect what has ended
    os.close(pidfd)


def quit_gracefully(real_nginx, until):
    real_nginx.signal(signal.SIGQUIT)
    until(lambda: not real_nginx.pid_file.exists())


def has_new_pid(real_nginx, old):
    try:
        return real_nginx.pid_file.read_text().strip() not in ("", str(old))
    except FileNotFoundError:  # renamed, and not written anew yet
        return False


def upgrade(real_nginx, until):
    """USR2 starts the new binary, WINCH ends the old workers, QUIT the old master."""
    old = real_nginx.pid
    real_nginx.signal(signal.SIGUSR2)
    until(lambda: has_new_pid(real_nginx, old) and real_nginx.has_workers())
    os.kill(old, signal.SIGWINCH)
    until(lambda: Path(f"/proc/{old}/task/{old}/children").read_text().split() == [str(real_nginx.pid)])
    os.kill(old, signal.SIGQUIT)
    until(lambda: not real_nginx.pid_file.with_suffix(".pid.oldbin").exists())


@pytest.mark.parametrize("end", [stop, quit_gracefully])
def test_nobody_calls_a_planned_restart_a_failure(real_nginx, judged, end, until):
    nginx, reports, verdicts = judged
    end(real_nginx, until)
    real_nginx.start()
    until(lambda: not nginx._watch.restarting)
    until(lambda: verdicts[-1] == Verdict(True, "HTTP 200"))
    assert {verdict.detail for verdict in verdicts if not verdict.healthy} == set()
    assert reports.empty()


def test_nobody_calls_a_reload_and_an_upgrade_a_failure(real_nginx, judged, until):
    nginx, reports, verdicts = judged
    old = real_nginx.workers()
    real_nginx.signal(signal.SIGHUP)
    until(lambda: not old & real_nginx.workers() and real_nginx.has_workers())
    upgrade(real_nginx, until)
    until(lambda: verdicts[-1] == Verdict(True, "HTTP 200") and not nginx._watch.restarting)
    assert {verdict.detail for verdict in verdicts if not verdict.healthy} == set()
    assert reports.empty()


def test_an_upgrade_that_dies_is_none_while_the_old_nginx_lives(real_nginx, followed, until, follows):
    nginx, reports = followed
    old = real_nginx.pid
    real_nginx.signal(signal.SIGUSR2)
    until(lambda: has_new_pid(real_nginx, old) and real_nginx.has_workers())
    until(lambda: follows(real_nginx.pid))
    workers = real_nginx.workers()
    real_nginx.signal(signal.SIGKILL)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    until(lambda: follows(old) and not nginx._watch.restarting)
    assert nginx.check() == Verdict(True, "HTTP 200")
    assert reports.empty()
    os.kill(old, signal.SIGKILL)
    assert reports.get(timeout=5).detail == f"nginx (pid {old}) died and left {real_nginx.pid_file}"


def test_a_clean_quit_and_start_is_no_failure(real_nginx, followed, until):
    nginx, reports = followed
    real_nginx.signal(signal.SIGQUIT)
    until(lambda: nginx._watch.restarting)
    assert nginx.check().detail.startswith("restarting: ")
    real_nginx.start()
    until(lambda: not nginx._watch.restarting)
    assert nginx.check() == Verdict(True, "HTTP 200")
    assert reports.empty()


def test_a_binary_upgrade_is_no_failure_and_the_new_master_is_followed(real_nginx, followed, until):
    nginx, reports = followed
    old = real_nginx.pid
    real_nginx.signal(signal.SIGUSR2)
    until(lambda: has_new_pid(real_nginx, old))
    new = real_nginx.pid
    os.kill(old, signal.SIGQUIT)
    until(lambda: not real_nginx.pid_file.with_suffix(".pid.oldbin").exists())
    assert nginx.check() == Verdict(True, "HTTP 200")
    assert reports.empty()
    real_nginx.signal(signal.SIGKILL)
    assert reports.get(timeout=5).detail == f"nginx (pid {new}) died and left {real_nginx.pid_file}"


def test_a_reload_on_becoming_master_reaches_the_process_in_the_pid_file(real_nginx, watched, until):
    real_nginx.start()
    until(real_nginx.has_workers)
    nginx, _ = watched(pid_file=str(real_nginx.pid_file), config_file=str(real_nginx.config), reload_on_master=True)
    old = real_nginx.workers()
    assert nginx.became_master() == {"output": f"sent SIGHUP to pid {real_nginx.pid}", "exit": 0}
    until(lambda: not old & real_nginx.workers() and real_nginx.has_workers())


def test_a_configuration_that_fails_its_test_is_never_reloaded(real_nginx, watched, until):
    real_nginx.start()
    until(real_nginx.has_workers)
    nginx, _ = watched(pid_file=str(real_nginx.pid_file), config_file=str(real_nginx.config), reload_on_master=True)
    old = real_nginx.workers()
    real_nginx.config.write_text("this is no configuration")
    outcome = nginx.became_master()
    assert outcome["exit"] == 1
    assert outcome["output"].startswith("not reloaded, nginx -t failed: ")
    assert old == real_nginx.workers()


def test_by_default_nothing_is_reloaded(watched, tmp_path):
    nginx, _ = watched(pid_file=str(tmp_path / "nginx.pid"))
    assert nginx.became_master() is None
