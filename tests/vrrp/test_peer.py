"""Whether another MASTER is believed in, and whether it outranks us."""

from ipaddress import ip_address

import pytest

from hafw.vrrp.peer import Peer

LOW, MIDDLE, HIGH = (ip_address(each) for each in ("10.77.0.9", "10.77.0.10", "10.77.0.100"))


@pytest.mark.parametrize(("priority", "now", "live"), [(1, 12.9, True), (1, 13.0, False), (0, 10.0, False)])
def test_a_peer_is_believed_in_for_less_than_three_intervals_if_it_said_no_goodbye(priority, now, live):
    assert Peer(MIDDLE, priority, interval=1.0, heard_at=10.0).live(now) is live


@pytest.mark.parametrize(("ours", "outranks"), [(LOW, True), (MIDDLE, False), (HIGH, False), (None, False)])
def test_c_fsm_24_at_equal_priority_only_a_higher_address_outranks_ours(ours, outranks):
    assert Peer(MIDDLE, 100, interval=1.0, heard_at=0.0).outranks(100, ours) is outranks


@pytest.mark.parametrize(("priority", "outranks"), [(99, True), (101, False)])
def test_c_fsm_23_another_priority_decides_whatever_the_addresses(priority, outranks):
    assert Peer(MIDDLE, 100, interval=1.0, heard_at=0.0).outranks(priority, HIGH) is outranks
    assert Peer(MIDDLE, 100, interval=1.0, heard_at=0.0).outranks(priority, LOW) is outranks
