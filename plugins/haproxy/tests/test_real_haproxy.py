"""The real HAProxy, with a master process and workers, as the unit of Debian runs it."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import warnings

import pytest
from hafw_haproxy import Haproxy

from hafw.api import Address, Duration, Router, Verdict

pytestmark = pytest.mark.peer("haproxy")

PATIENCE = 20.0
SLOW = Duration(20)
"""For the answer: the machine of the tests may be busy."""


@pytest.fixture
def running(real_haproxy, until):
    """Both servers of ``web`` are up."""
    real_haproxy.start()
    until(lambda: real_haproxy.tell("show stat web 4 -1").count(",UP,") == 2)
    return real_haproxy


@pytest.fixture
def nobody_says():
    """Of a check in a process of nobody, which finds its way through folders that are root's."""

    def ask(path):
        code = (
            "import os, sys; from hafw_haproxy import Haproxy, Options\n"
            "os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
            "plugin = Haproxy(); plugin._apply(Options(socket=sys.argv[1])); print(plugin.check().detail)"
        )
        return subprocess.check_output([sys.executable, "-c", code, path], text=True, timeout=PATIENCE)

    return ask


@pytest.fixture
def where(running):
    return {"socket": str(running.socket), "timeout": SLOW}


def version(plugin):
    said = plugin.check().detail
    assert said.startswith("HAProxy ")
    return said.split(";")[0]


def test_one_that_answers_is_healthy(configured, where):
    verdict = configured(**where).check()
    assert verdict.healthy
    assert verdict.detail.endswith(" answers")


def test_its_frontends_and_backends_are_counted(configured, where):
    plugin = configured(**where, frontends=("www",), backends=("web", "api"))
    assert plugin.check() == Verdict(True, f"{version(plugin)}; web 2 of 2 up; api 1 of 1 up")


def test_a_server_that_dies_counts_where_so_many_are_needed(configured, where, running, until):
    one, two = configured(**where, backends=("web",)), configured(**where, backends=("web",), need=2)
    running.servers["b"].close()
    until(lambda: not two.check().healthy)
    assert two.check() == Verdict(False, "backend web: 1 of 2 servers up, 2 needed")
    assert one.check() == Verdict(True, f"{version(one)}; web 1 of 2 up")
    running.servers["a"].close()
    until(lambda: not one.check().healthy)
    assert one.check() == Verdict(False, "backend web: 0 of 2 servers up, 1 needed")


@pytest.mark.parametrize("state", ["maint", "drain"])
def test_a_server_that_an_operator_takes_out_is_not_up(configured, where, running, state):
    plugin = configured(**where, backends=("web",), need=2)
    running.tell(f"set server web/a state {state}")
    assert plugin.check() == Verdict(False, "backend web: 1 of 2 servers up, 2 needed")
    running.tell("set server web/a state ready")


def test_a_frontend_that_is_closed_is_a_failure(configured, where, running):
    plugin = configured(**where, frontends=("www",))
    running.tell("disable frontend www")
    assert plugin.check() == Verdict(False, "frontend www is PAUSED")
    running.tell("enable frontend www")
    assert plugin.check().healthy


@pytest.mark.parametrize(("counts", "factors"), [("down", [0, 1, 2]), ("up", [2, 1, 0])])
def test_the_weight_follows_the_number_of_servers(configured, where, running, counts, factors):
    plugin = configured(**where, backends=("web",), factor=counts)
    found = [plugin.check().factor]
    running.tell("set server web/a state maint")
    found.append(plugin.check().factor)
    running.end()
    found.append(plugin.check().factor)
    assert found == factors, "without HAProxy none of its servers is of use"


def test_a_crash_is_reported_at_once_and_past_fall(watched, where, running):
    plugin, reports = watched(**where)
    assert plugin.check().healthy
    os.kill(running.pid, signal.SIGKILL)
    said = f"connection refused on {running.socket}"
    assert reports.get(timeout=PATIENCE) == Verdict(False, said, immediate=True)
    assert plugin.check() == Verdict(False, said)
    with pytest.raises(queue.Empty):
        reports.get_nowait()


