"""What a machine can lack for a configuration. The machine is an argument, the users and capabilities are real."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from hafw.config import load
from hafw.config.lines import Lines
from hafw.config.system import CAPABILITIES, Own, check_devices, check_system, missing_capabilities

BASE = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'


def own(text: str, *, bound_by_hafw: bool = False) -> Own:
    address, _, length = text.partition("/")
    return Own(ip_address(address), int(length), bound_by_hafw)


MACHINE = {"lo": (own("127.0.0.1/8"),), "eth0": (own("192.0.2.1/24"), own("fe80::a/64"))}


def complaints(tmp_path: Path, text: str, machine: dict[str, tuple[Own, ...]]) -> list[str]:
    """Without those about capabilities, which depend on who runs the tests."""
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o644)
    found = check_system(load(file, "lb1")[0], machine)
    return [problem.render("c") for problem in found if problem.path != CAPABILITIES]


def test_machine_that_fits_is_fine(tmp_path: Path):
    assert complaints(tmp_path, BASE, MACHINE) == []


def test_interface_that_is_not_there_is_waited_for(tmp_path: Path):
    assert complaints(tmp_path, BASE.replace("eth0", "eth7"), MACHINE) == [
        'c: warning: instance.VI_1.interface = "eth7": does not exist here (there is eth0 and lo): it is waited for'
    ]


def test_virtual_addresses_of_a_virtual_mac_are_judged_by_the_interface_below_their_device(tmp_path: Path):
    text = BASE + "virtual_mac = true\n"
    assert complaints(tmp_path, text, MACHINE) == []
    assert "is eth0's own address already" in complaints(tmp_path, text.replace("192.0.2.250", "192.0.2.1"), MACHINE)[0]


def test_c_arp_13_where_a_virtual_mac_cannot_work_is_told(tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text(
        BASE + "virtual_mac = true\n" + BASE.replace("VI_1", "VI_2").replace("51", "52").replace("250", "251")
    )
    config = load(file, "lb1")[0]
    assert list(check_devices(config, {"eth0": ""}, "")) == []
    assert [each.render("c") for each in check_devices(config, {"eth0": "is wireless"}, "arp_filter = 1: no")] == [
        "c: instance.VI_1.virtual_mac = true: eth0 is wireless",
        "c: instance.VI_1.virtual_mac = true: arp_filter = 1: no",
    ]


def test_virtual_address_outside_every_subnet_is_a_warning(tmp_path: Path):
    assert complaints(tmp_path, BASE.replace("192.0.2", "198.51.100"), MACHINE) == [
        (
            'c: warning: instance.VI_1.virtual_addresses[0] = "198.51.100.250": is outside every subnet of eth0'
            " (192.0.2.0/24): neighbours may not reach it"
        )
    ]


def test_address_of_the_other_family_is_blamed_at_its_own_line(tmp_path: Path):
    text = BASE.replace('["192.0.2.250"]', '[\n  "192.0.2.250",\n  "2001:db8::1",\n]')
    text += 'excluded_addresses = { lb1 = [\n  "2001:db8::2"\n] }\n'
    file = tmp_path / "config.toml"
    file.write_text(text)
    found = [each for each in check_system(load(file, "lb1")[0], MACHINE) if each.severity == "warning"]
    outside = "is outside every subnet of eth0 (fe80::/64): neighbours may not reach it"
    assert [each.render("c") for each in Lines(text).place(found)] == [
        f'c:6: warning: instance.VI_1.virtual_addresses[1] = "2001:db8::1": {outside}',
        f'c:9: warning: instance.VI_1.excluded_addresses.lb1[0] = "2001:db8::2": {outside}',
    ]


def test_interface_of_one_address_is_blamed_there(tmp_path: Path):
    text = BASE.replace('"192.0.2.250"', '"192.0.2.250", { address = "192.0.2.251", interface = "eth9" }')
    assert complaints(tmp_path, text, MACHINE) == [
        (
            'c: warning: instance.VI_1.virtual_addresses[1].interface = "eth9":'
            " does not exist here (there is eth0 and lo): it is waited for"
        )
    ]


def test_processor_that_the_machine_lacks_is_refused(tmp_path: Path):
    online = Path("/sys/devices/system/cpu/online").read_text().strip()
    assert complaints(tmp_path, f"{BASE}[process]\ncpus = [0, 8191]\n", MACHINE) == [
        f"c: process.cpus = 8191: this machine has no such processor, only {online}"
    ]


def test_journal_that_cannot_be_written_is_a_warning_for_the_daemon_runs_without(tmp_path: Path):
    def about(path: Path) -> list[str]:
        return complaints(tmp_path, f'{BASE}[journal]\npath = "{path}"\n', MACHINE)

    missing = tmp_path / "missing"
    assert about(tmp_path / "journal.jsonl") == []
    assert about(tmp_path) == [f'c: warning: journal.path = "{tmp_path}": is no file']
    assert about(missing / "journal.jsonl") == [
        f'c: warning: journal.path = "{missing}/journal.jsonl": no such folder on this machine: mkdir -p {missing}'
    ]


def test_own_address_as_virtual_one_needs_owner(tmp_path: Path):
    text = BASE.replace("2.250", "2.1")
    assert complaints(tmp_path, text, MACHINE) == [
        (
            'c: instance.VI_1.virtual_addresses[0] = "192.0.2.1": is eth0\'s own address already:'
            " choose a free one, or owner = true with priority 255"
        )
    ]
    assert complaints(tmp_path, f"{text}owner = true\n", MACHINE) == []


def test_a_virtual_address_that_keepalived_has_bound_is_a_warning_for_it_will_move(tmp_path: Path):
    """The configuration is checked before keepalived is stopped."""
    bound = {"eth0": (*MACHINE["eth0"], own("192.0.2.250/24"))}
    assert complaints(tmp_path, BASE, bound) == [
        (
            'c: warning: instance.VI_1.virtual_addresses[0] = "192.0.2.250": is on eth0 already, beside its own:'
            " does keepalived run here? Stop it before hafw starts"
        )
    ]


def test_owner_without_the_address_is_a_warning(tmp_path: Path):
    assert complaints(tmp_path, f"{BASE}owner = true\n", MACHINE) == [
        (
            'c: warning: instance.VI_1.virtual_addresses[0] = "192.0.2.250": is not an address of eth0,'
            " though owner = true says so"
        )
    ]


@pytest.mark.parametrize("bound", [own("192.0.2.250/24", bound_by_hafw=True), own("192.0.2.250/32")])
def test_running_master_does_not_take_its_own_binding_for_the_machines(tmp_path: Path, bound: Own):
    assert complaints(tmp_path, BASE, {"eth0": (*MACHINE["eth0"], bound)}) == []


def test_itself_among_the_peers_is_refused(tmp_path: Path):
    assert complaints(tmp_path, f'{BASE}unicast_peers = ["192.0.2.1", "192.0.2.2"]\n', MACHINE) == [
        (
            'c: instance.VI_1.unicast_peers: "192.0.2.1" is an address of this machine:'
            " name the others only, by node if need be"
        )
    ]


def test_source_address_that_is_not_there_is_waited_for(tmp_path: Path):
    assert complaints(tmp_path, f'{BASE}source_address = "192.0.2.9"\n', MACHINE) == [
        'c: warning: instance.VI_1.source_address = "192.0.2.9": no interface has it now: it is waited for'
    ]


def test_unknown_user_and_group_are_refused(tmp_path: Path):
    text = f'{BASE}[plugin.nginx]\nuser = "nobdy"\n[control]\ngroup = "hafwadm"\n'
    assert complaints(tmp_path, text, MACHINE) == [
        'c: plugin.nginx.user = "nobdy": no such user on this machine: useradd --system nobdy, or "nobody"',
        'c: control.group = "hafwadm": no such group on this machine: groupadd --system hafwadm',
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only a daemon that runs as root needs a file that only root can write")
def test_configuration_that_others_can_write_is_refused(tmp_path: Path):
    tmp_path.chmod(0o777)
    assert complaints(tmp_path, BASE, MACHINE) == [
        f"c: {tmp_path} is writable by everybody (mode 0777): chmod o-w {tmp_path}"
    ]


CHECK = """
import sys
from hafw.config import load
from hafw.config.system import check_system, missing_capabilities
print(missing_capabilities())
for problem in check_system(load(sys.argv[1], "lb1")[0], {"eth0": ()}):
    print(problem.render("c"))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop capabilities for the test")
