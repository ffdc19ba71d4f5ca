from __future__ import annotations

from importlib.metadata import entry_points

from hafw.api import Address, Router

ROUTER = Router(
    name="VI_1",
    vrid=51,
    version=3,
    priority=100,
    interface="eth0",
    addresses=(
        Address(address="192.0.2.10", prefixlen=32, interface="eth0"),
        Address(address="192.0.2.11", prefixlen=24, interface="eth1", label="eth1:vip", scope="link"),
        Address(address="2001:db8::10", prefixlen=128, interface="eth0", advertised=False),
    ),
)


def load():
    (entry,) = entry_points(group="hafw", name="vip")
    return entry.load()


def test_every_configured_address_is_bound_in_configured_order_with_all_that_was_said_of_it():
    assert load().takeover(router=ROUTER) == list(ROUTER.addresses)


def test_the_distribution_is_found_as_any_third_party_plugin_is():
    (entry,) = entry_points(group="hafw", name="vip")
    assert entry.dist is not None
    assert (entry.dist.name, entry.dist.version) == ("hafw-plugin-vip", "0.1.0")
