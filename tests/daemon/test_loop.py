"""The loop around a Node, in virtual time: real Node, real observer; the wire and the kernel are small fakes."""

import ast
import inspect
import io
from ipaddress import ip_address
from math import inf

import pytest
import trio

from hafw.daemon import loop
from hafw.daemon.clock import VirtualTimer
from hafw.daemon.loop import HEAR_EVERY, Election
from hafw.daemon.observe import Observer, start_logging
from hafw.node import InstanceSettings, Node
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AdvertReceived,
    LinkChanged,
    PlanReported,
    Shutdown,
    Startup,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings

VIP = ip_address("192.0.2.250")
OWN, PEER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
SETTINGS = RouterSettings(name="VI_1", interface="eth0", vrid=51, priority=150, virtual_addresses=(VIP,))


class FakeWire:
    """Holds what has arrived until it is drained; remembers what was sent, and when."""

    def __init__(self):
        self.sent, self.waiting, self.election = [], [], None

    def drain(self):
        while self.waiting:
            self.election.dispatch(self.waiting.pop(0), trio.current_time())
        return inf

    def send(self, _router, priority):
        self.sent.append((round(trio.current_time() - self.began, 5), priority))


class Desk:
    """An election with everything it needs."""

    def __init__(self):
        self.wire = FakeWire()
        self.wire.began = trio.current_time()
        self.slept = 0.0
        self.wanted, self.announced, self.changes = [], [], []
        self.log = io.StringIO()
        self.writer = start_logging(self.log, "json")
        self.observer = Observer(self.writer)
        self.node = Node([InstanceSettings(router=SETTINGS)], trio.current_time())
        self.election = self.wire.election = Election(
            self.node,
            self.wire,
            self.observer,
            set_addresses=self.set_addresses,
            announce=self.announced.append,
            changed=lambda _name, change: self.changes.append(change.new),
            timer=VirtualTimer(),
            sleep_watch=self,
        )

    def suspended(self):
        """As ``SleepWatch`` has it."""
        slept, self.slept = self.slept, 0.0
        return slept

    def set_addresses(self, action):
        self.wanted.append((action.bound, action.held))
        if action.bound:  # reports back while the action is still being performed
            self.election.dispatch(AddressesInstalled("VI_1"))

    def join(self):
        self.election.dispatch(Startup("VI_1"))
        self.election.dispatch(LinkChanged("eth0", up=True, primary={4: OWN}))
        self.election.dispatch(PlanReported("VI_1"))

    def types(self):
        return [event["type"] for event in self.observer.events]


@pytest.fixture
async def desk(nursery):
    made = Desk()
    nursery.start_soon(made.election.run)
    yield made
    made.writer.close()


def advert(priority, interval=1.0):
    return AdvertReceived(
        "VI_1", Advertisement(version=3, vrid=51, priority=priority, interval=interval, addresses=(VIP,)), PEER
    )


async def test_the_deadline_is_met_and_adverts_follow_their_schedule(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: len(desk.wire.sent) == 4)
    assert desk.wire.sent == [(3.41406, 150), (4.41406, 150), (5.41406, 150), (6.41406, 150)]
    assert desk.changes == ["BACKUP", "MASTER"]
    assert desk.wanted == [((VIP,), ())]


async def test_a_report_that_comes_while_an_action_is_performed_keeps_its_place(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: "takeover_complete" in desk.types())
    assert desk.types() == ["state_changed", "state_changed", "takeover_complete"]
    assert desk.announced == ["VI_1"]


async def test_a_deadline_that_moves_closer_wakes_the_loop(autojump_clock, desk):
    desk.join()
    await trio.sleep(1)
    desk.election.dispatch(advert(200))
    desk.election.dispatch(advert(0))  # the MASTER says goodbye: only the skew time is left
    await desk.election.until(lambda: desk.wire.sent)
    assert desk.wire.sent == [(1.41406, 150)]


async def test_c_tmr_07_what_has_arrived_is_heard_before_anybody_is_blamed(autojump_clock, desk):
    desk.join()
    await trio.sleep(3.4)
    desk.wire.waiting.append(advert(200))
    await trio.sleep(0.5)
    assert desk.wire.sent == []
    assert desk.changes == ["BACKUP"]


async def test_the_advert_that_explains_a_claim_is_heard_before_the_claim(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: "MASTER" in desk.changes)
    desk.wire.waiting.append(advert(200))
    desk.election.dispatch(AddressesClaimed("VI_1", (VIP,), "02:00:00:00:00:02"))
    assert "split_brain" not in desk.types()
    assert desk.types()[-2:] == ["state_changed", "vip_released"]
    assert desk.wanted[-2:] == [((), (VIP,)), ((), ())]


async def test_c_tmr_09_a_late_master_says_so_in_the_log(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: "MASTER" in desk.changes)
    autojump_clock.jump(7.5)  # the process was not run
    await desk.election.until(lambda: "stall" in desk.types())
    stall = next(event for event in desk.observer.events if event["type"] == "stall")
    assert stall["seconds"] == 6.5
    desk.writer.close()
    assert '"event": "stall"' in desk.log.getvalue()


async def test_a_suspend_is_told_before_what_arrived_meanwhile(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: "MASTER" in desk.changes)
    sent = len(desk.wire.sent)
    desk.slept = 10.0  # somebody else, of a lower priority, has taken over since
    desk.wire.waiting.append(advert(100))
    await desk.election.until(lambda: desk.changes[-1] == "BACKUP")
    assert len(desk.wire.sent) == sent, "it yields without a word"
    assert "split_brain" not in desk.types()


async def test_what_arrived_before_any_event_is_heard_before_it(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: "MASTER" in desk.changes)
    desk.wire.waiting += [advert(200), advert(210)]
    desk.election.dispatch(Shutdown("VI_1"))
    assert [event.get("reason") for event in desk.observer.events][-2:] == ["higher-priority", "shutdown"]
    assert desk.node.instances["VI_1"].router.peer.priority == 210


async def test_an_advert_counts_from_when_it_came(autojump_clock, desk):
    desk.join()
    came = trio.current_time()
    await trio.sleep(0.5)
    desk.election.dispatch(advert(200), came)
    await desk.election.until(lambda: desk.wire.sent)
    assert desk.wire.sent == [(3.41406, 150)]


async def test_adverts_wait_in_the_socket_for_a_second_at_most(autojump_clock, desk):
    desk.join()
    await trio.sleep(0.1)
    desk.wire.waiting.append(advert(200, 100.0))
    await desk.election.until(lambda: desk.node.instances["VI_1"].router.peer)
    assert trio.current_time() - desk.wire.began <= HEAR_EVERY + 0.1


async def test_a_shutdown_is_over_when_the_addresses_are_released(autojump_clock, desk):
    desk.join()
    await desk.election.until(lambda: "MASTER" in desk.changes)
    desk.election.dispatch(Shutdown("VI_1"))
    assert not desk.node.done
    await desk.election.until(lambda: desk.node.done)
    assert desk.wire.sent[-1][1] == 0
    assert desk.wanted[-2:] == [((), (VIP,)), ((), ())]


def test_nothing_is_awaited_between_a_decision_and_the_wire():
    parsed = ast.parse(inspect.getsource(loop))
    plain = {node.name for node in ast.walk(parsed) if isinstance(node, ast.FunctionDef)}
    waiting = {node.name for node in ast.walk(parsed) if isinstance(node, ast.AsyncFunctionDef)}
    assert {"tick", "hear", "dispatch", "_take", "_perform", "_transition"} <= plain
    assert waiting == {"run", "until"}
