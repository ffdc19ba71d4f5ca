"""The HMAC trailer: what is signed, what is refused, and in which order."""

import hashlib
import hmac
import re
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafw.vrrp.packet import MULTICAST_GROUP, TTL, BadPacket, Checksum, Datagram, decode_untrusted, encode, with_trailer
from hafw.vrrp.settings import AntiReplay, HmacMode, HmacSettings, RouterSettings
from hafw.vrrp.trailer import SENDERS, Signer, Verifier

KEY = bytes(range(32))
SETTINGS = HmacSettings(keys={1: KEY, 7: b"another key, of at least 32 octets"}, active=1)
MONOTONIC = replace(SETTINGS, anti_replay=AntiReplay.MONOTONIC)
SOURCE = ip_address("198.51.100.10")
PUBLISHED = bytes.fromhex("3133c80100644402c0000264 0101 0000 68000000 8000 0000 1b84bc4e8e43892dc6d98448f8ee2265")
"""The draft's appendix: version 3, VRID 51, priority 200, one address."""
MESSAGE, TRAILER = PUBLISHED[:12], PUBLISHED[12:]
NOW = 0x68000000 + 0.5


def sequence(trailer):
    return int.from_bytes(trailer[4:12], "big")


def signed_at(clock, *, settings=SETTINGS, source=SOURCE):
    return Signer().sign(settings, MESSAGE, source, clock)


def hear(verifier, trailer, *, clock=NOW, message=MESSAGE, source=SOURCE, settings=SETTINGS):
    verifier.check_untrusted(settings, message, trailer, source, clock)
    verifier.forget(SENDERS)


def refusal(verifier, trailer, **how):
    with pytest.raises(BadPacket) as refused:
        hear(verifier, trailer, **how)
    return refused.value.reason


@pytest.fixture
def verifier():
    return Verifier()


def test_the_published_vector_is_made_and_accepted(verifier):
    assert signed_at(NOW) == TRAILER
    hear(verifier, TRAILER)


@pytest.mark.parametrize(
    ("message", "source", "opening"),
    [
        ("2107640101010000 c0000264 0000000000000000", "198.51.100.10", "04020700 c633640a000000000000000000000000"),
        ("31c8640100640000 fe800000000000000000000000000100", "fe80::1", "0603c800 fe800000000000000000000000000001"),
    ],
)
def test_family_version_vrid_and_source_are_signed_before_the_message(message, source, opening):
    """Beside the draft's vector, whose VRID 51 opens with a 3 like its version."""
    message = bytes.fromhex(message)
    trailer = Signer().sign(SETTINGS, message, ip_address(source), NOW)
    signed = bytes.fromhex(opening) + message + trailer[:12] + bytes(16)
    assert trailer[12:] == hmac.new(KEY, signed, hashlib.sha256).digest()[:16]


def test_the_checksum_is_not_signed(verifier):
    hear(verifier, TRAILER, message=MESSAGE[:6] + b"\xff\xff" + MESSAGE[8:])