@pytest.mark.long
def test_reloads_are_no_failure_and_the_new_worker_is_followed(watched, where, running):
    plugin, reports = watched(**where, frontends=("www",), backends=("api",))
    assert plugin.check().healthy
    seen = []
    for _ in range(3):
        running.reload(meanwhile=lambda: seen.append(plugin.check()))
    assert [each for each in seen if not each.healthy] == []
    assert reports.empty()
    os.kill(running.pid, signal.SIGKILL)
    assert reports.get(timeout=PATIENCE).immediate


@pytest.mark.long
def test_a_worker_that_waits_for_its_connections_after_a_reload_is_followed_no_more(watched, where, running, until):
    plugin, reports = watched(**where)
    assert plugin.check().healthy
    old = running.pid
    with socket.create_connection(("127.0.0.1", running.port)):
        until(lambda: running.tell("show info").partition("\nCurrConns: ")[2].split()[0] != "0")
        running.reload()
        assert plugin.check().healthy
        os.kill(old, signal.SIGKILL)
        until(lambda: not _is_there(old))
        assert plugin.check().healthy
    assert reports.empty()


def _is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_planned_restart_has_its_time(watched, where, running, until):
    plugin, reports = watched(**where, down_delay=Duration(3600))
    assert plugin.check().healthy
    running.end()
    until(lambda: "which counts in" in plugin.check().detail)
    assert plugin.check().healthy
    running.start()
    until(lambda: plugin.check().detail.endswith(" answers"))
    assert reports.empty()


def test_a_process_of_another_name_is_not_followed(watched, where, running, until):
    """As one of another pid namespace may be: the check remains."""
    plugin, reports = watched(**where, process="hapee")
    assert plugin.check().healthy
    running.end()
    until(lambda: not plugin.check().healthy)
    assert reports.empty()


def test_one_that_hangs_is_a_failure_within_the_timeout(configured, where, running, freeze):
    plugin = configured(**where | {"timeout": Duration(0.3)})
    worker = running.pid
    freeze(worker)
    said = f"{running.socket} accepts connections, and gives no whole answer within 0.3s"
    assert plugin.check() == Verdict(False, said)
    os.kill(worker, signal.SIGCONT)


def test_names_that_it_does_not_know_are_warned_of_with_those_that_it_knows(configured, where):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plugin = configured(**where, frontends=("ww",), backends=("web", "webb"), need=3)
    assert [str(each.message) for each in caught] == [
        'frontends[0]: = "ww": HAProxy has no such frontend now: it has www',
        'backends[1]: = "webb": HAProxy has no such backend now: it has api, web',
        'backends[0]: = "web": has 2 servers, and need is 3',
    ]
    verdict = plugin.check()
    assert verdict == Verdict(False, "no frontend ww; backend web: 2 of 2 servers up, 3 needed; no backend webb")


def test_a_handover_waits_for_the_connections_while_new_ones_are_accepted(configured, where, running, until):
    plugin = configured(**where, drain=Duration(0.2))
    address = Address(address="127.0.0.1", prefixlen=32, interface="lo")
    router = Router(name="VI_1", vrid=51, version=3, priority=150, interface="lo", addresses=(address,))
    with socket.create_connection(("127.0.0.1", running.port)):
        outcome = plugin.before_release(router, 5.0)
        assert outcome["output"].startswith("VI_1: not drained, connections after 0.")
        with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE):
            assert plugin.check().healthy
    assert Haproxy().before_release(router, 5.0) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_where_the_socket_is_not_ours_the_way_out_is_told(running, where, nobody_says):
    assert nobody_says(where["socket"]) == (
        f"nobody may not use {running.socket}: "
        'stats socket ... mode 660 group haproxy in haproxy.cfg, and user = "haproxy" here\n'
    )
