"""As much of ``ping`` as the pages use, for a machine that has none: ``ping [-c COUNT] [-i SECONDS] ADDRESS``."""

from __future__ import annotations

import argparse
import socket
import struct
import sys
import time


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echoed(wire: socket.socket, address: str, sequence: int, seconds: float) -> bool:
    """One request; whether its answer comes in this time."""
    message = struct.pack("!BBHHH", 8, 0, 0, 0x4846, sequence)
    wire.sendto(message[:2] + struct.pack("!H", checksum(message)) + message[4:], (address, 0))
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            packet, (source, _) = wire.recvfrom(2048)
        except TimeoutError:
            break
        body = packet[(packet[0] & 15) * 4 :]
        if source == address and body[0] == 0 and struct.unpack("!HH", body[4:8]) == (0x4846, sequence):
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", type=int, default=sys.maxsize)
    parser.add_argument("-i", type=float, default=1.0)
    parser.add_argument("address")
    words = parser.parse_args()
    sent = received = 0
    sys.stdout.write(f"PING {words.address}\n")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as wire:
        while sent < words.c:
            if sent:
                time.sleep(words.i)
            sent += 1
            received += echoed(wire, words.address, sent & 0xFFFF, 1.0)
    lost = 100 * (sent - received) // sent
    sys.stdout.write(f"{sent} packets transmitted, {received} received, {lost}% packet loss\n\n")
    return 0 if received else 1


if __name__ == "__main__":
    sys.exit(main())
