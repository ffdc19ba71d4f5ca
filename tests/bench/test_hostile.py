"""The bench runs to its end and names the offenders; it is the bench that looks at milliseconds, not this."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.long]

BENCH = Path(__file__).parents[2] / "bench" / "hostile.py"


def test_hostile_plugins_move_no_address_and_are_named(tmp_path):
    raw = tmp_path / "raw.json"
    done = subprocess.run(
        [sys.executable, str(BENCH), "--seconds", "1", "--json", str(raw)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["scenario"]: row for row in json.loads(raw.read_text())}
    assert len(rows) == 7
    assert {row["adverts_of_backup"] for row in rows.values()} == {0}
    assert rows["none (control)"]["failures"] == 0
    assert "longer than 0.4s" in rows["loops for ever in check"]["said"]
    assert "exited with 3" in rows["exits in became_master"]["said"]
    assert rows["allocates without end"]["failures"] > 0  # out of memory or out of time, whichever comes first
    assert "longer than 0.4s" in rows["holds the GIL in a C call"]["said"]
