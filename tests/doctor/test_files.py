"""Findings in files: the files are written, the finding's own commands are run on them, and it is gone.

``systemctl`` and ``networkctl`` are words to daemons that do not run in a test; what they would read is what counts.
"""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from hafw.config.file import loads
from hafw.doctor import diagnose
from hafw.doctor.collect import files, kernel
from hafw.doctor.facts import Bound, Clock, Facts, Interface, Managed, Speaker

ROOT = Path(__file__).resolve().parents[2]
TEXT = '[instance.VI_1]\ninterface = "near"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'
NEAR = Interface(name="near", mac="02:00:00:00:00:01", addresses=(Bound(ip=ip_address("192.0.2.1"), prefixlen=24),))
UNIT = """[Service]
ExecStart=/opt/hafw/bin/hafw run /etc/hafw/config.toml
ExecStopPost=-/opt/hafw/bin/hafw cleanup
KillMode=mixed
"""


def found(text: str = TEXT, **facts) -> list[str]:
    """The words of what is found with these facts on a machine that is well otherwise."""
    config, _ = loads(text, "config.toml", "lb1")
    findings, _ = diagnose(config, Facts(**{"interfaces": {"near": NEAR}, **facts}))
    return [each.id for each in findings]


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


class Machine:
    """Files of a machine, and the commands that a finding says."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def look(self, text: str = TEXT):
        config, _ = loads(text, "config.toml", "lb1")
        wanted = {ip_address(address.address) for each in config.instances.values() for address in each.addresses}
        facts = Facts(
            interfaces={"near": NEAR},
            mentions=files.mentions(self.root, wanted, []),
            managed=files.managed(self.root, {"near": 7}),
            units=files.units(self.root),
            scripts=files.scripts(config),
            cloud=kernel.cloud(self.root),
        )
        return diagnose(config, facts)[0]

    def cure(self, findings) -> None:
        for finding in findings:
            for command in finding.fix:
                if command.startswith(("systemctl ", "networkctl ")):
                    continue
                here = command.replace(" /etc/", f" {self.root}/etc/")
                subprocess.run(here, shell=True, check=True, timeout=20)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def mended(machine: Machine, word: str, text: str = TEXT):
    """Exactly this is found, and it is gone when its commands were run."""
    findings = machine.look(text)
    assert [each.id for each in findings] == [word]
    machine.cure(findings)
    assert machine.look(text) == []
    return findings[0]


# -- units ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hafw.service", "hafw-hardened.service"])
def test_the_units_that_come_along_have_no_finding(machine: Machine, name: str):
    write(machine.root, f"etc/systemd/system/{name}", (ROOT / "deploy/systemd" / name).read_text("utf-8"))
    assert [each.name for each in files.units(machine.root)] == [name]
    assert machine.look() == []


def test_the_unit_of_the_example_has_no_finding(machine: Machine):
    for path in (ROOT / "examples").glob("**/*.service"):
        write(machine.root, f"etc/systemd/system/{path.name}", path.read_text("utf-8"))
    assert machine.look() == []


@pytest.mark.parametrize(
    ("word", "line", "more"),
    [
        ("unit-capabilities", "CapabilityBoundingSet=CAP_NET_RAW", ""),
        ("unit-capabilities", "CapabilityBoundingSet=~CAP_NET_ADMIN CAP_SYS_ADMIN", ""),
        (
            "unit-capabilities",
            "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW",
            '[plugin.notify_script]\nuser = "nobody"\n',
        ),
        ("unit-capabilities", "User=hafw", ""),
        ("unit-network", "PrivateNetwork=yes", ""),
        ("unit-network", "PrivateUsers=true", ""),
        ("unit-network", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", ""),
        ("unit-network", "RestrictAddressFamilies=~AF_PACKET", ""),
        ("unit-realtime", "RestrictRealtime=yes", "[process]\nrealtime = 50\n"),
        ("unit-realtime", "CapabilityBoundingSet=~CAP_SYS_NICE", "[process]\nrealtime = 50\n"),
        ("unit-memlock", "CapabilityBoundingSet=~CAP_IPC_LOCK", "[process]\nlock_memory = true\n"),
        ("unit-kill-mode", "KillMode=control-group", ""),
        ("unit-kill-mode", "KillMode=process", ""),
        ("unit-no-cleanup", "ExecStopPost=", ""),
    ],
)
def test_what_a_unit_lacks_is_mended_by_the_drop_in_that_is_named(machine: Machine, word: str, line: str, more: str):
    write(machine.root, "etc/systemd/system/hafw.service", f"{UNIT}{line}\n")
    finding = mended(machine, word, TEXT + more)
    assert finding.where == "hafw.service"


def test_limits_are_enough_without_the_capability(machine: Machine):
    more = "[process]\nrealtime = 50\nlock_memory = true\n"
    limits = "CapabilityBoundingSet=~CAP_SYS_NICE CAP_IPC_LOCK\nLimitRTPRIO=50\nLimitMEMLOCK=infinity\n"
    write(machine.root, "etc/systemd/system/hafw.service", UNIT + limits)
    assert machine.look(TEXT + more) == []


SCRIPT = "#!/bin/sh\n# sudo is not called here\n{}\n"


@pytest.mark.parametrize(
    ("line", "body", "said"),
    [
        ("NoNewPrivileges=yes", "exec sudo /usr/bin/ip route", "line 3 calls sudo"),
        ("ProtectSystem=full", "echo MASTER > /etc/state", "line 3 writes /etc/state"),
        ("ProtectSystem=strict", "date >> /var/log/notify", "line 3 writes /var/log/notify"),
    ],
)
def test_what_a_script_does_that_its_unit_forbids_is_told_and_mended(machine: Machine, line: str, body: str, said: str):
    script = machine.root / "notify.sh"
    script.write_text(SCRIPT.format(body))
    write(machine.root, "etc/systemd/system/hafw.service", f"{UNIT}{line}\n")
    finding = mended(machine, "unit-scripts", f'{TEXT}[plugin.notify_script]\nnotify = "{script}"\n')
    assert said in finding.why


def test_a_script_that_does_nothing_special_is_at_home_in_a_strict_unit(machine: Machine):
    script = machine.root / "notify.sh"
    script.write_text(SCRIPT.format("echo $3 > /run/hafw/state; logger hafw $3"))
    strict = "NoNewPrivileges=yes\nProtectSystem=strict\nReadWritePaths=/run/hafw\nProtectHome=yes\n"
    write(machine.root, "etc/systemd/system/hafw.service", UNIT + strict)
    assert machine.look(f'{TEXT}[plugin.notify_script]\nnotify = ["{script}", "a"]\n') == []


def test_a_unit_that_nobody_has_enabled_is_left_alone_beside_one_that_is_and_drop_ins_count(machine: Machine):
    write(machine.root, "usr/lib/systemd/system/hafw.service", UNIT.replace("KillMode=mixed\n", ""))
    write(machine.root, "usr/lib/systemd/system/hafw-hardened.service", f"{UNIT}PrivateNetwork=yes\n")
    assert [each.id for each in machine.look()] == ["unit-kill-mode"]
    write(machine.root, "etc/systemd/system/multi-user.target.wants/hafw-hardened.service", "")
    assert [each.id for each in machine.look()] == ["unit-network"]
    write(machine.root, "etc/systemd/system/hafw-hardened.service.d/mine.conf", "[Service]\nPrivateNetwork=no\n")
    assert machine.look() == []


def test_other_units_are_none_of_ours(machine: Machine):
    write(
        machine.root, "etc/systemd/system/hafw-exporter.service", "[Service]\nExecStart=/usr/bin/hafw status --json\n"
    )
    assert files.units(machine.root) == ()


# -- network configuration --------------------------------------------------------------------------------------


def test_networkd_that_does_not_keep_addresses_is_mended_by_a_drop_in(machine: Machine):
    write(
        machine.root,
        "run/systemd/netif/links/7",
        "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/1.network\n",
    )
    write(machine.root, "etc/systemd/network/1.network", "[Match]\nName=near\n[Network]\nAddress=192.0.2.1/24\n")
    mended(machine, "networkd-removes-addresses")


def test_an_interface_that_networkd_does_not_manage_is_left_alone(machine: Machine):
    write(machine.root, "run/systemd/netif/links/7", "ADMIN_STATE=unmanaged\n")
    assert machine.look() == []


def test_an_interface_of_networkmanager_is_told(machine: Machine):
    write(machine.root, "run/NetworkManager/devices/7", "[device]\nmanaged=true\nconnection-uuid=5\n")
    assert [each.id for each in machine.look()] == ["networkmanager-removes-addresses"]
    write(machine.root, "run/NetworkManager/devices/7", "[device]\nmanaged=false\n")
    assert machine.look() == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("etc/network/interfaces", "iface near inet static\n address 192.0.2.250/24\n gateway 192.0.2.254\n"),
        ("etc/network/interfaces.d/vip", "iface near inet manual\n up ip addr add 192.0.2.250/32 dev near\n"),
        ("etc/systemd/network/1.network", "[Network]\nAddress=192.0.2.250/24\n"),
        ("etc/NetworkManager/system-connections/near.nmconnection", "[ipv4]\naddress2=192.0.2.250/24\n"),
        ("etc/netplan/1.yaml", "network:\n  ethernets:\n    near:\n      addresses: [192.0.2.1/24, 192.0.2.250/24]\n"),
        ("etc/sysconfig/network-scripts/ifcfg-near", "DEVICE=near\nIPADDR2=192.0.2.250\n"),
    ],
)
def test_a_virtual_address_that_is_bound_at_boot_is_found_in_every_kind_of_file(machine: Machine, file: str, text: str):
    write(machine.root, file, text)
    finding = mended(machine, "vip-configured")
    assert f"/{file}:" in finding.what
    write(machine.root, file, text)
    assert machine.look(TEXT.replace("vrid", "owner = true\npriority = 255\nvrid")) == []


@pytest.mark.parametrize(
    "text",
    [
        "address1=192.0.2.1/24,192.0.2.250\n",
        "# address 192.0.2.250\n",
        "gateway 192.0.2.250\n",
        "DNS=192.0.2.250\n",
        "  via: 192.0.2.250\n",
        "address 192.0.2.25\n",
    ],
)
def test_an_address_that_is_only_mentioned_is_no_finding(machine: Machine, text: str):
    write(machine.root, "etc/network/interfaces", text)
    write(machine.root, "etc/netplan/1.yaml", text)
    assert machine.look() == []


# -- what no namespace can have ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("sys_vendor", "Amazon EC2"),
        ("product_name", "Google Compute Engine"),
        ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
    ],
)
def test_multicast_in_a_cloud_is_told_and_unicast_is_the_way_out(machine: Machine, key: str, text: str):
    write(machine.root, f"sys/class/dmi/id/{key}", f"{text}\n")
    assert [each.id for each in machine.look()] == ["cloud-without-multicast"]
    assert machine.look(f'{TEXT}unicast_peers = ["192.0.2.2"]\n') == []


KEYED = TEXT + 'auth = { type = "hmac", keys = { 1 = "file:/etc/hafw/key" }MORE }\n'


def test_a_clock_matters_for_signatures_that_carry_the_time_only():
    off, vague, good = (
        Clock(synchronised=False, error=16.0),
        Clock(synchronised=True, error=9.0),
        Clock(synchronised=True, error=0.02),
    )
    signed = KEYED.replace("MORE", "")
    assert found(signed, clock=off) == found(signed, clock=vague) == ["clock-unsynchronised"]
    assert found(signed, clock=good) == found(clock=off) == []
    assert found(KEYED.replace("MORE", ', anti_replay = "monotonic"'), clock=off) == []


def test_connection_tracking_that_is_nearly_full_is_told():
    assert found(conntrack=(65000, 65536)) == ["conntrack-full"]
    assert found(conntrack=(6500, 65536)) == found(conntrack=(0, 0)) == []


def test_a_daemon_of_another_vrid_may_stay():
    def beside(vrid: int) -> list[str]:
        return found(speakers=(Speaker(program="keepalived", pid=7, vrids=frozenset({vrid}), config="/k.conf"),))

    assert (beside(51), beside(52)) == (["other-daemon"], [])


def test_the_interface_of_one_address_counts_too():
    text = TEXT.replace('"192.0.2.250"', '{ address = "192.0.2.250", interface = "far" }')
    managed = (Managed(interface="far", by="NetworkManager"), Managed(interface="other", by="NetworkManager"))
    assert found(text, managed=managed) == ["networkmanager-removes-addresses"]


def test_what_is_said_of_the_clock_of_this_machine_is_what_the_kernel_says():
    clock = kernel.clock([])
    assert clock is not None
    assert 0 <= clock.error < 1e6
