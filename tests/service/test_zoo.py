"""The hostile zoo beside a MASTER that advertises every 100 ms: it stays, it answers, and it names every offender."""

from __future__ import annotations

import re
import shutil
import time

import pytest

from bench.zoo import ZOO

PATIENCE = 100.0
"""Seconds: an import for ever is given ten, and starts over with longer and longer pauses."""

pytestmark = [pytest.mark.wire, pytest.mark.long]


@pytest.fixture
def besieged(pair, tools):
    """lb1 with the whole zoo has just become MASTER, in the place of lb2, which has no plugin of it."""
    lb1, lb2 = pair
    lb2.start(tools.instance())
    lb2.wait_until_it_serves()
    folder = lb1.config.parent / "zoo"
    folder.mkdir(mode=0o755)
    for animal in ZOO:
        shutil.copy(animal.file, folder)
    lb1.write(tools.instance(), *(animal.config("VI_1", folder) for animal in ZOO))
    lb1.launch()
    deadline = time.monotonic() + PATIENCE
    while not (lb1.socket.exists() and lb1.instance()["state"] == "MASTER" and lb1.has()):
        assert time.monotonic() < deadline, lb1.log()[-3000:]
        time.sleep(0.1)
    return lb1, lb2


def test_fifteen_hostile_plugins_move_no_address_and_each_is_named(besieged, tools):
    lb1, lb2 = besieged
    assert len(ZOO) == 15
    named = set()
    deadline = time.monotonic() + PATIENCE
    while len(named) < len(ZOO):
        shown = lb1.hafw("plugins")
        assert shown.returncode == 0, "status is answered all the time"
        named |= {each.name for each in ZOO if is_named(each, shown.stdout)}
        assert time.monotonic() < deadline, {each.name for each in ZOO} - named

    # What was dropped is counted when the next ten seconds begin.
    tools.until(lambda: re.search(r"plugin_output_dropped .*plugin=prints", lb1.log()), "the lines that were dropped")
    log = lb1.log().splitlines()
    for animal in ZOO:
        lines = [line for line in log if f"plugin={animal.name}" in line]
        assert animal.name == "prints" or any(re.search(animal.named, line) for line in lines), (animal, lines[-3:])

    assert lb1.instance()["state"] == "MASTER"
    assert [each["to"] for each in lb2.ask("history")["transitions"]][-2:] == ["MASTER", "BACKUP"]
    assert [each["to"] for each in lb2.ask("history")["transitions"]].count("MASTER") == 1, "lb2 never took over again"
    pids = [each["pid"] for each in lb1.ask("plugins")["plugins"] if each["pid"]]
    assert lb1.stop() == 0
    assert [pid for pid in pids if not tools.gone(pid)] == []


def is_named(animal, shown):
    """In its row of the table, or below it."""
    return re.search(rf"^(plugin )?{animal.name}\b.*({animal.named})", shown, re.MULTILINE) is not None
