"""Announces virtual addresses by BGP: protocols of a running BIRD 2 are enabled and disabled as the role changes.

What is announced, with which attributes and to whom, stands in BIRD's own configuration, which is never written or
reloaded from here. A protocol ``direct`` announces an address only while the kernel has it: so when all of hafw dies,
the announcement ends with the address, whoever removes that.
"""

from __future__ import annotations

import threading
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypedDict

from hafw.api import Router, hookimpl, refuse
from hafw.role import RoleFollower
from hafw_bird.control import Bird, BirdError
from hafw_bird.options import Options, mistakes, protocols_of, routers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.api import GroupChange, StateChange

GLANCE = 0.1
"""Seconds between two looks whether a route is there."""
MARGIN = 10.0


class Outcome(TypedDict):
    """What became of one change."""

    output: str
    exit: int


class Announcer(RoleFollower):
    """The protocols of one role."""

    def __init__(self) -> None:
        super().__init__()
        self._options = Options()
        self._bird = Bird(self._options.socket, self._options.timeout)
        self._addresses: tuple[str, ...] = ()
        self._state = ""
        """The last one that we were told."""
        self._lock = threading.Lock()
        self._watching, self._over = False, threading.Event()
        self._complaint = ""

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one change: what is said to BIRD, and the wait for the routes."""
        return float(4 * self._options.timeout) + MARGIN

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.bird]``."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Refuse what cannot work, protocols that the running BIRD does not have included; nothing is changed yet."""
        bird = Bird(options.socket, options.timeout)
        refuse(mistakes(options, routers, bird))
        self._options, self._bird = options, bird
        self.follow(options.instance, options.group, routers)
        self._addresses = tuple(each.address for router in routers_of(options, routers) for each in router.addresses)

    def fit(self, change: StateChange | GroupChange) -> Outcome | None:
        """Have the protocols of this state up and all others down."""
        with self._lock:
            self._state = change.new
            self._watch()
            try:
                said = self._settle(change.new)
            except BirdError as error:
                self._complaint = str(error)
                return Outcome(output=f"{error}{self._promise()}", exit=1)
        missing = self._missing_after_a_while(change) if change.new == "MASTER" else ()
        if missing:
            hint = "does its interface line fit, and its import filter? birdc show route protocol NAME"
            return Outcome(output=f"{said}; not announced: {', '.join(missing)}: {hint}", exit=1)
        return Outcome(output=said, exit=0)

    def _settle(self, state: str) -> str:
        """First what shall be up, then what shall not: the prefix is never without an announcement in between."""
        wanted = protocols_of(self._options, state)
        others = [name for name in protocols_of(self._options) if name not in wanted]
        with self._bird as bird:
            for name in wanted:
                bird.enable(name)
            for name in others:
                bird.disable(name)
        shown = [*(f"{name} is up" for name in wanted), *(f"{name} is down" for name in others)]
        return ", ".join(shown)

    def _missing_after_a_while(self, change: StateChange | GroupChange) -> tuple[str, ...]:
        """Addresses without a route; they are bound beside this hook, and BIRD hears of it from the kernel."""
        deadline = time.monotonic() + self._options.timeout
        while self._options.verify:
            try:
                missing = self._missing()
            except BirdError:
                return ()  # it was there a moment ago: whoever watches will say so
            if not missing or time.monotonic() >= deadline:
                return missing
            if self.superseded(change, GLANCE):
                return ()
        return ()

    def _missing(self) -> tuple[str, ...]:
        with self._bird as bird:
            kinds = bird.protocols()
            names = [name for name in self._options.master if kinds.get(name, ("", ""))[0] in ("Direct", "Static")]
            if not names:  # it is a session or a filter that is switched: which routes come of it, nobody knows here
                return ()
            routes = [route for name in names for route in bird.routes(name)]
        return tuple(each for each in self._addresses if not any(ip_address(each) in route for route in routes))

    def _watch(self) -> None:
        if not self._watching and self._options.refresh:
            self._watching = True
            threading.Thread(target=self._refresh, name="bird", daemon=True).start()

    def _refresh(self) -> None:
        """A BIRD that was restarted has the protocols as its file says: down."""
        while not self._over.wait(self._options.refresh):
            with self._lock:
                try:
                    self._settle(self._state)
                except BirdError as error:
                    complaint = str(error)
                else:
                    complaint = ""
                if complaint != self._complaint:
                    print(complaint or "BIRD does what it is told again", flush=True)  # noqa: T201 - goes to hafw's log
                self._complaint = complaint

    def _promise(self) -> str:
        return f"; tried again every {self._options.refresh:g}s" if self._options.refresh else ""


plugin = Announcer()
