"""The address keeper: what the routers want, against what the kernel has.

``want`` notes a router's wish and returns at once. One task reconciles: it takes the newest wish of every router, lets
a thread tell the kernel (which may block on its routing lock), and reports; of a few addresses ``want`` waits for the
thread itself, but briefly. What the kernel confirms is there and need not be read back; where it differs from what was
ordered, everything is listed anew. Another task hears what others do and, when all of that has been read, compares
again. A third lists everything now and then, for what was missed. A lock keeps them apart, so that the view is never
older than what was just done. What we removed is no loss: only a router whose wish was confirmed can lose something.
"""

from __future__ import annotations

from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING

import trio

from hafw.daemon.addresses.claimwatch import Claimants, ClaimWatch, segments_of
from hafw.daemon.addresses.devices import Devices
from hafw.daemon.addresses.kernelthread import KernelThread
from hafw.daemon.addresses.kernelview import KernelView, LinkInfo, Place, ip_of, listing_of
from hafw.daemon.addresses.suspects import suspect
from hafw.daemon.addresses.wishes import FEW, Turn, Wish
from hafw.vrrp.events import AddressesInstalled, AddressesLost, AddressesRefused, LinkChanged
from hafw.wire.netlink import BATCH, Monitor, Netlink
from hafw.wire.rtmessages import AddressSeen, MalformedMessage, Resync

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from hafw.config.model import InstanceConfig
    from hafw.daemon.addresses.kernelview import Listing
    from hafw.pipe import Address
    from hafw.vrrp.events import Event
    from hafw.vrrp.settings import IPAddress
    from hafw.wire.rtmessages import Change, Link, Order

__all__ = ["AddressKeeper", "LinkInfo"]

CHECK_INTERVAL = 10.0
"""Seconds between full listings."""
AT_ONCE = 0.002
"""Seconds for which the kernel is waited for when a router wants few addresses."""
SLICE = 64
"""Orders that are made ahead at once: half a millisecond."""


