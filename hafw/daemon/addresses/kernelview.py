"""What the kernel last said about links and addresses: a listing, and every announcement since.

Announcements that are older than the listing may be applied after it. That is harmless once the monitor is drained:
the last word on each address is then the kernel's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hafw.wire.rtmessages import DADFAILED, OPERSTATE_UNKNOWN, OPERSTATE_UP, SECONDARY, TENTATIVE, LinkSeen, address_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hafw.vrrp.settings import IPAddress
    from hafw.wire.rtmessages import AddressEntry, AddressSeen, Link

Place = tuple[str, bytes]
"""Interface name and packed address. The name is what is configured; the index changes when the link is made anew.

Packed, because thousands are looked up in a takeover: an ``IPv4Address`` takes ten times as long to hash and compare.
"""

IPV4_LENGTH = 4

Listing = dict[int, dict[bytes, tuple["AddressEntry", ...]]]
"""By interface index and packed address, in the kernel's order."""


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """An interface as the others need it; ``ifindex`` 0, no MAC and MTU 0 while it does not exist."""

    ifindex: int = 0
    mac: str = ""
    mtu: int = 0
    problem: str = ""
    """Why it cannot carry traffic; empty when it is up."""
    primary: Mapping[int, IPAddress] = field(default_factory=dict)
    """By family: what adverts are sent from, never a virtual address."""


def ip_of(place: Place) -> IPAddress:
    """The address as others know it."""
    return address_of(place[1])


class KernelView:
    """Links and addresses by name and place."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._indices: dict[str, int] = {}
        self._entries: Listing = {}
        self.devices: frozenset[str] = frozenset()
        """Interfaces that we switch on and off; what is on one that is off answers nobody."""

    @property
    def listed(self) -> bool:
        """Whether the kernel was asked: it always has a link, if only the loopback."""
        return bool(self._links)

    def replace_links(self, links: Iterable[Link]) -> None:
        """Take a whole listing."""
        self._links = {link.index: link for link in links}
        self._indices = {link.name: index for index, link in self._links.items()}

    def replace_addresses(self, listing: Listing) -> None:
        """Take a whole listing, to keep and change."""
        self._entries = listing

    def apply(self, change: LinkSeen | AddressSeen) -> Place | str:
        """Take an announcement. Answers the place of an address, or the name of a link."""
        if isinstance(change, LinkSeen):
            self._apply_link(change)
            return change.link.name
        entry = change.entry
        if change.gone:
            self._drop(entry)
        else:
            _put(self._entries, entry)
        link = self._links.get(entry.ifindex)
        return (link.name if link else "", entry.address.packed)

    def _apply_link(self, change: LinkSeen) -> None:
        link = change.link
        old = self._links.pop(link.index, None)
        if old is not None and self._indices.get(old.name) == old.index:
            del self._indices[old.name]
        if change.gone:
            self._entries.pop(link.index, None)
        else:
            self._links[link.index] = link
            self._indices[link.name] = link.index

    def _drop(self, entry: AddressEntry) -> None:
        at = self._entries.get(entry.ifindex, {})
        left = _other_lengths(at, entry)
        if left:
            at[entry.address.packed] = left
        else:
            at.pop(entry.address.packed, None)

    def link(self, name: str) -> Link | None:
        """The link of this name, if there is one now."""
        return self._links.get(self._indices.get(name, 0))

    def heard_on(self, name: str) -> Link | None:
        """Where others' claims of addresses on it arrive: below a device whose MAC is theirs too."""
        link = self.link(name)
        return self._links.get(link.parent) if link is not None and name in self.devices else link

    def strangers(self, claims: Mapping[IPAddress, str]) -> dict[IPAddress, str]:
        """Claims of other machines: a kernel also answers by its other interfaces on the same network (ARP flux)."""
        own = {link.mac for link in self._links.values() if link.name not in self.devices}
        return {address: mac for address, mac in claims.items() if mac not in own}

    def switched(self, ifindex: int, *, up: bool) -> None:
        """We did so; with a device that is off the kernel drops its IPv6 addresses, the others stay."""
        link = self._links.get(ifindex)
        if link is not None:
            self._links[ifindex] = replace(link, up=up)
        if not up and ifindex in self._entries:
            left = {packed: entries for packed, entries in self._entries[ifindex].items() if len(packed) == IPV4_LENGTH}
            self._entries[ifindex] = left

    def at(self, place: Place) -> tuple[AddressEntry, ...]:
        """The entries of an address, one for each length that it has there; empty: it is not there."""
        return self._entries.get(self._indices.get(place[0], 0), {}).get(place[1], ())

    def absent(self, places: Iterable[Place]) -> list[Place]:
        """Those of them that are not there; of thousands at once."""
        indices, entries = self._indices, self._entries
        nowhere: dict[bytes, tuple[AddressEntry, ...]] = {}
        on = {**indices, **{name: 0 for name in self.devices if (link := self.link(name)) is None or not link.up}}
        return [place for place in places if not entries.get(on.get(place[0], 0), nowhere).get(place[1])]

    def info(self, name: str, virtual: Collection[bytes]) -> LinkInfo:
        """The interface, with primary addresses that are none of the virtual ones (packed)."""
        link = self.link(name)
        if link is None:
            return LinkInfo(problem="does not exist")
        own = self._primaries(link.index, virtual)
        return LinkInfo(ifindex=link.index, mac=link.mac, mtu=link.mtu, problem=_problem(link), primary=own)

    def _primaries(self, ifindex: int, virtual: Collection[bytes]) -> dict[int, IPAddress]:
        found: dict[int, IPAddress] = {}
        for packed, entries in self._entries.get(ifindex, {}).items():
            address = entries[0].address
            if packed not in virtual and address.version not in found and any(map(_can_send, entries)):
                found[address.version] = address
        return found


def listing_of(entries: Iterable[AddressEntry]) -> Listing:
    """Apart from the view, so that a thread can do it: of thousands it takes milliseconds."""
    listing: Listing = {}
    for entry in entries:
        _put(listing, entry)
    return listing


def _put(listing: Listing, entry: AddressEntry) -> None:
    """Add or replace; a lifetime that is renewed must not change the order, which decides what is primary."""
    at = listing.setdefault(entry.ifindex, {})
    at[entry.address.packed] = (*_other_lengths(at, entry), entry)


def _other_lengths(at: Mapping[bytes, tuple[AddressEntry, ...]], entry: AddressEntry) -> tuple[AddressEntry, ...]:
    """An address may be there more than once, with different lengths."""
    there = at.get(entry.address.packed)
    return tuple(each for each in there if each.prefixlen != entry.prefixlen) if there else ()


def _can_send(entry: AddressEntry) -> bool:
    """Whether adverts may come from it: RFC 9568 5.1.1.1, and 5.1.2.1 for IPv6 (link-local, C-PKT-17)."""
    if entry.address.version == 4:
        return not entry.flags & SECONDARY
    return entry.address.is_link_local and not entry.flags & (TENTATIVE | DADFAILED)


def _problem(link: Link) -> str:
    if not link.up:
        return "administratively down"
    if not link.carrier:
        return "no carrier"
    if link.operstate not in (OPERSTATE_UP, OPERSTATE_UNKNOWN):
        return f"not operational (state {link.operstate} of RFC 2863)"
    return ""
