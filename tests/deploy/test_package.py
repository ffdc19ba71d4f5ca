"""The Debian package and its units, on a machine with a real dpkg, systemd and journal.

Every test begins with the package installed and nothing running. The last one purges it.
"""

from __future__ import annotations

import json

import pytest
from machine import CONFIG, INSTALL, NAMED, VIP, Machine

pytestmark = [
    *(pytest.mark.long, pytest.mark.wire),
    *(pytest.mark.peer("systemd"), pytest.mark.peer("dpkg"), pytest.mark.peer("man-db")),
]


def main_pid(machine: Machine, unit: str = "hafw") -> str:
    return machine.must(f"systemctl show --property MainPID --value {unit}").strip()


def status(machine: Machine) -> dict:
    return json.loads(machine.must("hafw status --json"))


def drop_in(machine: Machine, unit: str, text: str) -> None:
    machine.write(f"/etc/systemd/system/{unit}.service.d/test.conf", f"[Service]\n{text}\n")
    machine.must("systemctl daemon-reload")


def serves(machine: Machine) -> None:
    machine.until("ip -4 -o address show dev eth0", f"{VIP}/32")
    machine.until("hafw status", "MASTER")


def test_installing_starts_nothing_and_says_what_comes_next(installed):
    assert "is installed, and not started: it has no configuration yet" in installed.said
    assert "/etc/hafw/config.toml: man hafw.toml" in installed.said
    assert installed.run("systemctl is-active hafw").stdout == "inactive\n"
    assert installed.run("systemctl is-enabled hafw").stdout == "disabled\n"
    assert installed.must("hafw --version").startswith("hafw, version ")
    assert installed.must("man --where hafw; man --where --sections=5 hafw.toml").count(".gz") == 2
    assert installed.must("systemd-analyze verify hafw.service hafw-hardened.service 2>&1") == ""
    assert "hafw" in installed.must("getent passwd hafw")
    completed = "source /usr/share/bash-completion/completions/hafw; complete -p hafw"
    assert "_hafw_completion" in installed.must(f"bash -c '{completed}'")
    assert installed.must("dpkg --verify hafw") == "", "sums"
    assert installed.must("find /opt/hafw /usr/share/doc/hafw ! -user root") == ""
    assert installed.run("grep -rlE '/tmp/|pytest' /opt/hafw/bin /opt/hafw/pyvenv.cfg").stdout == ""


def test_without_a_configuration_the_unit_fails_says_so_and_is_not_tried_again(machine):
    machine.must("rm /etc/hafw/config.toml")
    assert machine.run("systemctl start hafw").returncode != 0
    shown = machine.must("systemctl show --property NRestarts,ActiveState,ExecMainStatus hafw")
    assert set(shown.split()) == {"NRestarts=0", "ActiveState=failed", "ExecMainStatus=3"}
    machine.until("journalctl --no-pager -o cat -u hafw -p err", "/etc/hafw/config.toml")


def test_the_default_unit_starts_serves_reloads_and_releases(machine):
    machine.must("systemctl start hafw")
    serves(machine)
    assert machine.until("cat /run/hafw/notified", "MASTER").splitlines() == [
        "MASTER as root",
        "oom: 500",
        "set-user-id: root",
        "writes /etc",
        "writes /run/hafw",
        "sees /root",
    ]
    machine.write("/etc/hafw/config.toml", CONFIG.replace("100ms", "200ms"))
    machine.must("systemctl reload hafw")
    machine.write("/etc/hafw/config.toml", CONFIG.replace("51", "300"))
    assert machine.run("systemctl reload hafw").returncode != 0
    machine.until("journalctl --no-pager -o cat -u hafw", "instance.VI_1.vrid = 300: must be 1 to 255")
    assert status(machine)["instances"][0]["vrid"] == 51
    machine.must("systemctl stop hafw")
    assert VIP not in machine.must("ip address")
    assert not machine.has("/run/hafw")


