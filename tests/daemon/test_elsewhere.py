"""Goodbye by another way: who is believed, and who is not. The sockets themselves are not open."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio

from hafw.daemon.authentication import Authentication
from hafw.daemon.elsewhere import Elsewhere
from hafw.daemon.observe import Observer, start_logging
from hafw.daemon.speech import Speeches
from hafw.vrrp.events import AdvertReceived, Startup
from hafw.vrrp.packet import MULTICAST_GROUP, Advertisement, encode, with_trailer
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.settings import AntiReplay, Checksum, HmacMode, HmacSettings, RouterSettings
from hafw.vrrp.trailer import Signer
from hafw.wire.elsewhere import Message

OWN, MASTER, STRANGER = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))
OTHER_NETWORK = ip_address("10.0.0.2")
KEY = bytes(range(32))
SETTINGS = RouterSettings(
    name="VI_1",
    interface="eth0",
    vrid=51,
    priority=100,
    virtual_addresses=(ip_address("192.0.2.250"),),
    hmac=HmacSettings(keys={1: KEY}, active=1),
    goodbye=(OTHER_NETWORK,),
)
ETH0, ETH1 = 2, 3


def router_of(settings, primary):
    router = VirtualRouter(settings, trio.current_time())
    router.primary = primary
    router.handle(Startup(settings.name), trio.current_time())
    return router


def said(settings=SETTINGS, source=MASTER, form=Checksum.PSEUDO_HEADER):
    """The goodbye as the MASTER's own daemon says it."""
    speeches = Speeches(lambda _: (None, ()))
    return speeches.elsewhere(router_of(settings, source), form)


class Hearer:
    def __init__(self, *settings):
        self.writer = start_logging(io.StringIO(), "json")
        self.observer = Observer(self.writer)
        self.passed = []
        self.routers = [router_of(each, OWN) for each in settings]
        self.authentication = Authentication()
        self.elsewhere = Elsewhere(self.authentication, lambda _: b"", self.passed.append, self.observer)
        self.elsewhere._routers = tuple(self.routers)
        self.elsewhere._indices = {"eth0": ETH0}

    def follow(self, source=MASTER, priority=150):
        for router in self.routers:
            settings = router.settings
            advert = Advertisement(
                version=3, vrid=settings.vrid, priority=priority, interval=1.0, addresses=settings.virtual_addresses
            )
            router.handle(AdvertReceived(settings.name, advert, source), trio.current_time())

    def hear(self, payload, ifindex=ETH1):
        self.elsewhere.take_untrusted(Message(payload, OTHER_NETWORK, ifindex))
        return [(event.router, event.advert.priority, event.source) for event in self.passed]

    def refused(self):
        return {reason: count for (name, reason), count in self.observer.counters.items() if name == "VI_1"}


@pytest.fixture
async def hearer(autojump_clock):
    made = Hearer(SETTINGS)
    made.follow()
    yield made
    made.writer.close()


async def test_the_master_s_own_goodbye_counts_as_if_it_had_come_by_its_own_link(hearer):
    assert hearer.hear(said()) == [("VI_1", 0, MASTER)]
    assert hearer.observer.counters["VI_1", "priority-zero-pkts-rcvd"] == 1


@pytest.mark.parametrize("mode", [HmacMode.PERMISSIVE, HmacMode.ENFORCE])
async def test_one_without_a_trailer_is_refused_in_every_mode(hearer, mode):
    hearer.routers[0].settings = replace(SETTINGS, hmac=replace(SETTINGS.hmac, mode=mode))
    assert hearer.hear(said()[:-28]) == []
    assert hearer.refused() == {"hmac-missing": 1}


async def test_one_in_the_name_of_another_router_is_refused(hearer):
    """The signature covers the source: only the MASTER that is followed is believed."""
    assert hearer.hear(said(source=STRANGER, form=Checksum.RFC9568)) == []
    assert hearer.refused() == {"hmac-invalid": 1}


