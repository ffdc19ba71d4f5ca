"""What systemd is told, and how the journal learns how bad a line is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hafw.daemon.observe import LogWriter
from hafw.wire.systemd import is_journal, priority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path, monkeypatch):
    """A file that the environment calls the journal."""
    path = tmp_path / "journal"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        yield stream


def test_a_stream_is_the_journal_when_device_and_inode_say_so(journal, tmp_path, monkeypatch):
    with (tmp_path / "other").open("w") as other:
        assert (is_journal(journal), is_journal(other)) == (True, False)
    assert not is_journal(other), "a stream that is closed"
    monkeypatch.setenv("JOURNAL_STREAM", "nonsense")
    assert not is_journal(journal)


def test_priorities_are_those_of_syslog_and_only_for_the_journal(journal, tmp_path):
    levels = ("debug", "info", "warning", "error", "critical")
    assert [priority(each, journal) for each in levels] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    with (tmp_path / "other").open("w") as other:
        assert [priority(each, other) for each in levels] == [""] * 5


def test_every_line_of_the_daemons_log_has_its_priority(journal, tmp_path):
    writer = LogWriter(journal)
    for level in ("info", "warning", "error"):
        getattr(writer, level)(f"event={level}")
    writer.close()
    assert (tmp_path / "journal").read_text() == "<6>event=info\n<4>event=warning\n<3>event=error\n"


@pytest.mark.parametrize("to_the_journal", [True, False])
def test_a_configuration_that_is_refused_is_an_error_in_the_journal(journal, tmp_path, to_the_journal):
    config = tmp_path / "config.toml"
    config.write_text('[instance.VI_1]\ninterface = "eth0"\nvrid = 300\nvirtual_addresses = ["192.0.2.1"]\n')
    out = journal if to_the_journal else (tmp_path / "other").open("w")
    with out:
        command = [sys.executable, "-m", "hafw", "run", str(config), "--dry-run"]
        assert subprocess.run(command, stderr=out, timeout=60, check=False).returncode == 3
    lines = (tmp_path / ("journal" if to_the_journal else "other")).read_text().splitlines()
    mark = "<3>" if to_the_journal else ""
    assert lines == [f"{mark}{config}:3: instance.VI_1.vrid = 300: must be 1 to 255", f"{mark}1 error"]


def test_what_the_guard_says_is_a_warning_in_the_journal(journal, tmp_path):
    command = [sys.executable, "-c", "from hafw.guard.words import say; say('refused', reason='why not')"]
    subprocess.run(command, stderr=journal, timeout=60, check=True)
    text = (tmp_path / "journal").read_text()
    assert text == '<4>level=warning event=refused process=guard reason="why not"\n'
