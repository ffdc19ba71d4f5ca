"""Routers on a simulated LAN in virtual time, with the verdicts of a test or of a plugin: who is MASTER then, and why.

The election is the one that runs on the wire. One virtual router with one check; a plugin that is asked or told takes
real time, in which the simulated clock stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Any

from hafw.node import CheckSettings, InstanceSettings
from hafw.pipe import Verdict
from hafw.sim.lan import Runaway
from hafw.sim.troubles import TroubledLan
from hafw.testing.events import TIME, text_of
from hafw.testing.outcome import HookFailed
from hafw.vrrp.actions import Action, Transition
from hafw.vrrp.events import VerdictReported
from hafw.vrrp.settings import RouterSettings, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw.sim.host import Host
    from hafw.testing.harness import PluginUnderTest

INSTANCE = "VI_1"
CHECK = "tested"
INTERFACE = "eth0"
ADDRESS = ip_address("192.0.2.10")
LIMIT = 3600.0
"""Virtual seconds after which something that should happen counts as not happening."""
WELL = Verdict(True, "well")
_EPOCH = datetime.fromisoformat(TIME)


@dataclass(frozen=True, slots=True)
class Change:
    """A transition of one router."""

    time: float
    """Virtual seconds since the beginning."""
    router: str
    old: str
    new: str
    """``STOP`` when its daemon ends."""
    reason: str
    detail: str
    """Of a failed check: which, and what it said."""
    priority: int
    peer: str = ""


class _Watched(TroubledLan):
    """Tells of transitions as they happen."""

    def __init__(self, tell: Callable[[str, Transition], None], seed: int) -> None:
        super().__init__(Random(seed))  # noqa: S311 - the weather of a simulation
        self._tell_test = tell

    def done(self, host: Host, actions: list[Action]) -> None:
        """What one event made this host do."""
        for action in actions:
            if isinstance(action, Transition):
                self._tell_test(host.name, action)


class Simulation:
    """Made by the fixture ``hafw_sim``. All routers run from the beginning, and their checks are well."""

    def __init__(  # noqa: PLR0913 - the fixture's own
        self,
        routers: Mapping[str, int],
        *,
        critical: bool,
        weight: int,
        rise: int,
        fall: int,
        interval: float,
        seed: int,
        **settings: Any,  # noqa: ANN401 - fields of RouterSettings
    ) -> None:
        self.changes: list[Change] = []
        """Every transition, in order."""
        self._lan = _Watched(self._changed, seed)
        self._interval = interval
        self._looks: dict[str, Callable[[], Verdict]] = {}
        self._followers: dict[str, list[PluginUnderTest]] = {}
        check = CheckSettings(name=CHECK, critical=critical, weight=weight, rise=rise, fall=fall)
        level = sorted(routers.values(), reverse=True)
        for number, (name, priority) in enumerate(routers.items(), 1):
            known: dict[str, Any] = {"interface": INTERFACE, "vrid": 51, "virtual_addresses": (ADDRESS,)}
            known["rank"] = level.index(priority) if 1 < len(set(level)) == len(level) else None
            router = RouterSettings(name=INSTANCE, priority=priority, **{**known, **settings})
            own = ip_address(f"192.0.2.{200 + number}")
            self._lan.add(name, [InstanceSettings(router=router, checks=(check,))], own)
            self._looks[name] = lambda: WELL
        for name in routers:
            self._lan.start(name)
            self._look(name)

    # -- what the test says ---------------------------------------------------------------------------------------

    def verdict(self, router: str, verdict: Verdict | bool) -> None:  # noqa: FBT001 - reads well
        """From now on the check of this router says so, every interval; ``rise`` and ``fall`` are counted as ever.

        An ``immediate`` one counts at once.
        """
        said = verdict if isinstance(verdict, Verdict) else Verdict(verdict, "well" if verdict else "says the test")
        self._looks[self._known(router)] = lambda: said
        if said.immediate:
            self._report(router, said)

    def watch(self, router: str, plugin: PluginUnderTest) -> None:
        """From now on ``check`` of a plugin under test is asked every interval; what fails is unhealthy."""

        def look() -> Verdict:
            try:
                return plugin.check()
            except HookFailed as failed:
                return Verdict(False, str(failed))

        self._looks[self._known(router)] = look

    def follow(self, router: str, plugin: PluginUnderTest) -> None:
        """A plugin under test is told of every transition of this router, as its first instance; of past ones now.

        Virtual time goes on when it has answered; a hook that fails raises ``HookFailed`` in ``run``.
        """
        for change in self.changes:
            if change.router == self._known(router):
                _tell(plugin, change)
        self._followers.setdefault(self._known(router), []).append(plugin)

    def stop(self, router: str) -> None:
        """End its daemon, which hands over."""
        self._lan.stop(self._known(router))

    def kill(self, router: str) -> None:
        """Switch the machine off."""
        self._lan.power_off(self._known(router))

    def start(self, router: str) -> None:
        """Start its daemon anew, after ``stop`` or ``kill``."""
        self._lan.start(self._known(router))

    def cut(self, router: str) -> None:
        """Nothing reaches it, and nothing that it says reaches anybody."""
        self._lan.isolate(self._known(router))

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        self._lan.heal()

    def unplug(self, router: str) -> None:
        """Pull its cable: its link is down."""
        self._lan.link(self._known(router), INTERFACE, up=False)

    def plug(self, router: str) -> None:
        """Put its cable back."""
        self._lan.link(self._known(router), INTERFACE, up=True)

    # -- time, and what came of it --------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let so much virtual time pass."""
        self._lan.run_until(self._lan.now + seconds)

    def run_until(self, condition: Callable[[], bool], limit: float = LIMIT) -> float:
        """Until something holds; return how many virtual seconds it took. Raises ``AssertionError`` at the limit."""
        began = self._lan.now
        try:
            return self._lan.drive_bounded(condition, limit) - began
        except Runaway as error:
            raise AssertionError(str(error)) from None

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._lan.now

    @property
    def masters(self) -> set[str]:
        """All that are MASTER: after a moment one, or, when the LAN is cut, several."""
        return self._lan.masters(INSTANCE)

    @property
    def master(self) -> str:
        """The one that is MASTER; empty: nobody is, or several are."""
        masters = self.masters
        return "" if len(masters) > 1 else next(iter(masters), "")

    @property
    def holders(self) -> set[str]:
        """All whose kernel has the virtual address."""
        return self._lan.holders(ADDRESS)

    def state(self, router: str) -> str:
        """``MASTER``, ``BACKUP``, ``FAULT``, ``INITIALIZE``; ``STOP`` without a daemon."""
        node = self._lan.hosts[self._known(router)].node
        return "STOP" if node is None else str(node.instances[INSTANCE].router.state)

    def unheld(self, since: float = 0.0) -> float:
        """How many seconds the address was on nobody, from ``since`` on."""
        return sum(span.seconds for span in self._lan.unheld(ADDRESS, since))

    def _known(self, router: str) -> str:
        if router not in self._lan.hosts:
            raise ValueError(f"router {router!r}: there are {', '.join(self._lan.hosts)}")
        return router

    def _look(self, name: str) -> None:
        self._report(name, self._looks[name]())
        self._lan.later(self._interval, lambda: self._look(name))

    def _report(self, name: str, verdict: Verdict) -> None:
        said = VerdictReported(
            INSTANCE,
            CHECK,
            verdict.healthy,
            detail=verdict.detail,
            immediate=verdict.immediate,
            factor=verdict.factor,
        )
        self._lan.inject(name, said)

    def _changed(self, name: str, action: Transition) -> None:
        new = "STOP" if action.new is State.INITIALIZE else str(action.new)
        change = Change(
            time=self._lan.now,
            router=name,
            old=str(action.old),
            new=new,
            reason=action.reason,
            detail=action.detail,
            priority=action.priority,
            peer=str(action.peer or ""),
        )
        self.changes.append(change)
        for plugin in self._followers.get(name, ()):
            _tell(plugin, change)


def _tell(plugin: PluginUnderTest, change: Change) -> None:
    plugin.become(
        change.new,
        reason=change.reason,
        old=change.old,
        priority=change.priority,
        peer=change.peer,
        time=text_of(_EPOCH + timedelta(seconds=change.time)),
    )
