"""Every pair of state and event, and what it does: the whole machine on one page.

A row is an event, a column a situation. ``.`` does nothing at all; ``wait`` only moves the deadline; the rest are the
actions in order: ``adv`` and ``bye`` an advert of our priority and of 0, ``bind``, ``hold`` and ``drop`` the addresses,
``ann`` an announcement, ``!`` a notice, and the state that is entered (``INIT`` is INITIALIZE).
``equal from above`` is an advert of our priority from a higher address.
"""

from ipaddress import ip_address
from typing import get_args

import pytest

from hafw.vrrp.actions import Announce, Notice, SendAdvertisement, SetAddresses, Transition
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AddressesLost,
    AddressesRefused,
    AdvertReceived,
    Event,
    FaultCleared,
    FaultRaised,
    LinkChanged,
    MaintenanceChanged,
    PlanReported,
    ReleaseAsked,
    Resumed,
    Shutdown,
    Startup,
    Suspended,
    Tick,
    VerdictReported,
)
from hafw.vrrp.packet import Advertisement

NAME = "VI_1"
VIPS = (ip_address("10.77.0.250"), ip_address("10.77.0.251"))


def advert(priority, source="10.77.0.20"):
    message = Advertisement(version=3, vrid=51, priority=priority, interval=1.0, addresses=VIPS)
    return AdvertReceived(NAME, message, ip_address(source))


EVENTS = {
    "startup": Startup(NAME),
    "shutdown": Shutdown(NAME),
    "advert 0": advert(0),
    "advert lower": advert(50),
    "equal from above": advert(100),
    "equal from below": advert(100, "10.77.0.9"),
    "advert higher": advert(200),
    "tick, early": Tick(),
    "installed": AddressesInstalled(NAME),
    "refused": AddressesRefused(NAME, "EINVAL"),
    "lost": AddressesLost(NAME, VIPS[:1]),
    "claimed": AddressesClaimed(NAME, VIPS, "02:00:00:00:00:20"),
    "link": LinkChanged("eth0", up=False, primary={}),
    "plan": PlanReported(NAME, "none"),
    "verdict": VerdictReported(NAME, "web", healthy=False),
    "fault": FaultRaised(NAME, "interface-down", "eth0", can_send=False),
    "fault, can send": FaultRaised(NAME, "check-failed", "web"),
    "fault cleared": FaultCleared(NAME, "recovered"),
    "resumed": Resumed(NAME, since=-9.0, last_advert_at=-0.5, primary=ip_address("10.77.0.10"), verdicts={}),
    "release": ReleaseAsked(NAME),
    "maintenance": MaintenanceChanged(NAME, on=True),
    "suspended": Suspended(5.0),
}

SITUATIONS = {
    "INIT": lambda bench: bench().known(),
    "holding": lambda bench: stopped(bench().settled()),
    "BACKUP": lambda bench: bench().backup(),
    "preparing": lambda bench: bench().preparing(),
    "installing": lambda bench: bench().promoted(),
    "MASTER": lambda bench: bench().settled(),
    "FAULT": lambda bench: unplugged(bench().backup()),
    "handing over": lambda bench: released(bench().settled()),
    "degraded": lambda bench: sick(bench(checks=[{"name": "web", "critical": True, "fall": 1}]).known()),
}

