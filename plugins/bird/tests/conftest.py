"""The real BIRD, without BGP and without the kernel's routes; and one in its place that misbehaves."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hafw_bird import Announcer
from hafw_bird.options import Options

from hafw.api import Address, Duration, Router, StateChange

CONFIG = """
router id 10.0.0.1;
log "{folder}/log" all;
protocol device {{ }}
protocol direct hafw {{ disabled; ipv4; interface "lo"; }}
protocol static hafw_standby {{ disabled; ipv4; route 192.0.2.10/32 unreachable; }}
protocol static hafw_static {{ disabled; ipv4; route 127.0.0.1/32 unreachable; }}
"""


def router(name="VI_1", group="", address="192.0.2.10", prefixlen=32):
    addresses = (Address(address=address, prefixlen=prefixlen, interface="lo"),)
    return Router(name=name, vrid=51, version=3, priority=100, interface="eth0", group=group, addresses=addresses)


def change_to(new, seq=1, **more):
    fields = {"time": f"2026-11-22T21:14:{seq:02}.118Z", "old": "BACKUP", "reason": "x", "priority": 100}
    return StateChange(seq=seq, new=new, **{"instance": "VI_1", **fields, **more})


class RunningBird:
    """It runs until ``stop``."""

    def __init__(self, folder: Path, binary: str) -> None:
        self._binary = binary
        self.socket = str(folder / "bird.ctl")
        self.file = folder / "bird.conf"
        self.file.write_text(CONFIG.format(folder=folder))
        self.start()

    def start(self) -> None:
        argv = [self._binary, "-f", "-c", str(self.file), "-s", self.socket]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while self._process.poll() is None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(10)
                probe.connect(self.socket)
                if probe.recv(4096).startswith(b"0001 "):  # the socket is there before the file was read
                    return
            time.sleep(0.01)
        raise RuntimeError("bird has ended")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def say(self, *words: str) -> str:
        argv = [Path(self._binary).with_name("birdc"), "-s", self.socket, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stdout

    def up(self) -> set[str]:
        rows = [line.split() for line in self.say("show", "protocols").splitlines()]
        return {row[0] for row in rows if len(row) > 3 and row[3] == "up" and row[0].startswith("hafw")}


@pytest.fixture
def bird(tmp_path, program_of):
    running = RunningBird(tmp_path, program_of("bird2"))
    yield running
    running.stop()


@pytest.fixture
def impostor(tmp_path):
    """``impostor(replies)``: answers the greeting and each command with the next of these octets; then keeps silent."""
    with contextlib.ExitStack() as stack:

        def start(*replies: bytes) -> str:
            path = str(tmp_path / "impostor.ctl")
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(path)
            server.listen()
            over = threading.Event()

            def serve() -> None:
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        for reply in replies:
                            connection.sendall(reply)
                            connection.recv(4096)
                        over.wait(10)

            threading.Thread(target=serve, daemon=True).start()
            stack.callback(over.set)
            return path

        yield start


@pytest.fixture
def world():
    """What tests talk about."""
    made = []

    def configured(socket, routers=None, **options):
        plugin = Announcer()
        brief = {"refresh": Duration(0), "verify": False, "socket": socket}
        plugin.configure(Options(**{**brief, **options}), routers or (router(),))
        made.append(plugin)
        return plugin

    yield SimpleNamespace(router=router, change_to=change_to, configured=configured)
    for each in made:
        each._over.set()
