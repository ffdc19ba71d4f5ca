"""Why an advert is refused and which key differs: the daemon's own reasons, and every one of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from hafw.listen.compare import View, compare
from hafw.listen.finding import Verdict
from hafw.listen.message import message_untrusted
from hafw.vrrp.packet import BadPacket, Checksum, Datagram, decode_untrusted, encode, with_trailer
from hafw.vrrp.settings import AntiReplay, HmacMode, HmacSettings, RouterSettings
from hafw.vrrp.trailer import Signer

R1, R2 = ip_address("10.77.0.1"), ip_address("10.77.0.2")
R1_6 = ip_address("fe80::1")
GROUPS = {4: ip_address("224.0.0.18"), 6: ip_address("ff02::12")}
VIP, OTHER = ip_address("10.77.0.250"), ip_address("10.77.0.251")
VIPS6 = (ip_address("fe80::77:250"), ip_address("fd77::250"))
NOW = 1_800_000_000.0
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))

OURS = RouterSettings(name="VI_1", interface="eth0", vrid=51, priority=100, virtual_addresses=(VIP,))
OURS2 = replace(OURS, version=2)
PASS = replace(OURS2, password=b"secret")
SIGNED = replace(OURS, hmac=HmacSettings(keys={1: KEY}, active=1))


def message(settings, *, priority=200, source=R1, to=GROUPS[4], checksum=Checksum.AUTO, signed_at=NOW):
    octets = encode(settings, priority, source, to, checksum)
    if settings.hmac is None:
        return octets
    return with_trailer(octets, Signer().sign(settings.hmac, octets, source, signed_at), source, to)


@pytest.fixture
def judge(frame, hear):
    """What this router makes of an advert with these settings."""

    def of(ours, theirs, *, source=R1, to=None, ttl=255, own=None, octets=None, tags=(), **how):
        to = to or GROUPS[theirs.family]
        octets = octets or message(theirs, source=source, to=to, **how)
        packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        for tag in tags:
            packet /= Dot1Q(vlan=tag)
        if source.version == 4:
            packet /= IP(src=str(source), dst=str(to), ttl=ttl, proto=112)
        else:
            packet /= IPv6(src=str(source), dst=str(to), hlim=ttl, nh=112)
        ours = ours if isinstance(ours, tuple) else (ours,)
        ((only,), _) = hear([frame(packet / Raw(octets), time=NOW, interface="eth0")], *ours, own=own)
        return only.judgement

    return of


CASES = {
    "own-source": (OURS, OURS, {"own": {("eth0", 4): R1}}, "", "", ""),
    "ip-ttl-errors": (OURS, OURS, {"ttl": 254}, "", "", ""),
    "ip-ttl-errors, unicast": (
        replace(OURS, unicast_peers=(R1,), min_ttl=250),
        OURS,
        {"ttl": 3, "to": R2},
        "min_ttl",
        "250",
        "3 left when it arrives here",
    ),
    "mode-mismatch-errors": (OURS, OURS, {"to": R2}, "unicast_peers", "none, multicast", "unicast, to 10.77.0.2"),
    "mode-mismatch-errors, the other way": (
        replace(OURS, unicast_peers=(R1,)),
        OURS,
        {},
        "unicast_peers",
        "10.77.0.1",
        "multicast, to 224.0.0.18",
    ),
    "mode-mismatch-errors, group": (
        replace(OURS, multicast_group=ip_address("224.0.0.99")),
        OURS,
        {},
        "multicast_group",
        "224.0.0.99",
        "224.0.0.18",
    ),
    "peer-source-errors": (
        replace(OURS, unicast_peers=(ip_address("10.77.0.9"),)),
        OURS,
        {"to": R2},
        "unicast_peers",
        "10.77.0.9",
        "the address 10.77.0.1",
    ),
    "version-errors": (OURS, OURS2, {}, "version", "3", "2"),
    "version-errors, unknown": (OURS, OURS, {"octets": b"\x51\x33" + bytes(10)}, "version", "3", "5"),
    "version-errors, CARP": (
        OURS,
        OURS,
        {"octets": bytes((0x21, 51, 0, 7)) + bytes(32)},
        "vrid",
        "51",
        "51 too, as the VHID of CARP",
    ),
    "invalid-type-pkts-rcvd": (OURS, OURS, {"octets": b"\x32\x33" + bytes(10)}, "", "", ""),
    "packet-length-errors": (OURS, OURS, {"octets": message(OURS) + b"\0"}, "", "", ""),
    "packet-length-errors, CARP": (
        OURS2,
        OURS2,
        {"octets": bytes((0x21, 51, 0, 7)) + bytes(32)},
        "vrid",
        "51",
        "51 too, as the VHID of CARP",
    ),
    "packet-length-errors, signed": (OURS, SIGNED, {}, "auth", "none", "signed adverts, hmac with key 1"),
    "checksum-errors": (OURS, OURS, {"octets": message(OURS)[:6] + b"\0\1" + message(OURS)[8:]}, "", "", ""),
    "hmac-missing": (SIGNED, OURS, {}, "auth.mode", "enforce", "adverts without signature"),
    "hmac-stale": (
        SIGNED,
        SIGNED,
        {"signed_at": NOW - 93},
        "auth.window",
        "5s",
        "a clock that is further off: mend the clocks, not this",
    ),
    "hmac-unknown-key": (
        SIGNED,
        replace(OURS, hmac=HmacSettings(keys={7: KEY}, active=7)),
        {},
        "auth.keys",
        "1",
        "7",
    ),
    "hmac-invalid": (
        SIGNED,
        replace(OURS, hmac=HmacSettings(keys={1: OTHER_KEY}, active=1)),
        {},
        "auth.keys.1",
        "(hidden)",
        "another key 1",
    ),
    "hmac-malformed": (SIGNED, OURS, {"octets": message(OURS) + b"\x09" + bytes(27)}, "", "", ""),
    "count-zero": (
        OURS,
        OURS,
        {"octets": bytes.fromhex("3133c8000064") + (0xFFFF - 0x3133 - 0xC800 - 0x64).to_bytes(2)},
        "",
        "",
        "",
    ),
    "invalid-auth-type": (
        OURS2,
        OURS2,
        {"octets": bytes.fromhex("2133c801fe01") + b"\0\0" + VIP.packed + bytes(8)},
        "auth",
        "none",
        "authentication type 254",
    ),
    "auth-type-mismatch": (OURS2, PASS, {}, "auth", "none", "a password (hidden)"),
    "auth-type-mismatch, the other way": (PASS, OURS2, {}, "auth", "a password (hidden)", "none"),
    "auth-failures": (PASS, replace(PASS, password=b"other"), {}, "auth.password", "(hidden)", "another one"),
    "address-list-errors": (
        OURS2,
        replace(OURS2, virtual_addresses=(VIP, OTHER)),
        {},
        "virtual_addresses",
        "10.77.0.250",
        "10.77.0.251, 10.77.0.250",
    ),
    "interval-errors": (OURS2, replace(OURS2, advertisement_interval=3.0), {}, "advertisement_interval", "1s", "3s"),
}


def sealed(octets):
    """With a right checksum of version 2, or of version 3 without pseudo-header."""
    blank = octets[:6] + b"\0\0" + octets[8:]
    return blank[:6] + (-int.from_bytes(blank, "big") % 0xFFFF).to_bytes(2, "big") + blank[8:]


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_every_refusal_names_its_reason_and_the_key_that_differs(judge, name, case):
    ours, theirs, how, key, mine, their = case
    if name == "invalid-auth-type":
        how = {"octets": sealed(how["octets"])}
    judgement = judge(ours, theirs, **how)
    first = judgement.findings[0]
    assert judgement.verdict is Verdict.REFUSED
    assert (judgement.reason, first.key, first.ours, first.theirs) == (name.partition(",")[0], key, mine, their)


def test_the_first_reason_is_what_the_daemon_would_have_said_for_every_pair_of_settings():
    several = [
        OURS,
        OURS2,
        PASS,
        replace(PASS, advertisement_interval=2.0),
        replace(OURS, unicast_peers=(R1,)),
        replace(OURS, virtual_addresses=(OTHER,)),
        replace(OURS2, virtual_addresses=(OTHER, VIP), advertisement_interval=4.0),
        replace(OURS, owner=True, priority=255, advertisement_interval=0.1),
    ]
    for ours in several:
        for theirs in several:
            to = R2 if theirs.unicast_peers else GROUPS[4]
            datagram = Datagram(payload=message(theirs, to=to), source=R1, destination=to, ttl=255)
            advert, findings = compare(
                View(datagram=datagram, message=message_untrusted(datagram.payload, 4), settings=ours)
            )
            refused = findings[0].reason if findings else ""
            if refused:
                with pytest.raises(BadPacket) as bad:
                    decode_untrusted(datagram, ours, ())
                assert (bad.value.reason, bad.value.detail) == (refused, findings[0].detail)
            else:
                heard, differs = decode_untrusted(datagram, ours, ())
                assert advert == heard
                assert set(differs) <= {each.detail for each in findings}


def test_all_that_differs_is_told_at_once_in_the_order_in_which_the_daemon_would_refuse_it(judge):
    theirs = replace(PASS, virtual_addresses=(OTHER,), advertisement_interval=2.0)
    judgement = judge(replace(OURS, unicast_peers=(R2,)), theirs)
    assert [(each.reason, each.key) for each in judgement.findings] == [
        ("mode-mismatch-errors", "unicast_peers"),
        ("version-errors", "version"),
        ("auth-type-mismatch", "auth"),
        ("address-list-errors", "virtual_addresses"),
        ("interval-errors", "advertisement_interval"),
    ]
    assert judgement.advert is not None


def test_version_3_accepts_what_differs_and_says_which_key(judge):
    theirs = replace(OURS, virtual_addresses=(OTHER,), advertisement_interval=0.5)
    judgement = judge(OURS, theirs, priority=100)
    assert judgement.verdict is Verdict.ACCEPTED
    assert [(each.key, each.ours, each.theirs) for each in judgement.findings] == [
        ("virtual_addresses", "10.77.0.250", "10.77.0.251"),
        ("advertisement_interval", "1s", "500ms"),
        ("priority", "100", "the same"),
    ]
    assert not any(each.reason for each in judgement.findings)


def test_an_owner_that_hears_another_master_is_told_which_key_says_so(judge):
    (found,) = judge(replace(OURS, owner=True, priority=255), OURS).findings
    assert (found.key, found.ours, found.theirs) == ("owner", "true", "priority 200")


def test_a_checksum_that_keepalived_would_not_take_from_us_is_told(judge):
    (found,) = judge(replace(OURS, checksum=Checksum.RFC9568), OURS).findings
    assert (found.key, found.ours, found.theirs) == ("checksum", "rfc9568", "pseudo-header")


def test_a_replay_is_refused_and_no_key_is_blamed(frame, hear):
    packet = Ether() / IP(src=str(R1), dst="224.0.0.18", ttl=255, proto=112) / Raw(message(SIGNED))
    (first, second), _ = hear([frame(packet, time=NOW), frame(packet, time=NOW + 1)], SIGNED)
    assert first.judgement.verdict is Verdict.ACCEPTED
    assert [(each.reason, each.key) for each in second.judgement.findings] == [("hmac-replayed", "")]


def test_a_signed_advert_that_differs_in_version_2_is_no_replay_of_itself(judge):
    ours = replace(OURS2, hmac=SIGNED.hmac)
    theirs = replace(ours, advertisement_interval=2.0, virtual_addresses=(OTHER,))
    assert [each.reason for each in judge(ours, theirs).findings] == ["address-list-errors", "interval-errors"]


@pytest.mark.parametrize("mode", [HmacMode.PERMISSIVE, HmacMode.RECEIVE_ONLY])
def test_an_unsigned_advert_is_good_enough_while_signing_is_rolled_out(judge, mode):
    assert judge(replace(OURS, hmac=replace(SIGNED.hmac, mode=mode)), OURS).verdict is Verdict.ACCEPTED


def test_a_capture_is_judged_by_the_clock_of_its_frames(judge):
    assert judge(SIGNED, SIGNED, signed_at=NOW + 4).verdict is Verdict.ACCEPTED


def test_secrets_that_could_not_be_read_are_not_compared_and_that_is_said(judge):
    unread = "its secret could not be read here, and was not compared"
    blind = replace(PASS, password=b"")
    judgement = judge(blind, PASS)
    assert (judgement.verdict, judgement.findings[0].detail) == (Verdict.ACCEPTED, unread)
    assert judge(blind, OURS2).reason == "auth-type-mismatch"
    blind = replace(OURS, hmac=replace(SIGNED.hmac, keys={1: b""}))
    judgement = judge(blind, SIGNED)
    assert (judgement.verdict, judgement.findings[0].detail) == (Verdict.ACCEPTED, unread)
    assert judge(blind, OURS).reason == "hmac-missing"


def test_no_password_and_no_key_is_in_any_word(judge):
    theirs = replace(PASS, password=b"theirs!")
    for judgement in (judge(PASS, theirs), judge(OURS2, theirs), judge(OURS, SIGNED)):
        assert not any(secret in repr(judgement) for secret in ("secret", "theirs!", repr(KEY)))


# -- whose it is ----------------------------------------------------------------------------------------------------


def test_another_vrid_is_not_ours(judge):
    judgement = judge(OURS, replace(OURS, vrid=52, virtual_addresses=(OTHER,)))
    assert (judgement.verdict, judgement.instance, judgement.reason) == (Verdict.FOREIGN, "", "vrid-errors")
    assert judgement.findings[0].detail == "VRID 52 is not ours"


def test_our_addresses_under_another_vrid_point_to_our_vrid(judge):
    judgement = judge(OURS, replace(OURS, vrid=52))
    (found,) = judgement.findings
    assert (judgement.verdict, judgement.instance) == (Verdict.FOREIGN, "VI_1")
    assert (found.key, found.ours, found.theirs) == ("vrid", "51", "52")


def test_the_same_vrid_over_the_other_family_is_another_router(judge):
    ours = replace(OURS, virtual_addresses=VIPS6)
    assert judge(ours, OURS).verdict is Verdict.FOREIGN
    assert judge(ours, ours, source=R1_6).verdict is Verdict.ACCEPTED


def test_a_router_hears_its_own_interface_only_and_a_vlan_is_another_one(judge):
    assert judge(replace(OURS, interface="eth1"), OURS).verdict is Verdict.FOREIGN
    tagged = judge(OURS, OURS, tags=(10,))
    assert (tagged.verdict, tagged.findings[0].detail) == (Verdict.FOREIGN, "VRID 51 in VLAN 10 is not ours")
    for name in ("eth0.10", "vlan10", "vlan0010"):
        assert judge(replace(OURS, interface=name), OURS, tags=(10,)).verdict is Verdict.ACCEPTED
    assert judge(replace(OURS, interface="eth0.200.10"), OURS, tags=(200, 10)).verdict is Verdict.ACCEPTED


def test_of_two_routers_with_the_vrid_in_a_capture_the_one_that_fits_counts(frame, hear):
    elsewhere = replace(OURS, name="VI_2", interface="eth1", virtual_addresses=(OTHER,))
    packet = Ether() / IP(src=str(R1), dst="224.0.0.18", ttl=255, proto=112) / Raw(message(elsewhere))
    ((only,), _) = hear([frame(packet)], OURS, elsewhere)
    assert (only.judgement.verdict, only.judgement.instance) == (Verdict.ACCEPTED, "VI_2")


def test_without_a_configuration_what_is_well_made_is_valid_and_the_rest_refused(judge):
    assert judge((), PASS).verdict is Verdict.VALID
    assert judge((), SIGNED).verdict is Verdict.VALID
    assert judge((), OURS, to=R2).verdict is Verdict.VALID
    assert judge((), replace(OURS, virtual_addresses=VIPS6), source=R1_6).verdict is Verdict.VALID
    assert judge((), OURS, ttl=1).reason == "ip-ttl-errors"
    assert judge((), OURS, octets=message(OURS) + b"\0").reason == "packet-length-errors"
    unknown = judge((), OURS, octets=b"\x51" + bytes(11))
    assert [(each.detail, each.key) for each in unknown.findings] == [("version 5: only 2 and 3 are known", "")]
    carp = judge((), OURS, octets=bytes((0x21, 51, 0, 7)) + bytes(32))
    assert "this is CARP, not VRRP" in carp.findings[0].detail
    malformed = judge((), OURS, octets=message(OURS) + b"\x09" + bytes(27))
    assert malformed.reason == "hmac-malformed"


def test_an_empty_packet_is_refused_by_name(judge, frame, hear):
    packet = Ether() / IP(src=str(R1), dst="224.0.0.18", ttl=255, proto=112)
    ((only,), _) = hear([frame(packet)], OURS)
    assert only.judgement.reason == "packet-length-errors"


def test_c_rx_19_recorded_authentication_headers_are_refused_by_name(recorded, hear):
    heard, _ = hear(recorded("keepalived-v2-ah"), OURS2)
    assert len(heard) == 6
    for each in heard:
        assert (each.judgement.instance, each.judgement.reason) == ("VI_1", "invalid-auth-type")
        assert (each.judgement.findings[0].key, each.judgement.findings[0].theirs) == ("auth", "AH")
        assert each.message.addresses == (VIP,)


def test_the_window_of_a_monotonic_signature_is_no_matter(judge):
    hmac = replace(SIGNED.hmac, anti_replay=AntiReplay.MONOTONIC)
    assert judge(replace(OURS, hmac=hmac), SIGNED, signed_at=NOW - 3600).verdict is Verdict.ACCEPTED
