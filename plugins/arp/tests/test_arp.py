from __future__ import annotations

import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import hafw_arp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from hafw.api import Address, Frame, Router

MAC = "02:00:00:00:00:01"


def router_with(*addresses: str, interface: str = "eth0", mac: str = MAC) -> Router:
    bound = tuple(Address(address=a, prefixlen=ip_address(a).max_prefixlen, interface=interface) for a in addresses)
    return Router(name="VI_1", vrid=51, version=3, priority=100, interface=interface, mac=mac, addresses=bound)


def takeover(instance: Router, **options: object) -> list[Frame]:
    arp = hafw_arp.Arp()
    arp.configure(hafw_arp.Options(**options))
    return arp.takeover(instance)


def test_c_arp_06_request_and_reply_are_broadcast_with_sender_and_target_the_virtual_address():
    rest = "020000000001c000020affffffffffffc000020a"
    assert [frame.data.hex() for frame in takeover(router_with("192.0.2.10"))] == [
        "ffffffffffff02000000000108060001080006040001" + rest,
        "ffffffffffff02000000000108060001080006040002" + rest,
    ]


@pytest.mark.parametrize(
    ("options", "operations"),
    [({}, [1, 2]), ({"reply": False}, [1]), ({"request": False}, [2]), ({"request": False, "reply": False}, [])],
)
def test_each_form_can_be_switched_off(options, operations):
    assert [frame.data[21] for frame in takeover(router_with("192.0.2.10"), **options)] == operations


def test_c_nd_05_unsolicited_na_to_all_nodes_from_the_address_itself_with_hop_limit_255():
    (frame,) = takeover(router_with("2001:db8::10"), router="always")
    assert frame.data.hex() == (
        "333300000001020000000001" + "86dd"
        "60000000" + "0020" + "3a" + "ff"
        "20010db8000000000000000000000010"
        "ff020000000000000000000000000001"
        "8800" + "790c" + "a0000000"
        "20010db8000000000000000000000010"
        "0201020000000001"
    )  # fmt: skip


def test_c_nd_05_flags_are_router_and_override_on_a_router_and_override_alone_on_a_host():
    flags = {
        setting: takeover(router_with("2001:db8::10"), router=setting)[0].data[58] for setting in ("always", "never")
    }
    assert flags == {"always": 0xA0, "never": 0x20}


def in_a_namespace(code: str) -> str:
    """Run code in a network namespace of its own: its ``lo`` has the forwarding setting of a fresh host."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


@pytest.mark.wire
@pytest.mark.parametrize("forwarding", [0, 1])
def test_c_nd_06_auto_sets_the_router_flag_only_where_the_kernel_forwards(forwarding):
    said = in_a_namespace(
        "import hafw_arp; from pathlib import Path; "
        f"Path('/proc/sys/net/ipv6/conf/lo/forwarding').write_text('{forwarding}'); print(hafw_arp.forwards('lo'))"
    )
    assert said == str(bool(forwarding))


@pytest.mark.wire
def test_an_address_on_another_interface_carries_that_interfaces_mac():
    said = in_a_namespace(
        "import subprocess, hafw_arp; from hafw.api import Address, Router; "
        "subprocess.run(['ip', 'link', 'add', 'v0', 'address', '02:00:00:00:00:aa', 'type', 'veth'], check=True); "
        "a = Address(address='192.0.2.10', prefixlen=32, interface='v0'); "
        "r = Router(name='V', vrid=1, version=3, priority=1, interface='lo', mac='', addresses=(a,)); "
        "print([(f.interface, f.data[6:12].hex(':')) for f in hafw_arp.Arp().takeover(r)])"
    )
    assert said == "[('v0', '02:00:00:00:00:aa'), ('v0', '02:00:00:00:00:aa')]"


@pytest.mark.parametrize("mac", ["", "00:00:00:00:00:00"])
def test_an_interface_without_a_link_layer_address_announces_nothing(mac):
    assert takeover(router_with("192.0.2.10", "2001:db8::10", mac=mac)) == []


def test_an_interface_that_does_not_exist_has_no_mac_and_does_not_forward():
    assert hafw_arp.mac_of("nosuchif0") == ""
    assert hafw_arp.mac_of("lo") == ""
    assert hafw_arp.forwards("nosuchif0") is False


@given(st.ip_addresses(v=4))
def test_a_patched_arp_equals_the_frame_that_scapy_builds(address: IPv4Address):
    ip = str(address)
    built = [
        bytes(
            Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff")
            / ARP(op=operation, hwsrc=MAC, psrc=ip, hwdst="ff:ff:ff:ff:ff:ff", pdst=ip)
        )
        for operation in (1, 2)
    ]
    assert [frame.data for frame in takeover(router_with(ip))] == built


@given(st.ip_addresses(v=6))
def test_a_patched_na_equals_the_frame_that_scapy_builds_checksum_included(address: IPv6Address):
    ip = str(address)
    built = bytes(
        Ether(src=MAC, dst="33:33:00:00:00:01")
        / IPv6(src=ip, dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(R=1, S=0, O=1, tgt=ip)
        / ICMPv6NDOptDstLLAddr(lladdr=MAC)
    )
    assert [frame.data for frame in takeover(router_with(ip), router="always")] == [built]


def test_four_thousand_addresses_are_ready_in_under_a_second():
    first = int(IPv4Address("10.0.0.0"))
    many = router_with(
        *(str(IPv4Address(first + n)) for n in range(2000)), *(f"2001:db8::{n:x}" for n in range(1, 2001))
    )
    began = time.perf_counter()
    frames = takeover(many)
    assert time.perf_counter() - began < 1
    assert len(frames) == 2000 * 2 + 2000
    assert len({frame.data for frame in frames}) == len(frames)


def test_importing_the_plugin_does_not_import_scapy():
    code = "import sys, hafw_arp; print('scapy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