async def test_a_replay_is_refused(hearer):
    words = said()
    hearer.hear(words)
    assert len(hearer.hear(words)) == 1
    assert hearer.refused()["hmac-replayed"] == 1


async def test_an_advert_that_was_heard_on_the_own_link_is_no_goodbye_when_it_comes_again(hearer):
    """Both ways share one memory."""
    words = said()
    check = hearer.authentication.of(SETTINGS, MASTER, trio.current_time())
    check(words[:-28], words[-28:])
    assert hearer.hear(words) == []
    assert hearer.refused() == {"hmac-replayed": 1}


async def test_one_that_was_signed_too_long_ago_is_refused(hearer):
    message = encode(SETTINGS, 0, MASTER, MULTICAST_GROUP[4], Checksum.PSEUDO_HEADER)
    trailer = Signer().sign(SETTINGS.hmac, message, MASTER, time.time() - 60)
    assert hearer.hear(with_trailer(message, trailer, MASTER, MULTICAST_GROUP[4])) == []
    assert hearer.refused() == {"hmac-stale": 1}


async def test_one_with_another_key_is_refused(hearer):
    settings = replace(SETTINGS, hmac=replace(SETTINGS.hmac, keys={1: bytes(32)}))
    assert hearer.hear(said(settings)) == []
    assert hearer.refused() == {"hmac-invalid": 1}


async def test_what_is_no_goodbye_is_not_believed_by_another_way(hearer):
    message = encode(SETTINGS, 200, MASTER, MULTICAST_GROUP[4], Checksum.PSEUDO_HEADER)
    trailer = Signer().sign(SETTINGS.hmac, message, MASTER, time.time())
    assert hearer.hear(with_trailer(message, trailer, MASTER, MULTICAST_GROUP[4])) == []
    assert hearer.refused() == {"goodbye-unexpected": 1}


async def test_who_follows_nobody_believes_nobody(autojump_clock):
    hearer = Hearer(SETTINGS)
    assert hearer.hear(said()) == []
    hearer.follow()
    await trio.sleep(3.1)
    assert hearer.hear(said()) == []
    assert hearer.refused() == {"goodbye-unexpected": 2}
    hearer.writer.close()


async def test_what_comes_by_the_own_link_is_heard_there(hearer):
    assert hearer.hear(said(), ifindex=ETH0) == []
    assert hearer.refused() == {}


async def test_one_of_a_foreign_vrid_is_nobody_s(hearer):
    assert hearer.hear(said(replace(SETTINGS, vrid=52))) == []
    assert hearer.refused() == {}


@pytest.mark.parametrize("octets", [b"", b"1", said.__name__.encode() * 9, bytes(36), b"\x31\x33" + bytes(42)])
async def test_any_octets_are_refused_or_left_alone(hearer, octets):
    assert hearer.hear(octets) == []


async def test_of_two_routers_with_one_vrid_the_one_that_it_is_meant_for_believes_it(autojump_clock):
    """On two networks: what the other one thinks of it is no news."""
    other = replace(
        SETTINGS,
        name="VI_2",
        interface="eth2",
        virtual_addresses=(ip_address("198.51.100.250"),),
        hmac=replace(SETTINGS.hmac, keys={1: bytes(32)}),
    )
    hearer = Hearer(other, SETTINGS)
    hearer.follow()
    assert hearer.hear(said()) == [("VI_1", 0, MASTER)]
    assert hearer.observer.counters["VI_2", "hmac-invalid"] == 0
    hearer.writer.close()


async def test_monotonic_and_ipv6_work_alike(autojump_clock):
    own, master = ip_address("fe80::1"), ip_address("fe80::2")
    settings = replace(
        SETTINGS,
        virtual_addresses=(ip_address("fe80::250"),),
        hmac=replace(SETTINGS.hmac, anti_replay=AntiReplay.MONOTONIC),
    )
    hearer = Hearer(settings)
    hearer.routers[0].primary = own
    hearer.follow(master)
    assert hearer.hear(said(settings, master)) == [("VI_1", 0, master)]
    hearer.writer.close()
