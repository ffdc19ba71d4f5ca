"""Whatever happens, in whatever order: what must never be true of one router, and what becomes of two."""

import itertools
from ipaddress import ip_address
from math import inf

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from hafw.node import CheckSettings, ConfigurationReplaced, InstanceSettings, Node
from hafw.vrrp.actions import Announce, SendAdvertisement, SetAddresses, Transition
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AddressesLost,
    AddressesRefused,
    AdvertReceived,
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
from hafw.vrrp.settings import RouterSettings, State

NAME = "VI_1"
VIPS = tuple(ip_address(f"10.77.0.{n}") for n in (250, 251, 252))
OWN = ip_address("10.77.0.10")
SOURCES = [ip_address(f"10.77.0.{n}") for n in (9, 10, 20, 30)]
CHECKS = (
    CheckSettings(name="critical", critical=True, rise=2, fall=2),
    CheckSettings(name="weighty", weight=-120, rise=1, fall=1),
)
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]
INTERVALS = {2: [1.0, 2.0, 255.0], 3: [0.01, 0.1, 1.0, 40.95]}
addresses = st.lists(st.sampled_from(VIPS), min_size=1, unique=True).map(tuple)


class OneRouter(RuleBasedStateMachine):
    """One Node with one router, and a world that does what it likes."""

    @initialize(
        version=st.sampled_from([2, 3]),
        priority=st.sampled_from([1, 50, 100, 200, 254, 255]),
        preempt=st.booleans(),
        preempt_delay=st.sampled_from([0.0, 5.0]),
        down_timer_adverts=st.sampled_from([1, 3, 5]),
        rank=st.sampled_from([None, 0, 2]),
        last_resort=st.booleans(),
        data=st.data(),
    )
    def begin(self, *, version, priority, preempt, preempt_delay, down_timer_adverts, rank, last_resort, data):
        self.now = 1000.0
        self.actions = []
        self.fresh = False
        self.reminders_left = 0
        self.settings = RouterSettings(
            name=NAME,
            interface="eth0",
            vrid=51,
            version=version,
            priority=priority,
            owner=priority == 255,
            advertisement_interval=data.draw(st.sampled_from(INTERVALS[version])),
            virtual_addresses=VIPS,
            preempt=preempt,
            preempt_delay=preempt_delay,
            down_timer_adverts=down_timer_adverts,
            rank=rank,
            last_resort=last_resort,
        )
        self.node, self.twin = (Node([InstanceSettings(router=self.settings, checks=CHECKS)], self.now) for _ in "ab")
        self.said_goodbye = False
        self.shortest = self.settings.advertisement_interval
        self.answered_at = -inf
        self.seqs = itertools.count(1)
        if data.draw(st.booleans()):
            self.feed(LinkChanged("eth0", up=True, primary={4: OWN}))
            self.feed(PlanReported(NAME))
            self.feed(VerdictReported(NAME, "critical", healthy=True))
            self.feed(Startup(NAME))

    @property
    def router(self):
        return self.node.instances[NAME].router

    def feed(self, event):
        before, held = self.router.state, self.router.tenure.held
        self.actions = self.node.handle(event, self.now)
        assert self.actions == self.twin.handle(event, self.now), "a Node is a function of what it is given"
        self.fresh = isinstance(event, Tick)
        self.judge(before)
        self.judge_adverts(before, held)
        self.judge_goodbyes()
        if isinstance(event, AdvertReceived) and before is self.router.state is State.MASTER:
            self.judge_answers()

    def judge(self, before):
        """Actions against the state before and after; no transition happens but those that are told."""
        state = before
        for action in self.actions:
            if isinstance(action, Transition):
                assert (action.old, action.seq) == (state, next(self.seqs))
                state = action.new
        assert state is self.router.state
        for action in self.actions:
            match action:
                case Announce():
                    assert self.router.state is State.MASTER
                    assert self.router.tenure.installed or self.router.handing_over
                case SetAddresses(bound=bound, held=held):
                    assert not bound or {before, self.router.state} & {State.MASTER, State.BACKUP}
                    assert not (bound and held)
                    assert {*bound, *held} <= set(self.settings.all_addresses) | set(VIPS)

        wanted = [action for action in self.actions if isinstance(action, SetAddresses)]
        if wanted:
            assert (wanted[-1].bound, wanted[-1].held) == (
                self.settings.all_addresses if self.router.tenure.bound else (),
                self.router.tenure.held,
            )

    def judge_adverts(self, before, held):
        """Only a MASTER advertises; but for one reminder each time that it gave way, while it is BACKUP and holds."""
        state = before
        for action in self.actions:
            match action:
                case Transition(old=old, new=new):
                    if State.MASTER in (old, new):  # not by a stop and a start, while it still holds
                        self.reminders_left = int((old, new) == (State.MASTER, State.BACKUP))
                    state = new
                case SendAdvertisement(priority=0):
                    assert before is State.MASTER
                    leaves = self.router.state is not State.MASTER or self.router.handing_over
                    assert leaves or self.router.degraded
                case SendAdvertisement(priority=priority):
                    if state is State.BACKUP and self.router.state is State.BACKUP:
                        assert self.fresh
                        assert priority == 1
                        assert held == self.router.tenure.held != ()
                        assert self.router.peer.outranks(self.router.priority, self.router.primary)
                        self.reminders_left -= 1
                    else:
                        assert self.router.state is State.MASTER
                        assert priority == (1 if self.router.degraded else self.router.priority)
        assert self.reminders_left >= 0

    def judge_goodbyes(self):
        """Between two goodbyes it has been MASTER in the eyes of others: a repeat would restart their skew."""
        for action in self.actions:
            if isinstance(action, SendAdvertisement):
                assert action.priority or not self.said_goodbye
                self.said_goodbye = action.priority == 0 and not self.router.degraded  # which may leave after all

    def judge_answers(self):
        """C-SEC-05: whoever drives us with adverts gets four answers an interval, not one each."""
        answers = sum(isinstance(action, SendAdvertisement) for action in self.actions)
        assert answers <= 1
        if answers:
            assert self.now >= self.answered_at + self.shortest / 4
            self.answered_at = self.now

    # -- the world

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.01, 0.3, 1.0, 4.0, 100.0]))
    def time_passes_and_somebody_ticks(self, seconds):
        self.now += seconds
        self.feed(Tick())

    @rule()
    def all_is_well_and_nobody_else_speaks(self):
        """The way to MASTER, which chance alone seldom finds."""
        for event in (
            LinkChanged("eth0", up=True, primary={4: OWN}),
            PlanReported(NAME),
            MaintenanceChanged(NAME, on=False),
            VerdictReported(NAME, "critical", healthy=True, immediate=True),
            Startup(NAME),
        ):
            self.feed(event)
        self.deadlines_are_met(5)
        self.the_keeper_is_done()

    @rule(times=st.integers(1, 5))
    def deadlines_are_met(self, times):
        for _ in range(times):
            if self.node.deadline < inf:
                self.now = max(self.now, self.node.deadline)
                self.feed(Tick())

    @rule(seconds=st.sampled_from([0.001, 0.1, 1.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.fresh = False

    @rule(
        priority=st.sampled_from([0, 1, 50, 100, 200, 254, 255]),
        source=st.sampled_from(SOURCES),
        times=st.sampled_from([1, 1, 1, 3]),
        data=st.data(),
    )
    def an_advert_comes(self, priority, source, times, data):
        own = self.settings.advertisement_interval
        interval = own if self.settings.version == 2 else data.draw(st.sampled_from(INTERVALS[3]))
        advert = Advertisement(
            version=self.settings.version, vrid=51, priority=priority, interval=interval, addresses=VIPS
        )
        for _ in range(times):
            self.feed(AdvertReceived(NAME, advert, source))

    @rule()
    def the_keeper_is_done(self):
        self.feed(AddressesInstalled(NAME))

    @rule()
    def the_kernel_refuses(self):
        self.feed(AddressesRefused(NAME, "10.77.0.250: EINVAL"))

    @rule(which=addresses)
    def addresses_are_removed(self, which):
        self.feed(AddressesLost(NAME, which, "networkd"))

    @rule(which=addresses)
    def addresses_are_claimed(self, which):
        self.feed(AddressesClaimed(NAME, which, "02:00:00:00:00:20"))

    @rule(up=st.booleans(), primary=st.sampled_from([{}, {4: OWN}, {4: SOURCES[2]}]))
    def the_link_changes(self, up, primary):
        self.feed(LinkChanged("eth0", up=up, primary=primary, problem="" if up else "no carrier"))

    @rule(check=st.sampled_from(["critical", "weighty"]), healthy=st.booleans(), immediate=st.booleans())
    def a_check_answers(self, check, healthy, immediate):
        self.feed(VerdictReported(NAME, check, healthy, immediate=immediate))

    @rule(problem=st.sampled_from(["", "eth9 does not exist"]))
    def a_plan_is_made(self, problem):
        self.feed(PlanReported(NAME, problem))

    @rule()
    def startup(self):
        self.feed(Startup(NAME))

    @rule()
    @precondition(lambda self: self.router.state is not State.INITIALIZE)
    def shutdown(self):
        self.feed(Shutdown(NAME))

    @rule(force=st.booleans())
    def an_operator_hands_over(self, force):
        self.feed(ReleaseAsked(NAME, force))

    @rule(on=st.booleans())
    def maintenance_changes(self, on):
        self.feed(MaintenanceChanged(NAME, on))

    @rule(seconds=st.sampled_from([0.2, 2.0, 1000.0]))
    def the_machine_was_suspended(self, seconds):
        self.feed(Suspended(seconds))

    @rule(silence=st.sampled_from([0.0, 0.02, 2.0, 200.0]), healthy=st.booleans())
    @precondition(lambda self: self.router.state is State.INITIALIZE and not self.router.tenure.held)
    def the_daemon_comes_back(self, silence, healthy):
        before = self.router.state
        event = Resumed(NAME, self.now - 300.0, self.now - silence, OWN, {"critical": healthy})
        self.actions = self.node.handle(event, self.now)
        assert self.actions == self.twin.handle(event, self.now)
        self.judge_goodbyes()
        resumed = self.router.state is State.MASTER
        assert before is State.INITIALIZE
        assert resumed or not self.actions
        critical = self.node.instances[NAME].checks["critical"].settings.critical
        patience = self.settings.down_timer_adverts * self.settings.advertisement_interval
        assert not resumed or (silence < patience and (healthy or not critical))

    @rule(data=st.data(), critical=st.booleans(), count=st.integers(1, 3))
    def a_new_configuration(self, data, critical, count):
        old = self.settings
        self.settings = RouterSettings(
            name=NAME,
            interface="eth0",
            vrid=51,
            version=old.version,
            priority=255 if old.owner else data.draw(st.sampled_from([1, 100, 254])),
            owner=old.owner,
            advertisement_interval=data.draw(st.sampled_from(INTERVALS[old.version])),
            virtual_addresses=VIPS[:count],
        )
        self.shortest = min(self.shortest, self.settings.advertisement_interval)
        checks = (CheckSettings(name="critical", critical=critical, weight=0 if critical else 5), CHECKS[1])
        self.feed(ConfigurationReplaced((InstanceSettings(router=self.settings, checks=checks),)))

    # -- what must hold

    @invariant()
    def c_fsm_31_one_timer_is_armed_and_the_right_one(self):
        router = self.router
        armed = (router.listener.down_at < inf, router.speaker.adver_at < inf)
        assert armed == (router.state is State.BACKUP, router.state is State.MASTER and not router.handing_over)

    @invariant()
    def the_host_is_called_when_its_router_wants_to_be(self):
        assert self.node.deadline == self.node.instances[NAME].deadline

    @invariant()
    def c_fsm_32_a_master_speaks_within_an_interval(self):
        router = self.router
        overdue = router.speaker.adver_at < self.now
        speaks = router.state is State.MASTER and not router.handing_over
        assert not speaks or overdue or router.speaker.adver_at <= self.now + self.settings.advertisement_interval

    @invariant()
    def no_deadline_is_left_behind_by_a_tick(self):
        assert not self.fresh or self.node.deadline > self.now

    @invariant()
    def addresses_are_bound_only_where_they_may_be(self):
        tenure = self.router.tenure
        assert tenure.serving == (self.router.state is State.MASTER and not self.router.handing_over)
        assert tenure.bound or not (tenure.serving or tenure.installed)
        assert not tenure.bound or self.router.state in {State.MASTER, State.BACKUP}
        assert not (tenure.bound and tenure.held)
        assert set(tenure.held) <= set(VIPS)
        assert (tenure.hold_until < inf) == bool(tenure.held)

    @invariant()
    def a_router_with_a_cause_is_not_in_the_election(self):
        instance = self.node.instances[NAME]
        odd = self.router.degraded or self.router.handing_over
        assert not instance.causes or self.router.state in {State.FAULT, State.INITIALIZE} or odd

    @invariant()
    def only_a_check_that_failed_makes_a_degraded_master(self):
        router, causes = self.router, self.node.instances[NAME].causes
        assert not router.degraded or (causes and all(each.reason == "check-failed" for each in causes.values()))
        assert not router.degraded or router.state is State.MASTER

    @invariant()
    def nobody_is_master_in_maintenance(self):
        assert not self.router.listener.maintenance or self.router.state is not State.MASTER or self.router.handing_over

    @invariant()
    def c_pkt_03_the_priority_stays_in_its_bounds(self):
        assert (self.router.priority == 255) == self.settings.owner
        assert 1 <= self.router.priority <= 255


TestOneRouter = OneRouter.TestCase
TestOneRouter.settings = settings(max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=QUIET)


class Machine:
    """One of two: a Node with the part of a kernel that matters, and what it has sent."""

    def __init__(self, name, own, priority, preempt, now):
        self.name, self.own = name, own
        self.settings = RouterSettings(
            name=NAME, interface="eth0", vrid=51, priority=priority, preempt=preempt, virtual_addresses=VIPS
        )
        self.kernel, self.wanted, self.node = set(), SetAddresses(NAME), None
        self.start(now)

    def start(self, now):
        """Its addresses, if it was killed, go when it returns."""
        self.kernel, self.wanted, self.sent = set(), SetAddresses(NAME), []
        self.node = Node([InstanceSettings(router=self.settings, checks=CHECKS[:1])], now)
        for event in (
            LinkChanged("eth0", up=True, primary={4: self.own}),
            PlanReported(NAME),
            VerdictReported(NAME, "critical", healthy=True),
            Startup(NAME),
        ):
            self.feed(event, now)

    @property
    def router(self):
        return self.node.instances[NAME].router

    @property
    def deadline(self):
        return inf if self.node is None else self.node.deadline

    def feed(self, event, now):
        """Give it an event if it runs; what it does to the kernel is done at once, but for additions."""
        if self.node is None:
            return
        for action in self.node.handle(event, now):
            match action:
                case SendAdvertisement(priority=priority):
                    self.sent.append(("advert", self, priority))
                case Announce():
                    self.sent.append(("claim", self, frozenset(self.kernel)))
                case SetAddresses():
                    self.wanted = action
                    self.kernel &= {*action.bound, *action.held}

    def install(self, now):
        if self.node is not None and self.wanted.bound and not self.router.tenure.installed:
            self.kernel |= set(self.wanted.bound)
            self.feed(AddressesInstalled(NAME), now)

    def hear(self, message, now):
        kind, sender, what = message
        if kind == "advert":
            advert = Advertisement(version=3, vrid=51, priority=what, interval=1.0, addresses=VIPS)
            self.feed(AdvertReceived(NAME, advert, sender.own), now)
        elif claimed := tuple(sorted(what & self.kernel)):
            self.feed(AddressesClaimed(NAME, claimed, f"02:00:00:00:00:{sender.own.packed[-1]:02x}"), now)


class TwoRouters(RuleBasedStateMachine):
    """Two Nodes and a link that loses, doubles, delays and reorders; then it heals, and one of them serves."""

    messages = Bundle("messages")

    @initialize(
        priorities=st.sampled_from([(200, 100), (100, 100), (101, 100), (254, 1)]),
        preempt=st.tuples(st.booleans(), st.booleans()),
    )
    def begin(self, *, priorities, preempt):
        self.now = 1000.0
        self.machines = [
            Machine(name, own, priority, wants, self.now)
            for name, own, priority, wants in zip("ab", SOURCES[2:4], priorities, preempt, strict=True)
        ]

    def other(self, machine):
        return self.machines[machine is self.machines[0]]

    def until(self, time):
        """Every deadline on the way is met; what is said meanwhile waits in ``sent``."""
        calls = itertools.count()
        while (due := min(each.deadline for each in self.machines)) <= time:
            assert next(calls) < 1000, "a deadline does not move"
            self.now = max(self.now, due)
            for each in self.machines:
                if each.deadline <= self.now:
                    each.feed(Tick(), self.now)
        self.now = max(self.now, time)

    def exchange(self):
        """Everything that is said arrives, and every answer to it, within one moment: they must come to an end."""
        for _ in range(20):
            letters = [(each, message) for each in self.machines for message in each.sent]
            if not letters:
                return
            for sender, message in letters:
                sender.sent.clear()
                self.other(sender).hear(message, self.now)
        raise AssertionError("the two drive each other")

    # -- the world

    @rule(target=messages, which=st.integers(0, 1))
    def somebody_has_spoken(self, which):
        sent = self.machines[which].sent
        return sent.pop() if sent else ("advert", self.machines[which], self.machines[which].settings.priority)

    @rule(message=messages)
    def it_arrives_and_may_again(self, message):
        self.other(message[1]).hear(message, self.now)

    @rule(message=consumes(messages))
    def it_is_lost(self, message):
        pass

    @rule()
    def everything_arrives(self):
        self.exchange()

    @rule(seconds=st.sampled_from([0.001, 0.1, 0.6, 1.0, 3.1, 10.0]))
    def time_passes(self, seconds):
        self.until(self.now + seconds)

    @rule(seconds=st.integers(1, 5))
    def time_passes_in_peace(self, seconds):
        self.peace(seconds)

    @rule(which=st.integers(0, 1))
    def the_keeper_is_done(self, which):
        self.machines[which].install(self.now)

    @rule(which=st.integers(0, 1), healthy=st.booleans())
    def a_check_answers(self, which, healthy):
        event = VerdictReported(NAME, "critical", healthy, immediate=True)
        self.machines[which].feed(event, self.now)

    @rule(which=st.integers(0, 1), force=st.booleans())
    def an_operator_hands_over(self, which, force):
        self.machines[which].feed(ReleaseAsked(NAME, force), self.now)

    @rule(which=st.integers(0, 1), on=st.booleans())
    def maintenance_changes(self, which, on):
        self.machines[which].feed(MaintenanceChanged(NAME, on), self.now)

    @rule(which=st.integers(0, 1))
    def a_daemon_is_killed(self, which):
        self.machines[which].node = None

    @rule(which=st.integers(0, 1))
    def a_daemon_returns(self, which):
        if self.machines[which].node is None:
            self.machines[which].start(self.now)

    # -- what must hold

    def peace(self, seconds):
        """Nothing is lost, and keepers are done within a moment."""
        end = self.now + seconds
        while self.now < end:
            self.exchange()
            for each in self.machines:
                each.install(self.now)
            self.exchange()
            due = min(each.deadline for each in self.machines)
            self.until(min(max(due, self.now), end))

    @invariant()
    def addresses_are_where_they_may_be(self):
        for each in self.machines:
            if each.node is not None and each.kernel:
                tenure = each.router.tenure
                assert each.kernel <= {*tenure.held, *(VIPS if tenure.bound else ())}

    def teardown(self):
        """All is mended: one of them is MASTER and has every address, and the other has none."""
        if not hasattr(self, "machines"):
            return
        for each in self.machines:
            if each.node is None:
                each.start(self.now)
            each.feed(MaintenanceChanged(NAME, on=False), self.now)
            for _ in range(2):
                each.feed(VerdictReported(NAME, "critical", healthy=True, immediate=True), self.now)
        self.peace(20.0)
        masters = [each for each in self.machines if each.router.state is State.MASTER]
        assert len(masters) == 1
        (master,) = masters
        assert master.kernel == set(VIPS)
        assert master.router.tenure.installed
        assert not self.other(master).kernel
        assert not master.router.handing_over
        assert not master.router.degraded
        low, high = sorted(self.machines, key=lambda each: each.settings.priority)
        eager = high.settings.preempt and not high.router.listener.deferring
        assert master is high or not eager or low.settings.priority == high.settings.priority


TestTwoRouters = TwoRouters.TestCase
TestTwoRouters.settings = settings(max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=QUIET)
