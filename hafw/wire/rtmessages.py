"""rtnetlink messages by hand: requests to bytes, and bytes from the kernel to small values.

What the kernel says is parsed with bounds checks all the same (a newer kernel, a truncated read): a message that does
not add up raises ``MalformedMessage`` and nothing else.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.vrrp.settings import IPAddress

Request = tuple[int, int, bytes]
"""Message type, flags, body."""

PROTO_HAFW: Final = 0x68
"""``IFA_PROTO`` of our addresses (Linux 5.18; older kernels ignore it): how a later start knows its leftovers."""

SECONDARY: Final = 0x01
NODAD: Final = 0x02
DADFAILED: Final = 0x08
TENTATIVE: Final = 0x40
NOPREFIXROUTE: Final = 0x200
SCOPES: Final = {"global": 0, "link": 253, "host": 254}

OPERSTATE_UNKNOWN: Final = 0
OPERSTATE_UP: Final = 6

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_IFADDRMSG = struct.Struct("=BBBBI")
_IFINFOMSG = struct.Struct("=BxHiII")
_U32 = struct.Struct("=I")
_ERRNO = struct.Struct("=i")

ERROR: Final = 2
DONE: Final = 3
_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
NEWADDR: Final = 20
DELADDR: Final = 21
_GETADDR = 22
_REQUEST, _ACK, _ACK_TLVS, _DUMP, _EXCLUSIVE, _CREATE = 0x01, 0x04, 0x200, 0x300, 0x200, 0x400
DUMP_INTERRUPTED: Final = 0x10
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_CACHEINFO, _IFA_FLAGS, _IFA_PROTO = 1, 2, 3, 6, 8, 11
IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINK, IFLA_LINKINFO, IFLA_AF_SPEC = 1, 3, 5, 18, 26
_IFLA_MTU, _IFLA_OPERSTATE, _IFLA_EXT_MASK, _IFLA_LINK_NETNSID = 4, 16, 29, 37
IFLA_INFO_KIND = 1
_EXT_SKIP_STATS = 8
INET_CONF, _PROMOTE_SECONDARIES = 1, 20
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_ERROR_TEXT = 1
_ERRNO_MAX = 4095

_NEVER_SOURCE = struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)
"""Preferred for 0 s, valid forever: the kernel answers on it and does not choose it as a source address."""


class MalformedMessage(Exception):  # noqa: N818 - the message is at fault, not us
    """A netlink message whose lengths do not add up."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface."""

    index: int
    name: str
    up: bool
    """Administratively up."""
    carrier: bool
    operstate: int
    mac: str
    """``02:00:00:00:00:01``; empty when it has none."""
    mtu: int
    kind: str = ""
    """``macvlan``, ``bridge``, ``veth``; empty: hardware, or the loopback."""
    parent: int = 0
    """Index of the link that it is made on; 0: none, or in another network namespace."""
    ipv4: bytes = b""
    """Its own IPv4 settings, as ``setting`` reads them."""

    def setting(self, number: int) -> int:
        """One of ``net.ipv4.conf``, by the kernel's number; 0 where the kernel does not tell."""
        found: int = _U32.unpack(self.ipv4[(number - 1) * 4 : number * 4] or bytes(4))[0]
        return found

    @property
    def promotes(self) -> bool:
        """Its own ``promote_secondaries``: removing a primary IPv4 address leaves the others of its subnet."""
        return bool(self.setting(_PROMOTE_SECONDARIES))


@dataclass(frozen=True, slots=True)
class AddressEntry:
    """An address on an interface, as the kernel has it or is to have it."""

    ifindex: int
    address: IPAddress
    prefixlen: int
    scope: int = 0
    label: str = ""
    flags: int = 0
    proto: int = 0
    """``IFA_PROTO``; 0 when the kernel does not know it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A change of an address, ready to be sent: made before it is needed, because thousands take 30 ms to make."""

    entry: AddressEntry
    removes: bool
    request: Request

    @property
    def needless(self) -> int:
        """The errno of an address to add that is there, or to remove that is not."""
        return errno.EADDRNOTAVAIL if self.removes else errno.EEXIST


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel would not carry out an order; ``message`` says why in its own words where it gave any."""

    order: Order
    errno: int
    message: str

    @property
    def address(self) -> IPAddress:
        """Which could not be added or removed."""
        return self.order.entry.address

    @property
    def needless(self) -> bool:
        """Somebody else was first: what is there may differ from what was ordered in length or label."""
        return self.errno == self.order.needless


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A link is new, changed or ``gone``."""

    link: Link
    gone: bool


@dataclass(frozen=True, slots=True)
class AddressSeen:
    """An address is new, changed or ``gone``."""

    entry: AddressEntry
    gone: bool


