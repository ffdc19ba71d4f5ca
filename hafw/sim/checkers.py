"""The promises of an election, looked at while a world runs and after it. Each has a name, by which a mutant is known.

A ``Watcher`` sees what holds in every storm; ``during`` what holds where one planned change or one death comes at a
time; and after everything is mended each world has to come to rest, ``at_rest``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hafw.sim.worlds import CALM, DEATHS, ROUTER, VIP
from hafw.vrrp.actions import SendAdvertisement, Transition
from hafw.vrrp.settings import State
from hafw.vrrp.speaker import REPLIES_PER_INTERVAL

if TYPE_CHECKING:
    from hafw.sim.host import Host
    from hafw.sim.troubles import TroubledLan
    from hafw.sim.worlds import World
    from hafw.vrrp.actions import Action

EPSILON: Final = 1e-6
PROCESSING: Final = 0.001
"""Seconds; adverts that are one delay apart see each other's MASTER for so long at most, beside the delays."""


class Violation(Exception):  # noqa: N818 - it names what happened
    """A promise that was not kept."""

    def __init__(self, promise: str, detail: str, time: float) -> None:
        super().__init__(f"{promise}: at {time:.6f}s {detail}")
        self.promise = promise


class Watcher:
    """Looks at everything that a host does, when it does it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._spoke: dict[str, float] = {}
        """When a MASTER last advertised; missing: it has no promise to keep (not MASTER, or it said goodbye)."""
        self._states: dict[str, State] = {}
        self._sent: dict[str, list[float]] = {name: [] for name in world.hosts}
        self._heard: dict[str, tuple[float, float, int]] = {}
        """By host: when an advert last arrived, the silence after which its sender is given up, its priority."""

    def reset(self, name: str) -> None:
        """Its daemon is gone, or does nothing for a while: what it does next stands for itself."""
        self._spoke.pop(name, None)

    def forget(self, name: str) -> None:
        """A new daemon."""
        self.reset(name)
        self._states.pop(name, None)
        self._heard.pop(name, None)

    def heard(self, name: str, priority: int, interval: float, now: float) -> None:
        """An advert arrived at a daemon that listens."""
        if priority == 0:
            self._heard.pop(name, None)
        else:
            self._heard[name] = (now, 3 * interval, priority)

    def did(self, host: Host, actions: list[Action], now: float) -> None:
        """What one event made of a host: all of it is of one moment."""
        name = host.name
        before = self._states.get(name, State.INITIALIZE)
        for action in actions:
            match action:
                case Transition():
                    self._moved(name, action, now)
                case SendAdvertisement(priority=priority):
                    self._advert(name, priority, before, now)
        after = self._states[name] = State.INITIALIZE if host.node is None else host.node.instances[ROUTER].router.state
        self._voice(name, [each for each in actions if isinstance(each, SendAdvertisement)], (before, after), now)
        self._addresses(host, now)

    def _moved(self, name: str, action: Transition, now: float) -> None:
        if action.old is State.MASTER:
            self._spoke.pop(name, None)
        if action.new is not State.MASTER or action.old is not State.BACKUP:
            return
        settings = self._world.hosts[name]
        if settings.preempt or settings.owner:
            return
        if action.reason == "preempted":
            raise Violation("nopreempt", f"{name} preempts, though it is not to", now)
        at, patience, priority = self._heard.get(name, (-1e9, 0.0, 0))
        if now < at + patience - EPSILON:
            said = f"{name} takes over {now - at:.4f}s after an advert of priority {priority}"
            raise Violation("nopreempt", said, now)

    def _advert(self, name: str, priority: int, before: State, now: float) -> None:
        sent, interval = self._sent[name], self._world.hosts[name].advertisement_interval
        sent.append(now)
        while sent and sent[0] < now - interval + EPSILON:
            sent.pop(0)
        most = REPLIES_PER_INTERVAL + 4
        if len(sent) > most:
            raise Violation("traffic", f"{name} sends {len(sent)} adverts in {interval}s, more than {most}", now)
        if priority == 0 and before is not State.MASTER:
            raise Violation("goodbye", f"{name} says goodbye as {before}", now)

    def _voice(self, name: str, adverts: list[SendAdvertisement], states: tuple[State, State], now: float) -> None:
        interval = self._world.hosts[name].advertisement_interval
        last = self._spoke.get(name)
        if last is not None and now > last + interval + EPSILON:
            raise Violation("silence", f"{name} has been MASTER without an advert for {now - last:.4f}s", now)
        if State.MASTER not in states:
            if any(each.priority != 1 for each in adverts):
                raise Violation("voice", f"{name} advertises as {states[1]}", now)
            return
        for each in adverts:
            if each.priority == 0:  # silent until somebody takes over, or a degraded one's offer
                self._spoke.pop(name, None)
            elif states[1] is State.MASTER:
                self._spoke[name] = now

    def _addresses(self, host: Host, now: float) -> None:
        """Held exactly while MASTER, while binding for a preemption, or until claimed."""
        node = host.node
        if node is None:
            return
        router = node.instances[ROUTER].router
        here = host.kernel.get(ROUTER, set())
        allowed = set(router.settings.all_addresses if router.tenure.bound else router.tenure.held)
        if not here <= allowed:
            raise Violation("addresses", f"{host.name} keeps {sorted(map(str, here - allowed))} as {router.state}", now)
        if router.state is State.MASTER and router.tenure.installed and here != allowed:
            raise Violation("addresses", f"{host.name} is MASTER without {sorted(map(str, allowed - here))}", now)


def during(world: World, lan: TroubledLan) -> None:
    """What holds of the troubles that are over, by the kind of the world."""
    reach = 2 * (world.delay + world.jitter) + PROCESSING
    if world.kind in {CALM, DEATHS}:
        for span in lan.rivalled(ROUTER, world.settle):
            if span.seconds > reach + EPSILON:
                raise Violation("rivals", f"two are MASTER for {span.seconds:.4f}s", span.end)
    if world.kind == CALM:
        for span in lan.unheld(VIP, world.settle):
            raise Violation("gap", f"{VIP} is on nobody for {span.seconds:.4f}s, with planned changes only", span.end)
    if world.kind == DEATHS:
        longest = max(4 * each.advertisement_interval + 1.0 for each in world.routers) + world.install + reach
        for span in lan.unheld(VIP, world.settle):
            if span.seconds > longest:
                raise Violation(
                    "death", f"{VIP} is on nobody for {span.seconds:.4f}s, at most {longest:.4f}s", span.end
                )


def at_rest(world: World, lan: TroubledLan, since: float) -> None:
    """After everything was mended and time has passed: one MASTER, the right one, with the addresses, and peace."""
    masters = sorted(lan.masters(ROUTER))
    if len(masters) != 1:
        raise Violation("one MASTER", f"MASTER are {masters or 'none'}: {lan.summary()}", lan.now)
    for address in world.routers[0].all_addresses:
        if sorted(lan.holders(address)) != masters:
            raise Violation(
                "holder", f"{address} is on {sorted(lan.holders(address))}, MASTER is {masters[0]}", lan.now
            )
    ranked = {name: (each.priority, lan.hosts[name].primary[4]) for name, each in world.hosts.items()}
    best = max(ranked, key=ranked.__getitem__)
    if world.is_plain and ranked[masters[0]][0] != ranked[best][0]:
        raise Violation("best", f"{masters[0]} is MASTER, {best} is better", lan.now)
    late = [
        entry for entry in lan.log if entry.time > since and isinstance(entry.action, Transition | SendAdvertisement)
    ]
    if moved := [entry for entry in late if isinstance(entry.action, Transition)]:
        raise Violation("peace", f"{moved[0].host}: {moved[0].action}", moved[0].time)
    if strangers := {entry.host for entry in late} - set(masters):
        raise Violation("peace", f"{sorted(strangers)} advertise beside {masters[0]}", lan.now)
    interval = world.hosts[masters[0]].advertisement_interval
    if abs(len(late) - (lan.now - since) / interval) > 1 + EPSILON:
        raise Violation(
            "peace", f"{len(late)} adverts in {lan.now - since:.3f}s at an interval of {interval}s", lan.now
        )
