"""A MASTER that loses its own link tells its peer by another network, through the real daemons."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.wire

KEY = "hex:" + "17" * 32
THIEF = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
    wire.bind(("eth1", 3))
    print("ready", flush=True)
    frames = iter(lambda: wire.recv(2048), b"")
    goodbye = next(frame for frame in frames if frame[12:14] == b"\\x08\\x00" and frame[23] == 112)
    sys.stdin.readline()
    wire.send(goodbye)
"""


def test_a_lost_link_is_told_by_another_network_and_who_records_it_gains_nothing(pair, tools, tmp_path):
    master, backup = pair
    master.lab.cable("eth1", {"lb1": "10.88.0.1/24", "lb2": "10.88.0.2/24"})
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(f"{KEY}\n")
    auth = {"type": "hmac", "keys": {"1": f"file:{key}"}}
    goodbye = {"lb1": "10.88.0.1", "lb2": "10.88.0.2"}
    tools.elect(*pair, tools.instance(auth=auth, goodbye=goodbye, priority={"lb1": 200, "lb2": 100}))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with master.lab.popen("lb1", [sys.executable, "-c", THIEF], **pipes) as thief:
        assert thief.stdout.readline() == "ready\n"
        with backup.news() as heard:
            master.lab.cut("lb1")
            assert heard.state("MASTER")["reason"] == "master-resigned", "not after silence"
            master.lab.mend("lb1")
            heard.state("BACKUP", reason="higher-priority")
        print(file=thief.stdin, flush=True)
        assert thief.wait(10) == 0
    tools.until(lambda: backup.instance()["counters"].get("hmac-replayed"))
    assert backup.instance()["state"] == "BACKUP"