@dataclass(frozen=True, slots=True)
class Resync:
    """Announcements were lost (ENOBUFS): list everything anew."""


Change = LinkSeen | AddressSeen | Resync


def links_request() -> Request:
    """List every link, without counters."""
    return _GETLINK, _DUMP, _IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, _U32.pack(_EXT_SKIP_STATS))


def addresses_request() -> Request:
    """List every address of every family."""
    return _GETADDR, _DUMP, _IFADDRMSG.pack(0, 0, 0, 0, 0)


def promote_secondaries_request(ifindex: int) -> Request:
    """See ``settings_request``."""
    return settings_request(ifindex, {_PROMOTE_SECONDARIES: 1})


def settings_request(ifindex: int, values: Mapping[int, int]) -> Request:
    """Change some of ``net.ipv4.conf`` of a link, by the kernel's numbers.

    By netlink and not through /proc/sys: it needs CAP_NET_ADMIN, and neither root nor a writable /proc.
    """
    conf = b"".join(attribute(number, _U32.pack(value)) for number, value in values.items())
    spec = attribute(IFLA_AF_SPEC, attribute(socket.AF_INET, attribute(INET_CONF, conf)))
    return link_request(ifindex, spec)


def link_request(ifindex: int, attributes: bytes, *, up: bool | None = None, new: bool = False) -> Request:
    """Change a link, or make a ``new`` one (index 0)."""
    change = 0 if up is None else _IFF_UP
    flags = _ACK | (_CREATE | _EXCLUSIVE if new else 0)
    return _NEWLINK, flags, _IFINFOMSG.pack(0, 0, ifindex, _IFF_UP if up else 0, change) + attributes


def delete_link_request(ifindex: int) -> Request:
    """Remove a link that is no hardware."""
    return _DELLINK, _ACK, _IFINFOMSG.pack(0, 0, ifindex, 0, 0)


def add_request(entry: AddressEntry) -> Request:
    """Add an address; one that is there is answered with EEXIST."""
    flags = entry.flags
    body = _address_body(entry)
    if entry.prefixlen == entry.address.max_prefixlen:
        # A host route says nothing that the local table does not. A shorter prefix keeps its route: where no other
        # address has it, the segment could not be reached without; the kernel counts who else needs it.
        flags |= NOPREFIXROUTE
    if entry.address.version == 6:
        # Two routers may hold the address for a moment on purpose: duplicate detection would take it from both.
        flags |= NODAD
        body += attribute(_IFA_CACHEINFO, _NEVER_SOURCE)
    elif entry.label:
        body += attribute(_IFA_LABEL, entry.label.encode() + b"\0")
    body += attribute(_IFA_FLAGS, _U32.pack(flags)) + attribute(_IFA_PROTO, bytes([entry.proto]))
    return NEWADDR, _ACK | _CREATE | _EXCLUSIVE, body


def remove_request(entry: AddressEntry) -> Request:
    """Remove the address with this length; one that is not there is answered with EADDRNOTAVAIL."""
    return DELADDR, _ACK, _address_body(entry)


def addition(entry: AddressEntry) -> Order:
    """The order to add an address."""
    return Order(entry, removes=False, request=add_request(entry))


def removal(entry: AddressEntry) -> Order:
    """The order to remove one."""
    return Order(entry, removes=True, request=remove_request(entry))


def encode_request(request: Request, seq: int) -> bytes:
    """The message with its header."""
    kind, flags, body = request
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | _REQUEST, seq, 0) + body


def encode_batch(requests: Sequence[Request], first_seq: int) -> bytes:
    """Messages in a row; of all but the last only a refusal is answered, so that thousands cost few answers."""
    *others, last = requests
    quiet = [
        encode_request((kind, flags & ~_ACK, body), seq) for seq, (kind, flags, body) in enumerate(others, first_seq)
    ]
    return b"".join([*quiet, encode_request(last, first_seq + len(others))])


def _address_body(entry: AddressEntry) -> bytes:
    packed = entry.address.packed
    family = socket.AF_INET if entry.address.version == 4 else socket.AF_INET6
    head = _IFADDRMSG.pack(family, entry.prefixlen, 0, entry.scope, entry.ifindex)
    return head + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)


def parse_changes_untrusted(data: bytes) -> Iterator[Change]:
    """The links and addresses in one datagram of announcements."""
    for kind, _, _, body in messages_untrusted(data):
        if kind in (_NEWLINK, _DELLINK):
            link = parse_link_untrusted(body)
            if link is not None:
                yield LinkSeen(link, gone=kind == _DELLINK)
        elif kind in (NEWADDR, DELADDR):
            entry = parse_address_untrusted(body)
            if entry is not None:
                yield AddressSeen(entry, gone=kind == DELADDR)


