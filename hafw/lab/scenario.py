"""The demo's story: three routers with the classic configuration, three failures, and what a client saw of each.

Moments come from the wire and from the probes, never from when we looked: the loop that waits may be late, the
measurement is not.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from hafw.lab import classic, routers
from hafw.lab.responder import PROCESS_NAME
from hafw.lab.ruler import Outage, Probe, Ruler

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from hafw.lab.network import Lab

ROUTERS: Final = tuple(classic.PRIORITY)
CLIENT: Final = "client"
DOWN: Final = "down"
"""The state of a router whose daemon does not answer."""

_LAST_LINES: Final = 10
_LOOK: Final = 0.02
_ASK: Final = 0.1
_PATIENCE: Final = 25.0
"""Seconds after which something that should happen counts as not happening."""
_LEAD: Final = 0.3
"""Seconds before a failure that belong to its measurement: the last good probe lies in them."""
_TAIL: Final = 1.5
"""Seconds after a takeover that belong to it too: a second outage would lie in them."""


class DemoFailed(Exception):  # noqa: N818 - what failed is the demonstration
    """Something ended that must not; the message says what and shows its last words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One failure, or one return, as measured."""

    what: str
    floor: str
    """How long the RFC lets a BACKUP wait, in words."""
    winner: str
    """Who has the address afterwards; empty when the failover did not happen."""
    takeover: float
    """Seconds from the failure to the winner's first advert."""
    ping: Outage
    pages: Outage


@dataclass(frozen=True, slots=True)
class _Step:
    what: str
    act: Callable[[str], object]
    winner: str
    floor: str


