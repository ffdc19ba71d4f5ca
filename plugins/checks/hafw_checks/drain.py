"""Connections to virtual addresses that are under way, as the kernel of this network namespace lists them.

For plugins of servers: before a planned handover they let clients finish, while the server goes on accepting. To refuse
new ones would be an outage, for the addresses stay until another router claims them.
"""

from __future__ import annotations

import struct
import time
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafw.api import Router

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
UNDER_WAY = {b"01", b"04", b"08"}
"""Established, or half closed with an answer still to be made or sent (the kernel's TCP_FIN_WAIT1, TCP_CLOSE_WAIT)."""
GLANCE = 0.05
"""Seconds between two looks; longer where the list is so long that reading it takes a while."""
MARGIN = 0.2
"""Seconds before the end of the budget: a hook that misses it costs the process."""


def as_listed(address: str) -> set[bytes]:
    """An address as it may stand in the tables: 32-bit words in the host's order, IPv4 also within IPv6."""
    ip = ip_address(address)
    forms = {ip.packed, b"\0" * 10 + b"\xff\xff" + ip.packed} if ip.version == 4 else {ip.packed}
    words = [struct.unpack(f"={len(form) // 4}I", form) for form in forms]
    return {"".join(f"{word:08X}" for word in each).encode() for each in words}


def connections(addresses: Iterable[str]) -> int:
    """How many are under way to one of these addresses."""
    wanted = {form for address in addresses for form in as_listed(address)}
    found = set()
    for table in TABLES:
        try:
            lines = Path(table).read_bytes().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for line in lines:
            _, local, remote, state, *_ = line.split(None, 4)
            if state in UNDER_WAY and local.partition(b":")[0] in wanted:
                found.add((local, remote))  # a table that changes while it is read may have a line twice
    return len(found)


def drain(addresses: Iterable[str], seconds: float) -> int:
    """Wait until there are none, or for so many seconds; how many are left."""
    addresses = tuple(addresses)
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        left = connections(addresses)
        now = time.monotonic()
        if not left or now >= deadline:
            return left
        time.sleep(min(max(GLANCE, 4 * (now - began)), deadline - now))


def drained(router: Router, seconds: float, budget: float) -> Mapping[str, Any]:
    """What ``before_release`` returns: wait so many seconds, less if the budget is, and say how it went."""
    began = time.monotonic()
    left = drain([each.address for each in router.addresses], min(seconds, budget - MARGIN))
    took = time.monotonic() - began
    said = f"drained in {took:.1f}s" if not left else f"not drained, connections after {took:.1f}s: {left}"
    return {"output": f"{router.name}: {said}", "exit": 0}
