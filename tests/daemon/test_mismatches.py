"""What differs between two routers, by field, key, ours and theirs; and strangers with our VRID."""

import io
from dataclasses import replace
from ipaddress import ip_address

import pytest

from hafw.daemon.mismatches import (
    COLLISION_EVERY,
    PEERS_KEPT,
    SHOWN,
    Mismatches,
    addresses_in,
    in_advert,
    in_refusal,
)
from hafw.daemon.observe import Observer, start_logging
from hafw.node import InstanceSettings, Node
from hafw.vrrp.events import AddressesInstalled, AdvertReceived, LinkChanged, PlanReported, Startup, Tick
from hafw.vrrp.packet import Advertisement, BadPacket, Datagram, decode_untrusted, encode
from hafw.vrrp.settings import Checksum, HmacSettings, RouterSettings

GROUP, OWN, PEER = map(ip_address, ("224.0.0.18", "192.0.2.1", "192.0.2.2"))
VIP, OTHER = ip_address("192.0.2.250"), ip_address("192.0.2.199")
OURS = RouterSettings(name="VI_1", interface="eth0", vrid=51, priority=100, virtual_addresses=(VIP,))
V2 = replace(OURS, version=2, password=b"secret")


def judged(ours, theirs, *, ttl=255, destination=GROUP, priority=150):
    """What a router makes of an advert of another one."""
    payload = encode(theirs, priority, PEER, destination, Checksum.PSEUDO_HEADER)
    try:
        advert, said = decode_untrusted(
            Datagram(payload=payload, source=PEER, destination=destination, ttl=ttl), ours, [OWN]
        )
    except BadPacket as bad:
        found = in_refusal(bad, payload, ours)
        return [] if found is None else [found]
    return in_advert(advert, ours, said)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(
            {}, {"advertisement_interval": 2.0}, ("interval", "advertisement_interval", "1s", "2s"), id="interval"
        ),
        pytest.param(
            {}, {"virtual_addresses": (OTHER,)}, ("addresses", "virtual_addresses", str(VIP), str(OTHER)), id="list"
        ),
        pytest.param({}, {"version": 2}, ("version", "version", "3", "2"), id="version"),
        pytest.param(
            {"unicast_peers": (PEER,)}, {}, ("destination", "unicast_peers", "unicast", "multicast"), id="destination"
        ),
        pytest.param({"owner": True, "priority": 255}, {}, ("priority", "owner", "255", "150"), id="owner"),
    ],
)
def test_a_difference_names_the_field_and_the_key(ours, theirs, expected):
    (found,) = judged(replace(OURS, **ours), replace(OURS, **theirs))
    assert (found.field, found.key, found.ours, found.theirs) == expected


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"password": None}, ("authentication", "auth", "password", "none")),
        ({"password": b"other"}, ("authentication", "auth.password", "password", "another password")),
        ({"advertisement_interval": 3.0}, ("interval", "advertisement_interval", "1s", "3s")),
        ({"virtual_addresses": (OTHER, VIP)}, ("addresses", "virtual_addresses", str(VIP), f"{OTHER}, {VIP}")),
    ],
)
def test_what_version_2_refuses_names_it_too_and_no_secret(theirs, expected):
    (found,) = judged(V2, replace(V2, **theirs))
    assert (found.field, found.key, found.ours, found.theirs) == expected
    assert "secret" not in repr(found)
    assert "other'" not in repr(found)


def test_a_priority_that_is_ours_too_differs_from_what_it_should_be():
    (found,) = judged(OURS, OURS, priority=100)
    assert (found.field, found.key, found.detail) == (
        "priority",
        "priority",
        "priority 100 is ours too: the higher address decides",
    )


def test_a_routed_advert_names_the_ttl():
    (found,) = judged(OURS, OURS, ttl=63)
    assert (found.field, found.key, found.ours, found.theirs) == ("ttl", "min_ttl", "255", "63")


def test_a_good_advert_differs_in_nothing():
    assert judged(OURS, OURS) == judged(V2, V2) == []


def test_damage_is_no_difference_of_configurations():
    with pytest.raises(BadPacket) as raised:
        decode_untrusted(Datagram(payload=b"\x31", source=PEER, destination=GROUP, ttl=255), OURS, [OWN])
    assert in_refusal(raised.value, b"\x31", OURS) is None


def test_a_signed_advert_that_we_expect_unsigned_names_auth():
    payload = encode(OURS, 150, PEER, GROUP, Checksum.PSEUDO_HEADER) + bytes(28)
    with pytest.raises(BadPacket) as raised:
        decode_untrusted(Datagram(payload=payload, source=PEER, destination=GROUP, ttl=255), OURS, [OWN])
    found = in_refusal(raised.value, payload, OURS)
    assert (found.field, found.key, found.ours, found.theirs) == ("authentication", "auth", "none", "hmac")
    signed = replace(OURS, hmac=HmacSettings(keys={1: bytes(32)}, active=1))
    missing = in_refusal(BadPacket("hmac-missing", "no trailer"), payload, signed)
    assert (missing.ours, missing.theirs) == ("hmac", "none")