class AddressKeeper:
    """Keeps all routers' addresses, watches their interfaces; calls ``report`` in trio's thread, which may ``want``."""

    def __init__(
        self,
        report: Callable[[Event], None],
        bound: Callable[[str, list[IPAddress]], None] = lambda *_: None,
        *,
        makes_devices: bool = False,
    ) -> None:
        """``bound`` is told of addresses of a router while more of them are still being installed."""
        self.promoted: set[str] = set()
        """Interfaces on which we switched ``promote_secondaries`` on."""
        self.check_error = ""
        """Why the last full listing failed; empty when it did not."""
        self._report = report
        self._bound = bound
        self.devices = Devices(makes=makes_devices)
        self._view = KernelView()
        self._wishes: dict[str, Wish] = {}
        self._interfaces: frozenset[str] = frozenset()
        self._virtual: frozenset[bytes] = frozenset()
        self._touched: set[Place | str] = set()
        self._whole = True
        self._owners: frozenset[str] = frozenset()
        self._links: dict[str, LinkInfo] = {}
        self._claims: ClaimWatch | None = None
        self._deaf = False
        """Whether claims are to be heard of other addresses than they are: a filter takes longer than an address."""
        self._claimants = Claimants()
        self._culprit = ""
        self._work = trio.Event()
        self._settled = trio.Event()
        self._settled.set()
        self._lock = trio.Semaphore(1, max_value=1)
        """Not a ``trio.Lock``: a turn that took longer than expected is ended by another task than began it."""
        self._late: tuple[Turn, Future[None]] | None = None
        self._thread = KernelThread()
        self._netlink: Netlink
        self._monitor: Monitor

    def watch(self, interfaces: Iterable[str], instances: Collection[InstanceConfig]) -> None:
        """Report every change of these interfaces; the instances' addresses are no primary ones (an owner's are).

        Replaces what was watched. The state of each interface is reported when ``run`` starts, or at once.
        """
        routers = [instance.router for instance in instances]
        self._view.devices = self.devices.want(instances)
        self._interfaces = frozenset(interfaces) | self._view.devices
        virtual = (address for each in routers if not each.owner for address in each.all_addresses)
        self._virtual = frozenset(address.packed for address in virtual)
        self._owners = frozenset(each.name for each in routers if each.owner)
        self._links = {name: info for name, info in self._links.items() if name in self._interfaces}
        for name, wish in self._wishes.items():
            wish.owner = name in self._owners
        if self._claims is not None:
            self._compare_links()
            self._be_busy()

    def links(self) -> Mapping[str, LinkInfo]:
        """The watched interfaces that exist."""
        return {name: info for name, info in self._links.items() if info.ifindex}

    def foreign(self, router: str) -> frozenset[Place]:
        """Of this router's plan, where the address is not ours to remove, neither now nor when we are dead."""
        return self._wishes[router].foreign(self._view) if router in self._wishes else frozenset()

    def seen(self, router: str) -> dict[IPAddress, str]:
        """What the kernel has of each address of this router, as far as there is a plan."""
        return self._wishes[router].seen(self._view) if router in self._wishes and self._view.listed else {}

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
        self._deaf = wish.replace(plan, bound, held, adopt) or self._deaf
        if self._claims is None or self._work.is_set() or not wish.is_known or not self._apply_at_once(wish):
            self._begin(wish)

    async def settled(self) -> None:
        """Wait until nothing is left to apply."""
        while not self._settled.is_set():
            await self._settled.wait()

    async def leave(self) -> None:
        """Wait for that, and leave the host as it was: nothing of ours is needed any more."""
        await self.settled()
        self.devices.want(())
        self._be_busy()
        await self.settled()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep addresses until cancelled; started once every watched interface has been reported."""
        with Netlink() as self._netlink, Monitor(self._netlink.port) as self._monitor, self._thread:
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
        self._be_busy()

    def _be_busy(self) -> None:
        if self._settled.is_set():
            self._settled = trio.Event()
        self._work.set()

    def _apply_at_once(self, wish: Wish) -> bool:
        """Begin before a task could be woken, if nothing is under way; few are waited for, ``AT_ONCE`` at most."""
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            return False
        turn, job = self._start([wish])
        self._work.set()  # there is more to do, when somebody has the time
        if len(wish.plan) <= FEW and wait([job], AT_ONCE).done:
            self._finish(turn, job)
            self._lock.release()
            return True
        self._late = turn, job
        if self._settled.is_set():
            self._settled = trio.Event()
        return True

    async def _apply_wishes(self) -> None:
        while True:
            await self._work.wait()
            self._work = trio.Event()
            if self._late:
                (turn, job), self._late = self._late, None
                await self._thread.done(job)
                self._finish(turn, job)
                self._lock.release()
            async with self._lock:
                while (due := [wish for wish in self._wishes.values() if wish.due]) or self.devices.stale:
                    if self.devices.stale and await self._list_all():
                        self._compare(None)
                    await self._apply(due)
                if self._deaf:
                    self._tune_claims()
                self._settled.set()
            await self._prepare()

    async def _prepare(self) -> None:
        """Make what a takeover will need, while there is nothing else to do."""
        for wish in tuple(self._wishes.values()):
            while not self._work.is_set() and wish.prepare(self._view, SLICE):
                await trio.lowlevel.checkpoint()

    async def _apply(self, due: list[Wish]) -> None:
        """Tell the kernel once, and answer each wish that is still the newest."""
        turn, job = self._start(due)
        await self._thread.done(job)
        self._finish(turn, job)

    def _start(self, due: list[Wish]) -> tuple[Turn, Future[None]]:
        turn = Turn(due, frozenset[Place]().union(*(wish.kept for wish in self._wishes.values())))
        for wish in due:
            wish.due = False
            wish.judge(self._view)
            wish.plan_work(self._view, turn.kept, turn.work)
        return turn, self._thread.submit(partial(self._tell_kernel, turn, self._confirming(turn)))

    def _confirming(self, turn: Turn) -> Callable[[Sequence[Order]], object]:
        """What the kernel has carried out is noted: few orders when all are done, of many each batch on its own."""
        if len(turn.work.adds) + len(turn.work.removes) <= BATCH:
            return turn.confirmed.append
        token = trio.lowlevel.current_trio_token()
        noted = self._confirm_some if len(turn.work.adds) > BATCH else self._confirm
        return lambda done: token.run_sync_soon(noted, done)

    def _tell_kernel(self, turn: Turn, confirmed: Callable[[Sequence[Order]], object]) -> None:
        """In the thread."""
        turn.switch(self._netlink)
        for ifindex in turn.work.promote:
            self._netlink.promote_secondaries(ifindex)
        turn.refusals = self._netlink.carry_out([*turn.work.adds, *turn.work.removes], confirmed)
        if turn.refusals:
            turn.listing = listing_of(self._netlink.addresses())

    def _finish(self, turn: Turn, job: Future[None]) -> None:
        """Answer each wish of this turn that is still the newest."""
        for ifindex, up in turn.switched.items():
            self._view.switched(ifindex, up=up)
        for orders in turn.confirmed:
            self._confirm(orders)
        error = job.exception()
        if isinstance(error, OSError | MalformedMessage):
            for wish in turn.due:
                self._fail(wish, f"netlink: {error}")
            return
        job.result()  # anything else is a mistake of ours
        if turn.listing is not None:
            self._view.replace_addresses(turn.listing)
        work = turn.work
        self.promoted.update(work.promote.values())
        self.devices.stale = turn.blame(self._view) or self.devices.stale
        for wish in turn.due:
            self._answer(wish, turn.kept, work.errors)

    def _confirm(self, done: Sequence[Order]) -> list[Place]:
        """The kernel has carried these out. Answers where addresses are new."""
        places = [(self._view.apply(AddressSeen(each.entry, each.removes)), each) for each in done]
        return [place for place, each in places if not each.removes and not isinstance(place, str)]

    def _confirm_some(self, done: Sequence[Order]) -> None:
        """There are more to come: these need not wait for the last to be announced."""
        added = self._confirm(done)
        for wish in tuple(self._wishes.values()) if added else ():
            if bound := [ip_of(place) for place in added if place in wish.bound]:
                self._bound(wish.router, bound)

    def _answer(self, wish: Wish, kept: Collection[Place], errors: Mapping[bytes, str]) -> None:
        """Report what became of a wish, unless it was replaced meanwhile: only the newest is answered."""
        if wish.due:
            return
        wrong, error = wish.shortfall(self._view, kept, errors)
        if error:
            self._fail(wish, error)
        elif wrong:
            wish.rounds += 1
            self._begin(wish)
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
        """Read to the end, a little at a time: a burst of thousands must delay neither an advert nor a new wish.

        Nothing is compared before all has been read, be it in several turns.
        """
        while changes := self._next_changes():
            for change in changes:
                if isinstance(change, Resync):
                    self._whole = False
                else:
                    self._touched.add(self._view.apply(change))
            await trio.lowlevel.checkpoint()
            if self._work.is_set():
                return
        touched, whole = self._touched, self._whole and not self.devices.lacks(self._view)
        self._touched, self._whole = set(), True
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
            links, listing, self._culprit = await self._thread.run(self._ask_kernel)
        except (OSError, MalformedMessage) as error:
            self.check_error = str(error)
            return False
        self._view.replace_links(links)
        self._view.replace_addresses(listing)
        self.check_error = ""
        return True

    def _ask_kernel(self) -> tuple[list[Link], Listing, str]:
        """In a thread; looks for suspects too, so that a loss is reported without searching for one."""
        self.devices.tend(self._netlink)
        return self._netlink.links(), listing_of(self._netlink.addresses()), suspect()

    def _compare(self, touched: Collection[Place | str] | None) -> None:
        """Report what differs from what was reported or is wanted; at these places only, or (``None``) at all."""
        if touched is None or any(isinstance(each, str) or each[1] not in self._virtual for each in touched):
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
        lost = [ip_of(place) for place in self._view.absent(concerned) if place in wish.bound]
        if lost and wish.confirmed:
            wish.confirmed = False
            lost.sort(key=lambda address: (address.version, int(address)))
            self._report(AddressesLost(wish.router, tuple(lost), self._culprit))
        if unwanted or wish.shines(self._view):
            self._begin(wish)

    # -- what other machines say --------------------------------------------------------------------------------

    def _tune_claims(self) -> None:
        if self._claims is None:
            return
        self._deaf = False
        self._claims.tune(segments_of(self._wishes.values()), self._view.heard_on)

    def _claimed(self, interface: str, claims: Mapping[IPAddress, str]) -> None:
        shared = self._links[interface].mac if interface in self.devices.names else ""
        for event in self._claimants.of(tuple(self._wishes.values()), interface, self._view.strangers(claims), shared):
            self._report(event)
