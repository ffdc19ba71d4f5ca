"""What the will says: only what is ours, for as long as it is to answer; and a run directory that takes no record."""

from __future__ import annotations

import io
from ipaddress import ip_address

import pytest
import trio

from hafw import will as last_will
from hafw.config.model import Config, InstanceConfig
from hafw.daemon.addresses.kernelview import KernelView, listing_of
from hafw.daemon.addresses.wishes import Turn, Wish
from hafw.daemon.observe import LogWriter
from hafw.daemon.plugins import Plan
from hafw.daemon.run import Daemon
from hafw.daemon.testament import bequest, read_history, read_plans
from hafw.guard.judgement import hold_until
from hafw.lifeline import Sign
from hafw.pipe import Address
from hafw.vrrp.settings import Checksum, RouterSettings, State
from hafw.will import Bequest, BoundAddress, Will
from hafw.wire.rtmessages import PROTO_HAFW, AddressEntry, Link

VIP, OTHER = ip_address("192.0.2.100"), ip_address("192.0.2.101")
PLAN = {each: Address(address=str(each), prefixlen=32, interface="eth0") for each in (VIP, OTHER)}
PLACES = {each: ("eth0", each.packed) for each in PLAN}
ETH0 = Link(2, "eth0", up=True, carrier=True, operstate=6, mac="02:00:00:00:00:01", mtu=1500)


def there(*addresses, proto=0):
    view = KernelView()
    view.replace_links([ETH0])
    view.replace_addresses(listing_of([AddressEntry(2, each, 32, proto=proto) for each in addresses]))
    return view


def foreign(wish, view):
    return {address for address, place in PLACES.items() if place in wish.foreign(view)}


def wanting(bound=(VIP, OTHER), adopt=(), *, owner=False):
    wish = Wish("VI_1", owner=owner)
    wish.replace(PLAN, bound, (), adopt)
    return wish


def applied(wish, view):
    turn = Turn([wish], wish.kept)
    wish.judge(view)
    wish.plan_work(view, turn.kept, turn.work)
    for order in turn.work.adds:
        view.replace_addresses(listing_of([*(e for p in PLACES.values() for e in view.at(p)), order.entry]))
    wish.confirm()
    return wish


@pytest.mark.parametrize("owner", [False, True])
def test_what_was_there_before_us_is_not_ours_and_what_we_add_is(owner):
    view = there(VIP)
    wish = wanting(owner=owner)
    assert foreign(wish, view) == {VIP}
    assert foreign(applied(wish, view), view) == {VIP}


def test_an_owners_address_that_appears_while_we_do_not_bind_is_the_hosts():
    assert foreign(applied(wanting(bound=(), owner=True), there()), there(VIP)) == {VIP, OTHER}
    assert foreign(applied(wanting(bound=()), there()), there(VIP)) == set()


def test_a_leftover_with_our_mark_is_ours():
    assert foreign(wanting(), there(VIP, OTHER, proto=PROTO_HAFW)) == set()


@pytest.mark.parametrize("owner", [False, True])
def test_of_what_a_daemon_left_only_that_is_ours_which_its_will_named(owner):
    wish = wanting(adopt=(VIP,), owner=owner)
    assert foreign(wish, KernelView()) == {OTHER}, "before the kernel was asked"
    view = there(VIP, OTHER)
    assert foreign(applied(wish, view), view) == {OTHER}
    wish.replace(PLAN, (), (), ())
    assert [bool(wish.removable(view, PLACES[each])) for each in PLAN] == [True, False]


# -- the record -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def daemon(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path / "run"))
    settings = RouterSettings(name="VI_1", interface="eth0", vrid=7, virtual_addresses=(VIP, OTHER))
    instances = {"VI_1": InstanceConfig(router=settings, addresses=tuple(PLAN.values()))}
    path = str(tmp_path / "config.toml")
    writer = LogWriter(io.StringIO())
    made = Daemon(Config(path=path, node_name="lb1", instances=instances, plugins={}), writer)
    made.plans["VI_1"] = Plan(addresses=PLAN)
    made.node.instances["VI_1"].router.tenure.bind()
    yield made
    writer.close()


