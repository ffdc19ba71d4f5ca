from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest
from hafw_systemd import Options, Systemd, full_name

from hafw.api import Duration, Verdict

pytestmark = pytest.mark.peer("dbus")

PATIENCE = 20.0


@pytest.fixture
def where(bus):
    return {"unit": "nginx", "socket": str(bus.socket), "timeout": Duration(PATIENCE)}


@pytest.mark.parametrize(("state", "healthy"), [
    ("active (running)", True), ("active (exited)", True), ("reloading (reload)", True), ("failed (failed)", False),
    ("inactive (dead)", False), ("activating (auto-restart)", False), ("deactivating (stop-sigterm)", False),
])  # fmt: skip
def test_a_unit_that_is_active_is_healthy(configured, where, bus, state, healthy):
    plugin = configured(**where)
    bus.systemd.becomes(*state.rstrip(")").split(" ("))
    assert plugin.check() == Verdict(healthy, f"nginx.service is {state}")


def test_other_states_count_where_the_options_say_so(configured, where, bus):
    plugin = configured(**where, states=("inactive",))
    bus.systemd.becomes("inactive", "dead")
    assert plugin.check().healthy
    bus.systemd.becomes("active", "running")
    assert not plugin.check().healthy


def test_what_is_under_way_is_told(configured, where, bus):
    plugin = configured(**where)
    bus.systemd.becomes("deactivating", "stop-sigterm", job="restart")
    assert plugin.check().detail == "nginx.service is deactivating (stop-sigterm), restart under way"


def listens(bus, until):
    """It has asked for news, and has looked since."""
    until(lambda: bus.systemd.asked.get(timeout=PATIENCE) == "Subscribe")
    until(lambda: bus.systemd.asked.get(timeout=PATIENCE) == "ListUnitsByNames")


@pytest.mark.parametrize("state", [("failed", "failed"), ("activating", "auto-restart")])
def test_a_crash_is_reported_when_systemd_says_so_and_once(watched, where, bus, until, state):
    plugin, reports = watched(**where)
    active, sub = state
    assert plugin.check().healthy
    listens(bus, until)
    bus.systemd.becomes(active, sub)
    crash = Verdict(False, f"nginx.service is {active} ({sub})", immediate=True)
    assert reports.get(timeout=PATIENCE) == crash
    bus.systemd.becomes(active, sub)
    until(lambda: bus.systemd.asked.get(timeout=PATIENCE) == "ListUnitsByNames")
    bus.systemd.becomes("active", "running")
    until(lambda: plugin.check().healthy)
    bus.systemd.becomes(active, sub)
    assert reports.get(timeout=PATIENCE) == crash, "the second one, and nothing between the two"


def test_a_planned_restart_is_left_to_the_check(watched, where, bus, until):
    plugin, reports = watched(**where)
    assert plugin.check().healthy
    listens(bus, until)
    for active, sub in (("deactivating", "stop"), ("inactive", "dead"), ("activating", "start"), ("active", "running")):
        bus.systemd.becomes(active, sub, job="restart")
        until(lambda: bus.systemd.asked.get(timeout=PATIENCE) == "ListUnitsByNames")
    bus.systemd.becomes("failed", "failed")
    assert reports.get(timeout=PATIENCE).detail == "nginx.service is failed (failed)", "and nothing before"


def test_a_bus_that_is_restarted_is_found_again(watched, where, bus, until):
    plugin, reports = watched(**where)
    assert plugin.check().healthy
    listens(bus, until)
    bus.stop()
    assert not plugin.check().healthy
    assert plugin.check() == Verdict(False, f"connection refused on {bus.socket}: are systemd and dbus running?")
    bus.start()
    assert plugin.check().healthy
    listens(bus, until)
    bus.systemd.becomes("failed", "failed")
    assert reports.get(timeout=PATIENCE).immediate


def test_a_systemd_that_does_not_answer_does_not_outlive_the_timeout(configured, where, bus):
    plugin = configured(**where | {"timeout": Duration(0.2)})
    assert plugin.check().healthy
    bus.systemd.silent = True
    assert plugin.check() == Verdict(False, "no answer of systemd within 0.2s")


def test_a_unit_or_a_bus_that_is_not_there_is_warned_of(configured, where, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        missing = configured(**where | {"unit": "ngnix"})
        configured(unit="nginx", socket=f"{tmp_path}/none")
    said = f"no such file or directory on {tmp_path}/none: are systemd and dbus running?"
    assert [str(each.message) for each in caught] == [
        'unit: = "ngnix": ngnix.service is not-found on this machine now',
        f"socket: {said}; the check fails until then",
    ]
    assert missing.check() == Verdict(False, "ngnix.service is not-found")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_nobody_may_ask(where):
    """In a process of nobody, and what it needs was loaded before: a check imports nothing."""
    code = (
        "import os, sys; from hafw_systemd import Options, Systemd; plugin = Systemd(); known = set(sys.modules)\n"
        "os.chdir(os.path.dirname(sys.argv[1])); os.setgroups([])\n"
        "os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
        "plugin._apply(Options(unit='nginx', socket=sys.argv[1])); print(plugin.check().detail)\n"
        "print(sorted(set(sys.modules) - known))"
    )
    done = subprocess.run([sys.executable, "-c", code, where["socket"]], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("nginx.service is active (running)\n[]\n", "")


@pytest.mark.parametrize(("unit", "name"), [
    ("nginx", "nginx.service"), ("nginx.service", "nginx.service"), ("srv-data.mount", "srv-data.mount"),
    ("postgresql@15-main", "postgresql@15-main.service"), ("com.example.app", "com.example.app.service"),
])  # fmt: skip
def test_a_name_without_a_type_is_a_service(unit, name):
    assert full_name(unit) == name


@pytest.mark.parametrize(("options", "said"), [
    ({"unit": "a b"}, ['unit: = "a b": must be the name of a unit, such as nginx.service']),
    ({"unit": "getty@.service"},
     ['unit: = "getty@.service": is a template, of which no unit runs: name an instance, "getty@NAME.service"']),
    ({"unit": "nginx", "socket": "bus;x"},
     ['socket: = "bus;x": must be an absolute path of letters, digits, _ . / -']),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(options, said):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Systemd().configure(Options(**options))
    assert str(caught.value).splitlines() == said
