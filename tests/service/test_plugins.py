"""Plugins of others in the running daemon: one file, and a package that pip installed. Nothing of hafw knows them."""

import json

import pytest

pytestmark = pytest.mark.wire

VIP = "10.77.0.250"
DIARY = """
import json
from pathlib import Path
from hafw.api import hookimpl

BOOK = Path(__file__).with_suffix(".jsonl")

def write(**line):
    with BOOK.open("a") as book:
        book.write(json.dumps(line) + chr(10))

@hookimpl
def became_master(router, change):
    write(state=change.new, reason=change.reason, interface=router.interface)

@hookimpl
def stopped(router, change):
    write(state=change.new, reason=change.reason, interface=router.interface)

@hookimpl
def vip_changed(router, change):
    write(address=change.address, change=change.change)
"""


def diary(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_one_file_plugin_hears_what_happens_in_order(pair, tools):
    lb1, _ = pair
    plugin = lb1.config.with_name("diary.py")
    plugin.write_text(DIARY)
    book = plugin.with_suffix(".jsonl")
    lb1.start(tools.instance(), f'[plugin.diary]\nfile = "{plugin}"\n')
    lb1.wait_for("MASTER")
    tools.until(lambda: len(diary(book)) == 2, "MASTER and its address")
    lb1.ip("address", "delete", f"{VIP}/32", "dev", "eth0")
    tools.until(lambda: len(diary(book)) == 4, "lost and restored")
    assert lb1.stop() == 0
    assert diary(book) == [
        {"state": "MASTER", "reason": "no-response", "interface": "eth0"},
        {"address": VIP, "change": "vip_bound"},
        {"address": VIP, "change": "vip_lost"},
        {"address": VIP, "change": "vip_restored"},
        {"address": VIP, "change": "vip_released"},
        {"state": "STOP", "reason": "shutdown", "interface": "eth0"},
    ]


def test_an_installed_package_is_found_by_its_entry_point(pair, tools):
    lb1, _ = pair
    folder = lb1.config.parent / "state"
    folder.mkdir()
    drained = lb1.config.parent / "drained"
    lb1.start(
        tools.instance(),
        "[instance.VI_1.check.state_file]",
        "critical = true",
        'interval = "100ms"',
        "fall = 1",
        "[plugin.state_file]",
        f'folder = "{folder}"',
        f'drained = "{drained}"',
        'user = "root"',
    )
    lb1.wait_for("MASTER")
    file = folder / "VI_1"
    tools.until(lambda: file.exists() and file.read_text().startswith("MASTER\n"), "the state in the file")
    listed = next(each for each in lb1.ask("plugins")["plugins"] if each["name"] == "state_file")
    assert listed["package"] == "hafw-plugin-state-file"
    drained.touch()
    lb1.wait_for("FAULT")
    assert "drained exists" in lb1.instance()["causes"][0]["detail"]


def test_a_plugin_that_hangs_is_named_and_the_router_stays_master(pair, tools):
    lb1, _ = pair
    plugin = lb1.config.with_name("sleeper.py")
    plugin.write_text(
        "import time\n"
        "from hafw.api import hookimpl\n"
        "deadline = 0.2\n"
        "@hookimpl\n"
        "def became_master(router, change):\n"
        "    time.sleep(1000)\n"
    )
    lb1.start(tools.instance(), f'[plugin.sleeper]\nfile = "{plugin}"\n')
    with lb1.stream() as stream:
        failed = stream.wait("plugin_failed", plugin="sleeper")
    assert "0.2" in failed["detail"]
    assert lb1.instance()["state"] == "MASTER"
    assert lb1.has(VIP)


def test_a_script_that_fails_shows_in_events_log_and_plugins(pair, tools):
    lb1, _ = pair
    script = lb1.config.with_name("notify.sh")
    script.write_text("#!/bin/sh\necho asking for $3\necho no route to the pager >&2\nexit 3\n")
    script.chmod(0o755)
    lb1.start(tools.instance(), f'[plugin.notify_script]\nnotify = "{script}"\n')
    with lb1.stream() as stream:
        failed = stream.wait("plugin_failed", hook="became_master")
    why = f"{script}: exit 3: no route to the pager"
    assert (failed["plugin"], failed["instance"], failed["exit"], failed["detail"]) == ("notify_script", "VI_1", 3, why)
    listed = next(each for each in lb1.ask("plugins")["plugins"] if each["name"] == "notify_script")
    assert listed["last_error"] == f"became_master VI_1: {why}"
    assert listed["failures"] >= 1
    shown = lb1.hafw("plugins").stdout
    assert why in shown
    tools.until(lambda: "asking for MASTER" in lb1.log() and "exit=3" in lb1.log(), "the log")
