"""The units are what systemd takes without a word, and the hardened one is as tight as its page says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy/systemd"
DEFAULT, HARDENED = UNITS / "hafw.service", UNITS / "hafw-hardened.service"
EXPOSURE_MAX = 3.5
SAME_IN_BOTH = {
    "Type": ["notify"],
    "NotifyAccess": ["main"],
    "ExecStart": ["hafw run /etc/hafw/config.toml $OPTIONS"],
    "ExecReload": ["hafw reload"],
    "ExecStopPost": ["-hafw cleanup"],
    "Restart": ["always"],
    "RestartPreventExitStatus": ["2 3 5 7"],
    "WatchdogSec": ["10s"],
    "KillMode": ["mixed"],
    "OOMPolicy": ["continue"],
    "RuntimeDirectory": ["hafw"],
    "RuntimeDirectoryPreserve": ["restart"],
    "StateDirectory": ["hafw"],
    "StartLimitIntervalSec": ["0"],
}


def settings(unit: Path) -> dict[str, list[str]]:
    """Every setting with its values, in the order of the file."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", [DEFAULT, HARDENED], ids=lambda unit: unit.stem)
def test_both_units_hand_over_on_stop_come_back_after_a_crash_and_clean_up(unit: Path):
    found = settings(unit)
    assert {name: found.get(name) for name in SAME_IN_BOTH} == SAME_IN_BOTH


@pytest.mark.parametrize("unit", [DEFAULT, HARDENED], ids=lambda unit: unit.stem)
def test_the_address_leaves_before_the_service_that_answers_on_it(unit: Path):
    """Units stop in the reverse order of their start."""
    after = " ".join(settings(unit)["After"]).split()
    assert set(after) - {"hafw.service"} == {"network.target", "nginx.service", "haproxy.service"}


def test_the_two_units_never_run_together():
    assert settings(DEFAULT)["Conflicts"] == ["hafw-hardened.service"]
    assert settings(HARDENED)["Conflicts"] == ["hafw.service"]
    assert "hafw.service" in settings(HARDENED)["After"], "the one stops before the other starts"


def test_the_default_unit_restricts_nothing_that_a_script_may_do():
    names = settings(DEFAULT).keys()
    assert [
        each for each in names if re.match("Protect|Private|Restrict(?!Prevent|art)|NoNew|System|Cap|User", each)
    ] == []


def test_the_hardened_unit_has_the_two_capabilities_that_the_daemon_asks_for():
    found = settings(HARDENED)
    assert found["AmbientCapabilities"] == found["CapabilityBoundingSet"] == ["CAP_NET_ADMIN CAP_NET_RAW"]
    assert (found["User"], found["NoNewPrivileges"]) == (["hafw"], ["yes"])


@pytest.mark.wire
@pytest.mark.peer("systemd")
def test_systemd_analyze_verify_has_nothing_to_say(tmp_path: Path):
    """It looks whether the program is there, so one is, in a mount namespace of its own."""
    script = (
        f"mkdir -p /usr/local/bin && mount --bind {tmp_path} /usr/local/bin"
        f" && cp /bin/true /usr/local/bin/hafw && systemd-analyze verify --man=no {DEFAULT} {HARDENED}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.peer("systemd")
def test_the_hardened_unit_is_exposed_at_most_as_its_page_says():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", HARDENED],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (exposure,) = re.findall(r"Overall exposure level for hafw-hardened.service: ([\d.]+)", done.stdout)
    assert float(exposure) <= EXPOSURE_MAX
    page = (UNITS.parents[1] / "docs/service.md").read_text("utf-8")
    assert f"at most {EXPOSURE_MAX}" in page


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make users and folders of root")
@pytest.mark.peer("systemd")
@pytest.mark.parametrize(("program", "file"), [("systemd-sysusers", "sysusers"), ("systemd-tmpfiles", "tmpfiles")])
def test_user_and_folders_are_made_by_systemd_from_their_files(program: str, file: str, tmp_path: Path):
    """In a root folder of the test."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    mode = ["--create"] if file == "tmpfiles" else []
    done = subprocess.run(
        [program, *mode, f"--root={tmp_path}", UNITS / f"hafw.{file}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if file == "tmpfiles":
        assert (tmp_path / "etc/hafw").stat().st_mode & 0o7777 == 0o755
    else:
        assert re.search(r"^hafw:x:\d+:\d+:.*:/var/lib/hafw:", (tmp_path / "etc/passwd").read_text(), re.MULTILINE)
