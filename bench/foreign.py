"""Program: ``python -m bench.foreign SECONDS`` is the MASTER of 200 virtual routers that nobody else here knows.

It advertises each of them once per so many seconds, spread evenly, from the address of its host.
"""

from __future__ import annotations

import socket
import sys
import time
from ipaddress import ip_address
from typing import Final

from bench.peers import VRID
from hafw.vrrp.packet import MULTICAST_GROUP, PROTOCOL, TTL, encode
from hafw.vrrp.settings import RouterSettings

COUNT: Final = 200
SOURCE: Final = "10.77.0.99"


def main(interval: str) -> None:
    """Advertise until killed."""
    group = MULTICAST_GROUP[4]
    adverts = [_advert(VRID + 1 + number, float(interval)) for number in range(COUNT)]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
        link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, ip_address(SOURCE).packed)
        tick = time.monotonic()
        while True:
            for advert in adverts:
                link.sendto(advert, (str(group), 0))
                tick += float(interval) / COUNT
                time.sleep(max(0.0, tick - time.monotonic()))


def _advert(vrid: int, interval: float) -> bytes:
    settings = RouterSettings(
        name="foreign",
        interface="eth0",
        vrid=vrid,
        version=3,
        priority=100,
        advertisement_interval=interval,
        virtual_addresses=(ip_address(f"10.77.250.{vrid}"),),
    )
    return encode(settings, 100, ip_address(SOURCE), MULTICAST_GROUP[4], settings.checksum)


if __name__ == "__main__":
    main(*sys.argv[1:])
