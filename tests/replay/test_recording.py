"""A failover between hafw and a real keepalived, recorded once: today's hafw does the same. ``record.py`` made it."""

import json
from ipaddress import ip_address

import pytest

from hafw.journal import decode
from hafw.sim.replay import replay
from hafw.vrrp.actions import SendAdvertisement, SetAddresses, Transition
from hafw.vrrp.events import AddressesClaimed, AdvertReceived
from tests.replay.record import RECORDING

LINES = RECORDING.read_text("utf-8").splitlines()
VIP, KEEPALIVED = ip_address("10.77.0.250"), ip_address("10.77.0.1")
SKEW = 156 / 256
NOISE = 0.05
"""Seconds by which the loop of the machine that recorded it was late."""


def steps():
    """Time, event and actions of each step."""
    for line in LINES:
        record = json.loads(line)
        if "event" in record:
            yield record["at"], decode(record["event"]), decode(record["actions"])


def moves():
    """The transitions, each with its time and with the last advert that was heard before."""
    heard = None
    for at, event, actions in steps():
        if isinstance(event, AdvertReceived):
            heard = at, event
        for action in actions:
            if isinstance(action, Transition):
                yield at, action, heard


def test_todays_hafw_does_the_same():
    account = replay(LINES)
    assert account.difference is None
    assert (account.lives, account.lost, account.untold, account.cut_off) == (1, 0, 0, [])
    assert account.events > 30
    assert [f"{each.old} {each.new} {each.reason}" for _, _, each in account.transitions] == [
        "INITIALIZE BACKUP startup",
        "BACKUP MASTER no-response",
        "MASTER BACKUP higher-priority",
        "BACKUP MASTER master-resigned",
        "MASTER BACKUP higher-priority",
        "BACKUP FAULT interface-down",
        "FAULT BACKUP recovered",
        "BACKUP INITIALIZE shutdown",
    ]


def test_keepalived_was_there_and_said_what_it_says():
    heard = [event for _, event, _ in steps() if isinstance(event, AdvertReceived)]
    assert {each.source for each in heard} == {KEEPALIVED}
    assert {each.advert.addresses for each in heard} == {(VIP,)}
    priorities = [each.advert.priority for each in heard]
    assert priorities.count(0) == 1
    assert {*priorities} == {0, 200}


@pytest.mark.requirement("C-FSM-12", "C-FSM-23", "C-TMR-02")
def test_c_fsm_11_c_tmr_03_the_times_are_those_of_the_rfc():
    waits = {move.reason: (at - heard[0], heard[1].advert.priority) for at, move, heard in moves()}
    assert waits["no-response"] == (pytest.approx(3 + SKEW + NOISE / 2, abs=NOISE / 2), 200)
    assert waits["master-resigned"] == (pytest.approx(SKEW + NOISE / 2, abs=NOISE / 2), 0)
    assert waits["higher-priority"] == (0.0, 200)


def test_the_address_is_bound_by_the_master_and_held_by_who_gave_way_until_keepalived_claims_it():
    wishes = [
        (action.bound, action.held)
        for _, _, actions in steps()
        for action in actions
        if isinstance(action, SetAddresses)
    ]
    assert wishes == [((VIP,), ()), ((), (VIP,)), ((), ())] * 2
    releases = [event for _, event, actions in steps() if SetAddresses("VI_1") in actions]
    assert [type(event) for event in releases] == [AddressesClaimed] * 2


def test_hafw_advertised_as_master_only_and_with_its_own_priority():
    state, sent = "", []
    for _, _, actions in steps():
        state = next((each.new for each in actions if isinstance(each, Transition)), state)
        sent += [(each.priority, state) for each in actions if isinstance(each, SendAdvertisement)]
    assert len(sent) > 5
    assert set(sent) == {(100, "MASTER")}


@pytest.mark.parametrize(
    ("broken", "value", "event", "at"),
    [
        ("hafw.vrrp.listener.Listener.skew_time", 0.25, "PlanReported", 1.138),
        ("hafw.vrrp.speaker.Speaker._due", lambda *_: [], "Tick", 7.7),
    ],
)
def test_a_hafw_that_does_otherwise_is_found(monkeypatch, broken, value, event, at):
    monkeypatch.setattr(broken, value)
    found = replay(LINES).difference
    assert found.step.event.split()[0] == event
    assert found.step.at == pytest.approx(at, abs=0.5)
