"""A thousand clients of the real daemon: the bench runs to its end; it is the bench that looks at milliseconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.long]

BENCH = Path(__file__).parents[2] / "bench" / "clients.py"


def play(tmp_path, name, *words):
    raw = tmp_path / "raw.json"
    words = ["--only", name, *words, "--json", str(raw)]
    done = subprocess.run(
        [sys.executable, str(BENCH), *words], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(raw.read_text())
    return row


def test_a_thousand_clients_most_of_them_slow_move_no_address_and_the_slow_ones_are_told(tmp_path):
    row = play(tmp_path, "many events, few that read", "--seconds", "5", "--dropped", "850")
    assert row["adverts_of_backup"] == 0
    assert row["missed"] == 0
    assert row["events"] > 100
    assert row["told"]["half-open: no request within 10s"] == 100
    assert row["dropped"] >= 850, "who never reads, or a byte a second, is more than 1,000 events behind"
    assert row["memory_after_mib"] < row["memory_before_mib"] + 60


def test_two_thousand_are_too_many_and_those_are_told_while_status_still_answers(tmp_path):
    row = play(tmp_path, "2,000", "--seconds", "5")
    assert row["adverts_of_backup"] == 0
    assert row["missed"] == 0
    assert row["refused"] >= sum(row["told"].values()) >= 2000 - 1280, "and whoever asked for the status meanwhile"
    assert all("which is the most" in reason for reason in row["told"])
