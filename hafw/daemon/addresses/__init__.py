"""The address keeper: what the routers want, against what the kernel has.

``want`` notes a router's wish and returns at once. One task reconciles: it takes the newest wish of every router, lets
a thread tell the kernel (which may block on its routing lock), reads everything back, and reports. Another hears the
kernel's announcements and, when they have all been read, compares again: a link that changed, a bound address that
somebody removed, one that is there though nobody wants it. A third lists everything now and then, for what was missed.
A lock keeps them apart, so that the view is never older than what was just done. What we removed ourselves is no loss,
because only a router whose wish was confirmed can lose something.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from hafw.daemon.addresses.claimwatch import ClaimWatch
from hafw.daemon.addresses.kernelview import KernelView, LinkInfo, Place, listing_of
from hafw.daemon.addresses.wishes import Wish, Work
from hafw.vrrp.events import AddressesClaimed, AddressesInstalled, AddressesLost, AddressesRefused, LinkChanged
from hafw.wire.netlink import Monitor, Netlink
from hafw.wire.rtmessages import MalformedMessage, Resync

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from hafw.config.model import InstanceConfig
    from hafw.daemon.addresses.kernelview import Listing
    from hafw.pipe import Address
    from hafw.vrrp.events import Event
    from hafw.vrrp.settings import IPAddress
    from hafw.wire.rtmessages import Change, Link

__all__ = ["AddressKeeper", "LinkInfo"]

CHECK_INTERVAL = 10.0
"""Seconds between full listings."""
SPLIT_BRAIN_INTERVAL = 1.0
"""Seconds between two reports of claims of addresses that a router serves."""
ROUNDS_MAX = 3
"""Times that the kernel is told again when it took a change and the address says otherwise."""

CULPRITS = {
    "NetworkManager": "NetworkManager",
    "systemd-network": "systemd-networkd",  # the kernel cuts names at 15 characters
    "dhclient": "dhclient",
    "dhcpcd": "dhcpcd",
    "connmand": "connmand",
    "wickedd": "wicked",
}
"""Process name to who is suspected when addresses disappear, the likeliest first."""


class AddressKeeper:
    """Keeps the addresses of all routers and watches their interfaces; reports by calling ``report``, in trio's thread.

    ``report`` may call ``want`` before it returns.
    """

    def __init__(self, report: Callable[[Event], None]) -> None:
        self.promoted: set[str] = set()
        """Interfaces on which we switched ``promote_secondaries`` on."""
        self.check_error = ""
        """Why the last full listing failed; empty when it did not."""
        self._report = report
        self._view = KernelView()
        self._wishes: dict[str, Wish] = {}
        self._interfaces: frozenset[str] = frozenset()
        self._virtual: frozenset[IPAddress] = frozenset()
        self._owners: frozenset[str] = frozenset()
        self._links: dict[str, LinkInfo] = {}
        self._claims: ClaimWatch | None = None
        self._quiet_until: dict[str, float] = {}
        self._culprit = ""
        self._work = trio.Event()
        self._settled = trio.Event()
        self._settled.set()
        self._lock = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._netlink: Netlink
        self._monitor: Monitor

    def watch(self, interfaces: Iterable[str], instances: Iterable[InstanceConfig]) -> None:
        """Report every change of these interfaces; the instances' addresses are no primary ones (an owner's are).

        Replaces what was watched. The state of each interface is reported when ``run`` starts, or at once.
        """
        routers = [instance.router for instance in instances]
        self._interfaces = frozenset(interfaces)
        self._virtual = frozenset(address for each in routers if not each.owner for address in each.all_addresses)
        self._owners = frozenset(each.name for each in routers if each.owner)
        self._links = {name: info for name, info in self._links.items() if name in self._interfaces}
        for name, wish in self._wishes.items():
            wish.owner = name in self._owners
        if self._claims is not None:
            self._compare_links()

    def links(self) -> Mapping[str, LinkInfo]:
        """The watched interfaces that exist."""
        return {name: info for name, info in self._links.items() if info.ifindex}

    def want(
        self,
        router: str,
        plan: Mapping[IPAddress, Address],
        bound: Sequence[IPAddress],
        held: Sequence[IPAddress],
        adopt: Collection[IPAddress] = (),
    ) -> None:
        """Replace what this router wants; answered by AddressesInstalled (if it binds any) or AddressesRefused.

        Only addresses in ``plan`` are touched, and what an earlier plan had is removed. ``adopt``: addresses, new to
        the plan, that a record says are leftovers of ours; a kernel without ``IFA_PROTO`` cannot say it.
        """
        wish = self._wishes.setdefault(router, Wish(router, owner=router in self._owners))
        if wish.replace(plan, bound, held, adopt):
            self._tune_claims()
        self._begin(wish)

    async def settled(self) -> None:
        """Wait until nothing is left to apply."""
        while not self._settled.is_set():
            await self._settled.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep addresses until cancelled; started once every watched interface has been reported."""
        with Netlink() as self._netlink, Monitor() as self._monitor:
            async with trio.open_nursery() as nursery:
                if not await self._list_all():
                    raise OSError(f"cannot list links and addresses: {self.check_error}")
                self._claims = ClaimWatch(nursery, self._claimed)
                self._compare(None)
                task_status.started()
                nursery.start_soon(self._apply_wishes)
                nursery.start_soon(self._hear_changes)
                nursery.start_soon(self._check_now_and_then)

    # -- what is wanted -----------------------------------------------------------------------------------------

    def _begin(self, wish: Wish) -> None:
        wish.due = True
        if self._settled.is_set():
            self._settled = trio.Event()
        self._work.set()

    async def _apply_wishes(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            async with self._lock:
                while due := [wish for wish in self._wishes.values() if wish.due]:
                    await self._apply(due)
                self._settled.set()

    async def _apply(self, due: list[Wish]) -> None:
        """Tell the kernel once, read back, and answer each wish that is still the newest."""
        kept = frozenset[Place]().union(*(wish.kept for wish in self._wishes.values()))
        for wish in due:
            wish.due = False
            wish.judge(self._view)
        snapshots = [copy(wish) for wish in due]  # ``want`` may replace the wishes while the thread reads them
        try:
            work, listing = await trio.to_thread.run_sync(self._tell_kernel, snapshots, kept, limiter=self._thread)
        except (OSError, MalformedMessage) as error:
            for wish in due:
                self._fail(wish, f"netlink: {error}")
            return
        self.promoted.update(work.promote.values())
        self._view.replace_addresses(listing)
        for wish in due:
            self._answer(wish, kept, work.errors)

    def _tell_kernel(self, wishes: Iterable[Wish], kept: Collection[Place]) -> tuple[Work, Listing]:
        """In a thread; the lock sees to it that there is one at a time, and that the view stays as it is meanwhile."""
        work = Work()
        for wish in wishes:
            wish.plan_work(self._view, kept, work)
        for ifindex in work.promote:
            self._netlink.promote_secondaries(ifindex)
        refusals = self._netlink.change(work.adds, work.removes)
        work.errors.update({refusal.address: refusal.message for refusal in refusals})
        return work, listing_of(self._netlink.addresses())

    def _answer(self, wish: Wish, kept: Collection[Place], errors: Mapping[IPAddress, str]) -> None:
        """Report what became of a wish, unless it was replaced meanwhile: only the newest is answered."""
        if wish.due:
            return
        missing = wish.missing(self._view) if wish.open else []
        wrong = missing or [place for place in wish.plan if place not in kept and wish.removable(self._view, place)]
        refused = next((address for _, address in wrong if address in errors), None)
        if refused is not None:
            self._fail(wish, f"{refused}: {errors[refused]}")
        elif wrong and wish.rounds < ROUNDS_MAX:
            wish.rounds += 1
            self._begin(wish)
        elif wrong:
            self._fail(wish, f"{wrong[0][1]}: {'not there after it was added' if missing else 'there after removal'}")
        elif wish.confirm():
            self._report(AddressesInstalled(wish.router))

    def _fail(self, wish: Wish, error: str) -> None:
        if not wish.due:
            wish.open, wish.rounds = False, 0
            self._report(AddressesRefused(wish.router, error))

    # -- what the kernel says -----------------------------------------------------------------------------------

    async def _hear_changes(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._monitor.fileno())
            async with self._lock:
                await self._drain_monitor()

    async def _drain_monitor(self) -> None:
        """Read to the end, a little at a time: a burst of thousands must not delay an advert."""
        touched: set[Place | str] = set()
        whole = True
        while changes := self._next_changes():
            for change in changes:
                if isinstance(change, Resync):
                    whole = False
                else:
                    touched.add(self._view.apply(change))
            await trio.lowlevel.checkpoint()
        if not whole:
            await self._list_all()
        self._compare(touched if whole and not self._concerns_link(touched) else None)

    def _next_changes(self) -> list[Change]:
        try:
            return self._monitor.receive()
        except MalformedMessage:
            return [Resync()]

    def _concerns_link(self, touched: Iterable[Place | str]) -> bool:
        names = {each for each in touched if isinstance(each, str)}
        planned = (place[0] for wish in self._wishes.values() for place in wish.plan)
        return bool(names) and (not names.isdisjoint(self._interfaces) or not names.isdisjoint(planned))

    async def _check_now_and_then(self) -> None:
        while True:
            await trio.sleep(CHECK_INTERVAL)
            async with self._lock:
                if await self._list_all():
                    self._compare(None)

    async def _list_all(self) -> bool:
        try:
            links, listing, culprit = await trio.to_thread.run_sync(self._ask_kernel, limiter=self._thread)
        except (OSError, MalformedMessage) as error:
            self.check_error = str(error)
            return False
        self._view.replace_links(links)
        self._view.replace_addresses(listing)
        self._culprit, self.check_error = culprit, ""
        return True

    def _ask_kernel(self) -> tuple[list[Link], Listing, str]:
        """In a thread; looks for suspects too, so that a loss is reported without searching for one."""
        return self._netlink.links(), listing_of(self._netlink.addresses()), suspect()

    def _compare(self, touched: Collection[Place | str] | None) -> None:
        """Report what differs from what was reported or is wanted; at these places only, or (``None``) at all."""
        self._compare_links()
        if touched is None:
            self._tune_claims()
        for wish in tuple(self._wishes.values()):
            concerned = wish.plan.keys() if touched is None else wish.plan.keys() & touched
            if concerned and not wish.due:
                self._compare_wish(wish, concerned)

    def _compare_links(self) -> None:
        for name in sorted(self._interfaces):
            info = self._view.info(name, self._virtual)
            if info != self._links.get(name):
                self._links[name] = info
                self._report(LinkChanged(name, not info.problem, dict(info.primary), info.problem))

    def _compare_wish(self, wish: Wish, concerned: Collection[Place]) -> None:
        kept = wish.kept
        unwanted = any(wish.removable(self._view, place) for place in concerned if place not in kept)
        lost = [place[1] for place in concerned if place in wish.bound and not self._view.at(place)]
        if lost and wish.confirmed:
            wish.confirmed = False
            lost.sort(key=lambda address: (address.version, int(address)))
            self._report(AddressesLost(wish.router, tuple(lost), self._culprit))
        if unwanted:
            self._begin(wish)

    # -- what other machines say --------------------------------------------------------------------------------

    def _tune_claims(self) -> None:
        if self._claims is None:
            return
        watched: dict[tuple[str, int], set[IPAddress]] = {}
        for wish in self._wishes.values():
            for interface, address in wish.plan if wish.bound or wish.held else ():
                watched.setdefault((interface, address.version), set()).add(address)
        self._claims.tune(watched, self._view.link)

    def _claimed(self, interface: str, claims: Mapping[IPAddress, str]) -> None:
        """While a router holds any address, every claim counts; else it is evidence of a split brain, now and then."""
        now = trio.current_time()
        places = {(interface, address): mac for address, mac in claims.items()}
        for wish in tuple(self._wishes.values()):
            hits = [place for place in places if place in wish.bound or place in wish.held]
            if not hits or (not wish.held and now < self._quiet_until.get(wish.router, now)):
                continue
            self._quiet_until[wish.router] = now + SPLIT_BRAIN_INTERVAL
            for mac in dict.fromkeys(places[place] for place in hits):
                claimed = tuple(place[1] for place in hits if places[place] == mac)
                self._report(AddressesClaimed(wish.router, claimed, mac))


def suspect() -> str:
    """The program that is known to remove addresses and runs here; empty when none does."""
    running = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            running.add(comm.read_text().strip())
    return next((name for comm, name in CULPRITS.items() if comm in running), "")
