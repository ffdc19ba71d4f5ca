"""A network namespace with two ends of a cable: ``near`` is ours, ``far`` is where everybody else would be.

The test's own thread enters the namespace for as long as the test lasts: its sockets, the programs it starts and the
threads that trio starts for it live there.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hafw.wire.options import set_receive_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PATIENCE = 10.0
"""Seconds after which a test fails that waits for something to happen."""

libc = ctypes.CDLL(None, use_errno=True)


class Segment:
    """The cable. ``near`` has 192.0.2.1/24 and fe80::1/64, usable at once; ``far`` has no address."""

    near_mac = "02:00:00:00:00:01"
    far_mac = "02:00:00:00:00:02"

    def __init__(self) -> None:
        for name in ("all", "default"):
            self.set(f"net/ipv6/conf/{name}/accept_dad", "0")
        self.ip("link set lo up")
        self.ip(f"link add near address {self.near_mac} type veth peer name far address {self.far_mac}")
        for name in ("near", "far"):
            self.ip(f"link set {name} addrgenmode none")
        self.up()
        self.ip("address add 192.0.2.1/24 dev near")
        self.ip("address add fe80::1/64 dev near nodad")
        self.near = socket.if_nametoindex("near")
        self.far = socket.if_nametoindex("far")
        self._tap = self._open_tap()

    def close(self) -> None:
        self._tap.close()

    def _open_tap(self) -> socket.socket:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ETH_P_ALL)
        set_receive_buffer(tap, 16 << 20)
        tap.bind(("far", ETH_P_ALL))
        tap.settimeout(PATIENCE)
        return tap

    def make_anew(self, index: int) -> None:
        """Take the cable away and lay another one: the same names, and a new index for ``near``."""
        self.ip("link del near")
        self.ip(f"link add near index {index} type veth peer name far")
        self.up()
        self._tap.close()
        self._tap = self._open_tap()

    def set(self, sysctl: str, value: str) -> None:
        Path("/proc/sys", sysctl).write_text(value, encoding="ascii")

    def ip(self, arguments: str) -> str:
        return subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True).stdout

    def up(self) -> None:
        """Both ends, and wait until frames pass: the kernel notices a carrier some time after it is there."""
        for name in ("near", "far"):
            self.ip(f"link set {name} up")
        deadline = time.monotonic() + PATIENCE
        while {each["operstate"] for each in json.loads(self.ip("-json link show type veth"))} != {"UP"}:
            assert time.monotonic() < deadline, "the links do not come up"

    def addresses(self, interface: str = "near") -> list[str]:
        """What iproute2 says is there, with lengths."""
        found = json.loads(self.ip(f"-json address show dev {interface}"))[0]["addr_info"]
        return [f"{each['local']}/{each['prefixlen']}" for each in found]

    def inject(self, *frames: bytes) -> None:
        """Put frames on the wire at the far end."""
        for frame in frames:
            self._tap.send(frame)

    def hear(self, wanted: Callable[[bytes], bool]) -> bytes:
        """The next frame at the far end that is wanted."""
        while True:
            frame = self._tap.recv(65536)
            if wanted(frame):
                return frame

    def wait_readable(self, opened: object) -> None:
        assert select.select([opened], [], [], PATIENCE)[0], "nothing arrived"


@pytest.fixture
def segment() -> Iterator[Segment]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
        try:
            made = Segment()
            yield made
            made.close()
        finally:
            if libc.setns(home, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(home)