async def test_the_will_names_what_the_keeper_would_remove_and_follows_it(daemon):
    daemon.keeper.want("VI_1", PLAN, (VIP, OTHER), (), adopt=(VIP,))
    await daemon.testament.write()
    assert [each.address for each in last_will.read().bequests[0].addresses] == [str(VIP)]
    daemon.keeper.want("VI_1", dict(reversed(PLAN.items())), (VIP, OTHER), (), adopt=(VIP, OTHER))
    daemon.keeper._view.replace_links([ETH0])  # the kernel was asked, and neither is there: both are to be added
    await daemon.testament.write()
    assert [each.address for each in last_will.read().bequests[0].addresses] == [str(VIP), str(OTHER)]


@pytest.mark.parametrize(("state", "hold"), [(State.BACKUP, 0.0), (State.MASTER, 3.0)])
async def test_what_is_bound_beside_a_live_master_is_not_held(daemon, state, hold):
    instance = daemon.node.instances["VI_1"]
    instance.router.state = state
    assert bequest(instance, (), {}, Checksum.AUTO, 0).hold == hold


def test_a_preparing_router_that_became_master_since_the_record_was_written_is_held_as_one():
    left = Bequest("VI_1", "eth0", 4, "192.0.2.1", {}, hold=0.0, addresses=(), interval=1.0)
    assert hold_until(left, None, 100.5, rival=False) == 100.5
    assert hold_until(left, Sign(spoke_at=100.0, promised_at=101.0, patience=3.0), 100.5, rival=False) == 103.0


async def test_what_was_served_is_held_until_it_is_claimed(daemon):
    instance = daemon.node.instances["VI_1"]
    instance.router.state = State.BACKUP
    instance.router.tenure.hold(0.0, 3.0, lambda _: [])
    assert bequest(instance, (), {}, Checksum.AUTO, 0).hold == 3.0


async def test_what_the_guard_is_handing_over_stays_in_the_record_until_that_is_done(daemon):
    goodbyes = {"224.0.0.18": "3133000100010000"}
    left = Bequest("VI_2", "eth0", 4, "192.0.2.1", goodbyes, 3.0, (BoundAddress(str(OTHER), 32, "eth0"),))
    daemon.life.will, daemon.life.withheld = Will(1, (left,)), {"VI_2"}
    await daemon.testament.write()
    (kept,) = [each for each in last_will.read().bequests if each.name == "VI_2"]
    assert (kept.addresses, kept.goodbyes) == (left.addresses, {})  # the guard has said them
    daemon.life.withheld.clear()
    await daemon.testament.write()
    assert [each.name for each in last_will.read().bequests] == ["VI_1"]


async def test_a_record_that_cannot_be_written_is_told_once_until_it_can(daemon):
    last_will.run_directory().write_text("in the way")
    for _ in range(2):
        await daemon.testament.write()
    (event,) = daemon.observer.events
    assert (event["type"], event["path"]) == ("will_not_written", str(last_will.will_path()))
    assert "File exists" in event["error"] or "Not a directory" in event["error"]
    last_will.run_directory().unlink()
    await daemon.testament.write()
    assert last_will.read() is not None
    assert len(daemon.observer.events) == 1


async def test_a_record_that_could_not_be_written_is_tried_again_at_the_next_beat(daemon, monkeypatch):
    monkeypatch.setattr(last_will, "BEAT", 0.01)
    last_will.run_directory().write_text("in the way")
    told = trio.Event()
    daemon.observer.subscribe(lambda _: told.set())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.testament.run)
        daemon.testament.changed()
        with trio.fail_after(10):
            await told.wait()
            last_will.run_directory().unlink()
            while not last_will.will_path().exists():  # noqa: ASYNC110 - a thread writes it, and tells nobody
                await trio.sleep(0.005)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b'{"VI\xa2": 1}', b"[" * 9999, b'{"seq": 1, "node_seq": 1, "transitions": [{"seq": 1}]}'],
)
def test_damaged_plans_and_history_are_none(tmp_path, monkeypatch, content):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path))
    for path in (last_will.plans_path(), last_will.history_path()):
        path.write_bytes(content)
    assert read_plans() == {}
    assert read_history() is None


async def test_two_who_write_at_once_do_not_meet(daemon):
    async with trio.open_nursery() as nursery:
        for number in range(50):
            daemon.plans["VI_1"] = Plan(addresses=PLAN)
            nursery.start_soon(daemon.testament.write)
            daemon.observer.event({"type": "check_changed", "number": number})
    assert {event["type"] for event in daemon.observer.events} == {"check_changed"}
    assert last_will.read() is not None
