"""A LAN in bad weather, on which machines have troubles of their own: daemons freeze, and die under their guard.

What the guard does is told in ``hafw/guard/judgement.py``: the next daemon resumes if it can speak before the peers'
patience ends and no rival was heard; otherwise the will is executed, and finished, before the next one starts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hafw.sim.host import concerns
from hafw.sim.lan import Lan
from hafw.sim.seen import Entry
from hafw.vrrp.actions import Action, Announce, SendAdvertisement
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesLost,
    AdvertReceived,
    Event,
    LinkChanged,
    MaintenanceChanged,
    PlanReported,
    Resumed,
    Startup,
    Suspended,
    Tick,
    VerdictReported,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from hafw.node import Instance, Node
    from hafw.sim.host import Host
    from hafw.vrrp.packet import Advertisement
    from hafw.vrrp.settings import IPAddress, RouterSettings

START = 0.3
"""Seconds that a daemon needs from its death until the first advert of the next one."""
START_MARGIN = 1.5
"""A start may take so many times as long as the last one."""
CAUSE = "killed by SIGKILL"


@dataclass(slots=True)
class _Absence:
    """A daemon that does not process anything: frozen, or dead and to be started again by its guard."""

    node: Node
    life: int
    heard: list[Event] = field(default_factory=list)
    """What waits in its sockets and mailboxes."""
    is_dead: bool = False
    will: set[str] = field(default_factory=set)
    """The routers whose addresses the guard lets go when they are claimed."""


class TroubledLan(Lan):
    """As a ``Lan``, with the guard of each daemon beside it. All durations are seconds."""

    def __init__(self, rng: Random, **wire: Any) -> None:  # noqa: ANN401 - those of Lan
        super().__init__(rng, **wire)
        self._absent: dict[str, _Absence] = {}
        self._dark: set[tuple[str, str]] = set()
        """Host and interface: unplugged."""
        self._asleep: set[str] = set()
        self.doubled = 0.0
        """The share of all frames that a switch delivers twice."""
        self.reordered, self.detour = 0.0, 0.0
        """The share of all frames that take another way, on which they need up to so many seconds more."""
        self.claims_lost, self.claims_late = 0.0, 0.0
        """The share of all claims that are lost, and the seconds by which the others are late at most."""
        self._spoke: dict[tuple[str, str], float] = {}

    def is_frozen(self, name: str) -> bool:
        """Whether its daemon lives, but does nothing."""
        absence = self._absence(name)
        return absence is not None and not absence.is_dead

    def is_away(self, name: str) -> bool:
        """Whether its daemon is frozen, or dead with a guard that is about to start the next one, or all is asleep."""
        return self._absence(name) is not None or name in self._asleep

    def _absence(self, name: str) -> _Absence | None:
        """Of its present life: a machine that lost power, or was given another daemon, has none."""
        absence = self._absent.get(name)
        return absence if absence is not None and absence.life == self.hosts[name].life else None

    def waiting(self, name: str) -> list[Event]:
        """What waits for a daemon that does not listen."""
        absence = self._absence(name)
        return [] if absence is None else absence.heard

    def steal(self, name: str, router: str) -> None:
        """Let somebody else on the machine remove the addresses of a router, while its keeper watches."""
        host = self.hosts[name]
        lost = tuple(sorted(host.kernel.get(router, ()), key=lambda address: (address.version, address)))
        if lost and host.node is not None:
            host.kernel[router] = set()
            self._note()
            self.inject(name, AddressesLost(router, lost, "somebody"))

    # -- links --------------------------------------------------------------------------------------------------

    def link(self, name: str, *interfaces: str, up: bool) -> None:
        """Plug the cables of these interfaces, or of all, out or in at the same moment: its kernel notices at once."""
        host = self.hosts[name]
        concerned = interfaces or tuple(dict.fromkeys(each.router.interface for each in host.instances))
        cables = {(name, each) for each in concerned}
        self._dark = self._dark - cables if up else self._dark | cables
        for each in concerned:
            self._tell_link(host, each)
        self._note()

    def _tell_link(self, host: Host, interface: str) -> None:
        dark = (host.name, interface) in self._dark
        self.inject(host.name, LinkChanged(interface, not dark, host.primary, "no carrier" if dark else ""))

    def _is_dark(self, host: Host, router: str) -> bool:
        return bool(self._dark) and (host.name, host.settings(router).interface) in self._dark

    def holders(self, address: IPAddress) -> set[str]:
        """Those that somebody can reach: an address behind an unplugged cable is on nobody."""
        found = super().holders(address) - self._asleep
        return {name for name in found if self._reaches(self.hosts[name], address)}

    def _reaches(self, host: Host, address: IPAddress) -> bool:
        return any(address in held and not self._is_dark(host, router) for router, held in host.kernel.items())

    def _send(self, host: Host, settings: RouterSettings, priority: int) -> None:
        if not self._is_dark(host, settings.name):
            super()._send(host, settings, priority)

    def _hear(self, host: Host, advert: Advertisement, source: IPAddress) -> None:
        for each in host.instances:
            if concerns(each.router, advert) and not self._is_dark(host, each.router.name):
                self.inject(host.name, AdvertReceived(each.router.name, advert, source))

    def _broadcast(self, sender: Host, hear: Callable[[Host], None]) -> None:
        if sender.name in self._asleep:
            return
        for _ in range(2 if self.doubled and self._rng.random() < self.doubled else 1):
            super()._broadcast(sender, hear)

    def _arrival(self, pair: tuple[str, str]) -> float:
        if self.reordered and self._rng.random() < self.reordered:  # others overtake it, or it overtakes them
            return self.now + self._delay + self.detour * self._rng.random()
        return super()._arrival(pair)

    def _deliver(self, receiver: Host, hear: Callable[[Host], None]) -> None:
        if receiver.name not in self._asleep:
            hear(receiver)

    def _claim(self, host: Host, addresses: frozenset[IPAddress], mac: str) -> None:
        if self.claims_lost and self._rng.random() < self.claims_lost:
            return
        claim = partial(self._reach, addresses=addresses, mac=mac)
        if self.claims_late:
            self._at(self.now + self.claims_late * self._rng.random(), partial(self._deliver, host, claim))
        else:
            claim(host)

    def _reach(self, host: Host, addresses: frozenset[IPAddress], mac: str) -> None:
        super()._claim(host, frozenset(each for each in addresses if self._reaches(host, each)), mac)

    # -- daemons that do nothing --------------------------------------------------------------------------------

    def pause(self, name: str, length: float) -> None:
        """Freeze its daemon; on waking it first hears what has arrived, as one that drains its sockets."""
        absence = self._leave(name)
        if absence is not None:
            self._at(self.now + length, lambda: self._wake(name, absence))

    def crash(self, name: str, start: float = START) -> None:
        """Kill its daemon, but not its guard. ``start``: until the next one could speak."""
        absence = self._leave(name)
        if absence is None:
            return
        absence.is_dead = True
        self.hosts[name].wanted = {}  # what was under way is lost
        masters = [router for router, each in absence.node.instances.items() if each.router.tenure.serving]
        late = {each for each in masters if self.now + START_MARGIN * start >= self._silent_until(name, each)}
        given_up = [each for each in masters if late & self._company(absence.node, each)]
        executed = [self._execute(name, router, absence) for router in given_up]
        self._at(max([self.now + start, *executed]), lambda: self._restart(name, absence, set(masters) - set(given_up)))

    def sleep(self, name: str, length: float) -> None:
        """Suspend the machine: it hears nothing, its addresses answer nobody, and its clock stands still."""
        if self.is_away(name) or (absence := self._leave(name)) is None:
            return
        host = self.hosts[name]
        self._asleep.add(name)
        self._at(self.now + length, lambda: self._rise(host, absence, length))
        self._note()

    def _rise(self, host: Host, absence: _Absence, length: float) -> None:
        self._asleep.discard(host.name)
        if self._absence(host.name) is absence:
            host.slept += length * host.rate
            absence.heard.insert(0, Suspended(length * host.rate))
            self._wake(host.name, absence)
        self._note()

    def missed(self, host: Host, event: Event) -> None:
        """Let what a daemon cannot hear now wait for it, and its guard hear the claims that concern a will."""
        absence = self._absence(host.name)
        if absence is None:
            return
        if isinstance(event, AddressesClaimed) and event.router in absence.will:
            host.kernel[event.router] -= set(event.addresses)
            self._note()
        elif not isinstance(event, Tick):
            absence.heard.append(event)

    def _leave(self, name: str) -> _Absence | None:
        """A daemon that is frozen may die, or freeze anew; one that is dead may not."""
        host, frozen = self.hosts[name], self._absence(name) if self.is_frozen(name) else None
        node = host.node if frozen is None else frozen.node
        if node is None:
            return None
        host.run(None)
        self._absent[name] = _Absence(node, host.life, [] if frozen is None else frozen.heard)
        return self._absent[name]

    def _return(self, name: str, absence: _Absence, node: Node) -> bool:
        """Let this one go on, if it is still this one that is awaited."""
        if self._absence(name) is not absence:
            return False
        del self._absent[name]
        self.hosts[name].run(node)
        return True

    def _wake(self, name: str, absence: _Absence) -> None:
        if self._return(name, absence, absence.node):
            self._feed(name, absence.heard)

    def _feed(self, name: str, events: Iterable[Event]) -> None:
        for event in events:
            self.inject(name, event)

    def replaced(self, name: str) -> None:
        """A guard has started another daemon; for those who watch."""

    @staticmethod
    def _company(node: Node, router: str) -> set[str]:
        """The routers that are resumed together with this one, or not at all."""
        group = node.groups.get(node.instances[router].settings.router.group)
        return {router} if group is None else {each.name for each in group.members}

    # -- the guard ----------------------------------------------------------------------------------------------

    def _silent_until(self, name: str, router: str) -> float:
        """When the peers' patience ends, without their skew."""
        settings = self.hosts[name].settings(router)
        patience = settings.down_timer_adverts * settings.advertisement_interval
        return self._spoke[name, router] + patience / self.hosts[name].rate

    def _execute(self, name: str, router: str, absence: _Absence) -> float:
        """The will: one goodbye, and the addresses answer until they are claimed; when at last they are let go.

        Whoever was to claim them has done so when the peers' patience is over, and an interval after the goodbye.
        """
        host = self.hosts[name]
        absence.will.add(router)
        self.log.append(Entry(self.now, name, SendAdvertisement(router, 0)))
        self._send(host, host.settings(router), 0)

        def release() -> None:
            if self._absence(name) is absence:
                host.kernel[router] = set()
                self._note()

        until = max(self._silent_until(name, router), self.now + host.settings(router).advertisement_interval)
        self._at(until, release)
        return until

    def _restart(self, name: str, absence: _Absence, hopeful: set[str]) -> None:
        """The next daemon: MASTER of what it can resume, BACKUP of the rest."""
        host, before = self.hosts[name], absence.node.instances
        if not self._return(name, absence, self.node(host)):
            return
        self.replaced(name)
        voices = [each for each in absence.heard if isinstance(each, AdvertReceived) and each.advert.priority > 0]
        rivals = {each.router for each in voices}
        resumable = {each for each in hopeful if not rivals & self._company(absence.node, each)}
        host.kernel = {router: held if router in resumable else set() for router, held in host.kernel.items()}
        for interface in dict.fromkeys(each.router.interface for each in host.instances):
            self._tell_link(host, interface)
        for router, each in before.items():
            known = {check: status.healthy for check, status in each.checks.items() if status.healthy is not None}
            self._feed(name, [PlanReported(router), MaintenanceChanged(router, on=each.router.listener.maintenance)])
            if router in resumable:
                self.inject(name, self._resumption(name, each, known))
            self._feed(name, (VerdictReported(router, check, healthy) for check, healthy in known.items()))
            if router not in host.masters():
                host.kernel[router] = set()  # not resumed after all: the guard has let go of them
                self.inject(name, Startup(router, each.router.listener.deferring))
        self._feed(name, voices)
        self._note()

    def _resumption(self, name: str, before: Instance, verdicts: dict[str, bool]) -> Resumed:
        primary = before.router.primary or self.hosts[name].primary[before.router.settings.family]
        spoke = self.hosts[name].clock(self._spoke[name, before.name])
        return Resumed(before.name, before.router.since, spoke, primary, verdicts, cause=CAUSE)

    def _perform(self, host: Host, action: Action) -> None:
        if isinstance(action, Announce) and self._is_dark(host, action.router):
            return
        if isinstance(action, SendAdvertisement) and action.priority > 0:
            self._spoke[host.name, action.router] = self.now
        super()._perform(host, action)