def test_missing_capabilities_are_named_with_the_way_to_grant_them(tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text(f'{BASE}[plugin.nginx]\nuser = "nobody"\n')
    bounded = ["setpriv", "--bounding-set=-net_raw,-kill", "--inh-caps=-all", sys.executable, "-c", CHECK, file]
    lines = subprocess.run(bounded, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert lines[0] == "['CAP_NET_RAW']"
    assert lines[1:3] == [
        (
            "c: capabilities: CAP_NET_RAW is needed for the daemon and not in effect here:"
            " check as the daemon runs, with sudo for example, or leave the machine out with --no-system;"
            " a unit without root needs AmbientCapabilities=CAP_NET_RAW"
        ),
        (
            "c: capabilities: CAP_KILL is needed for user = nobody and not in effect here:"
            " check as the daemon runs, with sudo for example, or leave the machine out with --no-system;"
            " a unit without root needs AmbientCapabilities=CAP_KILL"
        ),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop capabilities for the test")
def test_realtime_and_locked_memory_need_capabilities_or_limits(tmp_path: Path):
    file = tmp_path / "config.toml"
    file.write_text(f"{BASE}[process]\nrealtime = 50\nlock_memory = true\n")
    lacking = ["setpriv", "--bounding-set=-sys_nice,-ipc_lock", "--inh-caps=-all"]

    command = ["prlimit", "--rtprio=0", "--memlock=65536", *lacking, sys.executable, "-c", CHECK, file]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert [line.partition(" and not in effect")[0] for line in lines if line.startswith("c: capabilities")] == [
        "c: capabilities: CAP_SYS_NICE is needed for realtime = 50",
        "c: capabilities: CAP_IPC_LOCK is needed for lock_memory = true",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="root has them")
def test_root_misses_nothing():
    assert missing_capabilities() == []