def test_the_journal_knows_how_bad_a_line_is(machine):
    machine.must("systemctl start hafw")
    serves(machine)
    machine.must(f"ip address del {VIP}/32 dev eth0")
    lost = "journalctl --no-pager -o cat -u hafw -p warning -g 'event=vip_lost'"
    machine.until(lost, "level=warning event=vip_lost")
    assert "<4>" not in machine.must(lost), "the journal takes the priority off"
    assert "event=ready" in machine.must("journalctl --no-pager -o cat -u hafw -p info")
    assert machine.run("journalctl --no-pager -q -o cat -u hafw -p warning -g 'event=ready'").stdout == ""


def test_all_processes_killed_the_address_is_released_and_the_unit_comes_back(machine):
    drop_in(machine, "hafw", "RestartSec=5s")
    machine.must("systemctl start hafw")
    serves(machine)
    before = main_pid(machine)
    machine.must("systemctl kill --signal=KILL hafw")
    machine.until(f"ip address | grep -c {VIP} || true", "0")
    machine.until("journalctl --no-pager -o cat -u hafw", "event=will_done")
    machine.until("systemctl is-active hafw", "active")
    serves(machine)
    assert main_pid(machine) not in {before, "0"}


def test_a_guard_that_hangs_is_ended_by_the_watchdog(machine):
    drop_in(machine, "hafw", "WatchdogSec=1s\nTimeoutStopSec=1s")
    machine.must("systemctl start hafw")
    serves(machine)
    before = main_pid(machine)
    machine.must(f"kill -STOP {before}")
    machine.until("journalctl --no-pager -u hafw", "Watchdog timeout")
    machine.until("systemctl is-active hafw", "active")
    serves(machine)
    assert main_pid(machine) not in {before, "0"}


def test_the_hardened_unit_serves_as_hafw_with_two_capabilities(machine):
    machine.must("systemctl start hafw")
    serves(machine)
    machine.must("systemctl start hafw-hardened")
    assert machine.run("systemctl is-active hafw").stdout == "inactive\n"
    serves(machine)
    guard, daemon = main_pid(machine, "hafw-hardened"), status(machine)["pid"]
    for pid in (guard, daemon):
        assert machine.must(f"stat -c %U /proc/{pid}") == "hafw\n"
        fields = dict(line.split(":\t", 1) for line in machine.must(f"cat /proc/{pid}/status").splitlines())
        assert [fields[f"Cap{each}"] for each in ("Prm", "Eff", "Bnd", "Amb")] == ["0000000000003000"] * 4
        assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    machine.write("/etc/hafw/config.toml", CONFIG.replace("100ms", "200ms"))
    machine.must("systemctl reload hafw-hardened")
    machine.must("systemctl kill --signal=KILL hafw-hardened")
    machine.until("journalctl --no-pager -o cat -u hafw-hardened", "event=will_done")
    machine.until("systemctl is-active hafw-hardened", "active")
    serves(machine)
    machine.must("systemctl start hafw")
    serves(machine)
    assert machine.run("systemctl is-active hafw-hardened").stdout == "inactive\n"


def test_scripts_of_the_hardened_unit_lose_what_the_page_says_and_no_more(machine):
    machine.must("systemctl start hafw-hardened")
    said = machine.until("cat /run/hafw/notified", "MASTER").splitlines()
    assert said[:3] == ["MASTER as hafw", "oom: 500", "set-user-id: hafw"]
    assert "writes /run/hafw" in said
    assert not {"writes /etc", "sees /root"} & set(said)
    assert not machine.has("/tmp/written"), "a /tmp of its own"
    machine.must("systemctl stop hafw-hardened")
    machine.write("/etc/hafw/config.toml", f'{CONFIG}user = "nobody"\n')
    machine.must("systemctl start hafw-hardened")
    machine.until("hafw status", "FAULT: no-takeover-plan: plugin notify_script is not running")
    assert "it takes CAP_SETUID and CAP_SETGID" in machine.must("hafw status")


