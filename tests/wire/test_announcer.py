"""The announcer on a real cable in virtual time: everything leaves, once, in order, at its rate, and nothing stale."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager, closing
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
import trio

from hafw.daemon.announcer import BURST, PATIENCE, Announcer
from hafw.pipe import Frame
from hafw.wire.claims import FrameSender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.wire.conftest import Segment

pytestmark = pytest.mark.wire

SENDER = 28
"""Where the announced address is in a gratuitous ARP."""
MARK = b"\xff" * 12 + b"\x88\xb5" + bytes(46)
FAST = 100_000


class Counters:
    """All that the announcer wants of an observer while its senders can be opened."""

    def __init__(self) -> None:
        self.errors = 0

    def count(self, instance: str, name: str, amount: int = 1) -> None:
        assert (instance, name) == ("", "announcement-errors")
        self.errors += amount


def garps(count: int, first: str = "198.18.0.1", interface: str = "near") -> list[Frame]:
    return [garp(IPv4Address(first) + number, interface) for number in range(count)]


def garp(address: IPv4Address, interface: str) -> Frame:
    mac = bytes.fromhex("020000000001")
    ends = mac + address.packed
    data = b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + ends + bytes(6) + address.packed
    return Frame(interface=interface, address=str(address), data=data)


def heard(segment: Segment) -> list[str]:
    """The addresses announced since the last look, in order; a frame of our own marks the end of what has been sent."""
    with FrameSender(segment.near) as sender:
        assert sender.send_some([MARK], 1) == 1
    found: list[str] = []
    segment.hear(lambda frame: frame == MARK or bool(_collect(found, frame)))
    return found


def _collect(found: list[str], frame: bytes) -> None:
    if frame[12:14] == b"\x08\x06" and frame[6:12] == bytes.fromhex("020000000001"):
        found.append(socket.inet_ntoa(frame[SENDER : SENDER + 4]))


def names(*rounds: list[Frame]) -> list[str]:
    return [frame.address for each in rounds for frame in each]


@asynccontextmanager
async def announcing(segment: Segment) -> AsyncIterator[tuple[Announcer, Counters]]:
    counters = Counters()
    announcer = Announcer(counters)
    announcer.link("near", segment.near)
    with closing(announcer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(announcer.run)
            yield announcer, counters
            nursery.cancel_scope.cancel()


async def test_a_few_frames_leave_before_the_call_returns(segment, autojump_clock):
    async with announcing(segment) as (announcer, _):
        frames = garps(BURST)
        announcer.announce("VI_1", frames, 1)
        assert heard(segment) == names(frames)


async def test_what_is_more_is_paced(segment, autojump_clock):
    async with announcing(segment) as (announcer, counters):
        frames = garps(3 * BURST)
        announcer.announce("VI_1", frames, BURST)
        assert heard(segment) == names(frames[:BURST])
        await trio.sleep(0.9)
        assert heard(segment) == []
        await trio.sleep(0.2)
        assert heard(segment) == names(frames[BURST : 2 * BURST])
        await trio.sleep(1)
        assert heard(segment) == names(frames[2 * BURST :])
        assert counters.errors == 0


async def test_repeats_neither_starve_the_last_address_nor_pile_up(segment, autojump_clock):
    async with announcing(segment) as (announcer, _):
        frames = garps(4000)
        for _ in range(5):
            announcer.announce("VI_1", frames, FAST)
            await trio.sleep(0.001)
        await trio.sleep(1)
        assert heard(segment) == names(frames, frames)
        announcer.announce("VI_1", frames[:1], FAST)
        assert heard(segment) == names(frames[:1]), "the round is over"


async def test_the_first_of_many_addresses_go_ahead_of_the_announcement(segment, autojump_clock):
    async with announcing(segment) as (announcer, _):
        frames = garps(1000)
        for at in range(0, 1000, 100):
            announcer.begin("VI_1", frames[at : at + 100], FAST)
        announcer.announce("VI_1", frames, FAST)
        await trio.sleep(1)
        assert heard(segment) == names(frames, frames)


async def test_other_frames_replace_what_has_not_left(segment, autojump_clock):
    async with announcing(segment) as (announcer, _):
        old, new = garps(1000), garps(3, first="203.0.113.1")
        announcer.announce("VI_1", old, BURST)
        announcer.announce("VI_1", new, BURST)
        await trio.sleep(60)
        assert heard(segment) == names(old[:BURST], new)


@pytest.mark.parametrize("stop", ["silence", "link"])
async def test_what_is_stale_does_not_leave(segment, autojump_clock, stop):
    """The router wants other addresses, or its interface has another MAC."""
    async with announcing(segment) as (announcer, counters):
        frames = garps(1000)
        announcer.announce("VI_1", frames, BURST)
        announcer.announce("VI_1", frames, BURST)
        if stop == "silence":
            announcer.silence("VI_1")
        else:
            announcer.link("near", segment.near)
        await trio.sleep(60)
        assert heard(segment) == names(frames[:BURST])
        assert counters.errors == 0


async def test_two_routers_take_turns(segment, autojump_clock):
    async with announcing(segment) as (announcer, _):
        one, other = garps(2 * BURST), garps(2 * BURST, first="203.0.113.1")
        announcer.announce("VI_1", one, 1)
        announcer.announce("VI_2", other, FAST)
        await trio.sleep(0.01)
        assert heard(segment) == names(one[:BURST], other), "the slow one does not hold up the other"


async def test_a_frame_that_did_not_leave_is_sent_later_and_not_counted_as_sent(segment, autojump_clock):
    async with announcing(segment) as (announcer, counters):
        frames = garps(100)
        segment.ip("link set near down")
        announcer.announce("VI_1", frames, FAST)
        await trio.sleep(PATIENCE / 2)
        segment.up()
        await trio.sleep(PATIENCE / 2)
        assert heard(segment) == names(frames)
        assert counters.errors == 0


async def test_what_cannot_leave_is_given_up_and_counted(segment, autojump_clock):
    async with announcing(segment) as (announcer, counters):
        segment.ip("link set near down")
        announcer.announce("VI_1", garps(100), FAST)
        await trio.sleep(2 * PATIENCE)
        assert counters.errors == 100
        segment.up()
        await trio.sleep(60)
        announcer.announce("VI_1", garps(1, interface="eth9"), FAST)
        assert counters.errors == 101, "there is no such interface"
        assert heard(segment) == []
