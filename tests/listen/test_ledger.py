"""What shows over several adverts: who speaks how regularly, two MASTERs, one address on two machines."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from hafw.listen import ledger
from hafw.vrrp.packet import Checksum, encode
from hafw.vrrp.settings import RouterSettings

GROUP = ip_address("224.0.0.18")
R1, R2 = ip_address("10.77.0.1"), ip_address("10.77.0.2")
OURS = RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=(ip_address("10.77.0.250"),))
GAP = "the first for 3.5s, which is more than 3 of its intervals of 1s"


@pytest.fixture
def says(frame):
    """A frame: this router says this at that time."""

    def make(time, source=R1, priority=200, mac="02:00:00:00:77:01", to=GROUP):
        message = encode(OURS, priority, source, to, Checksum.AUTO)
        packet = Ether(src=mac, dst="01:00:5e:00:00:12") / IP(src=str(source), dst=str(to), ttl=255, proto=112)
        return frame(packet / Raw(message), time=time)

    return make


def test_jitter_is_the_mean_deviation_from_the_interval(hear, says):
    _, session = hear([says(0), says(1.01), says(1.99), says(3.0)])
    (account,) = session.ledger.accounts()
    assert account.jitter == pytest.approx((0.01 + 0.02 + 0.01) / 3)
    assert account.off_most == pytest.approx(0.02)
    assert (account.count, account.gap_count) == (4, 0)


def test_a_silence_of_more_than_three_intervals_is_told_and_no_jitter(hear, says):
    heard, session = hear([says(0), says(1), says(4.5), says(5.5)])
    assert [each.remarks for each in heard] == [(), (), (GAP,), ()]
    (account,) = session.ledger.accounts()
    assert (account.gaps, account.jitter) == ([(1.0, 3.5)], pytest.approx(0))


def test_a_clock_that_was_set_back_is_no_silence(hear, says):
    heard, session = hear([says(100), says(50), says(51)])
    assert not any(each.remarks for each in heard)
    assert (session.ledger.first, session.ledger.last) == (50, 100)


def test_unicast_copies_to_several_peers_are_no_irregularity(hear, says):
    copies = [says(time, to=ip_address(f"10.77.0.{number}")) for time in range(3) for number in (2, 3)]
    _, session = hear(copies)
    assert [(each.count, each.jitter) for each in session.ledger.accounts()] == [(3, 0.0), (3, 0.0)]


def test_after_a_goodbye_silence_is_no_gap(hear, says):
    heard, session = hear([says(0), says(1, priority=0), says(60)])
    assert heard[2].remarks == ()
    (account,) = session.ledger.accounts()
    assert (account.gap_count, account.goodbyes, account.priority) == (0, 1, 200)


def test_two_masters_are_named_when_they_speak_by_turns(hear, says):
    frames = [says(each / 2, *((R1, 200), (R2, 100))[each % 2], f"02:00:00:00:77:0{each % 2 + 1}") for each in range(8)]
    heard, session = hear(frames)
    told = [any("two MASTERs: 10.77.0.1 (200) and 10.77.0.2 (100)" in word for word in each.remarks) for each in heard]
    assert told == [False] * 4 + [True] * 4
    assert list(session.ledger.rivals) == [("", (), 4, 51)]


@pytest.mark.parametrize(
    ("sender", "ours", "why"),
    [
        (
            None,
            OURS,
            "the lower one does not hear the other, or refuses it: look at its firewall, and hafw listen there",
        ),
        (R1, OURS, "10.77.0.2 does not hear this machine, or refuses it: look at its firewall, and hafw listen there"),
        (R2, OURS, "a firewall here keeps it from the daemon?"),
        (R2, replace(OURS, version=2), "this machine refuses the better one (version-errors)"),
    ],
)
def test_on_whose_side_the_fault_is_shows_from_who_sent_what(hear, says, sender, ours, why):
    both = ((R1, 200), (R2, 100))
    frames = [(each / 2, both[each % 2]) for each in range(8)]
    _, session = hear([replace(says(at, *who), outgoing=who[0] == sender) for at, who in frames], ours)
    assert list(session.ledger.rivals.values()) == [f"two MASTERs: 10.77.0.1 (200) and 10.77.0.2 (100): {why}"]


def test_a_takeover_with_a_reminder_is_no_second_master(hear, says):
    old, new = (R1, 100), (R2, 200)
    frames = [says(0, *old), says(1, *old), says(1.2, *new), says(1.6, R1, 1), says(2.2, *new), says(3.2, *new)]
    _, session = hear(frames)
    assert session.ledger.rivals == {}


def test_real_routers_that_were_parted_and_joined_are_two_masters_until_one_yields(hear, recorded):
    heard, session = hear(recorded("keepalived-v3-split"))
    told = [each.packet.source for each in heard if any("two MASTERs" in word for word in each.remarks)]
    assert told == [R1, R2, R1]
    assert len(session.ledger.rivals) == 1


def test_real_takeovers_are_no_second_master(hear, recorded):
    for name in ("keepalived-v3-stop", "frr-v3-failover"):
        assert hear(recorded(name))[1].ledger.rivals == {}


def test_one_address_on_two_machines_is_told(hear, says):
    heard, _ = hear([says(0), says(1, mac="02:00:00:00:99:99"), says(2, mac="02:00:00:00:99:99")])
    said = "10.77.0.1 came from 02:00:00:00:77:01 before: two machines with one address?"
    assert [each.remarks for each in heard] == [(), (said,), ()]


def test_a_flood_of_forged_sources_is_bounded_and_counted(hear, says, monkeypatch):
    monkeypatch.setattr(ledger, "ROUTERS_MAX", 8)
    _, session = hear([says(number / 100, ip_address(0x0A4D0000 + number)) for number in range(1, 51)])
    assert (len(session.ledger.accounts()), session.ledger.beyond, session.ledger.packets) == (8, 42, 50)


def test_masters_are_those_that_neither_ended_nor_fell_silent(hear, says):
    _, session = hear([says(0), says(1, R2, 100), says(2, R2, 0), says(2.5)])
    assert [each.source for each in session.ledger.masters(2.5)] == [R1]
    assert list(session.ledger.masters(5.6)) == []
