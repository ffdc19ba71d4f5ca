"""The plugin service with a real systemd: its units follow the role, without a capability."""

from __future__ import annotations

import pytest
from machine import CONFIG, Machine

pytestmark = [
    *(pytest.mark.long, pytest.mark.wire),
    *(pytest.mark.peer("systemd"), pytest.mark.peer("dpkg"), pytest.mark.peer("man-db")),
]
SECTION = """
[plugin.service]
on_master = ["start billing", "reload web", "start dies"]
on_stop = ["stop billing"]
settle = "500ms"
"""
UNITS = {
    "billing": "ExecStart=/bin/sleep infinity",
    "web": "ExecStart=/bin/sleep infinity\nExecReload=/usr/bin/touch /tmp/reloaded",
    "dies": "ExecStart=/bin/sh -c 'exit 3'",
}


@pytest.fixture
def followed(machine: Machine) -> Machine:
    """Three units: one is for the MASTER, one runs everywhere, one cannot run."""
    for name, lines in UNITS.items():
        machine.write(f"/etc/systemd/system/{name}.service", f"[Service]\n{lines}\n")
    machine.must("systemctl daemon-reload; systemctl stop billing dies; systemctl start web; rm -f /tmp/reloaded")
    machine.write("/etc/hafw/config.toml", CONFIG + SECTION)
    return machine


def test_units_start_with_the_role_and_stop_with_it_and_one_that_dies_is_named(followed):
    followed.must("systemctl start hafw")
    followed.until("systemctl is-active billing", "active")
    followed.until("test -e /tmp/reloaded")
    said = followed.until("hafw plugins", "dies.service").split()
    assert "service" in said
    journal = followed.until("journalctl --no-pager -o cat -u hafw", "start dies.service: it is failed (exit-code)")
    assert "journalctl -u dies.service" in journal
    followed.must("systemctl stop hafw")
    followed.until("systemctl show --property ActiveState --value billing", "inactive")
    assert followed.must("systemctl is-active web") == "active\n"


def test_a_unit_that_does_not_exist_is_found_before_it_is_needed(followed):
    followed.write("/etc/hafw/config.toml", CONFIG + SECTION.replace("start billing", "start biling"))
    done = followed.run("hafw check /etc/hafw/config.toml")
    assert done.returncode == 3
    assert 'plugin.service.on_master[0] = "start biling.service": there is no unit biling.service on this machine' in (
        done.stdout + done.stderr
    )


def test_somebody_else_than_root_needs_a_rule_and_is_told_so(followed):
    followed.write("/etc/hafw/config.toml", f'{CONFIG}{SECTION}user = "nobody"\n')
    checked = followed.run("hafw check /etc/hafw/config.toml")
    assert "whoever is not root needs a polkit rule for these units" in checked.stdout + checked.stderr
    followed.must("systemctl start hafw")
    followed.until("journalctl --no-pager -o cat -u hafw", "give this user a polkit rule")
