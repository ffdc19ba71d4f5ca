"""Program: ``python -m hafw.lab.pages ADDRESS`` fetches a page every 20 ms, and says who served each.

A new connection per page, as a new client makes it, and no waiting for a slow one: up to ten are under way. The lines
are those of ``hafw.lab.ping``; the third word is the first of the page, the router's name.
"""

from __future__ import annotations

import sys
import time
from ipaddress import ip_address
from typing import Final

import trio

PERIOD: Final = 0.02
TIMEOUT: Final = 0.2

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
_MAX_OCTETS: Final = 65536


async def main(address: str) -> None:
    """Fetch until killed."""
    tick = trio.current_time()
    async with trio.open_nursery() as nursery:
        while True:
            nursery.start_soon(_probe, address)
            tick = max(tick + PERIOD, trio.current_time())
            await trio.sleep_until(tick)


async def _probe(address: str) -> None:
    sent = time.time_ns()
    who = ""
    try:
        with trio.move_on_after(TIMEOUT):
            who = await _fetch(address)
    except OSError:
        pass
    sys.stdout.write(f"{sent} {time.time_ns() if who else 0} {who or '-'} {address}\n")
    sys.stdout.flush()


async def _fetch(address: str) -> str:
    """Return the first word of the page; empty when it is no page."""
    family = trio.socket.AF_INET if ip_address(address).version == 4 else trio.socket.AF_INET6
    with trio.socket.socket(family, trio.socket.SOCK_STREAM) as connection:
        await connection.connect((address, 80))
        await connection.send(_REQUEST)
        answer = b""
        while len(answer) < _MAX_OCTETS and (data := await connection.recv(4096)):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    words = body.split()
    return words[0].decode("ascii", "replace") if words and b" 200 " in head.partition(b"\r\n")[0] else ""


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
