"""Before a takeover: what plugins want bound and sent, asked in time and checked."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from ipaddress import ip_address

import pytest
import trio
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether

from hafw.config.model import PluginConfig
from hafw.daemon.plugins import PlanRefused
from hafw.daemon.plugins.takeover import Draft, announced
from hafw.pipe import Address, Frame, Reply, Router

MAC = "02:00:00:00:00:01"
V4 = Address(address="192.0.2.10", prefixlen=24, interface="eth0")
V6 = Address(address="2001:db8::10", prefixlen=64, interface="eth1")
ROUTER = Router(name="VI_1", vrid=51, version=3, priority=100, interface="eth0", mac=MAC, addresses=(V4, V6))
ETHER = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff")
GRATUITOUS = bytes(ETHER / ARP(op=1, hwsrc=MAC, psrc="192.0.2.10", pdst="192.0.2.10"))
UNSOLICITED = bytes(
    ETHER / IPv6(src="2001:db8::10", dst="ff02::1") / ICMPv6ND_NA(tgt="2001:db8::10") / ICMPv6NDOptDstLLAddr(lladdr=MAC)
)


def frame(data: bytes, address: str = "192.0.2.10", interface: str = "eth0") -> Frame:
    return Frame(interface=interface, address=address, data=data)


def test_a_plan_keeps_addresses_by_value_and_frames_in_order():
    draft = Draft(ROUTER)
    announcement = frame(UNSOLICITED, "2001:db8::10", "eth1")
    draft.take("vip", Reply(id=1, addresses=(V4, V6)))
    draft.take("arp", Reply(id=1, frames=(frame(GRATUITOUS), announcement)))
    assert draft.plan.addresses == {ip_address("192.0.2.10"): V4, ip_address("2001:db8::10"): V6}
    assert draft.plan.frames == [frame(GRATUITOUS), announcement]


def changed(address: Address = V4, /, **fields: object) -> Reply:
    return Reply(id=1, addresses=(dataclasses.replace(address, **fields),))


@pytest.mark.parametrize(
    ("part", "offence"),
    [
        (changed(address="192.0.2.99"), "'192.0.2.99' is no virtual address of this instance"),
        (changed(address="x" * 9), "'xxxxxxxxx' is no virtual address of this instance"),
        (changed(interface="lo"), "192.0.2.10 on lo: it is configured on eth0"),
        (changed(prefixlen=33), "192.0.2.10/33: the length must be 0 to 32"),
        (changed(V6, prefixlen=-1), "2001:db8::10/-1: the length must be 0 to 128"),
        (changed(scope="galaxy"), "192.0.2.10 with scope 'galaxy': must be global, link, host"),
        (changed(label="lo:1"), "192.0.2.10 with label 'lo:1': must begin with eth0 and have at most 15 characters"),
        (changed(label="eth0:123456789012"), "192.0.2.10 with label 'eth0:123456789012': must begin with eth0"),
        (Reply(id=1, frames=(frame(GRATUITOUS),) * 5), "more than 4 frames for 192.0.2.10"),
        (Reply(id=1, frames=(frame(GRATUITOUS, interface="eth1"),)), "192.0.2.10 on eth1: it is configured on eth0"),
        (Reply(id=1, frames=(frame(GRATUITOUS, "192.0.2.9"),)), "'192.0.2.9' is no virtual address"),
        (
            Reply(id=1, frames=(frame(GRATUITOUS, "2001:db8::10", "eth1"),)),
            "a frame of 42 octets for 2001:db8::10: must",
        ),
        (Reply(id=1, frames=(frame(b""),)), "a frame of 0 octets for 192.0.2.10: must be an ARP or a neighbour"),
    ],
)
def test_an_offence_refuses_the_plan_by_the_name_of_the_plugin(part, offence):
    with pytest.raises(PlanRefused) as refused:
        Draft(ROUTER).take("evil", part)
    assert str(refused.value).startswith(f"plugin evil: {offence}")


def test_two_plugins_may_agree_on_an_address_but_not_differ():
    draft = Draft(ROUTER)
    draft.take("vip", Reply(id=1, addresses=(V4,)))
    draft.take("same", Reply(id=1, addresses=(V4,)))
    with pytest.raises(PlanRefused, match=r"plugin other: 192\.0\.2\.10 is bound differently by another plugin"):
        draft.take("other", changed(scope="host"))


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (GRATUITOUS, "192.0.2.10"),
        (GRATUITOUS + bytes(18), "192.0.2.10"),
        (UNSOLICITED, "2001:db8::10"),
        (GRATUITOUS[:41], None),
        (GRATUITOUS + bytes(200), None),
        (bytes(ETHER / IP(dst="192.0.2.1") / ICMP()) + bytes(40), None),
        (bytes(ETHER / Dot1Q(vlan=7) / ARP(psrc="192.0.2.10")), None),
        (bytes(ETHER / IPv6(dst="ff02::1") / ICMPv6ND_NS(tgt="2001:db8::10")), None),
        (bytes(ETHER / IPv6(dst="ff02::1") / IPv6ExtHdrHopByHop() / ICMPv6ND_NA(tgt="2001:db8::10")), None),
    ],
)
def test_only_arp_and_neighbour_advertisements_announce_anything(data, address):
    assert announced(data) == (ip_address(address) if address else None)


async def test_the_shipped_plugins_answer_and_their_processes_leave(play, monkeypatch):
    monkeypatch.setattr("hafw.daemon.plugins.host.LINGER", 0.1)
    plugins = (PluginConfig(name="vip"), PluginConfig(name="arp"))
    async with play(*plugins) as stage:
        router = dataclasses.replace(stage.router(), mac=MAC)
        plan = await stage.plugins.takeover(router)
        assert plan.addresses == {ip_address("192.0.2.10"): V4}
        assert [announced(each.data) for each in plan.frames] == [ip_address("192.0.2.10")] * 2
        pid = stage.status("arp").pid
        await stage.state("finished", "arp")
        await stage.state("finished", "vip")
        with trio.fail_after(5), contextlib.suppress(ProcessLookupError):
            await trio.lowlevel.wait_readable(os.pidfd_open(pid))
        again = await stage.plugins.takeover(router)
        assert again == plan, "asked again, it comes back"
        assert (stage.status("arp").failures, stage.status("arp").restarts) == (0, 0)


async def test_four_thousand_addresses_with_frames_fit(write, play, instance):
    plugin = write(
        """
        @hookimpl
        def takeover(router):
            import ipaddress
            head = bytes.fromhex("ffffffffffff0200000000010806000108000604000102000000000" + "1")
            for address in router.addresses:
                ip = ipaddress.ip_address(address.address).packed
                frame = Frame(interface="eth0", address=address.address, data=head + ip + bytes(6) + ip)
                yield_.extend([address, frame, frame])
            return yield_
        yield_ = []
        """
    )
    addresses = tuple(str(ip_address("10.0.0.0") + number) for number in range(4000))
    async with play(plugin, instances=(instance("VI_1", addresses),)) as stage:
        plan = await stage.plugins.takeover(stage.router())
        assert (len(plan.addresses), len(plan.frames)) == (4000, 8000)
        assert list(map(str, plan.addresses)) == list(addresses)


async def test_a_plugin_that_lies_is_named(write, play):
    plugin = write(
        "@hookimpl\ndef takeover(router): return [Address(address='198.51.100.1', prefixlen=32, interface='eth0')]"
    )
    async with play(PluginConfig(name="vip"), plugin) as stage:
        with pytest.raises(
            PlanRefused, match=r"^plugin local: '198\.51\.100\.1' is no virtual address of this instance$"
        ):
            await stage.plugins.takeover(stage.router())


async def test_what_is_neither_address_nor_frame_is_named(write, play):
    async with play(write("@hookimpl\ndef takeover(router): return ['192.0.2.10']")) as stage:
        with pytest.raises(PlanRefused, match=r"plugin local: takeover raised TypeError: '192\.0\.2\.10' is neither"):
            await stage.plugins.takeover(stage.router())


async def test_a_plugin_that_hangs_refuses_the_plan_in_time_and_is_ended(write, play, limits):
    plugin = write("import threading\n@hookimpl\ndef takeover(router): threading.Event().wait()")
    async with play(plugin, limits=dataclasses.replace(limits, call=0.3)) as stage:
        with pytest.raises(PlanRefused, match="plugin local: takeover took longer"):
            await stage.plugins.takeover(stage.router())
        await stage.until(lambda: stage.failures() == ["takeover took longer than 0.3s"])


async def test_an_answer_without_end_is_refused(write, play):
    plugin = write(
        "@hookimpl\ndef takeover(router): return [router.addresses[0]] * 200_000",
    )
    async with play(plugin) as stage:
        with pytest.raises(PlanRefused, match="plugin local: answered takeover with more than 16777216 octets"):
            await stage.plugins.takeover(stage.router())


async def test_a_plugin_that_was_never_loaded_may_have_a_say_so_there_is_no_plan(write, play):
    async with play(PluginConfig(name="vip"), write("raise RuntimeError('broken')")) as stage:
        await stage.until(stage.failures)
        with pytest.raises(PlanRefused, match="plugin local is not running: cannot be loaded: RuntimeError: broken"):
            await stage.plugins.takeover(stage.router())
