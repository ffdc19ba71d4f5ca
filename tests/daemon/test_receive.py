"""From a datagram to the Node: what is counted, what is logged, what goes on. The sockets themselves are not open."""

import io
from dataclasses import replace
from ipaddress import ip_address
from math import inf
from typing import NamedTuple

import pytest
import trio

from hafw.daemon.heard import BATCH, HURRY, PASSES, rest_for
from hafw.daemon.observe import Observer, start_logging
from hafw.daemon.sockets import Wire, socket_key
from hafw.vrrp.events import Startup
from hafw.vrrp.packet import Datagram, encode
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.settings import Checksum, RouterSettings, State

GROUP = ip_address("224.0.0.18")
OWN, PEER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
SETTINGS = RouterSettings(
    name="VI_1", interface="eth0", vrid=51, priority=100, virtual_addresses=(ip_address("192.0.2.250"),)
)


class Waiting(NamedTuple):
    """An ``Arrival`` of no socket."""

    identity: object
    stamp: float
    datagram: Datagram


class Receiver:
    """A Wire with one router and nothing open."""

    def __init__(self, settings):
        self.settings = settings
        self.writer = start_logging(io.StringIO(), "json")
        self.observer = Observer(self.writer)
        router = VirtualRouter(settings, 0.0)
        router.primary = OWN
        self.router = router
        self.passed, self.times, self.waiting = [], [], []
        self.wire = Wire({settings.name: router}, self.receive, self.observer)
        self.wire._stamps.moment = lambda stamp: stamp

    def receive(self, event, at):
        self.passed.append(event)
        self.times.append(at)

    def hear(self, priority=150, *, settings=SETTINGS, source=PEER, form=Checksum.PSEUDO_HEADER):
        payload = encode(settings, priority, source, GROUP, form)
        datagram = Datagram(payload=payload, source=source, destination=GROUP, ttl=255)
        self.wire._take_untrusted(socket_key(self.settings), datagram, trio.current_time())

    def wait(self, priority=150, *, source=PEER, ttl=255, at=0.0, settings=SETTINGS):
        """One more in the socket."""
        payload = encode(settings, priority, source, GROUP, Checksum.PSEUDO_HEADER)
        datagram = Datagram(payload=payload, source=source, destination=GROUP, ttl=ttl)
        self.waiting.append(Waiting((payload, source, ttl), at, datagram))

    def drain(self):
        """What came of it: the priority of each advert that was passed on, and when it came."""
        key = socket_key(self.settings)
        self.wire._heard.setdefault(key, {})
        self.passed.clear()
        self.times.clear()
        self.taken = self.wire._drain_one(key, self)
        return [event.advert.priority for event in self.passed], list(self.times)

    errors = 0

    def arrivals(self, limit):
        """As ``VrrpSocket`` has it; so the next."""
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    def datagram_untrusted(self, arrival):
        return arrival.datagram

    def counted(self, name):
        return self.observer.counters["VI_1", name]

    def remarks(self):
        return [event["detail"] for event in self.observer.events if event["type"] == "peer_mismatch"]


@pytest.fixture
async def receiver():
    made = Receiver(SETTINGS)
    yield made
    made.writer.close()


async def test_an_advert_is_counted_and_goes_to_its_router(autojump_clock, receiver):
    receiver.hear(150)
    receiver.hear(0)
    assert [(event.router, event.advert.priority) for event in receiver.passed] == [("VI_1", 150), ("VI_1", 0)]
    assert receiver.counted("advertisement-rcvd") == 2
    assert receiver.counted("priority-zero-pkts-rcvd") == 1


async def test_c_rx_08_an_advert_of_a_foreign_vrid_goes_nowhere(autojump_clock, receiver):
    receiver.hear(settings=replace(SETTINGS, vrid=52))
    assert receiver.passed == []
    assert receiver.observer.counters["", "vrid-errors"] == 1


async def test_c_rx_22_our_own_advert_never_reaches_the_state_machine(autojump_clock, receiver):
    receiver.hear(source=OWN)
    assert receiver.passed == []
    assert receiver.counted("own-source") == 1


async def test_c_rx_20_a_refused_packet_is_remembered_for_the_status(autojump_clock, receiver):
    receiver.hear(settings=replace(SETTINGS, version=2, password=b"secret"))
    assert receiver.passed == []
    assert receiver.wire.refused["VI_1"]["reason"] == "version-errors"


async def test_c_rx_13_another_interval_is_reported_once_and_goes_on(autojump_clock, receiver):
    for _ in range(5):
        receiver.hear(settings=replace(SETTINGS, advertisement_interval=2.0))
    assert len(receiver.passed) == 5
    assert receiver.remarks() == ["interval 2s, ours is 1s"]
    receiver.hear()
    assert receiver.wire.mismatches.words("VI_1") == {}


async def test_c_rx_25_two_routers_with_priority_255_are_reported(autojump_clock):
    owner = Receiver(replace(SETTINGS, owner=True, priority=255))
    owner.hear(255)
    owner.hear(255)
    assert owner.remarks() == ["192.0.2.2 advertises priority 255, and we are the address owner (255)"]
    owner.writer.close()