class Cluster:
    """The three routers and their client in a lab."""

    def __init__(self, lab: Lab, *, one_user: bool, fast: bool) -> None:
        self.lab: Final = lab
        self.fast: Final = fast
        self.interval: Final = classic.INTERVAL[fast]
        self.web_process: Final = "nginx" if routers.program("nginx") else PROCESS_NAME
        self.states: dict[str, str] = dict.fromkeys(ROUTERS, DOWN)
        self._one_user = one_user
        self._web: dict[str, subprocess.Popen[Any]] = {}
        self._daemons: dict[str, subprocess.Popen[Any]] = {}
        self._watchers: list[Callable[[], None]] = []
        self._asked = 0.0
        for name, address in {**classic.HOST_ADDRESS, CLIENT: "192.168.161.100"}.items():
            lab.add_host(name, f"{address}/24")
        self.capture: Final = lab.capture()
        self.ping: Final = Ruler(lab, CLIENT, classic.ADDRESS, kind="ping")
        self.pages: Final = Ruler(lab, CLIENT, classic.ADDRESS, kind="pages")

    def start(self) -> None:
        """Start everything everywhere."""
        for router in ROUTERS:
            classic.write_notify_script(self.lab.path(router, "."))
            self.start_web(router)
            self.start_daemon(router)

    def differences(self) -> list[str]:
        """What is not as in the example."""
        return classic.differences(process=self.web_process, one_user=self._one_user, fast=self.fast)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this again and again while the story waits."""
        self._watchers.append(watcher)

    def start_web(self, router: str) -> None:
        """Start nginx or its stand-in."""
        self._web[router] = routers.start_web(self.lab, router)

    def kill_web(self, router: str) -> None:
        """Kill it without warning."""
        self.lab.kill(self._web[router], signal.SIGKILL)

    def start_daemon(self, router: str) -> None:
        """Start hafw."""
        text = classic.configuration(
            self.lab.path(router, ""), process=self.web_process, one_user=self._one_user, fast=self.fast
        )
        self._daemons[router] = routers.start_hafw(self.lab, router, text)

    def kill_daemon(self, router: str) -> None:
        """Kill hafw and everything that it started, without warning."""
        self.lab.kill(self._daemons.pop(router), signal.SIGKILL)

    def kill_child(self, router: str) -> None:
        """Kill the daemon alone, as the kernel does when memory runs out; its guard is there."""
        os.kill(routers.hafw_status(self.lab, router)["pid"], signal.SIGKILL)

    def until(self, condition: Callable[[], bool], timeout: float = _PATIENCE) -> bool:
        """Wait for something to happen while the watchers watch; ``False``: it did not."""
        deadline = time.monotonic() + timeout
        while not (happened := condition()) and time.monotonic() < deadline:
            self._look()
            time.sleep(_LOOK)
        return happened

    def rest(self, seconds: float) -> None:
        """Let time pass while the watchers watch."""
        self.until(lambda: False, seconds)

    def serves(self, router: str, since: float) -> bool:
        """Whether it has sent an advert and a page since then."""
        if not any(advert.priority for advert in self.capture.adverts(router, since)):
            return False
        recent = takewhile(lambda page: page.answered >= since, filter(_answered, reversed(self.pages.read())))
        return any(page.who == router and page.sent >= since for page in recent)

    def first_advert(self, router: str, since: float) -> float:
        """When it began to advertise."""
        return next(advert.time for advert in self.capture.adverts(router, since) if advert.priority)

    def last_words(self, router: str) -> str:
        """The end of the log of its hafw."""
        log = self.lab.path(router, "hafw.log").read_text(encoding="utf-8", errors="replace")
        return "its last words:\n  " + "\n  ".join(log.splitlines()[-_LAST_LINES:])

    def _look(self) -> None:
        if time.monotonic() - self._asked > _ASK:
            self._asked = time.monotonic()
            for router in ROUTERS:
                self.states[router] = self._state(router)
        for watcher in self._watchers:
            watcher()

    def _state(self, router: str) -> str:
        daemon = self._daemons.get(router)
        if daemon is not None and daemon.poll() is not None:
            raise DemoFailed(f"hafw on {router} ended with status {daemon.returncode}; {self.last_words(router)}")
        return routers.hafw_state(self.lab, router) or DOWN


def _answered(page: Probe) -> bool:
    return page.answered > 0


def play(cluster: Cluster, say: Callable[[str], None]) -> Iterator[Row]:
    """Play it, a row at a time; raise ``DemoFailed`` when there is nothing to go on with."""
    best, second, _ = ROUTERS
    began = time.time()
    cluster.start()
    say(f"started hafw and {cluster.web_process} on {', '.join(ROUTERS)}")
    if not cluster.until(lambda: cluster.serves(best, began)):
        state = cluster.states[best]
        raise DemoFailed(f"{best} is {state}, not elected, after {_PATIENCE:g} s; {cluster.last_words(best)}")
    say(f"{best} is elected; the client gets its pages from {best}")
    cluster.rest(2.0)
    for step in _steps(cluster, best, second):
        say(f"--- {step.what}")
        moment = time.time()
        step.act(best)
        row = _measure(cluster, step, moment)
        say(_told(row))
        yield row


def _steps(cluster: Cluster, best: str, second: str) -> Iterator[_Step]:
    skew = (256 - classic.PRIORITY[second]) / 256 * cluster.interval
    goodbye = f"{skew * 1000:.0f} ms (skew)"
    least, most = 2 * cluster.interval + skew, 3 * cluster.interval + skew
    silence = f"{least * 1000:.0f}-{most * 1000:.0f} ms (3 adverts, skew)"
    web, lab = cluster.web_process, cluster.lab
    for what, breaks, mends, floor in (
        (web, cluster.kill_web, cluster.start_web, goodbye),
        ("hafw", cluster.kill_daemon, cluster.start_daemon, silence),
        ("link", lab.cut, lab.mend, silence),
    ):
        yield _Step(f"{what} of {best} {'cut' if what == 'link' else 'killed'}", breaks, second, floor)
        yield _Step(f"{what} of {best} back", mends, best, "0 ms")
    yield _Step(f"daemon of {best} killed", cluster.kill_child, best, silence)


def _measure(cluster: Cluster, step: _Step, moment: float) -> Row:
    happened = cluster.until(lambda: cluster.serves(step.winner, moment))
    cluster.rest(_TAIL)
    takeover = cluster.first_advert(step.winner, moment) - moment if happened else 0.0
    until = time.time() - max(cluster.ping.timeout, cluster.pages.timeout)
    ping = cluster.ping.outage(moment - _LEAD, until)
    pages = cluster.pages.outage(moment - _LEAD, until)
    return Row(step.what, step.floor, step.winner if happened else "", takeover, ping, pages)


def _told(row: Row) -> str:
    if not row.winner:
        return f"nobody took over within {_PATIENCE:g} s"
    lost = f"{row.pages.lost} pages lost in {row.pages.longest:.3f} s" if row.pages.lost else "no page lost"
    return f"{row.winner} is MASTER, and was heard after {row.takeover:.3f} s; {lost}"
