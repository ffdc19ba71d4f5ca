"""What the device with the virtual MAC is called, and what leaves with that MAC."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from hafw.vrrp.device import advert_mac, device_mac, device_name, device_of
from hafw.vrrp.settings import RouterSettings


def settings(address="192.0.2.250", **more):
    return RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=(ip_address(address),), **more)


@given(st.text(min_size=1), st.integers(1, 255), st.sampled_from([4, 6]))
def test_every_device_has_a_name_that_the_kernel_takes_and_always_the_same(interface, vrid, family):
    name = device_name(interface, vrid, family)
    assert name.startswith(f"hafw{family}-{vrid}-")
    assert (len(name) <= 15, name.isascii(), "/" in name) == (True, True, False)
    assert name == device_name(interface, vrid, family)


def test_interface_vrid_and_family_each_make_another_device():
    names = {device_name(*each) for each in [("eth0", 1, 4), ("eth1", 1, 4), ("eth0", 2, 4), ("eth0", 1, 6)]}
    assert len(names) == 4


def test_c_pkt_18_adverts_to_a_group_come_from_the_virtual_mac_of_their_family():
    assert advert_mac(settings(virtual_mac=True)).hex(":") == "00:00:5e:00:01:33"
    assert advert_mac(settings("fe80::250", virtual_mac=True)).hex(":") == "00:00:5e:00:02:33"


def test_without_a_virtual_mac_there_is_no_device_and_adverts_to_peers_are_routed():
    assert (device_of(settings()), device_mac(settings()), advert_mac(settings())) == ("", b"", b"")
    routed = settings(virtual_mac=True, unicast_peers=(ip_address("192.0.2.2"),))
    assert (advert_mac(routed), device_mac(routed).hex(":")) == (b"", "00:00:5e:00:01:33")


def test_with_a_virtual_mac_the_device_is_named_after_interface_vrid_and_family():
    assert device_of(settings(virtual_mac=True)) == device_name("eth0", 51, 4)
    assert device_of(settings("fe80::250", virtual_mac=True)) == device_name("eth0", 51, 6)


def test_the_name_of_a_device_is_the_same_in_every_release():
    """A daemon of another release takes down what this one has left."""
    assert device_name("eth0", 51, 4) == "hafw4-51-9c32"
