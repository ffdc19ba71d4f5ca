"""Program: ``python -m bench.newcomer TRIGGER SECONDS ADDRESS PERIOD`` first asks for an address in mid-handover.

``goodbye`` is an advert with priority 0, ``successor`` the first other advert after it. So many seconds later it
begins to ping, from an empty neighbour table; its lines are those of ``hafw.lab.ping``.
"""

from __future__ import annotations

import gc
import socket
import struct
import sys
import time

from hafw.lab import ping
from hafw.vrrp.packet import MULTICAST_GROUP, PROTOCOL


def main(trigger: str, delay: str, address: str, period: str) -> None:
    """Wait, then ping until killed."""
    gc.disable()
    ping.go_first()
    wait_for(trigger)
    time.sleep(float(delay))
    ping.main([address], in_turn=[], period=float(period))


def wait_for(trigger: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL) as link:
        interface = struct.pack("4s4si", MULTICAST_GROUP[4].packed, bytes(4), socket.if_nametoindex("eth0"))
        link.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, interface)
        gone = False
        while True:
            packet = link.recv(2048)
            priority = packet[(packet[0] & 0x0F) * 4 + 2]
            if gone and priority:
                return
            gone = gone or priority == 0
            if gone and trigger == "goodbye":
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
