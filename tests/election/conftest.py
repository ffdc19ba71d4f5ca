"""A bench for one virtual router: a real Node, driven by hand in virtual time, and words for the actions expected."""

from dataclasses import replace
from ipaddress import ip_address
from math import inf

import pytest

from hafw.node import CheckSettings, ConfigurationReplaced, InstanceSettings, Node
from hafw.vrrp.actions import Announce, Notice, SendAdvertisement, SetAddresses, Transition
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AddressesLost,
    AddressesRefused,
    AdvertReceived,
    LinkChanged,
    PlanReported,
    Shutdown,
    Startup,
    Tick,
    VerdictReported,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings, State

NAME = "VI_1"
VIP, VIP_TWO = ip_address("10.77.0.250"), ip_address("10.77.0.251")
OWN = ip_address("10.77.0.10")
PEER = ip_address("10.77.0.20")
MAC = "02:00:00:00:00:20"


class Bench:
    """One Node with one router. ``now`` starts at 0; nothing happens but what the test says."""

    peer = PEER
    mac = MAC

    def __init__(self, *, own=OWN, checks=(), **settings):
        settings = {"virtual_addresses": (VIP, VIP_TWO), **settings}
        self.settings = RouterSettings(name=NAME, interface="eth0", vrid=51, **settings)
        self.own = ip_address(own)
        self.now = 0.0
        checks = tuple(CheckSettings(**each) for each in checks)
        self.node = Node([InstanceSettings(router=self.settings, checks=checks)], self.now)

    # -- reaching states, by inputs only

    def known(self):
        """The link is up and the plan was made; nobody has started the router."""
        self.link()
        self.plan()
        return self

    def backup(self):
        """BACKUP since ``now`` = 0; nobody was heard."""
        self.known().startup()
        assert self.state is State.BACKUP
        return self

    def promoted(self):
        """MASTER since this moment, after silence; the keeper is still at work."""
        self.backup().due()
        assert self.state is State.MASTER
        return self

    def master(self):
        """MASTER with its addresses installed at the same moment."""
        self.promoted().installed()
        return self

    def settled(self):
        """MASTER whose announcements are done but for the refresh: its next deadline is an advert."""
        self.master().run(until=self.now + 6.0)
        return self

    def preparing(self, priority=90):
        """BACKUP that has bound its addresses beside a live MASTER of this priority, not yet installed."""
        self.backup()
        for second in (1.0, 2.0, 3.0):
            self.at(second).advert(priority)
        self.due()
        assert self.state is State.BACKUP
        assert self.tenure.bound
        return self

    # -- inputs

    def at(self, now):
        self.now = now
        return self

    def later(self, seconds):
        return self.at(self.now + seconds)

    def feed(self, event):
        return self.node.handle(event, self.now)

    def tick(self):
        return self.feed(Tick())

    def due(self):
        """Go to the next deadline and tick."""
        assert self.now <= self.node.deadline < inf
        return self.at(self.node.deadline).tick()

    def run(self, until):
        """Tick at every deadline up to ``until``; the actions, with their times."""
        seen = []
        while self.node.deadline <= until:
            seen += [(self.now, action) for action in self.due()]
        self.now = until
        return seen

    def startup(self, *, delay=0.0):
        return self.feed(Startup(NAME, delay=delay))

    def shutdown(self):
        return self.feed(Shutdown(NAME))

    def link(self, *, up=True, primary=None, problem="no carrier"):
        own = {self.own.version: self.own} if primary is None else primary
        return self.feed(LinkChanged("eth0", up=up, primary=own, problem="" if up else problem))

    def plan(self, problem=""):
        return self.feed(PlanReported(NAME, problem))

    def advert(self, priority, source=PEER, interval=None):
        advert = Advertisement(
            version=self.settings.version,
            vrid=51,
            priority=priority,
            interval=self.settings.advertisement_interval if interval is None else interval,
            addresses=self.settings.virtual_addresses,
        )
        return self.feed(AdvertReceived(NAME, advert, ip_address(source)))

    def installed(self):
        return self.feed(AddressesInstalled(NAME))

    def refused(self, error="10.77.0.250: EINVAL"):
        return self.feed(AddressesRefused(NAME, error))

    def lost(self, *addresses, culprit=""):
        return self.feed(AddressesLost(NAME, addresses or (VIP,), culprit))

    def claimed(self, *addresses):
        return self.feed(AddressesClaimed(NAME, addresses or self.settings.all_addresses, MAC))

    def verdict(self, check, healthy, detail="", *, immediate=False, factor=None):
        return self.feed(VerdictReported(NAME, check, healthy, detail, immediate=immediate, factor=factor))

    def reload(self, *, checks=(), **changes):
        """The same instance with some settings changed, as a new configuration."""
        self.settings = replace(self.settings, **changes)
        checks = tuple(CheckSettings(**each) for each in checks)
        return self.feed(ConfigurationReplaced((InstanceSettings(router=self.settings, checks=checks),)))

    # -- what is

    @property
    def instance(self):
        return self.node.instances[NAME]

    @property
    def router(self):
        return self.instance.router

    @property
    def tenure(self):
        return self.router.tenure

    @property
    def state(self):
        return self.router.state

    @property
    def deadline(self):
        return self.node.deadline

    # -- words for the actions expected

    def sends(self, priority):
        return SendAdvertisement(NAME, priority)

    def reminds(self):
        return SendAdvertisement(NAME, 1)

    def starts_handover(self, *, planned):
        return self.notes("handover_started", planned=planned)

    def ends_handover(self, outcome, seconds, successor=None):
        peer = {} if successor is None else {"successor": str(successor)}
        return self.notes("handover_complete", outcome=outcome, seconds=seconds, **peer)

    def binds(self):
        return SetAddresses(NAME, bound=self.settings.all_addresses)

    def holds(self, *addresses):
        return SetAddresses(NAME, held=addresses or self.settings.all_addresses)

    def lets_go(self):
        return SetAddresses(NAME)

    def announces(self):
        return Announce(NAME)

    def moves(self, old, new, reason, *, seq=None, priority=None, detail="", peer=None):
        """``seq`` is that of the last transition unless given."""
        seq = self.node.seq if seq is None else seq
        priority = self.router.priority if priority is None else priority
        return Transition(NAME, State(old), State(new), reason, seq, priority, detail, peer)

    def notes(self, kind, **fields):
        return Notice(NAME, kind, fields)


@pytest.fixture
def bench():
    """Make a bench: ``bench(priority=200, preempt=False)``."""
    return Bench
