"""``python -m tests.replay.record``: record ``keepalived-failover.jsonl`` anew, as root, in half a minute.

Needed when an event or an action gets a new field: what a recording does not know is a difference. hafw (priority 100)
beside Debian's keepalived (200), an advert a second: keepalived is MASTER; it is killed; it returns; it is stopped; it
returns; the link of hafw goes and comes; hafw is stopped.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.lab import routers
from hafw.lab.network import Lab
from tests.interop.conftest import HIGH, JOURNAL, LOW, SOURCE, VIRTUAL, Case, start

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDING = Path(__file__).with_name("keepalived-failover.jsonl")
CASE = Case(interval=1.0)
PATIENCE = 60.0
AFTERWARDS = 2.2
"""Seconds of each chapter that nothing happens in."""


def until(condition: Callable[[], bool]) -> None:
    """Look again until it is so, and then listen for a while."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {PATIENCE:g} s")
        time.sleep(0.02)
    quiet = time.monotonic() + AFTERWARDS
    while time.monotonic() < quiet:
        time.sleep(0.02)


def play(lab: Lab) -> None:
    """The story, as far as hafw sees it."""

    def reaches(state: str) -> None:
        until(
            lambda: routers.hafw_state(lab, LOW) == state and (state != "MASTER" or VIRTUAL[4][0] in lab.addresses(LOW))
        )

    for host in (HIGH, LOW):
        lab.add_host(host, SOURCE[4][host] + "/24", SOURCE[6][host] + "/64")
    [keepalived], [hafw] = start(lab, "keepalived", HIGH, CASE), start(lab, "hafw", LOW, CASE)
    until(lambda: VIRTUAL[4][0] in lab.addresses(HIGH))
    reaches("BACKUP")
    lab.kill(keepalived)
    reaches("MASTER")
    [keepalived] = start(lab, "keepalived", HIGH, CASE)
    reaches("BACKUP")
    os.kill(keepalived.pid, signal.SIGTERM)
    reaches("MASTER")
    keepalived.wait()
    [keepalived] = start(lab, "keepalived", HIGH, CASE)
    reaches("BACKUP")
    lab.cut(LOW)
    reaches("FAULT")
    lab.mend(LOW)
    reaches("BACKUP")
    os.kill(hafw.pid, signal.SIGTERM)
    hafw.wait()


if __name__ == "__main__":
    with Lab() as network:
        play(network)
        RECORDING.write_bytes(network.path(LOW, JOURNAL).read_bytes())
