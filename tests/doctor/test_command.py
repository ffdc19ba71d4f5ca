"""``hafw doctor`` through the real command: what an operator reads, the exit codes, and what is said without root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wire

TEXT = '[instance.VI_1]\ninterface = "near"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'
DROP = "nft add table inet f; nft 'add chain inet f in { type filter hook input priority 0; policy drop; }'"


def doctor(patient, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-m", "hafw", "doctor", "--node", "lb1", str(patient.config), *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with patient.here():
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)


def test_a_finding_is_read_at_3_a_m_and_its_command_pasted(patient):
    patient.configure(TEXT)
    patient.run(DROP)
    done = doctor(patient)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("not seen: ")]
    assert lines == [
        (
            "error: firewall-drops-incoming: VI_1 on near: incoming adverts (IP protocol 112 over IPv4 to 224.0.0.18)"
            " are dropped by nft table inet f (policy drop, and no rule before it accepts protocol 112)"
        ),
        "  why:  this router would not hear the MASTER, and become MASTER beside it",
        "  fix:  nft 'insert rule inet f in iifname \"near\" meta l4proto 112 accept'",
        "  keep: the file that makes this table (/etc/nftables.conf), at the head of chain in",
        "",
        "lb1: 1 error",
    ]
    assert (done.returncode, done.stderr) == (1, "")
    patient.run(lines[2].removeprefix("  fix:  "))
    done = doctor(patient, "--no-segment")
    assert (done.returncode, done.stdout, done.stderr) == (0, "lb1: nothing found\n", "")


def test_a_warning_alone_breaks_nothing(patient):
    patient.configure(TEXT)
    patient.run("ip link add eth1 type veth peer name eth1p; ip link set eth1p up; ip link set eth1 up")
    patient.run("ip address add 192.0.2.3/24 dev eth1")
    done = doctor(patient, "--no-segment", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (document["node"], document["config"], document["unseen"]) == ("lb1", str(patient.config), [])
    (finding,) = document["findings"]
    assert finding == {
        "id": "arp-flux",
        "severity": "warning",
        "where": "VI_1 on near",
        "what": "near and eth1 are both in 192.0.2.0/24",
        "why": finding["why"],
        "fix": ["sysctl -w net.ipv4.conf.eth1.arp_ignore=1"],
        "keep": "/etc/sysctl.d/60-hafw.conf: net.ipv4.conf.eth1.arp_ignore = 1",
    }


def test_a_configuration_that_cannot_run_is_exit_code_3(patient):
    patient.configure(TEXT.replace("51", "300"))
    done = doctor(patient)
    assert (done.returncode, done.stdout) == (3, "")
    assert ":3: instance.VI_1.vrid = 300: must be 1 to 255" in done.stderr


def readable_by_all(path):
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in path.parents)


def test_without_root_it_finds_what_it_can_and_says_what_it_could_not_look_at(patient):
    secret = patient.root / "key"
    secret.write_text("k" * 32)
    secret.chmod(0o600)
    patient.configure(f'{TEXT}auth = {{ type = "hmac", keys = {{ 1 = "file:{secret}" }} }}\n')
    for folder in (patient.root, *patient.root.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    patient.run(DROP, "ip link set near multicast off")
    # Where nobody may not read the tree of these tests, it may read all there is: the key, too.
    kept = () if readable_by_all(Path(sys.executable)) else ("--ambient-caps=+dac_read_search",)
    inherited = "--inh-caps=-all" + (",+dac_read_search" if kept else "")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", inherited, *kept)
    done = doctor(patient, before=nobody)
    assert done.returncode == 1, done.stderr
    assert "error: multicast-off: VI_1 on near" in done.stdout
    unseen = [line for line in done.stdout.splitlines() if line.startswith("not seen: ")]
    assert any(line.startswith("not seen: rules of nftables: cannot be read: ") for line in unseen)
    assert any(
        line.startswith("not seen: adverts on the wire, and who answers for virtual addresses") for line in unseen
    )
    assert all("root" in line for line in unseen)
    assert "it failed" not in done.stdout
