"""The demo as a user starts it."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs it too, but not everywhere"),
]

DEMO = [sys.executable, "-m", "hafw", "demo", "--fast"]


@pytest.mark.long
def test_every_failover_happens_and_the_table_says_what_it_cost():
    done = subprocess.run(DEMO, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout[done.stdout.index("FAILURE") :].splitlines()
    assert [column in head for column in ("ADDRESS OUT", "PAGES LOST", "WAIT BY RFC 9568")] == [True] * 3
    winners = [re.search(r"  (lb\d) +\d+ ms", row)[1] for row in rows]
    assert winners == ["lb2", "lb1"] * 3 + ["lb1"]
    assert "\x1b" not in done.stdout


def test_on_a_terminal_it_is_live_and_a_stop_leaves_nothing(public_directory):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TMPDIR": str(public_directory), "NO_COLOR": "1"}
    with subprocess.Popen(DEMO, stdout=theirs, stderr=theirs, env=environment) as demo:
        os.close(theirs)
        seen = b""
        while b"is elected" not in seen:
            seen += os.read(ours, 4096)
        demo.send_signal(signal.SIGTERM)
        # The other end closes when the last process of the demo is gone.
        while part := read(ours):
            seen += part
    os.close(ours)
    assert demo.returncode == 128 + signal.SIGTERM
    assert b"\x1b[K" in seen
    assert b"\x1b[32m" not in seen
    assert not list(public_directory.iterdir())


def read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that nobody has the other end open any more
        return b""