@pytest.fixture
def observer():
    writer = start_logging(io.StringIO(), "json")
    yield Observer(writer)
    writer.close()


def test_an_event_names_instance_peer_and_the_whole_key(observer):
    mismatches = Mismatches(observer)
    mismatches.note(OURS, str(PEER), judged(OURS, replace(OURS, advertisement_interval=2.0)), 0.0)
    (event,) = observer.events
    assert {key: event[key] for key in ("type", "instance", "peer", "field", "key", "ours", "theirs")} == {
        "type": "peer_mismatch",
        "instance": "VI_1",
        "peer": str(PEER),
        "field": "interval",
        "key": "instance.VI_1.advertisement_interval",
        "ours": "1s",
        "theirs": "2s",
    }
    (record,) = mismatches.records("VI_1", 5.0)
    assert (record["peer"], record["heard_seconds"]) == (str(PEER), 5.0)
    mismatches.note(OURS, str(PEER), [], 6.0)
    assert mismatches.records("VI_1", 6.0) == []


def test_a_stranger_is_told_of_now_and_then_and_strangers_without_end_cost_nothing(observer):
    mismatches = Mismatches(observer)
    for at in range(int(COLLISION_EVERY) + 1):
        mismatches.stranger(OURS, str(PEER), [int(OTHER)], float(at))
    assert [event["cause"] for event in observer.events] == ["addresses"] * 2
    for number in range(10 * PEERS_KEPT):
        mismatches.stranger(OURS, f"192.0.2.{number}", [int(OTHER)], 100.0)
    assert len(observer.events) <= PEERS_KEPT + 2


def test_whoever_shares_an_address_with_us_is_no_stranger(observer):
    Mismatches(observer).stranger(OURS, str(PEER), [int(OTHER), int(VIP)], 0.0)
    assert not observer.events


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("shared", "told"), [((VIP,), False), ((), True)])
def test_the_status_knows_a_stranger_by_all_addresses_and_not_by_those_that_it_shows(observer, version, shared, told):
    others = tuple(ip_address(f"198.51.100.{number}") for number in range(1, 2 * SHOWN))
    ours = replace(V2 if version == 2 else OURS, virtual_addresses=(VIP,))
    theirs = replace(ours, virtual_addresses=(*others, *shared))
    mismatches = Mismatches(observer)
    mismatches.note(ours, str(PEER), judged(ours, theirs), 0.0)
    assert [each["is_stranger"] for each in mismatches.records(ours.name, 0.0)] == [told]


def test_the_addresses_of_a_refused_advert_are_read_from_it():
    payload = encode(replace(V2, virtual_addresses=(OTHER, VIP)), 150, PEER, GROUP, Checksum.AUTO)
    assert addresses_in(payload, 4) == [int(OTHER), int(VIP)]


def test_a_master_that_does_not_give_way_is_told_of(observer):
    mismatches, node = Mismatches(observer), Node([InstanceSettings(router=OURS)], 0.0)
    for event in (LinkChanged("eth0", up=True, primary={4: OWN}), PlanReported("VI_1"), Startup("VI_1")):
        node.handle(event, 0.0)
    now = node.deadline
    node.handle(Tick(), now)
    node.handle(AddressesInstalled("VI_1"), now)
    router, begun = node.instances["VI_1"].router, now
    worse = Advertisement(version=3, vrid=51, priority=50, interval=1.0, addresses=(VIP,))
    while now < begun + 15:
        now += 1.0
        node.handle(Tick(), now)
        node.handle(AdvertReceived("VI_1", worse, PEER), now)
        mismatches.stubborn(router, now)
    (event,) = observer.events
    assert (event["type"], event["cause"], event["peer"]) == ("vrid_collision", "never-yields", str(PEER))
    assert event["detail"].startswith("its priority 50 has been MASTER beside our 100 for 10s: it does not hear us")


def test_what_a_peer_said_is_not_shown_for_ever_when_it_has_fallen_silent(observer):
    mismatches = Mismatches(observer)
    mismatches.note(OURS, str(PEER), judged(OURS, replace(OURS, advertisement_interval=2.0)), 0.0)
    slow = replace(OURS, name="VI_2", advertisement_interval=20.0)
    mismatches.note(slow, str(PEER), judged(slow, replace(slow, advertisement_interval=2.0)), 0.0)
    assert (len(mismatches.records("VI_1", 30.0)), len(mismatches.words("VI_1", 30.0))) == (1, 1)
    assert (mismatches.records("VI_1", 30.1), mismatches.words("VI_1", 30.1)) == ([], {})
    assert len(mismatches.records("VI_2", 200.0)) == 1
