from __future__ import annotations

from importlib.metadata import entry_points

import pytest

import hafw
from hafw.api import Address


def test_every_configured_address_is_bound_in_configured_order_with_all_that_was_said_of_it(hafw_plugin):
    addresses = [
        "192.0.2.10/32",
        {"address": "192.0.2.11/24", "interface": "eth1", "label": "eth1:vip", "scope": "link"},
    ]
    instance = {"virtual_addresses": addresses, "excluded_addresses": ["2001:db8::10/128"]}
    plugin = hafw_plugin("vip", instances={"VI_1": instance})
    assert list(plugin.takeover().addresses.values()) == [
        Address(address="192.0.2.10", prefixlen=32, interface="eth0"),
        Address(address="192.0.2.11", prefixlen=24, interface="eth1", label="eth1:vip", scope="link"),
        Address(address="2001:db8::10", prefixlen=128, interface="eth0", advertised=False),
    ]


@pytest.mark.parametrize("name", ["vip", "arp", "nginx", "notify_script", "notify_email"])
def test_every_shipped_plugin_is_found_as_a_third_party_one_is_and_has_the_version_of_hafw(name):
    (entry,) = entry_points(group="hafw", name=name)
    assert entry.dist is not None
    assert (entry.dist.name, entry.dist.version) == (f"hafw-plugin-{name.replace('_', '-')}", hafw.__version__)
    assert f"hafw=={hafw.__version__}" in (entry.dist.requires or [])
