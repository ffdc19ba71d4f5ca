"""What one router wants of the kernel, compared with what is there; decides, and does nothing.

House rules. A VIP whose length is shorter than /32 may come to be the primary address of its subnet (no other is there
yet, or the host's own was removed for a moment), and removing it would take the host's own with it: before such a VIP
is added or removed, ``promote_secondaries`` is switched on for its interface, and stays on.
An address that was there before we first looked, without our mark and not adopted, is somebody's own: it counts as
installed and is never removed. Of an owner that holds at any time, except for what this process added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from errno import ENODEV
from typing import TYPE_CHECKING

from hafw.daemon.addresses.kernelview import IPV4_LENGTH, ip_of
from hafw.wire.rtmessages import PROTO_HAFW, SCOPES, AddressEntry, addition, removal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hafw.daemon.addresses.claimwatch import Segment
    from hafw.daemon.addresses.kernelview import KernelView, Listing, Place
    from hafw.pipe import Address
    from hafw.vrrp.settings import IPAddress
    from hafw.wire.netlink import Netlink
    from hafw.wire.rtmessages import Order, Refusal


PRESENT, MISSING, ABSENT, FOREIGN, LEFTOVER = "present", "missing", "absent", "foreign", "leftover"
"""What the kernel has of an address: it is there; it should be; it is not, and should not; it is there, and not ours
(somebody bound it by hand, or before us); it is there, should not, and is about to be removed."""
ROUNDS_MAX = 3
"""Times that the kernel is told again when it took a change and the address says otherwise."""
FEW = 16
"""Addresses that are compared and installed in less than a millisecond."""


@dataclass(slots=True)
class Work:
    """One turn of telling the kernel."""

    adds: list[Order] = field(default_factory=list)
    removes: list[Order] = field(default_factory=list)
    promote: dict[int, str] = field(default_factory=dict)
    """Interfaces that need ``promote_secondaries`` first: index and name."""
    switch: dict[int, bool] = field(default_factory=dict)
    """Devices to be switched on (before addresses are added) or off (before they are removed), by index."""
    lacks_device: bool = False
    """One is not there, and has to be made first."""
    errors: dict[bytes, str] = field(default_factory=dict)
    """What could not be done, by packed address, in words."""


@dataclass(slots=True, eq=False)
class Turn:
    """What some routers want, planned in trio's thread, carried out in another, answered in trio's thread again."""

    due: list[Wish]
    kept: frozenset[Place]
    """What any router wants."""
    work: Work = field(default_factory=Work)
    switched: dict[int, bool] = field(default_factory=dict)
    """Devices that the kernel has switched and the view does not show yet."""
    confirmed: list[Sequence[Order]] = field(default_factory=list)
    """What the kernel has carried out and the view does not show yet."""
    refusals: list[Refusal] = field(default_factory=list)
    listing: Listing | None = None
    """What is there, when not everything came about as ordered."""

    def switch(self, netlink: Netlink) -> None:
        """The devices, in the other thread; what goes wrong is told of the addresses that are to be added there."""
        for ifindex, up in self.work.switch.items():
            try:
                netlink.switch(ifindex, up=up)
                self.switched[ifindex] = up
            except OSError as error:
                if error.errno == ENODEV:
                    self.work.lacks_device = True
                    continue
                on = (order.entry.address.packed for order in self.work.adds if order.entry.ifindex == ifindex)
                self.work.errors.update(dict.fromkeys(on, f"its device cannot be switched on: {error.strerror}"))

    def blame(self, view: KernelView) -> bool:
        """Note what the kernel would not do. True: a device is gone, which is no refusal: it is to be made anew."""
        devices = {link.index for name in view.devices if (link := view.link(name))}
        gone = [each for each in self.refusals if each.errno == ENODEV and each.order.entry.ifindex in devices]
        wrong = (each for each in self.refusals if not each.needless and each not in gone)
        self.work.errors.update({each.address.packed: each.message for each in wrong})
        return bool(gone) or self.work.lacks_device


@dataclass(slots=True, eq=False)
class Wish:
    """What a router wants, and how far it has come true."""

    router: str
    owner: bool = False
    plan: dict[Place, Address] = field(default_factory=dict)
    """In configured order."""
    segments: dict[Segment, frozenset[IPAddress]] = field(default_factory=dict)
    """Where the addresses of the plan can be claimed."""
    bound: frozenset[Place] = frozenset()
    held: frozenset[Place] = frozenset()
    binds: bool = False
    """Whether the router named any address to bind, be it in the plan or not."""
    due: bool = False
    """The kernel is to be told."""
    open: bool = False
    """Not answered yet: missing addresses are added. Afterwards a missing one is a loss, and the router decides."""
    confirmed: bool = False
    """Every bound address was seen to be there, and none was lost since."""
    rounds: int = 0
    """How often the kernel was told in vain."""
    _retired: set[Place] = field(default_factory=set)
    """What an earlier plan had and the newest lacks; in ``plan`` until it is gone."""
    _unjudged: dict[Place, bool] = field(default_factory=dict)
    """What is new to the plan, and whether an address there is known to be a leftover of ours."""
    _spared: set[Place] = field(default_factory=set)
    _added: set[Place] = field(default_factory=set)
    _given: Mapping[IPAddress, Address] = field(default_factory=dict)
    """The newest plan as it was given, to tell at once that it is still the same."""
    _places: dict[IPAddress, Place] = field(default_factory=dict)
    """Of the newest plan."""
    _orders: dict[Place, Order] = field(default_factory=dict)
    """To add each address of the newest plan, as far as they are made."""
    _unprepared: list[Place] = field(default_factory=list)

    @property
    def kept(self) -> frozenset[Place]:
        """What must not be removed."""
        return self.bound | self.held

    @property
    def is_known(self) -> bool:
        """The plan has been looked at, and was not replaced since."""
        return not self._unjudged and not self._retired

    def replace(
        self,
        plan: Mapping[IPAddress, Address],
        bound: Sequence[IPAddress],
        held: Sequence[IPAddress],
        adopt: Collection[IPAddress],
    ) -> bool:
        """Want this instead. Whether that changes which addresses' claims concern us."""
        listened, renewed = bool(self.bound or self.held), plan is not self._given
        if renewed:
            self._replace_plan(plan, adopt)
        self.bound = frozenset(filter(None, map(self._places.get, bound)))
        self.held = frozenset(filter(None, map(self._places.get, held)))
        self.binds = bool(bound)
        self.due, self.open, self.confirmed, self.rounds = True, True, False, 0
        return renewed or listened != bool(self.bound or self.held)

    def _replace_plan(self, plan: Mapping[IPAddress, Address], adopt: Collection[IPAddress]) -> None:
        self._given = plan
        self._places = {address: (spec.interface, address.packed) for address, spec in plan.items()}
        places = dict(zip(self._places.values(), plan.values(), strict=True))
        adopted = {address.packed for address in adopt}
        for place in places.keys() - self.plan.keys():
            self._unjudged[place] = place[1] in adopted
        self._retired = self.plan.keys() - places.keys()
        self.plan = {**places, **{place: self.plan[place] for place in self._retired}}
        self._orders, self._unprepared = {}, list(places)
        segments: dict[Segment, set[IPAddress]] = {}
        for address, (interface, _) in self._places.items():
            segments.setdefault((interface, address.version), set()).add(address)
        self.segments = {segment: frozenset(addresses) for segment, addresses in segments.items()}

    def prepare(self, view: KernelView, limit: int) -> bool:
        """Make the next ``limit`` orders, so that a takeover need not; whether there are more to make."""
        for place in self._unprepared[:limit]:
            link = view.link(place[0])
            if link is not None and place in self.plan:
                self._order(place, link.index)
        del self._unprepared[:limit]
        return bool(self._unprepared)

    def _order(self, place: Place, ifindex: int) -> Order:
        order = self._orders.get(place)
        if order is None or order.entry.ifindex != ifindex:
            spec = self.plan[place]
            entry = AddressEntry(
                ifindex=ifindex,
                address=ip_of(place),
                prefixlen=spec.prefixlen,
                scope=SCOPES[spec.scope],
                label=spec.label,
                proto=PROTO_HAFW,
            )
            order = self._orders[place] = addition(entry)
        return order

    def judge(self, view: KernelView) -> None:
        """Decide, of places that are new to us, whose address is there."""
        for place, adopted in self._unjudged.items():
            entries = view.at(place)
            if entries and adopted:
                self._added.add(place)
            elif entries and all(entry.proto != PROTO_HAFW for entry in entries):
                self._spared.add(place)
        self._unjudged = {}

    def foreign(self, view: KernelView) -> frozenset[Place]:
        """Of the plan, where the address is somebody's own: it is to be there when we are dead.

        What we are about to add is ours. Before the kernel was asked, only what is adopted is known to be.
        """
        ours = self._added.union(place for place, adopted in self._unjudged.items() if adopted)
        if not view.listed:
            return frozenset(self.plan.keys() - ours)
        suspects = self.plan.keys() if self.owner else self._spared.union(filter(view.at, self._unjudged))
        to_come = self.bound if self.open else frozenset()
        return frozenset(
            place
            for place in suspects - ours
            if (entries := view.at(place)) or place not in to_come
            if all(entry.proto != PROTO_HAFW for entry in entries)
        )

    def seen(self, view: KernelView) -> dict[IPAddress, str]:
        """What the kernel has of each address of the plan, in one of the words of ``hafw.daemon.addresses``."""
        absent, foreign = frozenset(view.absent(self._places.values())), self.foreign(view)
        words = {}
        for address, place in self._places.items():
            if place in absent:
                words[address] = MISSING if place in self.kept else ABSENT
            elif place in foreign:
                words[address] = FOREIGN
            else:
                words[address] = PRESENT if place in self.kept else LEFTOVER
        return words

    def missing(self, view: KernelView) -> list[Place]:
        """What is bound and not there."""
        return view.absent([place for place in self.plan if place in self.bound])

    def shortfall(
        self, view: KernelView, kept: Collection[Place], errors: Mapping[bytes, str]
    ) -> tuple[list[Place], str]:
        """What is not as it should be, and why there is no use in telling the kernel again; empty: there is."""
        missing = self.missing(view) if self.open else []
        wrong = missing or [place for place in self.plan if place not in kept and self.removable(view, place)]
        refused = next((place for place in wrong if place[1] in errors), None)
        if refused is not None:
            return wrong, f"{ip_of(refused)}: {errors[refused[1]]}"
        if wrong and self.rounds >= ROUNDS_MAX:
            problem = "not there after it was added" if missing else "there after removal"
            return wrong, f"{ip_of(wrong[0])}: {problem}"
        return wrong, ""

    def removable(self, view: KernelView, place: Place) -> list[AddressEntry]:
        """What is there and ours to remove; the caller knows that nobody wants it."""
        somebodys = place not in self._added and (place in self._spared or self.owner)
        return [entry for entry in view.at(place) if entry.proto == PROTO_HAFW or not somebodys]

    def plan_work(self, view: KernelView, kept: Collection[Place], work: Work) -> None:
        """Add to ``work`` what makes this wish come true; ``kept`` is what any router wants."""
        if self.open:
            self._plan_adds(view, self.missing(view), work)
        dark = self._plan_switch(view, work)
        for place in self.plan:
            gone = place[0] in dark and len(place[1]) != IPV4_LENGTH
            entries = self.removable(view, place) if place not in kept and not gone else []
            for entry in entries:
                work.removes.append(removal(entry))
                _promote_before(view, place, entry.prefixlen, work)

    def shines(self, view: KernelView) -> bool:
        """A device of ours is on, and nobody wants it to be."""
        names = view.devices and {place[0] for place in self.plan} & view.devices
        return not self.kept and any((link := view.link(name)) is not None and link.up for name in names)

    def _plan_switch(self, view: KernelView, work: Work) -> set[str]:
        """A device is this router's alone: it is on while anything is kept. Names those that are off then."""
        dark = set()
        for name in view.devices and {place[0] for place in self.plan} & view.devices:
            link = view.link(name)
            if link is not None and link.up != bool(self.kept):
                work.switch[link.index] = not link.up
            if not self.kept:
                dark.add(name)
        return dark

    def _plan_adds(self, view: KernelView, missing: Sequence[Place], work: Work) -> None:
        links = {name: view.link(name) for name in {name for name, _ in missing}}
        for place in missing:
            link = links[place[0]]
            if link is None and place[0] in view.devices and self.rounds < ROUNDS_MAX:
                work.lacks_device = True
                continue
            if link is None:
                work.errors[place[1]] = f"interface {place[0]} does not exist"
                continue
            order = self._order(place, link.index)
            work.adds.append(order)
            self._added.add(place)
            self._spared.discard(place)
            _promote_before(view, place, order.entry.prefixlen, work)

    def confirm(self) -> bool:
        """It has come true; whether the router is to be told so."""
        for place in self._retired:
            del self.plan[place]
        self._spared -= self._retired
        self._added -= self._retired
        self._retired = set()
        answer = self.open and self.binds
        self.confirmed = self.confirmed or self.open
        self.open, self.rounds = False, 0
        return answer


def _promote_before(view: KernelView, place: Place, prefixlen: int, work: Work) -> None:
    """IPv4 only: IPv6 knows no secondary addresses."""
    link = view.link(place[0])
    if prefixlen < 32 and len(place[1]) == IPV4_LENGTH and link is not None and not link.promotes:
        work.promote[link.index] = link.name
