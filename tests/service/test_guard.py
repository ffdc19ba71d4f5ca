"""What happens to the address when the daemon, its guard, or both die; and how they start and stop."""

import os
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

VIP = "10.77.0.250"


@pytest.fixture(scope="module")
def steady(tools):
    """A MASTER for the tests that must not disturb it."""
    with tools.two_routers() as (router, _):
        router.start(tools.instance())
        router.wait_until_it_serves()
        yield router


def goodbyes(capture, host, since):
    return [advert for advert in capture.adverts(host, since) if advert.priority == 0]


def test_a_daemon_that_dies_again_and_again_is_restarted_with_growing_pauses(master):
    for pause in (0.0, 0.1, 0.2):
        died = time.monotonic()
        master.kill_daemon()
        master.wait_until_ready()
        assert time.monotonic() > died + pause
    deaths = [line for line in master.log().splitlines() if "event=daemon_died" in line]
    assert [line.rpartition("restart_in=")[2] for line in deaths] == ["0s", "0.1s", "0.2s"]


def test_a_daemon_without_its_guard_hands_over_and_ends(both, tools):
    master, backup = both
    capture = master.lab.capture()
    daemon = master.pid
    with backup.news() as heard:
        began = time.time()
        master.kill_guard()
        assert heard.state("MASTER")["reason"] == "master-resigned"
    tools.until(lambda: tools.gone(daemon))
    assert len(goodbyes(capture, "lb1", began)) == 1
    assert not master.has(VIP)
    assert not master.will.exists()


def test_cleanup_releases_what_is_left_when_both_are_dead(master, tools):
    daemon = master.pid
    tools.until(master.will.exists)
    master.lab.kill(master.guard)
    tools.until(lambda: tools.gone(daemon))
    assert master.has(VIP)
    capture = master.lab.capture()
    os.utime(master.will, (time.time() + 60,) * 2)  # it has died just now, however long this command takes to start
    done = master.hafw("cleanup")
    assert (done.returncode, done.stdout) == (0, "")
    assert len(goodbyes(capture, "lb1", 0.0)) == 1
    assert not master.has(VIP)
    assert not master.will.exists()
    master.start()
    master.wait_for("MASTER")


def test_the_next_run_releases_what_was_left_before_it_joins(master, tools):
    tools.until(master.will.exists)
    master.lab.kill(master.guard)
    assert master.has(VIP)
    master.start()
    assert [line.partition("event=")[2] for line in master.log().splitlines() if "event=will_" in line] == [
        "will_begins process=guard routers=VI_1",
        "will_done process=guard routers=VI_1",
    ]
    with master.stream() as stream:
        assert stream.state("BACKUP")["reason"] == "startup"
        assert stream.state("MASTER")["reason"] == "no-response"


def test_cleanup_refuses_beside_a_live_daemon(steady):
    done = steady.hafw("cleanup")
    assert done.returncode == 1
    holder = f"a live hafw of pid {steady.guard.pid} holds {steady.run_directory}/lock"
    assert done.stderr == f"hafw: {holder}: nothing to clean up\n"
    assert steady.has(VIP)
    assert steady.instance()["state"] == "MASTER"


def test_a_second_run_beside_the_first_is_refused(steady):
    done = steady.hafw("run", str(steady.config), "--node", "lb1")
    assert done.returncode == 1
    assert f"a live hafw of pid {steady.guard.pid} holds" in done.stderr
    assert "stop it, or set HAFW_RUN_DIR" in done.stderr
    assert steady.instance()["state"] == "MASTER"


def test_a_stop_leaves_no_address_no_process_and_no_will(master):
    network = Path(f"/proc/{master.guard.pid}/ns/net").stat().st_ino
    assert master.stop() == 0
    assert not master.has(VIP)
    left = [path.name for path in Path("/proc").glob("[0-9]*") if in_network(path, network)]
    assert left == []
    assert not master.will.exists()
    assert not master.socket.exists()


def in_network(process, network):
    try:
        return (process / "ns/net").stat().st_ino == network
    except OSError:
        return False


def test_a_bad_configuration_ends_it_at_once(pair, tools):
    router = pair[0]
    router.write(tools.instance(vrid=300, virtual_adresses=[VIP]))
    done = router.hafw("run", str(router.config), "--node", "lb1")
    assert done.returncode == 3
    assert done.stderr.count("instance.VI_1.vrid = 300") == 1
    assert "did you mean virtual_addresses?" in done.stderr
    assert "daemon_died" not in done.stderr


def test_a_damaged_will_is_named_and_not_fatal(pair, tools):
    router = pair[0]
    router.run_directory.mkdir()
    router.will.write_text('{"version": 1, "pid"')
    router.start(tools.instance())
    (line,) = [line for line in router.log().splitlines() if "event=will_unreadable" in line]
    assert str(router.will) in line
    assert "damaged" in line
    assert router.stop() == 0
