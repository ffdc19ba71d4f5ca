"""A daemon that dies, is stuck or is replaced while MASTER: the next one goes on, and nobody notices."""

import contextlib
import itertools
import os
import signal
import subprocess
import time

import pytest

from hafw.lab.ruler import Ruler

pytestmark = pytest.mark.wire

VIP = "10.77.0.250"
INTERVAL = 0.4
"""Seconds: time enough for a start on a busy machine, and the tests stay short."""


@pytest.fixture
def calm(pair, tools):
    """lb1, MASTER, and lb2, its BACKUP, at an interval that a restart fits into."""
    tools.elect(*pair, tools.instance(advertisement_interval="400ms"))
    tools.until(pair[0].will.exists)
    return pair


@contextlib.contextmanager
def kernel(router):
    """What becomes of the router's addresses meanwhile, a line for each change."""
    seen = []
    monitor = router.lab.popen(router.host, ["ip", "-o", "monitor", "address"], stdout=subprocess.PIPE, text=True)
    try:
        yield seen
    finally:
        router.lab.kill(monitor)
        with monitor.stdout:
            seen += monitor.stdout.read().splitlines()


def intervals(capture, since):
    times = [advert.time for advert in capture.adverts("lb1", since - 2 * INTERVAL) if advert.priority]
    return [after - before for before, after in itertools.pairwise(times)]


def test_a_killed_daemon_is_resumed_and_nobody_notices(calm, tools):
    master, backup = calm
    capture = master.lab.capture()
    with master.stream() as before:
        since = before.state("MASTER")["seq"]
    with kernel(master) as changes, backup.news() as heard:
        began = time.time()
        dead = master.kill_daemon()
        master.wait_until_ready()
        with master.stream() as again:
            resumed = again.wait("resumed", instance="VI_1")
            assert [each["seq"] for each in again.events if each["type"] == "state_changed"][-1] == since
        assert resumed["cause"] == "killed by SIGKILL"
        assert resumed["silence"] < 3 * INTERVAL
        tools.until(lambda: len(capture.adverts("lb1", began)) >= 4)
        assert backup.instance()["state"] == "BACKUP"
        assert [each["type"] for each in heard.events if each["type"] == "state_changed"] == []
    assert [line for line in changes if "Deleted" in line] == []
    assert capture.adverts("lb2", began) == []
    assert max(intervals(capture, began)) < 3 * INTERVAL
    assert master.instance()["state"] == "MASTER"
    assert master.pid != dead
    assert master.has(VIP)


def test_a_stuck_daemon_is_replaced_in_time_and_one_that_dies_again_soon_hands_over(pair, tools):
    master, backup = pair
    tools.elect(*pair, tools.instance(advertisement_interval="1s"))  # an interval is what is left for the restart
    tools.until(master.will.exists)
    lab = master.lab
    lab.add_host("client", "10.77.0.100/24")
    capture = lab.capture()
    ping = Ruler(lab, "client", VIP, kind="ping")
    assert ping.wait_for_answer(since=0.0, timeout=10)
    began = time.time()
    with kernel(master) as changes:
        os.kill(master.pid, signal.SIGSTOP)
        master.wait_until_ready()
        with master.stream() as again:
            assert again.wait("fenced")["resumed"] == "VI_1"
    assert [line for line in changes if "Deleted" in line] == []
    assert capture.adverts("lb2", began) == []
    with backup.news() as heard:
        master.kill_daemon()
        assert heard.state("MASTER")["reason"] == "master-resigned"
    tools.until(lambda: not master.has(VIP))
    assert backup.has(VIP)
    moved = time.time()
    master.wait_until_ready()
    with master.stream() as again:
        assert again.wait("restarted")["cause"] == "killed by SIGKILL"
    assert len([advert for advert in capture.adverts("lb1", began) if not advert.priority]) == 1
    tools.until(lambda: ping.read()[-1].sent > moved + ping.timeout)
    assert ping.outage(began - 0.1, moved).lost == 0


def test_one_that_freezes_in_the_middle_of_a_handover_does_not_answer_beside_its_successor(master, tools):
    daemon = master.pid
    with master.stream() as heard:
        asked = master.command("handover", "--wait", stderr=subprocess.DEVNULL)
        heard.wait("handover_started")
        os.kill(daemon, signal.SIGSTOP)
    tools.until(lambda: not master.has(VIP))
    master.wait_until_ready()
    asked.communicate(timeout=10)
    with master.stream() as again:
        assert again.wait("fenced")["cause"] == "stuck, killed by the guard"
        again.state("MASTER")


def test_a_changed_file_is_not_resumed_blindly(calm, tools):
    master, backup = calm
    master.write(tools.instance(advertisement_interval="400ms", vrid=52))
    capture = master.lab.capture()
    with backup.news() as heard:
        began = time.time()
        master.kill_daemon()
        assert heard.state("MASTER")["reason"] == "master-resigned"
    assert [advert.vrid for advert in capture.adverts("lb1", began) if not advert.priority] == [51]
    tools.until(lambda: not master.has(VIP))


def test_at_intervals_that_no_start_fits_into_the_will_is_executed_at_once(pair, tools):
    master, backup = pair
    tools.elect(*pair, tools.instance(advertisement_interval="10ms"))
    tools.until(master.will.exists)
    with backup.news() as heard:
        master.kill_daemon()
        heard.state("MASTER")
        master.wait_until_ready()
    with master.stream() as again:
        assert again.wait("restarted")["cause"] == "killed by SIGKILL"
    assert "event=will_begins" in master.log()


def test_reexec_goes_on_with_the_installed_code(calm, tools):
    master, _ = calm
    good, old = master.config.read_text(), master.pid
    master.write("[instance.VI_1]\n")
    refused = master.hafw("reexec")
    assert refused.returncode == 1
    assert "nothing was changed: the installed code does not start" in refused.stderr
    assert master.pid == old
    master.write(good)
    capture = master.lab.capture()
    with kernel(master) as changes:
        began = time.time()
        done = master.hafw("reexec")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"(was {old}): VI_1 MASTER\n")
    assert [line for line in changes if "Deleted" in line] == []
    assert capture.adverts("lb2", began) == []
    assert "daemon_died" not in master.log()
    with master.stream() as again:
        assert again.wait("resumed")["cause"] == "reexec"
    assert master.stop() == 0
    assert not master.has(VIP)
