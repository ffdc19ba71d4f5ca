"""The default gateway: the kernel is asked, and ``ip route`` is the oracle."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafw.wire.gateways import default_gateway, parse_untrusted


@given(st.binary(max_size=200))
def test_any_answer_is_judged_without_an_exception(data):
    parse_untrusted(data, 1)


@given(st.binary(max_size=100))
def test_any_attributes_of_a_route_are_judged_without_an_exception(attributes):
    head = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
    body = head + attributes
    parse_untrusted(struct.pack("=IHHII", 16 + len(body), 24, 0, 1, 0) + body, 1)


@pytest.mark.wire
def test_without_a_default_route_there_is_none(segment):
    assert default_gateway(segment.near, 4) is None
    assert default_gateway(segment.near, 6) is None


@pytest.mark.wire
def test_the_gateway_of_each_family_is_found(segment):
    segment.ip("route add default via 192.0.2.254 dev near")
    segment.ip("-6 route add default via fe80::99 dev near")
    assert default_gateway(segment.near, 4) == ip_address("192.0.2.254")
    assert default_gateway(segment.near, 6) == ip_address("fe80::99")
    assert default_gateway(segment.far, 4) is None
    assert default_gateway(segment.far, 6) is None


@pytest.mark.wire
def test_other_routes_are_no_default(segment):
    segment.ip("route add 240.0.0.0/8 via 192.0.2.253 dev near")
    assert default_gateway(segment.near, 4) is None


@pytest.mark.wire
def test_one_of_several_next_hops_is_the_one_on_this_interface(segment):
    segment.ip("address add 198.51.100.1/24 dev far")
    segment.ip("route add default nexthop via 192.0.2.254 dev near nexthop via 198.51.100.254 dev far")
    assert default_gateway(segment.near, 4) == ip_address("192.0.2.254")
    assert default_gateway(segment.far, 4) == ip_address("198.51.100.254")