def test_the_hardened_unit_has_virtual_macs_and_reads_secrets_of_its_group(machine):
    machine.write("/etc/hafw/vrrp.key", f"hex:{'ab' * 32}\n", 0o640)
    more = 'virtual_mac = true\nauth = { type = "hmac", keys = { 1 = "file:/etc/hafw/vrrp.key" } }\n'
    machine.write("/etc/hafw/config.toml", CONFIG.replace("vrid = 51\n", f"vrid = 51\n{more}"))
    assert machine.run("systemctl start hafw-hardened").returncode != 0
    machine.until("journalctl --no-pager -o cat -u hafw-hardened -p err", "vrrp.key cannot be read: permission denied")
    machine.must("chgrp hafw /etc/hafw/vrrp.key; systemctl start hafw-hardened")
    machine.until("ip -4 -o address", f"{VIP}/32")
    assert "00:00:5e:00:01:33" in machine.must("ip link")
    assert machine.must("cat /proc/sys/net/ipv4/conf/eth0/arp_ignore") == "1\n"
    machine.must("systemctl stop hafw-hardened")
    assert machine.must("cat /proc/sys/net/ipv4/conf/eth0/arp_ignore") == "0\n"
    assert "00:00:5e:00:01:33" not in machine.must("ip link")


def test_an_upgrade_replaces_the_daemon_and_the_address_never_leaves(machine):
    machine.write("/etc/hafw/config.toml", CONFIG.replace("100ms", "2s"))  # a busy machine starts a Python in that time
    machine.must("systemctl start hafw")
    serves(machine)
    guard, daemon = main_pid(machine), status(machine)["pid"]
    newer = rebuilt(machine, "0.1.1")
    machine.must("ip -o monitor address >/run/monitor 2>&1 & echo")
    assert "has been replaced, the addresses stay" in machine.must(f"{INSTALL} {newer}")
    machine.until("hafw status", "hafw 0.1.1")
    serves(machine)
    assert (main_pid(machine), status(machine)["pid"] != daemon) == (guard, True)
    assert "Deleted" not in machine.must("cat /run/monitor")
    machine.must(f"ip address del {VIP}/32 dev eth0")
    machine.until("cat /run/monitor", "Deleted")  # it did look


def test_an_upgrade_whose_code_refuses_the_configuration_leaves_the_old_daemon_alone(machine):
    machine.must("systemctl start hafw")
    serves(machine)
    guard, daemon = main_pid(machine), status(machine)["pid"]
    machine.write("/etc/hafw/config.toml", CONFIG.replace("51", "300"))
    said = machine.must(f"{INSTALL} {rebuilt(machine, '0.1.2')}")
    assert "the old daemon still runs. hafw check /etc/hafw/config.toml says what to mend" in said
    assert (main_pid(machine), status(machine)["pid"]) == (guard, daemon)


def rebuilt(machine: Machine, version: str) -> str:
    """The same package with another version, in the control file and in the code."""
    folder, path = "/root/rebuilt", f"/root/hafw-{version}.deb"
    code = "opt/hafw/lib/python3*/site-packages/hafw/__init__.py"
    machine.must(f"rm -rf {folder}; dpkg-deb --raw-extract /root/hafw.deb {folder}")
    machine.must(f"sed -i 's/^Version: .*/Version: {version}/' {folder}/DEBIAN/control")
    machine.must(f"sed -i 's/^__version__ = .*/__version__ = \"{version}\"/' {folder}/{code}")
    machine.must(f"dpkg-deb --build -Znone {folder} {path}")
    return path


def test_removing_hands_over_and_keeps_the_configuration_and_purging_leaves_nothing(machine):
    machine.must("systemctl enable --now hafw")
    serves(machine)
    machine.must("hafw maintenance on --force && hafw maintenance off")
    machine.must("dpkg --remove hafw")
    assert VIP not in machine.must("ip address")
    assert machine.run("pgrep --full '[/]opt/hafw'").stdout == ""
    assert machine.has("/etc/hafw/config.toml")
    assert not machine.has("/usr/bin/hafw")
    assert not machine.has("/opt/hafw")
    machine.must("dpkg --purge hafw")
    assert set(machine.must(NAMED).split()) <= machine.before
    assert machine.run("getent passwd hafw").returncode != 0
