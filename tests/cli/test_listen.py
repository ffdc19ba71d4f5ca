"""`hafw listen` as it is typed: captures, configurations, what goes where, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRPv3
from scapy.utils import wrpcap

from hafw.cli.ears import unheard
from hafw.cli.verbs import cli

CAPTURES = Path(__file__).parent.parent / "captures"
ROOT = CAPTURES.parents[1]
CONFIG = """\
[node]
name = "lb2"

[instance.VI_1]
interface = "eth0"
vrid = 51
version = 2
priority = { lb1 = 200, lb2 = 100 }
advertisement_interval = { lb1 = "1s", lb2 = "2s" }
virtual_addresses = ["10.77.0.250"]
auth = { type = "pass", password = "other" }
"""


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch, tmp_path):
    """No daemon answers, and times are shown in UTC."""
    monkeypatch.setenv("HAFW_SOCKET", str(tmp_path / "nobody"))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return path


def run(*words: object, stdin: bytes | None = None):
    return CliRunner().invoke(cli, ["listen", *map(str, words)], input=stdin)


def capture(name: str) -> Path:
    return CAPTURES / f"{name}.pcap"


def test_a_capture_is_told_line_by_line_and_summed_up():
    done = run("--pcap", capture("keepalived-v3-stop"))
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith("10.77.0.1 (02:00:00:00:77:01)  VRID 51  v3  priority 200  every 1s  10.77.0.250")
    assert lines[3] == "    note: goodbye: it ends being MASTER, and the others take over now"
    assert lines[-1] == "6 packets of 2 routers in 3.6 s"


def test_each_refusal_is_told_once_with_the_line_of_the_file_that_differs(config):
    done = run("--pcap", capture("keepalived-v2-pass"), config)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].endswith("auth pass  -> VI_1 REFUSES (auth-failures)")
    assert lines[1:6] == [
        "    why: auth-failures: the password differs from ours",
        f"        {config}:11: instance.VI_1.auth.password = (hidden); the peer has another one",
        "    after that: interval-errors: interval 1s, ours is 2s",
        f"        {config}:9: instance.VI_1.advertisement_interval.lb2 = 2s; the peer has 1s",
        lines[5],
    ]
    assert done.stdout.count("why: auth-failures") == 1
    assert done.stdout.count("REFUSES (auth-failures)") == 6
    assert "6 refused (auth-failures)" in lines[-2]


def test_a_key_that_the_file_does_not_have_is_told_with_its_default(config):
    config.write_text(CONFIG.replace("version = 2\n", "").replace(CONFIG.splitlines()[-1], ""))
    done = run("--pcap", capture("keepalived-v2-pass"), config, "-n", 1)
    assert f"        {config}:4: instance.VI_1.version = 3 (the default); the peer has 2" in done.stdout.splitlines()


def test_another_node_of_the_file_is_another_view(config):
    done = run("--pcap", capture("keepalived-v2-pass"), config, "--node", "lb1", "--json", "-n", 1)
    assert [each["reason"] for each in json.loads(done.stdout)["findings"]] == ["auth-failures", ""]


def test_json_has_one_object_per_packet_the_refused_ones_too_and_all_else_is_on_stderr(config):
    done = run("--pcap", capture("keepalived-v2-pass"), config, "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(objects) == 6
    assert objects[0] == {
        "time": "2026-11-22T21:47:40.678611Z",
        "interface": "",
        "source_mac": "02:00:00:00:77:01",
        "destination_mac": "01:00:5e:00:00:12",
        "vlans": [],
        "source": "10.77.0.1",
        "destination": "224.0.0.18",
        "ttl": 255,
        "protocol": "vrrp",
        "octets": 20,
        "version": 2,
        "type": 1,
        "vrid": 51,
        "priority": 200,
        "interval": 1.0,
        "addresses": ["10.77.0.250"],
        "auth": "pass",
        "key": None,
        "checksum": objects[0]["checksum"],
        "verdict": "refused",
        "instance": "VI_1",
        "reason": "auth-failures",
        "detail": "the password differs from ours",
        "findings": [
            {
                "reason": "auth-failures",
                "detail": "the password differs from ours",
                "file": str(config),
                "line": 11,
                "key": "instance.VI_1.auth.password",
                "ours": "(hidden)",
                "default": False,
                "theirs": "another one",
            },
            {
                "reason": "interval-errors",
                "detail": "interval 1s, ours is 2s",
                "file": str(config),
                "line": 9,
                "key": "instance.VI_1.advertisement_interval.lb2",
                "ours": "2s",
                "default": False,
                "theirs": "1s",
            },
        ],
        "remarks": [],
    }
    assert done.stderr.splitlines()[-1] == "6 packets of 1 router in 5.0 s"


def test_no_password_is_printed(config):
    done = run("--pcap", capture("keepalived-v2-pass"), config, "--json")
    assert "secret" not in done.output
    assert '"other"' not in done.output


def test_standard_input_may_be_the_capture():
    done = run("--pcap", "-", "-n", 2, stdin=capture("frr-v3-ipv4").read_bytes())
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "2 packets of 1 router in 1.0 s"


def test_a_time_counts_from_the_first_frame_of_a_capture():
    done = run("--pcap", capture("keepalived-v2-pass"), "--for", "5500ms")
    assert done.stdout.splitlines()[-1] == "3 packets of 1 router in 2.0 s"


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({"advertisement-rcvd": 1}, []),
        ({}, ["and the daemon heard none of them: a firewall on this machine drops them"]),
        (
            {"version-errors": 3},
            ["and the daemon refused them (version-errors): it runs with what this file had before"],
        ),
    ],
)
def test_good_adverts_that_the_daemon_did_not_accept_are_explained(counted, said):
    told = list(unheard("VI_1", 5, Counter(counted)))
    assert [each.startswith("VI_1: 5 good adverts arrived here, and the daemon") for each in told] == [True] * len(said)
    assert all(word in each for word, each in zip(said, told, strict=True))


def test_a_capture_that_is_cut_off_tells_what_there_was_and_fails(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(capture("keepalived-v3-stop").read_bytes()[:-7])
    done = run("--pcap", path)
    assert done.exit_code == 1
    assert "5 packets of 2 routers" in done.stdout
    assert done.stderr == f"hafw listen: {path}: is cut off at octet {path.stat().st_size}, in a frame\n"


def test_a_capture_without_vrrp_and_one_that_cannot_be_read_fail(tmp_path):
    empty = tmp_path / "arp.pcap"
    wrpcap(str(empty), [Ether() / IP()])
    done = run("--pcap", empty)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"hafw listen: no VRRP in the 1 frames of {empty}\n"
    done = run("--pcap", tmp_path / "absent")
    assert done.exit_code == 1
    assert done.stderr == f"hafw listen: {tmp_path}/absent: cannot be read: no such file or directory\n"


def test_a_scan_of_what_cannot_be_read_proposes_nothing(tmp_path):
    done = run("--pcap", tmp_path / "absent", "--scan")
    assert (done.exit_code, done.stdout) == (1, "")


def test_frames_of_an_unknown_kind_are_named(tmp_path):
    path = tmp_path / "wifi.pcap"
    octets = bytearray(capture("frr-v3-ipv4").read_bytes())
    octets[20] = 105
    path.write_bytes(octets)
    done = run("--pcap", path)
    assert done.exit_code == 1
    assert "28 frames of link type 105 were not read: Ethernet, Linux cooked (SLL, SLL2) and raw IP are" in done.stderr


def test_a_configuration_that_is_none_is_refused_as_everywhere(config):
    config.write_text(CONFIG.replace("vrid = 51", "vrid = 300"))
    done = run("--pcap", capture("frr-v3-ipv4"), config)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith(f"{config}:6: instance.VI_1.vrid = 300: must be 1 to 255")


def test_a_secret_of_another_machine_is_left_out_and_the_rest_compared(config):
    config.write_text(CONFIG.replace('"other"', '"file:/nowhere/vrrp.pass"'))
    done = run("--pcap", capture("keepalived-v2-pass"), config, "-n", 1)
    assert done.exit_code == 0
    assert "/nowhere/vrrp.pass cannot be read" in done.stderr
    assert "so what it needs of this machine, such as secrets, is not compared" in done.stderr
    assert "VI_1 REFUSES (interval-errors)" in done.stdout
    assert "note: its secret could not be read here, and was not compared" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "where to listen: -i IF, a CONFIG with interfaces, or --pcap FILE"),
        (("-i", "nowhere0"), "-i nowhere0: there is no such interface, there are lo"),
        (("-i", "lo", "--for", "5"), '--for 5: must be a duration such as "100ms", "1.5s", "10m" or "1h"'),
        (("-i", "lo", "--for", "0s"), "--for 0s: must be more than nothing"),
        (("-i", "a", "-i", "b", "--pcap", "x"), "--pcap is heard on one interface: one -i at most"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(words, said):
    done = run(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_without_the_capability_it_is_7_and_the_way_out_is_named():
    """As nobody, who has none; the tree may lie where nobody cannot look, so only the rights are given up."""
    program = (
        "import ctypes, sys\n"
        "from hafw.cli import main\n"
        "data = (ctypes.c_uint32 * 6)()\n"
        "header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "assert ctypes.CDLL(None).capset(header, data) == 0\n"
        "main(['listen', '-i', 'lo'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout) == (7, "")
    assert "needs CAP_NET_RAW: run it with sudo" in done.stderr
    assert "hafw listen --pcap vrrp.pcap" in done.stderr


# -- the scan -------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowded(tmp_path) -> Path:
    path = tmp_path / "crowded.pcap"
    head = Ether(src="02:00:00:00:77:01", dst="01:00:5e:00:00:12") / IP(
        src="10.77.0.1", dst="224.0.0.18", ttl=255, proto=112
    )
    carp = bytes((0x21, 10, 0, 7, 0, 1)) + bytes(30)
    wrpcap(
        str(path),
        [
            head / VRRPv3(vrid=51, priority=200, addrlist=["10.77.0.250"]),
            head / VRRPv3(vrid=11, priority=100, addrlist=["10.77.0.11"]),
            head / carp,
        ],
    )
    return path


def test_the_scan_lists_who_uses_what_and_proposes_what_nobody_uses(crowded, config):
    done = run("--pcap", crowded, config, "--scan")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["FAMILY", "VRID", "MASTER", "PRIORITY", "VERSION", "EVERY", "ADDRESSES", "OURS"]
    assert rows[1][:6] == ["IPv4", "10", "CARP", "host", "10.77.0.1", "-"]
    assert rows[2] == ["IPv4", "11", "10.77.0.1", "100", "3", "1s", "10.77.0.11", "-"]
    assert rows[3] == ["IPv4", "51", "10.77.0.1", "200", "3", "1s", "10.77.0.250", "VI_1"]
    assert "free for IPv4 and IPv6: vrid = 12" in done.stdout


def test_a_vrid_of_ours_that_nobody_speaks_for_is_not_free(crowded, config):
    config.write_text(CONFIG.replace("vrid = 51", "vrid = 12"))
    done = run("--pcap", crowded, config, "--scan")
    assert ["IPv4", "12", "nobody", "heard", "-", "-", "-", "10.77.0.250", "VI_1"] in [
        line.split() for line in done.stdout.splitlines()
    ]
    assert "vrid = 13" in done.stdout


def test_the_scan_as_json_is_one_document(crowded):
    found = json.loads(run("--pcap", crowded, "--scan", "--json").stdout)
    assert [(each["vrid"], each["protocol"], each["router"]) for each in found["in_use"]] == [
        (10, "carp", "10.77.0.1"),
        (11, "vrrp", "10.77.0.1"),
        (51, "vrrp", "10.77.0.1"),
    ]
    assert (found["used"], found["free"], found["virtual_macs"]) == ([10, 11, 51], 12, [])
