"""Our frames as scapy reads them."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils6 import in6_getnsmac

from hafw.wire.frames import advert_frame

MAC = bytes.fromhex("00005e000133")


@given(st.binary(min_size=8, max_size=1400), st.ip_addresses(v=4), st.integers(0xE0000000, 0xEFFFFFFF))
def test_c_pkt_16_an_ipv4_advert_is_one_packet_with_ttl_255_to_the_mac_of_its_group(message, source, group):
    frame = Ether(advert_frame(message, source, ip_address(group), MAC))
    packet = frame[IP]
    low = group & 0x7FFFFF
    assert (frame.src, frame.dst) == (MAC.hex(":"), (0x01005E000000 + low).to_bytes(6, "big").hex(":"))
    assert (packet.src, packet.dst) == (str(source), str(ip_address(group)))
    assert (packet.ttl, packet.proto, packet.tos, packet.flags, packet.len) == (255, 112, 0xC0, "DF", 20 + len(message))
    assert bytes(packet.payload) == message
    given_sum = packet.chksum
    del packet.chksum
    assert IP(bytes(packet)).chksum == given_sum


@given(st.binary(min_size=8, max_size=1400), st.ip_addresses(v=6), st.ip_addresses(v=6, network="ff02::/16"))
def test_c_pkt_17_an_ipv6_advert_has_hop_limit_255_and_goes_to_the_mac_of_its_group(message, source, group):
    frame = Ether(advert_frame(message, source, group, MAC))
    packet = frame[IPv6]
    assert (frame.src, frame.dst) == (MAC.hex(":"), in6_getnsmac(group.packed))
    assert (ip_address(packet.src), ip_address(packet.dst)) == (source, group)
    assert (packet.hlim, packet.nh, packet.tc, packet.fl, packet.plen) == (255, 112, 0xC0, 0, len(message))
    assert bytes(packet.payload) == message
