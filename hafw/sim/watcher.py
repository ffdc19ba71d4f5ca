"""The promises of an election that hold at every moment of every storm. Each has a name, by which a mutant is known.

All times in here are those of the host's own clock: nobody can keep a promise by another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hafw.vrrp.actions import Announce, SendAdvertisement, Transition
from hafw.vrrp.settings import State
from hafw.vrrp.speaker import REPLIES_PER_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from hafw.node import Node
    from hafw.sim.host import Host
    from hafw.sim.worlds import World
    from hafw.vrrp.actions import Action
    from hafw.vrrp.events import AddressesClaimed, AdvertReceived
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import IPAddress, RouterSettings

EPSILON: Final = 1e-6
ADVERTS_PER_INTERVAL: Final = REPLIES_PER_INTERVAL + 4
CLAIMS_PER_INTERVAL: Final = 16
"""Announcements of all addresses: two new rounds of five each, and the first ones of new terms."""
MUST_ANSWER: Final = 1.0
"""Seconds beyond twice the time that others need, for which addresses may be held for a successor."""


class Violation(Exception):  # noqa: N818 - it names what happened
    """A promise that was not kept."""

    def __init__(self, promise: str, detail: str, time: float) -> None:
        super().__init__(f"{promise}: at {time:.6f}s {detail}")
        self.promise = promise


class Watched:
    """One virtual router on one host, as it is seen from outside."""

    def __init__(self, name: str, settings: RouterSettings, world: World) -> None:
        self.name = name
        self.settings = settings
        self._every = frozenset(settings.all_addresses)
        more = world.slowest if world.is_grouped else 0.0  # others wait for their slowest member
        self._hold_limit = 2 * (world.patience + more) + MUST_ANSWER
        self._spoke: float | None = None
        """When it last advertised as MASTER; ``None``: it has no promise to keep (not MASTER, or it said goodbye)."""
        self._state = State.INITIALIZE
        self._sent: list[float] = []
        self._announced: list[float] = []
        self._heard: tuple[IPAddress, float, float, int] | None = None
        """The MASTER that was last heard: when, the silence after which it is given up, its priority."""
        self._served = False
        """MASTER with addresses when last looked at."""
        self._left: float | None = None
        """When it stopped serving; what it had then it may keep until it is claimed."""
        self._was_away = False
        self._claimed: set[IPAddress] = set()

    def reset(self) -> None:
        """Its daemon is gone, or does nothing for a while: what it does next stands for itself."""
        self._spoke, self._was_away = None, True

    def heard(self, event: AdvertReceived, now: float) -> None:
        """An advert arrived at a daemon that listens."""
        if event.advert.priority > 0:
            self._heard = event.source, now, 3 * event.advert.interval, event.advert.priority
        elif self._heard is not None and self._heard[0] == event.source:  # of another it is no goodbye (C-SEC-04)
            self._heard = None

    def claimed(self, addresses: Iterable[IPAddress]) -> None:
        """Another machine has said that these are its."""
        self._claimed.update(addresses)

    def slept(self, seconds: float) -> None:
        """Its clock stood still: everything is later than it looks."""
        if self._heard is not None:
            source, at, patience, priority = self._heard
            self._heard = source, at - seconds, patience, priority
        if self._left is not None:
            self._left -= seconds

    def did(self, host: Host, router: VirtualRouter, actions: list[Action], now: float) -> None:
        """What one event made of it: all of it is of one moment."""
        before, after = self._state, router.state
        adverts: list[SendAdvertisement] = []
        self._state = after
        for action in actions:
            kind = type(action)
            if kind is SendAdvertisement:
                assert isinstance(action, SendAdvertisement)
                adverts.append(action)
                self._advert(action.priority, before, now)
            elif kind is Transition:
                assert isinstance(action, Transition)
                self._moved(action, now)
            elif kind is Announce:
                self._bounded(self._announced, CLAIMS_PER_INTERVAL, "claims", now)
        self._voice(adverts, before, after, now)
        self.keeps(host, router, now)

    def silence(self, now: float) -> None:
        """A MASTER advertises once an interval."""
        if self._spoke is not None and now > self._spoke + self.settings.advertisement_interval + EPSILON:
            silent = f"{self.name} has been MASTER without an advert for {now - self._spoke:.4f}s"
            raise Violation("silence", silent, now)

    def _moved(self, action: Transition, now: float) -> None:
        if action.old is State.MASTER:
            self._spoke = None
        if action.new is not State.MASTER or action.old is not State.BACKUP:
            return
        if self.settings.preempt or self.settings.owner:
            return
        if action.reason == "preempted":
            raise Violation("nopreempt", f"{self.name} preempts, though it is not to", now)
        if self._heard is None:
            return
        source, at, patience, priority = self._heard
        if now < at + patience - EPSILON:
            said = f"{self.name} takes over {now - at:.4f}s after an advert of priority {priority} from {source}"
            raise Violation("nopreempt", said, now)

    def _bounded(self, sent: list[float], most: int, what: str, now: float) -> None:
        interval = self.settings.advertisement_interval
        sent.append(now)
        while sent and sent[0] < now - interval + EPSILON:
            sent.pop(0)
        if len(sent) > most:
            raise Violation("traffic", f"{self.name} sends {len(sent)} {what} in {interval}s, more than {most}", now)

    def _advert(self, priority: int, before: State, now: float) -> None:
        self._bounded(self._sent, ADVERTS_PER_INTERVAL, "adverts", now)
        if priority == 0 and before is not State.MASTER:
            raise Violation("goodbye", f"{self.name} says goodbye as {before}", now)

    def _voice(self, adverts: list[SendAdvertisement], before: State, after: State, now: float) -> None:
        self.silence(now)
        if after is not State.MASTER and before is not State.MASTER:
            if any(each.priority != 1 for each in adverts):
                raise Violation("voice", f"{self.name} advertises as {after}", now)
            return
        for each in adverts:
            if each.priority == 0:  # silent until somebody takes over, or a degraded one's offer
                self._spoke = None
            elif after is State.MASTER:
                self._spoke = now

    def keeps(self, host: Host, router: VirtualRouter, now: float) -> None:
        """Addresses: held exactly while MASTER, while binding for a preemption, or until claimed."""
        here = host.kernel.get(self.settings.name, set())
        allowed = self._allowed(host, router, now)
        if not here <= allowed:
            raise Violation("addresses", f"{self.name} keeps {_listed(here - allowed)} as {router.state}", now)
        if router.state is State.MASTER and router.tenure.installed and here != allowed:
            raise Violation("addresses", f"{self.name} is MASTER without {_listed(allowed - here)}", now)

    def _allowed(self, host: Host, router: VirtualRouter, now: float) -> AbstractSet[IPAddress]:
        if router.tenure.bound:
            if router.state not in {State.MASTER, State.BACKUP}:
                raise Violation("addresses", f"{self.name} binds as {router.state}", now)
            self._served, self._left = router.state is State.MASTER, None
            return self._every
        if self._served:
            self._served, self._left, self._claimed = False, now, set()
        if self._left is None:
            return set()
        if self._was_away:  # it could not let go meanwhile
            self._was_away, self._left = False, max(self._left, now)
        is_awake = host.node is not None and host.node.deadline >= now - EPSILON
        if is_awake and now > self._left + self._hold_limit:
            return set()
        return self._every - self._claimed


class Watcher:
    """Looks at everything that hosts do, when they do it."""

    def __init__(self, world: World) -> None:
        self._world, self._is_grouped = world, world.is_grouped
        self._watched: dict[tuple[str, str], Watched] = {}
        self._apart: dict[str, tuple[float, str]] = {}
        """By host, since when the members of its sync group are not the same, and what they are."""
        for name in world.names:
            self.forget(name)

    def reset(self, name: str) -> None:
        """The daemon of a host is gone, or does nothing for a while."""
        self._apart.pop(name, None)
        for router in self._world.routers:
            self._watched[name, router].reset()

    def forget(self, name: str) -> None:
        """A new daemon."""
        self._apart.pop(name, None)
        for router in self._world.routers:
            settings = self._world.settings(router)[name]
            called = name if len(self._world.routers) == 1 else f"{name} {router}"
            self._watched[name, router] = Watched(called, settings, self._world)

    def slept(self, name: str, seconds: float) -> None:
        """A machine was suspended."""
        for router in self._world.routers:
            self._watched[name, router].slept(seconds)

    def heard(self, name: str, event: AdvertReceived, now: float) -> None:
        """An advert arrived at a daemon that listens; in a sync group a goodbye to one member is one to all."""
        if not self._is_grouped or event.advert.priority > 0:
            self._watched[name, event.router].heard(event, now)
            return
        for router in self._world.routers:
            self._watched[name, router].heard(event, now)

    def claimed(self, name: str, event: AddressesClaimed) -> None:
        """Another machine has said that addresses are its."""
        self._watched[name, event.router].claimed(event.addresses)

    def did(self, host: Host, actions: list[Action], now: float) -> None:
        """What one event made of a host."""
        assert host.node is not None
        time = host.clock(now)
        names = [actions[0].router] if len(actions) == 1 else dict.fromkeys([each.router for each in actions])
        for name in names:
            mine = actions if len(names) == 1 else [each for each in actions if each.router == name]
            self._watched[host.name, name].did(host, host.node.instances[name].router, mine, time)
        if self._is_grouped:
            self._together(host, host.node, time)

    def _together(self, host: Host, node: Node, now: float) -> None:
        """Members of a sync group are MASTER together or not at all, as soon as all were told what one was told."""
        since, said = self._apart.pop(host.name, (now, ""))
        if now > since + EPSILON:
            raise Violation("together", f"{host.name} is {said} for {now - since:.4f}s", now)
        serving = {
            each.router.state is State.MASTER and not each.router.handing_over for each in node.instances.values()
        }
        if len(serving) > 1:
            states = [f"{each.router.state} of {name}" for name, each in node.instances.items()]
            self._apart[host.name] = since, " and ".join(states)

    def look(self, hosts: Iterable[Host], now: float) -> None:
        """At those too that do nothing, though they should."""
        for host in hosts:
            for name, each in ({} if host.node is None else host.node.instances).items():
                self._watched[host.name, name].silence(host.clock(now))
                self._watched[host.name, name].keeps(host, each.router, host.clock(now))
            if self._is_grouped and host.node is not None:
                self._together(host, host.node, host.clock(now))


def _listed(addresses: AbstractSet[IPAddress]) -> list[str]:
    return sorted(map(str, addresses))
