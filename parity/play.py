"""A cast plays the steps; at every rest it is written down who is MASTER, who has the addresses, and what was told.

At rest means: nothing of all that has changed for longer than any timer of the election runs, and for so many looks
that a machine that is busy elsewhere does not end it too early.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hafw.lab.capture import Advert
from hafw.lab.network import Lab
from parity.pair import ADDRESS, HOSTS, IN, INSTANCES, INTERFACE, SUBJECTS, UPLINK, VRID
from parity.router import HAFW, KEEPALIVED, PATIENCE, Router

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from parity.steps import Act, Step

LOOK: Final = 0.02
QUIET: Final = 0.9
"""Seconds; master_down_interval and the worst skew are 0.36."""
QUIET_LOOKS: Final = 20
FRESH: Final = 0.35
"""Seconds since its last advert in which a MASTER still counts as one."""
BEGIN: Final = ("lb1 is started, alone", "lb2 is started, beside it")
END: Final = "both are stopped"
Cast = tuple[str, str]
REFERENCE: Final[Cast] = (KEEPALIVED, KEEPALIVED)
CASTS: Final[tuple[Cast, ...]] = (REFERENCE, (HAFW, KEEPALIVED), (KEEPALIVED, HAFW), (HAFW, HAFW))

Told = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rest:
    """What was to be seen when nothing moved any more."""

    step: str
    masters: dict[str, str]
    """By instance; ``-`` when nobody is, and both when both are."""
    holders: dict[str, str]
    """By instance, who has its address."""
    told: dict[tuple[str, str], tuple[Told, ...]]
    """By host and subject: the words of each call since the rest before, those of one script in their order."""


class Stage:
    """Two routers and their networks, for one cast."""

    def __init__(self, lab: Lab, cast: Cast) -> None:
        """Everything is there, nothing runs."""
        self._lab = lab
        for number, host in enumerate(HOSTS, 1):
            lab.add_host(host, f"10.77.0.{number}/24")
            lab.add_interface(host, INTERFACE[IN], f"10.78.0.{number}/24")
            lab.add_interface(host, UPLINK)
        self.routers = {host: Router(lab, host, program) for host, program in zip(HOSTS, cast, strict=True)}
        self._priorities: dict[str, dict[str, int]] = {host: {} for host in HOSTS}
        self._capture = lab.capture()
        self._heard = 0
        self._last: dict[tuple[str, str], float] = {}
        self._told = dict.fromkeys(HOSTS, 0)

    def begin(self) -> list[Rest]:
        """Start the better one, then the other: whoever is quicker would be MASTER for a moment."""
        rests = []
        for step, router in zip(BEGIN, self.routers.values(), strict=True):
            router.configure(self._priorities)
            router.start()
            rests.append(self.rest(step))
        return rests

    def end(self) -> Rest:
        """Stop the BACKUP, then the MASTER."""
        for host in reversed(HOSTS):
            self.routers[host].stop()
        return self.rest(END)

    def play(self, step: Step) -> Rest:
        """Carry it out, until it has been noticed and nothing moves any more."""
        before = {host: (router.runs(), router.events()) for host, router in self.routers.items()}
        for act in step.acts:
            self._do(act)
        for act in step.acts:
            router = self.routers[act.host]
            if not router.running:
                continue
            runs, events = before[act.host]
            if act.verb == "check":
                router.wait_for_runs(runs, f"{act.what} {act.value}")
            elif act.verb in ("file", "cut", "mend", "remove") and router.program == HAFW:
                self._wait_for_news(router, events)
        return self.rest(step.name)

    def _do(self, act: Act) -> None:
        router = self.routers[act.host]
        match act.verb:
            case "check":
                router.set_check(act.what, act.value)
            case "file":
                router.write("/run/handicap", f"{act.value}\n")
            case "cut":
                self._lab.cut(act.host, act.what)
            case "mend":
                self._lab.mend(act.host, act.what)
            case "remove":
                words = ["ip", "address", "del", f"{ADDRESS[act.what]}/24", "dev", INTERFACE[act.what]]
                self._lab.run(act.host, words)
            case "priority":
                self._set_priority(act)
            case "stop" | "start" | "crash" | "kill":
                getattr(router, act.verb)()

    def _set_priority(self, act: Act) -> None:
        own = self._priorities[act.host]
        for instance in act.what.split():
            own.pop(instance, None)
            if act.value:
                own[instance] = act.value
        for router in self.routers.values():
            router.configure(self._priorities)
            if router.program == HAFW or router.host == act.host:
                router.reload()

    def _wait_for_news(self, router: Router, events: int) -> None:
        """Until hafw says that it has noticed; one that has nothing to say of it is not waited for long."""
        deadline = time.monotonic() + 2.0
        while router.events() <= events and time.monotonic() < deadline:
            time.sleep(LOOK)

    # -- what is seen -------------------------------------------------------------------------------------------

    def rest(self, step: str) -> Rest:
        """Wait until nothing moves any more; one that never comes to rest is told so by its name."""
        deadline = time.monotonic() + PATIENCE
        seen, looks, since = self._look(), 0, time.monotonic()
        while looks < QUIET_LOOKS or time.monotonic() - since < QUIET:
            if time.monotonic() > deadline:
                step += " (no rest)"
                break
            time.sleep(LOOK)
            looks, before, seen = looks + 1, seen, self._look()
            if seen != before:
                looks, since = 0, time.monotonic()
        return Rest(step, self._masters(), self._holders(), self._news())

    def _look(self) -> tuple[dict[str, str], list[int]]:
        return self._masters(), [len(router.told()) for router in self.routers.values()]

    def _masters(self) -> dict[str, str]:
        frames = self._capture.read()
        for frame in frames[self._heard :]:
            if isinstance(frame, Advert) and frame.priority:  # a degraded MASTER says 0 too, and goes on
                instance = next(name for name, vrid in VRID.items() if vrid == frame.vrid)
                self._last[instance, frame.host] = frame.time
        self._heard = len(frames)
        since = time.time() - FRESH
        return {name: _listed(host for host in HOSTS if self._last.get((name, host), 0) > since) for name in INSTANCES}

    def _holders(self) -> dict[str, str]:
        there = {host: self._lab.addresses(host) for host in HOSTS}
        return {name: _listed(host for host in HOSTS if ADDRESS[name] in there[host]) for name in INSTANCES}

    def _news(self) -> dict[tuple[str, str], tuple[Told, ...]]:
        news: dict[tuple[str, str], tuple[Told, ...]] = {}
        for host, router in self.routers.items():
            told = router.told()[self._told[host] :]
            self._told[host] += len(told)
            for subject in SUBJECTS:
                about = [tuple(words) for words in told if subject in words]
                if about:
                    news[host, subject] = _by_script(about)
        return news


def _by_script(told: list[Told]) -> tuple[Told, ...]:
    """Those of ``notify`` in their order, then the others.

    keepalived runs the scripts of one change at the same time, and may start the next change's before they end: which
    of two different ones is first is chance.
    """
    general = [words for words in told if words[0] == "any"]
    return (*general, *sorted(words for words in told if words[0] != "any"))


def _listed(hosts: Iterable[str]) -> str:
    return "+".join(hosts) or "-"


def play(cast: Cast, steps: Sequence[Step]) -> list[Rest]:
    """The whole of it, in a lab of its own."""
    with Lab() as lab:
        stage = Stage(lab, cast)
        return [*stage.begin(), *map(stage.play, steps), stage.end()]


def play_all(casts: Sequence[Cast], steps: Sequence[Step]) -> dict[Cast, list[Rest]]:
    """All casts at the same time: they have nothing in common but the machine."""
    with ThreadPoolExecutor(len(casts)) as pool:
        return dict(zip(casts, pool.map(lambda cast: play(cast, steps), casts), strict=True))
