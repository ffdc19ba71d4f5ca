"""A thread that monitors, and waiting for what it reports."""

from __future__ import annotations

import queue
import threading
import time

import pytest

PATIENCE = 20.0
"""Seconds after which a test fails rather than hangs."""


@pytest.fixture
def until():
    def until(condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "did not happen"
            time.sleep(0.005)

    return until


@pytest.fixture
def watched():
    """Configure the plugin and let it monitor; hands back what waits for the next report."""

    def start(plugin, options):
        plugin.configure(options)
        reports = queue.Queue()
        threading.Thread(target=plugin.monitor, args=[reports.put], daemon=True).start()
        return lambda: reports.get(timeout=PATIENCE)

    return start