TABLE = """
event            | INIT       | holding  | BACKUP | preparing        | installing       | MASTER           | FAULT
startup          | BACKUP     | BACKUP   | .      | .                | .                | .                | .
shutdown         | .          | .        | INIT   | drop INIT        | bye hold INIT !  | bye hold INIT !  | INIT
advert 0         | .          | .        | wait   | wait             | adv              | adv              | .
advert lower     | .          | wait     | .      | .                | adv !            | adv ! ann        | .
equal from above | .          | wait     | wait   | drop             | hold BACKUP      | hold BACKUP      | .
equal from below | .          | wait     | wait   | drop             | adv !            | adv ! ann        | .
advert higher    | .          | wait     | wait   | drop             | hold BACKUP      | hold BACKUP      | .
tick, early      | .          | .        | .      | .                | .                | .                | .
installed        | .          | .        | .      | adv MASTER ann ! | ann !            | .                | .
refused          | .          | .        | .      | .                | .                | .                | .
lost             | .          | .        | .      | bind !           | bind !           | bind !           | .
claimed          | .          | drop ! ! | .      | .                | !                | ! ann            | .
link             | .          | .        | .      | .                | .                | .                | .
plan             | .          | .        | .      | .                | .                | .                | .
verdict          | .          | .        | .      | .                | .                | .                | .
fault            | FAULT      | FAULT    | FAULT  | drop FAULT       | hold FAULT       | hold FAULT       | .
fault, can send  | FAULT      | FAULT    | FAULT  | drop FAULT       | bye hold FAULT ! | bye hold FAULT ! | .
fault cleared    | .          | .        | .      | .                | .                | .                | BACKUP
resumed          | adv bind ! | .        | .      | .                | .                | .                | .
release          | .          | .        | .      | .                | bye hold !       | bye hold !       | .
maintenance      | .          | .        | wait   | drop             | bye hold !       | bye hold !       | .
suspended        | .          | wait     | wait   | wait             | wait             | wait             | .
"""

TABLE_OF_ODD_MASTERS = """
event            | handing over    | degraded
startup          | .               | .
shutdown         | hold INIT       | bye hold INIT !
advert 0         | .               | adv
advert lower     | BACKUP          | hold FAULT
equal from above | BACKUP          | hold FAULT
equal from below | BACKUP          | hold FAULT
advert higher    | BACKUP          | hold FAULT
tick, early      | .               | ann
installed        | .               | .
refused          | .               | .
lost             | .               | bind !
claimed          | drop ! BACKUP ! | ! ann
link             | .               | .
plan             | .               | .
verdict          | .               | .
fault            | hold FAULT      | hold FAULT
fault, can send  | hold FAULT      | bye hold FAULT !
fault cleared    | .               | adv !
resumed          | .               | .
release          | .               | bye hold !
maintenance      | hold            | bye hold !
suspended        | wait            | wait
"""


def stopped(vr):
    vr.shutdown()
    return vr


def released(vr):
    vr.feed(ReleaseAsked(NAME))
    return vr


def sick(vr):
    vr.verdict("web", healthy=True)
    vr.startup()
    vr.due()
    vr.installed()
    vr.run(until=vr.now + 6.0)
    vr.verdict("web", healthy=False)
    vr.due()
    vr.installed()
    return vr


def unplugged(vr):
    vr.link(up=False)
    return vr


def word(action):
    match action:
        case SendAdvertisement(priority=priority):
            return "adv" if priority else "bye"
        case SetAddresses(bound=bound, held=held):
            return "bind" if bound else "hold" if held else "drop"
        case Announce():
            return "ann"
        case Notice():
            return "!"
        case Transition(new=new):
            return "INIT" if new == "INITIALIZE" else str(new)


def effect(vr, event):
    """At the router itself, so that the pairs which the Node answers alone are seen to do nothing here."""
    before = vr.deadline
    vr.later(0.125)
    actions = vr.router.handle(event, vr.now)
    return " ".join(map(word, actions)) or ("." if vr.router.deadline == before else "wait")


def table():
    return {**cells(TABLE), **cells(TABLE_OF_ODD_MASTERS)}


def cells(text):
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return {(row[0], situation): cell for row in rows for situation, cell in zip(head[1:], row[1:], strict=True)}


def test_every_pair_of_state_and_event_is_listed():
    assert set(table()) == {(event, situation) for event in EVENTS for situation in SITUATIONS}
    assert {type(event) for event in EVENTS.values()} == set(get_args(Event))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_pair_does_what_the_table_says(bench, situation):
    expected = {name: table()[name, situation] for name in EVENTS}
    assert {name: effect(SITUATIONS[situation](bench), event) for name, event in EVENTS.items()} == expected
