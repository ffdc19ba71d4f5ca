"""The journal of a sync group: one that goes on in the middle is lived through again with all of its members."""

from __future__ import annotations

import json
from ipaddress import ip_address

from hafw.journal import Pages, RecordedNode
from hafw.node import InstanceSettings
from hafw.sim.replay import replay
from hafw.vrrp.actions import GroupTransition
from hafw.vrrp.events import AddressesInstalled, LinkChanged, PlanReported, Startup, Tick
from hafw.vrrp.settings import RouterSettings

NAMES = ("VI_1", "VI_2", "VI_3")
OWN = ip_address("192.0.2.1")


class Page(Pages):
    """Full when told so."""

    full = False


def instances():
    """Two in a group, and one that is alone."""
    return [
        InstanceSettings(
            router=RouterSettings(
                name=name,
                interface=f"eth{number}",
                vrid=51 + number,
                virtual_addresses=(ip_address(f"192.0.2.{101 + number}"),),
                group="" if name == "VI_3" else "VG_1",
            )
        )
        for number, name in enumerate(NAMES)
    ]


def ticks(node, until):
    came = []
    while node.deadline <= until:
        came += node.handle(Tick(), node.deadline)
    return came


def test_the_states_of_a_group_are_written_together_and_replayed_without_a_difference():
    page = Page()
    node = RecordedNode(instances(), 0.0, page)
    for number, name in enumerate(NAMES):
        node.handle(LinkChanged(f"eth{number}", up=True, primary={4: OWN}), 0.0)
        node.handle(PlanReported(name), 0.0)
        node.handle(Startup(name), 0.0)
    page.full = True
    ticks(node, 4.0)
    page.full = False
    middle = max(number for number, line in enumerate(page.lines) if "journal" in json.loads(line))
    for name in NAMES:
        node.handle(AddressesInstalled(name), 4.0)
    actions = node.handle(LinkChanged("eth1", up=False, primary={}, problem="no carrier"), 5.0)
    assert [each.new for each in actions if isinstance(each, GroupTransition)] == ["FAULT"]
    ticks(node, 20.0)
    later = [json.loads(line) for line in page.lines[middle:]]
    states = [(number, each["router"]) for number, each in enumerate(later) if "state" in each]
    first = next(number for number, name in states if name == "VI_1")
    assert (first + 1, "VI_2") in states
    for lines in (page.lines, page.lines[middle:]):
        account = replay(lines)
        assert account.difference is None
        assert account.events > 0
