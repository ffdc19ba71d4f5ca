"""The plugin ``systemd`` where systemd is real: a unit crashes, and is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

pytestmark = [pytest.mark.long, pytest.mark.wire, pytest.mark.peer("systemd"), pytest.mark.peer("dbus")]

UNIT = """\
[Service]
ExecStart=/bin/sleep infinity
"""
CONFIG = """\
[instance.VI_1]
interface = "eth0"
vrid = 51
advertisement_interval = "100ms"
virtual_addresses = ["10.77.0.250"]

[instance.VI_1.check.sleeper]
critical = true
fall = 1000

[plugin.sleeper]
plugin = "systemd"
unit = "sleeper"
"""


def test_a_unit_that_crashes_is_seen_past_fall_and_one_that_is_stopped_is_not(machine: Machine):
    machine.write("/etc/systemd/system/sleeper.service", UNIT)
    machine.write("/etc/hafw/config.toml", CONFIG)
    machine.must("systemctl daemon-reload && systemctl start dbus.socket sleeper")
    assert "sleeper.service is active (running)" in machine.must("hafw check --run /etc/hafw/config.toml")
    machine.must("systemctl start hafw")
    machine.until("hafw status VI_1", "sleeper.service is active (running)")
    machine.must("systemctl restart sleeper && systemctl stop sleeper")
    machine.until("hafw status VI_1", "sleeper.service is inactive (dead)")
    assert "check-failed" not in machine.must("hafw history")
    machine.must("systemctl start sleeper")
    machine.until("hafw status VI_1", "sleeper.service is active (running)")
    machine.must("systemctl kill --signal=KILL sleeper")
    machine.until("hafw events --no-follow", "sleeper.service is failed (failed)")
    machine.must("systemctl reset-failed sleeper && systemctl start sleeper")
    machine.until("hafw status VI_1", "sleeper.service is active (running)")