def parse_link_untrusted(body: bytes) -> Link | None:
    """``None`` for what is not about the link itself: a bridge port's state (AF_BRIDGE), a wireless event."""
    if len(body) < _IFINFOMSG.size:
        raise MalformedMessage(f"link message of {len(body)} octets")
    family, _, index, flags, _ = _IFINFOMSG.unpack_from(body)
    if family != socket.AF_UNSPEC:
        return None
    found = _attributes_untrusted(body, _IFINFOMSG.size)
    if IFLA_IFNAME not in found:
        return None
    return Link(
        index=index,
        name=_text(found[IFLA_IFNAME]),
        up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        operstate=_octet(found.get(_IFLA_OPERSTATE, b"")),
        mac=found.get(IFLA_ADDRESS, b"").hex(":"),
        mtu=_u32_untrusted(found.get(_IFLA_MTU, bytes(4))),
        kind=_text(_attributes_untrusted(found.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND, b"")),
        parent=0 if _IFLA_LINK_NETNSID in found else _u32_untrusted(found.get(IFLA_LINK, bytes(4))),
        ipv4=_ipv4_settings_untrusted(found.get(IFLA_AF_SPEC, b"")),
    )


def _ipv4_settings_untrusted(af_spec: bytes) -> bytes:
    inet = _attributes_untrusted(_attributes_untrusted(af_spec).get(socket.AF_INET, b""))
    settings = inet.get(INET_CONF, b"")
    return settings[: len(settings) & ~3]


def parse_address_untrusted(body: bytes) -> AddressEntry | None:
    """``None`` for a family that is neither IPv4 nor IPv6."""
    if len(body) < _IFADDRMSG.size:
        raise MalformedMessage(f"address message of {len(body)} octets")
    family, prefixlen, flags, scope, ifindex = _IFADDRMSG.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = _attributes_untrusted(body, _IFADDRMSG.size)
    # With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; without one IPv6 has IFA_ADDRESS only.
    packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")
    if len(packed) != (4 if family == socket.AF_INET else 16):
        raise MalformedMessage(f"address of {len(packed)} octets in family {family}")
    return AddressEntry(
        ifindex=ifindex,
        address=address_of(packed),
        prefixlen=prefixlen,
        scope=scope,
        label=_text(found.get(_IFA_LABEL, b"")),
        flags=_u32_untrusted(found[_IFA_FLAGS]) if _IFA_FLAGS in found else flags,
        proto=_octet(found.get(_IFA_PROTO, b"")),
    )


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded; attributes may lie in its value."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def messages_untrusted(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and body of each message in a datagram."""
    at = 0
    while at < len(data):
        left = len(data) - at
        length, kind, flags, seq, _ = _HEADER.unpack_from(data, at) if left >= _HEADER.size else (0, 0, 0, 0, 0)
        if not _HEADER.size <= length <= left:
            raise MalformedMessage(f"message length {length}, {left} octets left")
        yield kind, flags, seq, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _attributes_untrusted(data: bytes, at: int = 0) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    end = len(data)
    while at < end:
        length, kind = _ATTRIBUTE.unpack_from(data, at) if end - at >= _ATTRIBUTE.size else (0, 0)
        if not _ATTRIBUTE.size <= length <= end - at:
            raise MalformedMessage(f"attribute length {length}, {end - at} octets left")
        found[kind & 0x3FFF] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def outcome_untrusted(flags: int, body: bytes) -> tuple[int, str]:
    """Errno and text of an acknowledgement; the kernel's own words, where it has any, say more than the errno."""
    if len(body) < _ERRNO.size:
        raise MalformedMessage(f"acknowledgement of {len(body)} octets")
    code = -_ERRNO.unpack_from(body)[0]
    if not 0 <= code <= _ERRNO_MAX:
        raise MalformedMessage(f"errno {code}")
    words = ""
    if flags & _ACK_TLVS:
        words = _text(_attributes_untrusted(body, _ERRNO.size + _HEADER.size).get(_ERROR_TEXT, b""))
    return code, words or os.strerror(code)


def _u32_untrusted(data: bytes) -> int:
    if len(data) != _U32.size:
        raise MalformedMessage(f"number of {len(data)} octets")
    value: int = _U32.unpack(data)[0]
    return value


def _octet(data: bytes) -> int:
    return int.from_bytes(data[:1])


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


@lru_cache(maxsize=8192)
def address_of(packed: bytes) -> IPAddress:
    """4 or 16 octets; the same object for the same octets, as far as the cache goes: thousands are seen again."""
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
