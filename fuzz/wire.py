"""Targets for what comes from the network and from the kernel: adverts, IPv4 packets, claims, rtnetlink."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from ipaddress import ip_address

from hafw.daemon.addresses.kernelview import KernelView, listing_of
from hafw.daemon.plugins.takeover import announced
from hafw.vrrp.packet import (
    REASONS,
    Advertisement,
    BadPacket,
    Datagram,
    decode_untrusted,
    encode,
    peek_vrid_untrusted,
    strip_ipv4_untrusted,
)
from hafw.vrrp.settings import Checksum, IPAddress, RouterSettings
from hafw.wire import rtmessages
from hafw.wire.claims import parse_claim_untrusted
from hafw.wire.rtmessages import AddressSeen, LinkSeen, MalformedMessage

PEER, OWN = ip_address("10.77.0.1"), ip_address("10.77.0.2")
PEER6, OWN6 = ip_address("fe80::ff:fe00:7701"), ip_address("fe80::ff:fe00:7702")
GROUP = {4: ip_address("224.0.0.18"), 6: ip_address("ff02::12")}
VIP, VIP6 = ip_address("10.77.0.250"), ip_address("fd77::250")
OURS = partial(RouterSettings, name="VI_1", interface="eth0", vrid=51)
ROUTERS = (
    OURS(virtual_addresses=(VIP,)),
    OURS(virtual_addresses=(VIP,), unicast_peers=(PEER,)),
    OURS(virtual_addresses=(ip_address("fe80::77:250"), VIP6)),
    OURS(version=2, virtual_addresses=(VIP,)),
    OURS(version=2, virtual_addresses=(VIP,), password=b"secret"),
    OURS(virtual_addresses=(VIP,), owner=True, priority=255),
)
"""Append only: an input of the corpus names one by its number."""
TTLS = (255, 255, 254, None)
CENTISECONDS = 0.01


def advert(data: bytes) -> bool:
    """An advert as a socket gives it. Octet 0: whose; octet 1: under what circumstances; the rest is the message."""
    if len(data) < 2:
        return False
    router, circumstances = ROUTERS[data[0] % len(ROUTERS)], data[1]
    datagram = _datagram(router, circumstances, data[2:])
    assert peek_vrid_untrusted(datagram.payload) in (None, *datagram.payload[1:2])
    return _decode(router, datagram)


def _datagram(router: RouterSettings, circumstances: int, payload: bytes) -> Datagram:
    """Bits 0 and 1: TTL; 2 and 3: destination; 4: our own source; 5: let the checksum be right."""
    family, ours, peer = router.family, OWN, PEER
    if family == 6:
        ours, peer = OWN6, PEER6
    usual = ours if router.unicast_peers else GROUP[family]
    destinations: tuple[IPAddress | None, ...] = (usual, usual, GROUP[family] if router.unicast_peers else ours, None)
    datagram = Datagram(
        payload=payload,
        source=ours if circumstances & 0x10 else peer,
        destination=destinations[circumstances >> 2 & 3],
        ttl=TTLS[circumstances & 3],
    )
    return replace(datagram, payload=_sealed(payload, datagram)) if circumstances & 0x20 else datagram


def _sealed(payload: bytes, datagram: Datagram) -> bytes:
    """With a right checksum, which no fuzzer would guess: over the message, in IPv6 with the pseudo-header."""
    if len(payload) < 8:
        return payload
    blank = payload[:6] + b"\0\0" + payload[8:]
    total = int.from_bytes(blank + b"\0" * (len(blank) % 2))
    if datagram.source.version == 6:
        total += int(datagram.source) + int(datagram.destination or 0) + 112 + len(payload)
    return payload[:6] + (-total % 0xFFFF).to_bytes(2) + payload[8:]


def _decode(router: RouterSettings, datagram: Datagram) -> bool:
    """``BadPacket`` with a known reason, or an advert that says exactly this when it is encoded again."""
    try:
        heard, differs = decode_untrusted(datagram, router, (OWN, OWN6))
    except BadPacket as refusal:
        assert refusal.reason in REASONS
        assert refusal.detail.isprintable(), refusal.detail
        return False
    assert all(each and each.isprintable() for each in differs), differs
    assert heard.vrid == router.vrid
    assert 0 <= heard.priority <= 255
    assert CENTISECONDS <= heard.interval <= 255
    says = replace(router, virtual_addresses=heard.addresses, advertisement_interval=heard.interval, owner=False)
    assert datagram.destination is not None
    again = encode(
        says, heard.priority, datagram.source, datagram.destination, heard.checksum or Checksum.PSEUDO_HEADER
    )
    _same(datagram, again, heard, says)
    return True


def _same(datagram: Datagram, again: bytes, heard: Advertisement, says: RouterSettings) -> None:
    copy = replace(datagram, payload=again)
    decoded, differs = decode_untrusted(copy, says, ())
    assert decoded == heard, (decoded, heard)
    assert differs == ()


def ipv4(data: bytes) -> bool:
    """A packet as a raw IPv4 socket gives it."""
    try:
        datagram = strip_ipv4_untrusted(data)
    except BadPacket as refusal:
        assert refusal.reason in REASONS
        return False
    assert datagram.payload in data
    assert len(datagram.payload) <= len(data) - 20
    for router in ROUTERS:
        if router.family == 4:
            _decode(router, datagram)
    return True


def claim(data: bytes) -> bool:
    """A frame that may claim an address, heard or about to be sent for a plugin."""
    watched = {VIP, VIP6, ROUTERS[2].virtual_addresses[0]}
    address = parse_claim_untrusted(data, bytes.fromhex("020000007702"), watched)
    assert address is None or address in watched
    said = announced(data)
    assert said is None or len(data) <= 128
    return address is not None


def netlink(data: bytes) -> bool:
    """What the kernel answers and announces; taken into a view of links and addresses."""
    view, taken = KernelView(), 0
    view.replace_addresses(listing_of(()))
    with contextlib.suppress(MalformedMessage):
        for change in rtmessages.parse_changes_untrusted(data):
            assert isinstance(change, LinkSeen | AddressSeen)
            view.apply(change)
            taken += 1
            if isinstance(change, LinkSeen):
                view.info(change.link.name, ())
            else:
                _readdressed(change)
    with contextlib.suppress(MalformedMessage):
        for _, flags, _, body in rtmessages.messages_untrusted(data):
            taken += _acknowledged(flags, body)
    return taken > 0


def _acknowledged(flags: int, body: bytes) -> bool:
    """Whether this can be read as the outcome of an order."""
    try:
        code, text = rtmessages.outcome_untrusted(flags, body)
    except MalformedMessage:
        return False
    assert 0 <= code <= 4095
    assert text
    return True


def _readdressed(change: AddressSeen) -> None:
    """An order to add this very address reads as the same address."""
    order = rtmessages.addition(replace(change.entry, label="", proto=0))
    (again,) = rtmessages.parse_changes_untrusted(rtmessages.encode_request(order.request, 1))
    assert isinstance(again, AddressSeen)
    ours, theirs = again.entry, change.entry
    assert (ours.ifindex, ours.address, ours.prefixlen, ours.scope) == (
        theirs.ifindex,
        theirs.address,
        theirs.prefixlen,
        theirs.scope,
    )
