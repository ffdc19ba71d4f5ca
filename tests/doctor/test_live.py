"""Beside a live pair the doctor has nothing to say, on the MASTER and on the BACKUP."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from hafw.lab import namespaces
from hafw.lab.network import Lab

pytestmark = [pytest.mark.wire, pytest.mark.long]

TEXT = """[node]
name = "{host}"
[instance.VI_1]
interface = "eth0"
vrid = 51
advertisement_interval = "200ms"
priority = {{ lb1 = 150, lb2 = 100 }}
virtual_addresses = [{addresses}]
{more}
[control]
socket = "{socket}"
"""


@pytest.mark.parametrize(
    ("addresses", "more"),
    [
        ('"192.168.161.250"', ""),
        ('"192.168.161.250/24"', "virtual_mac = true"),
        ('"fe80::250", "2001:db8::250/64"', ""),
        ('"192.168.161.250"', 'unicast_peers = { lb1 = ["192.168.161.2"], lb2 = ["192.168.161.1"] }'),
    ],
)
def test_a_live_pair_has_no_finding(addresses: str, more: str):
    with Lab() as lab:
        for number, host in enumerate(("lb1", "lb2"), 1):
            lab.add_host(host, f"192.168.161.{number}/24", f"fe80::{number}/64")
            lab.path(host, "run").mkdir()
            text = TEXT.format(host=host, addresses=addresses, more=more, socket=lab.path(host, "socket"))
            lab.path(host, "config.toml").write_text(text)
            lab.path(host, "config.toml").chmod(0o644)
            environment = {
                **os.environ,
                "HAFW_RUN_DIR": str(lab.path(host, "run")),
                "HAFW_STATE_DIR": str(lab.path(host, "run")),
            }
            with lab.path(host, "log").open("wb") as log:
                lab.python(host, "hafw", "run", str(lab.path(host, "config.toml")), env=environment, stderr=log)
        deadline = time.monotonic() + 30
        while not any("250" in each for each in lab.addresses("lb1")):
            assert time.monotonic() < deadline, lab.path("lb1", "log").read_text()
            time.sleep(0.1)
        for host in ("lb1", "lb2"):
            with namespaces.inside(lab._hosts[host].network):
                command = [sys.executable, "-m", "hafw", "doctor", str(lab.path(host, "config.toml"))]
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            found = [line for line in done.stdout.splitlines() if line.startswith(("error", "warning"))]
            assert (done.returncode, found) == (0, []), done.stdout