async def test_c_rx_26_two_routers_with_the_same_priority_are_reported(autojump_clock, receiver):
    receiver.hear(100)
    receiver.hear(99)
    assert receiver.remarks() == ["priority 100 is ours too: the higher address decides"]


async def test_c_pkt_08_c_pkt_09_the_form_last_heard_is_the_form_that_is_sent(autojump_clock, receiver):
    receiver.hear(form=Checksum.RFC9568)
    assert receiver.wire._forms["VI_1"] is Checksum.RFC9568
    receiver.hear(form=Checksum.PSEUDO_HEADER)
    assert receiver.wire._forms["VI_1"] is Checksum.PSEUDO_HEADER


SPOILT = replace(SETTINGS, version=2)


async def test_what_was_refused_is_forgotten_when_its_sender_is_mended(autojump_clock, receiver):
    receiver.hear(settings=SPOILT)
    assert receiver.wire.refused["VI_1"]["source"] == str(PEER)
    receiver.hear(source=ip_address("192.0.2.3"))
    assert "VI_1" in receiver.wire.refused
    receiver.hear()
    assert receiver.wire.refused == {}


async def test_what_was_refused_is_forgotten_when_the_router_starts_anew_and_only_then(autojump_clock, receiver):
    receiver.hear(settings=SPOILT)
    (router,) = receiver.wire._by_vrid.values()
    receiver.wire.serve({"VI_1": router})
    assert "VI_1" in receiver.wire.refused
    receiver.wire.serve({"VI_1": VirtualRouter(SETTINGS, 0.0)})
    assert receiver.wire.refused == {}


# -- again and again ------------------------------------------------------------------------------------------------


@pytest.fixture
async def backup(receiver):
    """One that has heard its MASTER before."""
    receiver.router.handle(Startup("VI_1"), 0.0)
    receiver.wait()
    assert receiver.drain() == ([150], [0.0])
    return receiver


async def test_c_sec_08_of_many_that_say_the_same_a_backup_hears_the_last_and_all_are_counted(autojump_clock, backup):
    for at in (1.0, 2.0, 3.0):
        backup.wait(at=at)
    assert backup.drain() == ([150], [3.0])
    assert backup.counted("advertisement-rcvd") == 4


async def test_c_sec_08_whatever_is_not_the_same_keeps_its_place_among_them(autojump_clock, backup):
    for at, priority in ((1.0, 150), (2.0, 150), (3.0, 0), (4.0, 150)):
        backup.wait(priority, at=at)
    assert backup.drain() == ([150, 0, 150], [2.0, 3.0, 4.0])


async def test_a_master_hears_every_one_of_its_rival(autojump_clock, backup):
    backup.router.state = State.MASTER
    for at in (1.0, 2.0):
        backup.wait(at=at)
    assert backup.drain() == ([150, 150], [1.0, 2.0])


async def test_c_fsm_15_a_backup_that_outranks_the_sender_hears_every_one(autojump_clock, backup):
    for at in (1.0, 2.0, 3.0):
        backup.wait(90, at=at)
    assert backup.drain() == ([90, 90, 90], [1.0, 2.0, 3.0])


async def test_an_advert_that_was_good_is_judged_again_when_anything_differs(autojump_clock, backup):
    backup.wait(ttl=254)
    assert backup.drain()[0] == []
    assert backup.counted("ip-ttl-errors") == 1
    backup.wait()
    backup.drain()
    backup.router.primary = PEER  # the address is ours now
    backup.wait()
    assert backup.drain()[0] == []
    assert backup.counted("own-source") == 1


async def test_an_advert_that_was_good_is_judged_again_by_a_new_configuration(autojump_clock, backup):
    backup.router.reconfigure(replace(SETTINGS, advertisement_interval=2.0), 0.0)
    backup.wait()
    assert backup.drain()[0] == [150]
    assert backup.remarks() == ["interval 1s, ours is 2s"]


async def test_an_advert_as_before_puts_right_what_the_status_says_of_its_sender(autojump_clock, backup):
    backup.wait(settings=replace(SETTINGS, advertisement_interval=2.0))
    backup.wait(settings=SPOILT)
    backup.drain()
    assert backup.wire.mismatches.words("VI_1")
    assert backup.wire.refused
    backup.wait()
    assert backup.drain()[0] == [150]
    assert (backup.wire.mismatches.words("VI_1"), backup.wire.refused) == ({}, {})


async def test_c_sec_08_a_flood_is_bounded(autojump_clock, backup):
    for _ in range(BATCH * PASSES + 1):
        backup.wait()
    assert backup.drain() == ([150], [0.0])
    assert (backup.taken, len(backup.waiting)) == (BATCH * PASSES, 1)


def test_a_socket_is_left_alone_until_it_is_half_full():
    assert rest_for(taken=0, room=2048, seconds=0.3) == inf
    assert rest_for(taken=765, room=2048, seconds=0.3) == pytest.approx(0.4016, abs=1e-4)
    assert rest_for(taken=20, room=104, seconds=0.01) == pytest.approx(0.026)
    assert rest_for(taken=52, room=104, seconds=1.0) == rest_for(BATCH * PASSES, 1 << 20, 1.0) == HURRY