def test_every_other_bit_of_the_message_is_signed(verifier):
    for bit in [each for each in range(12 * 8) if each // 8 not in {6, 7}]:
        changed = bytearray(MESSAGE)
        changed[bit // 8] ^= 1 << bit % 8
        assert refusal(verifier, TRAILER, message=bytes(changed)) == "hmac-invalid", bit


def test_no_bit_of_the_trailer_may_change(verifier):
    for bit in range(28 * 8):
        changed = bytearray(TRAILER)
        changed[bit // 8] ^= 1 << bit % 8
        assert refusal(verifier, bytes(changed)).startswith("hmac-"), bit


@pytest.mark.parametrize(("ours", "other"), [("198.51.100.10", "198.51.100.11"), ("fe80::1", "fe80::1:0:0:1")])
def test_the_whole_source_is_signed(verifier, ours, other):
    trailer = signed_at(NOW, source=ip_address(ours))
    assert refusal(verifier, trailer, source=ip_address(other)) == "hmac-invalid"
    hear(verifier, trailer, source=ip_address(ours))


@pytest.mark.parametrize(("opening", "kind", "reserved"), [("02010000", 2, 0), ("01010100", 1, 256)])
def test_another_type_or_a_reserved_bit_is_malformed(verifier, opening, kind, reserved):
    with pytest.raises(BadPacket) as refused:
        hear(verifier, bytes.fromhex(opening) + TRAILER[4:])
    said = f"hmac-malformed: extension type {kind}, reserved {reserved}: must be 1 and 0"
    assert str(refused.value) == said


def test_a_key_that_we_do_not_have(verifier):
    trailer = signed_at(NOW, settings=replace(SETTINGS, keys={9: KEY}, active=9))
    with pytest.raises(BadPacket) as refused:
        hear(verifier, trailer)
    assert str(refused.value) == "hmac-unknown-key: signed with key 9, ours are 1, 7"


def test_a_wrong_digest_names_the_key_that_may_differ(verifier):
    with pytest.raises(BadPacket) as refused:
        hear(verifier, TRAILER[:-1] + b"x")
    assert str(refused.value) == "hmac-invalid: the HMAC is wrong: another key 1, or the advert was changed"


def test_rotation_accepts_every_key_that_we_have(verifier):
    hear(verifier, signed_at(NOW))
    hear(verifier, signed_at(NOW + 1, settings=replace(SETTINGS, active=7)), clock=NOW + 1)


@pytest.mark.parametrize("seconds", [-5, 0, 5])
def test_within_the_window(verifier, seconds):
    hear(verifier, signed_at(NOW + seconds))


@pytest.mark.parametrize("seconds", [-6, 6, -int(NOW)])
def test_outside_the_window_it_is_stale_and_the_clocks_are_named(verifier, seconds):
    """The last one: a sender without a clock of its own, which begins in 1970."""
    with pytest.raises(BadPacket, match=re.escape(f"hmac-stale: signed {seconds:+d}s from our clock, allowed 5s")):
        hear(verifier, signed_at(NOW + seconds))


def test_an_old_advert_is_refused_before_its_digest_is_made(verifier):
    assert refusal(verifier, signed_at(NOW - 60)[:-1] + b"x") == "hmac-stale"


def test_monotonic_mode_asks_no_clock(verifier):
    hear(verifier, signed_at(NOW - 86_400), settings=MONOTONIC)
    assert refusal(verifier, signed_at(NOW - 86_401), settings=MONOTONIC) == "hmac-replayed"


def test_in_monotonic_mode_a_clock_that_began_in_1970_may_be_set(verifier):
    hear(verifier, signed_at(0), settings=MONOTONIC)
    hear(verifier, signed_at(NOW), settings=MONOTONIC)


@pytest.mark.parametrize(("first", "second"), [(0, 2**31), (2**31, 0)])
def test_of_two_that_are_half_the_circle_apart_neither_is_later(verifier, first, second):
    """RFC 1982 section 3.2 leaves it undefined: then it may be a replay."""
    hear(verifier, signed_at(first), settings=MONOTONIC)
    assert refusal(verifier, signed_at(second), settings=MONOTONIC) == "hmac-replayed"


def test_two_adverts_of_one_moment_are_both_heard(verifier):
    signer = Signer()
    for _ in "ab":
        hear(verifier, signer.sign(SETTINGS, MESSAGE, SOURCE, NOW))


def test_the_same_advert_twice_is_a_replay(verifier):
    hear(verifier, TRAILER)
    with pytest.raises(BadPacket) as refused:
        hear(verifier, TRAILER)
    said = "hmac-replayed: its sequence was used before: a replay, or a copy that came twice"
    assert str(refused.value) == said
    assert refusal(verifier, signed_at(NOW - 1)) == "hmac-replayed"
    hear(verifier, signed_at(NOW + 1))


def test_what_is_not_verified_moves_no_mark(verifier):
    forged = signed_at(NOW + 4, settings=replace(SETTINGS, keys={1: bytes(32)}))
    assert refusal(verifier, forged) == "hmac-invalid"
    hear(verifier, TRAILER)


def test_a_sender_whose_clock_was_wrong_recovers(verifier):
    hear(verifier, signed_at(NOW + 5))
    assert refusal(verifier, signed_at(NOW + 1), clock=NOW + 1) == "hmac-replayed"
    back = NOW - 1  # our own clock was wrong, too: its last sequence is outside of our window now
    hear(verifier, signed_at(back), clock=back)


def test_in_multicast_four_senders_are_remembered(verifier):
    sources = [ip_address(f"198.51.100.{number}") for number in range(5)]
    said = {source: signed_at(NOW, source=source) for source in sources}
    for source, trailer in said.items():
        hear(verifier, trailer, source=source)
    first, *others = said.items()
    for source, trailer in others:
        assert refusal(verifier, trailer, source=source) == "hmac-replayed"
    hear(verifier, first[1], source=first[0])  # the price of a bound


def test_who_was_heard_again_is_not_the_first_to_be_forgotten(verifier):
    first, *others = [ip_address(f"198.51.100.{number}") for number in range(4)]
    for source in (first, *others):
        hear(verifier, signed_at(NOW, source=source), source=source)
    again = signed_at(NOW + 1, source=first)
    hear(verifier, again, source=first)
    hear(verifier, TRAILER, source=SOURCE)
    assert refusal(verifier, again, source=first) == "hmac-replayed"
    hear(verifier, signed_at(NOW, source=others[0]), source=others[0])


def test_only_enforce_requires_a_trailer(verifier):
    with pytest.raises(BadPacket) as refused:
        hear(verifier, b"")
    said = "hmac-missing: no HMAC trailer: sign on the sender, or mode = permissive here"
    assert str(refused.value) == said
    for mode in (HmacMode.PERMISSIVE, HmacMode.RECEIVE_ONLY):
        hear(verifier, b"", settings=replace(SETTINGS, mode=mode))


@pytest.mark.parametrize("mode", HmacMode)
def test_every_mode_verifies_the_trailer_that_is_there(verifier, mode):
    assert refusal(verifier, TRAILER[:-1] + b"x", settings=replace(SETTINGS, mode=mode)) == "hmac-invalid"


def test_the_sequence_grows_whatever_the_clock_does():
    signer = Signer()
    readings = [NOW, NOW, NOW - 1, NOW + 0.001, NOW + 0.001]
    sequences = [sequence(signer.sign(SETTINGS, MESSAGE, SOURCE, clock)) for clock in readings]
    assert sequences == sorted(set(sequences))
    assert sequences[1] == sequences[0] + 1


def test_a_clock_that_was_set_back_by_more_than_the_window_starts_again():
    signer = Signer()
    signer.sign(SETTINGS, MESSAGE, SOURCE, NOW)
    assert signer.sign(SETTINGS, MESSAGE, SOURCE, NOW - 60) == signed_at(NOW - 60)
    signer.sign(MONOTONIC, MESSAGE, SOURCE, NOW)
    assert sequence(signer.sign(MONOTONIC, MESSAGE, SOURCE, NOW - 60)) == sequence(signed_at(NOW)) + 1


def test_a_clock_that_was_set_back_within_the_window_goes_on_from_before():
    signer = Signer()
    signer.sign(SETTINGS, MESSAGE, SOURCE, NOW)
    assert sequence(signer.sign(SETTINGS, MESSAGE, SOURCE, NOW - 5)) == sequence(signed_at(NOW)) + 1


def test_the_second_after_the_last_one_of_32_bits(verifier):
    last, signer = 2.0**32 - 1, Signer()
    for clock in (last, last + 1, last + 2):
        trailer = signer.sign(SETTINGS, MESSAGE, SOURCE, clock)
        assert trailer == signed_at(clock)
        hear(verifier, trailer, clock=clock)
    assert refusal(verifier, signed_at(last), clock=last + 2) == "hmac-replayed"


def test_copies_of_one_advert_carry_the_same_trailer_each_under_its_own_checksum(verifier):
    destinations = [ip_address("fe80::2"), ip_address("fe80::3")]
    source, router = ip_address("fe80::1"), ROUTERS[2]
    messages = [(to, encode(router, 100, source, to, Checksum.AUTO)) for to in destinations]
    sent = Signer().sign_all(SETTINGS, messages, source, NOW)
    assert [to for to, _ in sent] == destinations
    assert {payload[-28:] for _, payload in sent} == {Signer().sign(SETTINGS, messages[0][1], source, NOW)}
    unicast = replace(router, unicast_peers=(source,))
    for to, payload in sent:
        copy = Datagram(payload=payload, source=source, destination=to, ttl=TTL)
        decode_untrusted(
            copy, unicast, [], lambda message, trailer: hear(Verifier(), trailer, message=message, source=source)
        )


def test_an_advert_to_one_peer_is_signed_and_one_to_nobody_takes_no_number():
    signer = Signer()
    assert signer.sign_all(SETTINGS, [], SOURCE, NOW) == []
    assert signer.sign_all(SETTINGS, [(SOURCE, MESSAGE)], SOURCE, NOW) == [(SOURCE, PUBLISHED)]


def test_only_receive_only_signs_nothing():
    assert [mode for mode in HmacMode if not replace(SETTINGS, mode=mode).signs] == [HmacMode.RECEIVE_ONLY]


def test_no_key_is_shown():
    assert KEY.hex() not in repr(SETTINGS)
    assert "another key" not in repr(SETTINGS)


@given(st.binary(min_size=8, max_size=64), st.binary(min_size=28, max_size=28), st.floats(0, 2**33))
def test_any_octets_are_refused_and_nothing_else_happens(message, trailer, clock):
    with pytest.raises(BadPacket):
        Verifier().check_untrusted(SETTINGS, message, trailer, SOURCE, clock)


# -- in a datagram ------------------------------------------------------------------------------------------------

ROUTERS = [
    RouterSettings(name="v3", interface="eth0", vrid=7, virtual_addresses=(ip_address("192.0.2.100"),)),
    RouterSettings(name="v2", interface="eth0", vrid=7, version=2, virtual_addresses=(ip_address("192.0.2.100"),)),
    RouterSettings(
        name="v3-ipv6",
        interface="eth0",
        vrid=7,
        virtual_addresses=(ip_address("fe80::100"), ip_address("2001:db8::100")),
    ),
]


@pytest.fixture(params=ROUTERS, ids=lambda each: each.name)
def router(request):
    return request.param


@pytest.fixture
def own_source(router):
    return ip_address("198.51.100.10" if router.family == 4 else "fe80::1")


def datagram(payload, source):
    return Datagram(payload=payload, source=source, destination=MULTICAST_GROUP[source.version], ttl=TTL)


@pytest.fixture
def signed(router, own_source):
    group = MULTICAST_GROUP[router.family]
    message = encode(router, 100, own_source, group, Checksum.PSEUDO_HEADER)
    return with_trailer(message, Signer().sign(SETTINGS, message, own_source, NOW), own_source, group)


@pytest.fixture
def authenticate(verifier, own_source):
    return partial(_authenticate, verifier, own_source)


def _authenticate(verifier, source, message, trailer):
    verifier.check_untrusted(SETTINGS, message, trailer, source, NOW)


def test_a_signed_advert_is_decoded_as_any_other(router, own_source, signed, authenticate):
    advert, differs = decode_untrusted(datagram(signed, own_source), router, [], authenticate)
    assert (advert.priority, advert.addresses, differs) == (100, router.virtual_addresses, ())


def test_without_a_key_a_trailer_is_a_length_error_that_says_what_it_looks_like(router, own_source, signed):
    with pytest.raises(BadPacket, match=r"(?s)packet-length-errors: .* look like an HMAC trailer, for auth = "):
        decode_untrusted(datagram(signed, own_source), router, [])


def test_the_trailer_of_another_length_is_a_length_error(router, own_source, signed, authenticate):
    for payload in [signed + b"\0", *(signed[:length] for length in range(len(signed)) if length != len(signed) - 28)]:
        with pytest.raises(BadPacket, match="packet-length-errors"):
            decode_untrusted(datagram(payload, own_source), router, [], authenticate)


def test_the_checksum_covers_the_trailer_over_ipv6_only(router, own_source, signed, authenticate):
    changed = datagram(signed[:-1] + bytes([signed[-1] ^ 1]), own_source)
    expected = "checksum-errors" if router.family == 6 else "hmac-invalid"
    with pytest.raises(BadPacket, match=expected):
        decode_untrusted(changed, router, [], authenticate)


def test_authentication_comes_before_anything_that_the_advert_says(router, own_source, authenticate):
    group = MULTICAST_GROUP[router.family]
    unsigned = encode(router, 100, own_source, group, Checksum.PSEUDO_HEADER)
    with pytest.raises(BadPacket, match="hmac-missing"):
        decode_untrusted(datagram(unsigned, own_source), router, [], authenticate)
