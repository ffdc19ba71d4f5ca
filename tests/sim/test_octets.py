"""Adverts as octets: who hears what is right, and by which reason each wrong one is refused."""

from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from hafw.node import InstanceSettings
from hafw.sim.forgery import LIKELY, WRONG, likely, signed_wrongly, wrong
from hafw.sim.octets import OctetLan
from hafw.vrrp.packet import BadPacket, decode_untrusted
from hafw.vrrp.settings import HmacSettings, RouterSettings

VIP, OWN, PEER = (ip_address(f"192.0.2.{number}") for number in (100, 1, 2))
SETTINGS = RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=(VIP,))
VERSION_2 = replace(SETTINGS, version=2, password=b"secret")
SIGNED = replace(SETTINGS, hmac=HmacSettings(keys={1: bytes(range(32))}, active=1))
REASONS = {
    "checksum": {"checksum-errors"},
    "ttl": {"ip-ttl-errors"},
    "vrid": {"vrid-errors"},
    "version": {"version-errors"},
    "type": {"invalid-type-pkts-rcvd"},
    "short": {"packet-length-errors"},
    "long": {"packet-length-errors"},
    "count": {"packet-length-errors"},
    "interval": {"checksum-errors"},
    "unicast": {"mode-mismatch-errors"},
    "own source": {"own-source"},
    "noise": {"version-errors", "packet-length-errors", "invalid-type-pkts-rcvd"},
    "password": {"checksum-errors", "auth-failures"},
}


def reason(datagram, settings):
    with pytest.raises(BadPacket) as caught:
        decode_untrusted(datagram, settings, [OWN])
    return caught.value.reason


@pytest.mark.parametrize("settings", [SETTINGS, VERSION_2], ids=["v3", "v2"])
@pytest.mark.parametrize("kind", WRONG)
def test_c_sim_08_each_wrong_packet_is_wrong_in_what_it_is_called_by(kind, settings):
    for seed in range(20):
        assert reason(wrong(kind, settings, PEER, OWN, Random(seed)), settings) in REASONS[kind]


@pytest.mark.parametrize("settings", [SETTINGS, VERSION_2], ids=["v3", "v2"])
@pytest.mark.parametrize("kind", LIKELY)
def test_c_sec_02_what_is_forged_well_is_believed(kind, settings):
    advert, differs = decode_untrusted(likely(kind, settings, PEER, Random(0)), settings, [OWN])
    assert (advert.vrid, differs) == (51, ())


def pair(settings, **wire):
    lan = OctetLan(Random(0), **wire)
    for name, own, priority in (("lb1", OWN, 150), ("lb2", PEER, 100)):
        lan.add(name, [InstanceSettings(router=replace(settings, priority=priority))], own)
        lan.start(name)
    lan.run_until(20.0)
    return lan


@pytest.mark.parametrize("settings", [SETTINGS, VERSION_2, SIGNED], ids=["v3", "v2", "signed"])
def test_routers_elect_by_octets_as_they_do_without(settings):
    lan = pair(settings)
    assert lan.masters("VI_1") == lan.holders(VIP) == {"lb1"}
    lan.power_off("lb1")
    lan.run_until(30.0)
    assert lan.masters("VI_1") == {"lb2"}


def test_c_rx_22_two_with_one_address_do_not_hear_each_other():
    lan = pair(SETTINGS)
    lan.hosts["lb2"].primary = lan.hosts["lb1"].primary
    lan.renew()
    lan.run_until(40.0)
    assert lan.masters("VI_1") == {"lb1", "lb2"}


def test_what_is_signed_by_nobody_of_us_or_was_heard_before_changes_nothing():
    lan = pair(SIGNED)
    host = lan.hosts["lb2"]
    replayed = [each for each in lan.tape if lan.was_heard(host, each)]
    assert len(replayed) > 10
    forged = [
        signed_wrongly(likely("better", SIGNED, OWN, Random(seed)), SIGNED, lan.time_of_day(host), Random(seed))
        for seed in range(20)
    ]
    before, deadline = len(lan.log), host.deadline
    for datagram in [*replayed, *forged]:
        lan.hear(host, datagram)
    assert (len(lan.log), host.deadline) == (before, deadline)


def test_a_daemon_that_has_just_started_cannot_know_a_replay():
    lan = pair(SIGNED)
    last = lan.tape[-1]
    assert lan.was_heard(lan.hosts["lb2"], last)
    lan.start("lb2")
    assert not lan.was_heard(lan.hosts["lb2"], last)
    before = lan.hosts["lb2"].deadline
    lan.hear(lan.hosts["lb2"], last)
    assert lan.hosts["lb2"].deadline >= before
