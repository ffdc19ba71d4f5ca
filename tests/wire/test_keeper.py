"""The address keeper against a real kernel; iproute2 plays everybody else and says what is there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from scapy.layers.l2 import ARP, Ether

from hafw.config.model import InstanceConfig
from hafw.daemon import addresses
from hafw.daemon.addresses import AddressKeeper, LinkInfo
from hafw.pipe import Address
from hafw.vrrp.events import AddressesClaimed, AddressesInstalled, AddressesLost, AddressesRefused, LinkChanged
from hafw.vrrp.settings import RouterSettings
from hafw.wire.netlink import BATCH, Netlink
from hafw.wire.rtmessages import PROTO_HAFW, AddressEntry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hafw.vrrp.events import Event
    from hafw.vrrp.settings import IPAddress

pytestmark = pytest.mark.wire

V4, V6 = IPv4Address("192.0.2.100"), IPv6Address("2001:db8::100")
OWN = ["192.0.2.1/24", "fe80::1/64"]
BOTH = sorted([*OWN, "192.0.2.100/32", "2001:db8::100/128"])
PATIENCE = 10.0


def plan(*texts: str, interface: str = "near") -> dict[object, Address]:
    """What a takeover plan says: address to how it is bound."""
    specs = {}
    for text in texts:
        address, _, length = text.partition("/")
        whole = ip_address(address).max_prefixlen
        spec = Address(address=address, prefixlen=int(length or whole), interface=interface)
        specs[ip_address(address)] = spec
    return specs


PLAN = plan(str(V4), str(V6))


def instance(*addresses: str, name: str = "VI_1", owner: bool = False, interface: str = "near") -> InstanceConfig:
    virtual = tuple(map(ip_address, addresses))
    router = RouterSettings(name=name, interface=interface, vrid=1, virtual_addresses=virtual, owner=owner)
    return InstanceConfig(router=router, addresses=())


class Reports:
    """What the keeper reported, in order; ``answer`` may call the keeper from within a report, as the Node does."""

    def __init__(self) -> None:
        self.answer: Callable[[Event], None] = lambda _: None
        self._send, self._receive = trio.open_memory_channel[object](10000)

    def __call__(self, event: Event) -> None:
        self._send.send_nowait(event)
        self.answer(event)

    async def next(self, kind: type) -> Event:
        """The next report of this kind; others are skipped."""
        with trio.fail_after(PATIENCE):
            while True:
                event = await self._receive.receive()
                if isinstance(event, kind):
                    return event

    def waiting(self, kind: type) -> list[Event]:
        found = []
        while True:
            try:
                event = self._receive.receive_nowait()
            except trio.WouldBlock:
                return found
            if isinstance(event, kind):
                found.append(event)


@asynccontextmanager
async def keeping(
    *instances: InstanceConfig,
    reports: Reports | None = None,
    bound: Callable[[str, list[IPAddress]], None] = lambda *_: None,
) -> AsyncIterator[tuple[AddressKeeper, Reports]]:
    reports = reports or Reports()
    keeper = AddressKeeper(reports, bound)
    keeper.watch({"near"}, instances or [instance(str(V4), str(V6))])
    async with trio.open_nursery() as nursery:
        with trio.fail_after(PATIENCE):
            await nursery.start(keeper.run)
        yield keeper, reports
        nursery.cancel_scope.cancel()


async def bind(keeper: AddressKeeper, reports: Reports) -> None:
    keeper.want("VI_1", PLAN, (V4, V6), ())
    assert await reports.next(AddressesInstalled) == AddressesInstalled("VI_1")


async def settled(keeper: AddressKeeper) -> None:
    with trio.fail_after(PATIENCE):
        await keeper.settled()


# -- bound, held, neither ---------------------------------------------------------------------------------------------


async def test_what_is_bound_is_there_when_it_is_reported(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        assert sorted(segment.addresses()) == BOTH


async def test_what_is_neither_bound_nor_held_is_removed(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        keeper.want("VI_1", PLAN, (), (V6,))
        await settled(keeper)
        assert sorted(segment.addresses()) == sorted([*OWN, "2001:db8::100/128"])
        keeper.want("VI_1", PLAN, (), ())
        await settled(keeper)
        assert segment.addresses() == OWN
        assert reports.waiting(AddressesInstalled | AddressesLost | AddressesRefused) == []


async def test_what_is_held_is_never_added(segment):
    async with keeping() as (keeper, _):
        keeper.want("VI_1", PLAN, (), (V4, V6))
        await settled(keeper)
        assert segment.addresses() == OWN


async def test_only_the_newest_wish_is_answered(segment):
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", PLAN, (V4,), ())
        keeper.want("VI_1", PLAN, (), ())
        keeper.want("VI_1", PLAN, (V4, V6), ())
        await settled(keeper)
        assert reports.waiting(AddressesInstalled) == [AddressesInstalled("VI_1")]
        assert sorted(segment.addresses()) == BOTH


async def test_a_wish_that_is_already_true_is_answered_too(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        await bind(keeper, reports)


async def test_an_address_outside_the_plan_is_not_ours(segment):
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", plan(str(V4)), (V4, V6), ())
        await reports.next(AddressesInstalled)
        assert sorted(segment.addresses()) == sorted([*OWN, "192.0.2.100/32"])


async def test_what_a_new_plan_lacks_is_removed_even_if_it_moved_to_another_interface(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        keeper.want("VI_1", plan(str(V4), interface="far"), (V4,), ())
        await reports.next(AddressesInstalled)
        assert segment.addresses() == OWN
        assert segment.addresses("far") == ["192.0.2.100/32"]


async def test_an_address_that_moves_to_another_router_stays(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        keeper.want("VI_1", {}, (), ())
        keeper.want("VI_2", PLAN, (V4, V6), ())
        assert await reports.next(AddressesInstalled) == AddressesInstalled("VI_2")
        assert sorted(segment.addresses()) == BOTH
        assert reports.waiting(AddressesLost) == []


async def test_a_refusal_names_the_address_and_the_reason(segment):
    async with keeping() as (keeper, reports):
        segment.set("net/ipv6/conf/near/disable_ipv6", "1")
        keeper.want("VI_1", PLAN, (V4, V6), ())
        refused = await reports.next(AddressesRefused)
        assert refused.error.startswith("2001:db8::100: ")
        assert "disabled" in refused.error
        assert reports.waiting(AddressesInstalled) == []


async def test_an_interface_that_does_not_exist_is_a_refusal(segment):
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", plan(str(V4), interface="eth9"), (V4,), ())
        expected = AddressesRefused("VI_1", "192.0.2.100: interface eth9 does not exist")
        assert await reports.next(AddressesRefused) == expected


async def test_a_wish_before_the_start_is_carried_out_then(segment):
    reports = Reports()
    keeper = AddressKeeper(reports)
    keeper.want("VI_1", PLAN, (V4, V6), ())
    async with trio.open_nursery() as nursery:
        await nursery.start(keeper.run)
        await reports.next(AddressesInstalled)
        nursery.cancel_scope.cancel()
    assert sorted(segment.addresses()) == BOTH


async def test_four_thousand_addresses_come_and_go(segment):
    many = [IPv4Address("198.18.0.0") + n for n in range(4000)]
    specs = plan(*map(str, many))
    async with keeping() as (keeper, reports):
        with trio.fail_after(PATIENCE):
            keeper.want("VI_1", specs, many, ())
            await reports.next(AddressesInstalled)
            assert len(segment.addresses()) == 4002
            keeper.want("VI_1", specs, (), many[2000:])
            await keeper.settled()
            assert len(segment.addresses()) == 2002
            keeper.want("VI_1", specs, (), ())
            await keeper.settled()
        assert segment.addresses() == OWN
        assert reports.waiting(AddressesLost) == []


async def test_addresses_are_told_of_while_others_are_still_being_installed(segment):
    many = [IPv4Address("198.18.0.0") + n for n in range(3 * BATCH)]
    told: list[IPAddress] = []
    reports = Reports()

    def bound(router: str, addresses: list[IPAddress]) -> None:
        assert router == "VI_1"
        assert reports.waiting(AddressesInstalled) == []
        told.extend(addresses)

    async with keeping(reports=reports, bound=bound) as (keeper, _):
        keeper.want("VI_1", plan(*map(str, many)), many, ())
        await reports.next(AddressesInstalled)
        assert told == many
        keeper.want("VI_1", plan(*map(str, many[:BATCH])), many[:BATCH], ())
        await reports.next(AddressesInstalled)
        keeper.want("VI_1", PLAN, (V4, V6), ())
        await reports.next(AddressesInstalled)
        assert told == many, "few are announced together"


async def test_a_few_known_addresses_are_there_when_the_call_returns(segment):
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", PLAN, (), ())
        await until_quiet(keeper)
        at_once = 0
        for _ in range(3):
            keeper.want("VI_1", PLAN, (V4, V6), ())
            at_once += len(reports.waiting(AddressesInstalled))
            await until_quiet(keeper)
            assert sorted(segment.addresses()) == BOTH
            keeper.want("VI_1", PLAN, (), ())
            await until_quiet(keeper)
            assert segment.addresses() == OWN
        assert at_once, "of three: another test may have the processor"


async def test_an_answer_that_is_late_comes_all_the_same(segment, monkeypatch):
    monkeypatch.setattr(addresses, "AT_ONCE", 0.0)
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", PLAN, (), ())
        await until_quiet(keeper)
        for _ in range(5):
            await bind(keeper, reports)
            assert sorted(segment.addresses()) == BOTH
            keeper.want("VI_1", PLAN, (), (V4,))
            await settled(keeper)
            assert sorted(segment.addresses()) == sorted([*OWN, "192.0.2.100/32"])
            keeper.want("VI_1", PLAN, (), ())
            keeper.want("VI_1", PLAN, (V4, V6), ())
            keeper.want("VI_1", PLAN, (), ())
            await settled(keeper)
            assert segment.addresses() == OWN
        assert reports.waiting(AddressesInstalled | AddressesLost | AddressesRefused) == []


async def test_an_address_that_somebody_else_added_meanwhile_is_read_back(segment):
    """The order is refused as needless, and what is there has another length."""
    longer = plan("192.0.2.100/24")
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", longer, (), ())
        await until_quiet(keeper)
        segment.ip("address add 192.0.2.100/24 dev near")
        keeper.want("VI_1", longer, (V4,), ())
        await reports.next(AddressesInstalled)
        await until_quiet(keeper)
        assert reports.waiting(AddressesLost) == []
        keeper.want("VI_1", longer, (), ())
        await settled(keeper)
        assert segment.addresses() == OWN


# -- what others do to them -------------------------------------------------------------------------------------------


async def test_a_removal_by_somebody_is_reported_and_what_the_router_then_wants_is_put_back(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        segment.ip("address del 192.0.2.100/32 dev near")
        lost = await reports.next(AddressesLost)
        assert (lost.router, lost.addresses) == ("VI_1", (V4,))
        assert sorted(segment.addresses()) == sorted([*OWN, "2001:db8::100/128"]), "the router decides when"
        await bind(keeper, reports)
        assert sorted(segment.addresses()) == BOTH


async def test_a_lost_address_is_back_within_50_ms(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        reports.answer = lambda event: (
            keeper.want("VI_1", PLAN, (V4, V6), ()) if isinstance(event, AddressesLost) else None
        )
        best = PATIENCE
        for _ in range(5):
            segment.ip("address del 192.0.2.100/32 dev near")
            started = trio.current_time()
            await reports.next(AddressesInstalled)
            best = min(best, trio.current_time() - started)
        assert best < 0.05, "the best of five: another test may have the processor"
        assert sorted(segment.addresses()) == BOTH


async def test_what_we_removed_ourselves_is_no_loss(segment):
    async with keeping() as (keeper, reports):
        for _ in range(20):
            keeper.want("VI_1", PLAN, (), ())
            await settled(keeper)
            await bind(keeper, reports)
        segment.ip("address add 192.0.2.7/24 dev near")
        await until_quiet(keeper)
        assert reports.waiting(AddressesLost) == []


async def until_quiet(keeper: AddressKeeper) -> None:
    """Everything that the kernel had to say up to now has been read and acted on."""
    for _ in range(20):
        await trio.testing.wait_all_tasks_blocked(0.005)
        await keeper.settled()


async def test_a_loss_is_reported_once_until_it_is_wanted_again(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        segment.ip("address del 192.0.2.100/32 dev near")
        await reports.next(AddressesLost)
        segment.ip("address del 2001:db8::100/128 dev near")
        await until_quiet(keeper)
        assert reports.waiting(AddressesLost) == []


async def test_a_held_address_that_somebody_removes_is_no_loss(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        keeper.want("VI_1", PLAN, (), (V4, V6))
        await settled(keeper)
        segment.ip("address del 192.0.2.100/32 dev near")
        await until_quiet(keeper)
        assert reports.waiting(AddressesLost) == []


async def test_an_address_that_somebody_adds_to_a_backup_is_removed(segment):
    async with keeping() as (keeper, _):
        keeper.want("VI_1", PLAN, (), ())
        await settled(keeper)
        segment.ip("address add 192.0.2.100/32 dev near")
        await until_quiet(keeper)
        assert segment.addresses() == OWN


async def test_an_interface_that_goes_takes_its_addresses_along(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        segment.ip("link del near")
        lost = await reports.next(AddressesLost)
        assert lost.addresses == (V4, V6)


# -- whose is it? -----------------------------------------------------------------------------------------------------


def leave(segment, address: object, proto: int) -> None:
    with Netlink() as netlink:
        entry = AddressEntry(segment.near, address, address.max_prefixlen, proto=proto)
        assert netlink.change([entry], []) == []


async def test_leftovers_with_our_mark_are_removed_and_others_are_somebodys_own(segment):
    leave(segment, V4, PROTO_HAFW)
    leave(segment, V6, 0)
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", PLAN, (), ())
        await settled(keeper)
        assert sorted(segment.addresses()) == sorted([*OWN, "2001:db8::100/128"])
        await bind(keeper, reports)
        keeper.want("VI_1", PLAN, (), ())
        await settled(keeper)
        assert sorted(segment.addresses()) == sorted([*OWN, "2001:db8::100/128"])


async def test_leftovers_that_a_record_names_are_removed_without_a_mark(segment):
    leave(segment, V4, 0)
    async with keeping() as (keeper, _):
        keeper.want("VI_1", PLAN, (), (), adopt={V4})
        await settled(keeper)
        assert segment.addresses() == OWN


async def test_leftovers_that_are_bound_again_are_ours(segment):
    leave(segment, V4, PROTO_HAFW)
    leave(segment, V6, 0)
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", PLAN, (V4, V6), (), adopt={V6})
        await reports.next(AddressesInstalled)
        keeper.want("VI_1", PLAN, (), ())
        await settled(keeper)
        assert segment.addresses() == OWN


async def test_an_owner_keeps_the_hosts_own_address_whenever_it_appears(segment):
    owner = instance("192.0.2.1", owner=True)
    specs = plan("192.0.2.1/24")
    own = IPv4Address("192.0.2.1")
    async with keeping(owner) as (keeper, reports):
        keeper.want("VI_1", specs, (own,), ())
        await reports.next(AddressesInstalled)
        assert keeper.links()["near"].primary[4] == own
        keeper.want("VI_1", specs, (), ())
        await settled(keeper)
        segment.ip("address del 192.0.2.1/24 dev near")
        segment.ip("address add 192.0.2.1/24 dev near")
        await until_quiet(keeper)
        assert "192.0.2.1/24" in segment.addresses()


async def test_a_vip_that_became_primary_leaves_the_hosts_own_address_when_it_goes(segment):
    segment.ip("address del 192.0.2.1/24 dev near")
    specs = plan("192.0.2.100/24")
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", specs, (V4,), ())
        await reports.next(AddressesInstalled)
        assert keeper.promoted == {"near"}
        segment.ip("address add 192.0.2.1/24 dev near")
        keeper.want("VI_1", specs, (), ())
        await settled(keeper)
        assert "192.0.2.1/24" in segment.addresses()
        assert "192.0.2.100/24" not in segment.addresses()


async def test_an_interface_is_left_as_it_is_for_a_vip_that_stands_alone(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        assert keeper.promoted == set()


# -- links ------------------------------------------------------------------------------------------------------------


async def test_every_watched_interface_is_reported_at_the_start(segment):
    async with keeping() as (keeper, reports):
        expected = LinkChanged("near", up=True, primary={4: ip_address("192.0.2.1"), 6: ip_address("fe80::1")})
        assert reports.waiting(LinkChanged) == [expected]
        info = keeper.links()["near"]
        assert (info.ifindex, info.mac, info.mtu) == (segment.near, segment.near_mac, 1500)


async def test_a_link_goes_down_and_comes_back(segment):
    async with keeping() as (_, reports):
        await reports.next(LinkChanged)
        segment.ip("link set near down")
        assert await link(reports, up=False) == "administratively down"
        segment.ip("link set near up")
        assert await link(reports, up=True) == ""
        segment.ip("link set far down")
        assert await link(reports, up=False) == "no carrier"


async def link(reports: Reports, *, up: bool) -> str:
    """The problem that the next report of this kind names."""
    while True:
        event = await reports.next(LinkChanged)
        if event.up == up:
            return event.problem


async def test_an_interface_that_appears_and_reappears_is_followed(segment):
    segment.ip("link del near")
    async with keeping() as (keeper, reports):
        assert await link(reports, up=False) == "does not exist"
        assert keeper.links() == {}
        for index in (77, 78):
            segment.ip(f"link add near index {index} type veth peer name far")
            segment.ip("link set far up")
            segment.ip("link set near up")
            await link(reports, up=True)
            assert keeper.links()["near"].ifindex == index
            await bind(keeper, reports)
            segment.ip("link del near")
            assert await link(reports, up=False) == "does not exist"
            keeper.want("VI_1", PLAN, (), ())


async def test_a_new_mac_is_reported_because_frames_carry_it(segment):
    async with keeping() as (keeper, reports):
        await reports.next(LinkChanged)
        segment.ip("link set near address 02:00:00:00:00:77")
        await reports.next(LinkChanged)
        assert keeper.links()["near"].mac == "02:00:00:00:00:77"


async def test_a_virtual_address_is_never_primary(segment):
    segment.ip("address del 192.0.2.1/24 dev near")
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        await until_quiet(keeper)
        assert 4 not in keeper.links()["near"].primary
        segment.ip("address add 192.0.2.1/24 dev near")
        while 4 not in keeper.links()["near"].primary:
            await reports.next(LinkChanged)
        assert keeper.links()["near"].primary[4] == ip_address("192.0.2.1")


async def test_a_secondary_address_is_not_primary_until_it_is_promoted(segment):
    segment.set("net/ipv4/conf/near/promote_secondaries", "1")
    segment.ip("address add 192.0.2.2/24 dev near")
    async with keeping() as (keeper, reports):
        assert (await reports.next(LinkChanged)).primary[4] == ip_address("192.0.2.1")
        segment.ip("address del 192.0.2.1/24 dev near")
        while keeper.links()["near"].primary.get(4) != ip_address("192.0.2.2"):
            await reports.next(LinkChanged)


async def test_a_link_local_address_is_primary_only_once_it_may_be_used(segment):
    segment.set("net/ipv6/conf/near/accept_dad", "1")
    segment.set("net/ipv6/conf/near/dad_transmits", "1000")
    segment.ip("address del fe80::1/64 dev near")
    segment.ip("address add fe80::5/64 dev near")
    async with keeping() as (_, reports):
        assert 6 not in (await reports.next(LinkChanged)).primary


async def test_watching_other_interfaces_reports_them_at_once(segment):
    async with keeping() as (keeper, reports):
        reports.waiting(LinkChanged)
        keeper.watch({"near", "far"}, [instance(str(V4))])
        assert [event.interface for event in reports.waiting(LinkChanged)] == ["far"]


# -- claims -----------------------------------------------------------------------------------------------------------


def garp(address: object, mac: str = "02:00:00:00:00:99") -> bytes:
    packet = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=mac, psrc=str(address), pdst=str(address))
    return bytes(packet)


async def test_claims_of_held_addresses_are_reported_together(segment):
    second = V4 + 1
    specs = plan(str(V4), str(second))
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", specs, (V4, second), ())
        await reports.next(AddressesInstalled)
        keeper.want("VI_1", specs, (), (V4, second))
        await settled(keeper)
        segment.inject(garp(V4), garp(second), garp("192.0.2.50"))
        claimed = await reports.next(AddressesClaimed)
        assert claimed == AddressesClaimed("VI_1", (V4, second), "02:00:00:00:00:99")


async def test_every_claim_of_a_held_address_is_reported(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        keeper.want("VI_1", PLAN, (), (V4,))
        await settled(keeper)
        for _ in range(3):
            segment.inject(garp(V4))
            await reports.next(AddressesClaimed)


async def test_claims_of_what_we_serve_are_evidence_once_a_second(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        started = trio.current_time()
        segment.inject(garp(V4))
        await reports.next(AddressesClaimed)
        heard = 0
        while not heard:
            segment.inject(garp(V4))
            await trio.testing.wait_all_tasks_blocked(0.01)
            heard = len(reports.waiting(AddressesClaimed))
        assert trio.current_time() - started >= 1.0


async def test_a_backup_hears_no_claims(segment):
    async with keeping() as (keeper, reports):
        keeper.want("VI_1", PLAN, (), ())
        await settled(keeper)
        segment.inject(garp(V4))
        await until_quiet(keeper)
        assert reports.waiting(AddressesClaimed) == []


async def test_claims_are_heard_on_an_interface_that_was_made_anew(segment):
    async with keeping() as (keeper, reports):
        await bind(keeper, reports)
        segment.make_anew(77)
        while keeper.links().get("near", LinkInfo()).ifindex != 77 or keeper.links()["near"].problem:
            await reports.next(LinkChanged)
        await bind(keeper, reports)
        segment.inject(garp(V4))
        assert (await reports.next(AddressesClaimed)).addresses == (V4,)
