"""A test bed: lb1 (priority 200), lb2 (100) and a client on a switch, one of the two peers on both, and the ruler.

Moments are seconds of ``time.time``, as the kernel stamps frames with; what is reported is milliseconds.
"""

from __future__ import annotations

import functools
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bench import figures
from bench.peers import LB1, LB2, Service, vip
from bench.plan import RunFailed
from hafw.lab import routers
from hafw.lab.ruler import Ruler, measure, parsed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.peers import Peer, Setup
    from hafw.lab.capture import Advert
    from hafw.lab.network import Lab
    from hafw.lab.ruler import Probe

CLIENT: Final = "client"
PATIENCE: Final = 30.0
"""Seconds after which what should happen counts as not happening."""
_LOOK: Final = 0.005
_LISTEN: Final = 0.2
_QUEUE: Final = 512 << 20
_SAMPLE: Final = 100
"""Addresses that are asked in turn: the client's neighbour table holds 1,024."""
_SETTLE: Final = 0.4
_WARM: Final = 0.5
_NEWCOMER_PERIOD: Final = 0.005


class Bed:
    """One run; ``quick`` asks scenarios to be short."""

    def __init__(self, lab: Lab, peer: Peer, setup: Setup, *, quick: bool) -> None:
        self.lab: Final = lab
        self.peer: Final = peer
        self.setup: Final = setup
        self.quick: Final = quick
        self.services: dict[str, Service] = {}
        self.webs: dict[str, subprocess.Popen[Any]] = {}
        for host, number in ((LB1, 1), (LB2, 2), (CLIENT, 100)):
            lab.add_host(host, f"10.77.0.{number}/16")
        self.capture: Final = lab.capture(queue=_QUEUE)
        self._monitors = {host: self._watch(host) for host in (LB1, LB2)}
        self._ping: Ruler | None = None
        self._fixed: list[str] = []

    # ---- what happens

    def start(self, host: str) -> Service:
        """Start the peer on this host; from now on it is expected to live."""
        self.services[host] = self.peer.start(self.lab, host, self.setup)
        return self.services[host]

    def plain(self, count: int) -> list[str]:
        """Give lb1 so many addresses that no router cares for."""
        addresses = [vip(number) for number in range(count)]
        for address in addresses:
            self.lab.run(LB1, ["ip", "address", "add", f"{address}/32", "dev", "eth0"])
        return addresses

    def start_web(self, host: str) -> None:
        self.webs[host] = routers.start_web(self.lab, host)
        self.until(lambda: "0050 " in self.lab.run(host, ["cat", "/proc/net/tcp"]), f"nginx on {host} listens")

    def elect(self, patience: float = PATIENCE) -> None:
        """Start both, and return when lb1 is MASTER of everything and has been for a moment."""
        for host in (LB1, LB2):
            self.start(host)
        for host in (LB1, LB2):
            self.until(functools.partial(self.peer.ready, self.lab, host), f"{host} takes part in the election", 0.05)
        self.until(self._lb1_is_master, "lb1 is MASTER, and alone", 0.02, patience)
        self.until(lambda: self.bound(LB1), "lb1 has every address", 0.2)
        self.rest(_SETTLE)

    def leave(self, host: str) -> Service:
        """Its end is expected; the caller brings it about."""
        return self.services.pop(host)

    # ---- waiting

    def until(
        self, condition: Callable[[], object], what: str, look: float = _LOOK, patience: float = PATIENCE
    ) -> None:
        """Look again until it is so; the run failed when it never is, or when somebody died who should not."""
        deadline = time.monotonic() + patience
        while not condition():
            for host, service in self.services.items():
                if service.process.poll() is not None:
                    status = service.process.returncode
                    raise RunFailed(f"{self.peer.variant} on {host} ended with {status}; {service.last_words()}")
            if time.monotonic() > deadline:
                words = "; ".join(f"{host} {service.last_words()}" for host, service in self.services.items())
                raise RunFailed(f"{what}: not so after {patience:g} s; {words}")
            time.sleep(look)

    def rest(self, seconds: float) -> None:
        self.rest_until(time.time() + seconds)

    def rest_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - time.time()))

    def advert(self, host: str, since: float) -> Advert:
        """The first advert of a MASTER from this host after this moment."""
        found: list[Advert] = []

        def heard() -> bool:
            one = self.capture.wait_for_advert(
                lambda one: one.host == host and one.priority > 0, since=since, timeout=_LISTEN
            )
            found.extend([one] if one else [])
            return bool(found)

        self.until(heard, f"{host} sends an advert", look=0)
        return found[0]

    def masters(self, host: str, since: float = 0.0) -> list[float]:
        """When this host advertised as MASTER."""
        return [one.time for one in self.capture.adverts(host, since) if one.priority > 0]

    # ---- the client

    def ping(self, addresses: Sequence[str] = ()) -> None:
        """Ask these every millisecond from now on, or the first, middle and last virtual one, and others in turn."""
        count = self.setup.vips
        self._fixed = list(dict.fromkeys(addresses or map(vip, (0, count // 2, count - 1))))
        step = max(1, count // _SAMPLE)
        others = [] if addresses else [one for one in map(vip, range(0, count, step)) if one not in self._fixed]
        options = ["--realtime", *(["--in-turn", ",".join(others)] if others else [])]
        self._ping = Ruler(self.lab, CLIENT, *self._fixed, kind="ping", options=options)
        wanted = {*self._fixed, *others}
        self.until(lambda: wanted <= {one.target for one in self.probes() if one.answered}, "every address answers")
        self.rest(_WARM)

    def pages(self) -> Ruler:
        """Fetch a page every 20 ms from now on."""
        ruler = Ruler(self.lab, CLIENT, vip(0), kind="pages")
        if ruler.wait_for_answer(LB1, since=time.time(), timeout=PATIENCE) is None:
            raise RunFailed(f"lb1 served no page within {PATIENCE:g} s")
        self.rest(_WARM)
        return ruler

    def probes(self) -> Sequence[Probe]:
        assert self._ping is not None
        return self._ping.read()

    def client(self, since: float, until: float) -> dict[str, float | None]:
        """What the client saw in this stretch; waits until every fate in it is known."""
        assert self._ping is not None
        self.rest_until(until + self._ping.timeout + 0.05)
        groups: dict[str, list[Probe]] = {}
        for probe in self.probes():
            if since <= probe.sent <= until:
                groups.setdefault(probe.target, []).append(probe)
        turn = max(1, len(groups) - len(self._fixed))
        seen = {
            target: measure(group, self._ping.period * (1 if target in self._fixed else turn))
            for target, group in groups.items()
        }
        pauses = [figures.longest_pause(groups[target], since, until) for target in self._fixed]
        return {
            "outage": 1000 * max(one.longest for one in seen.values()),
            "lost": sum(one.lost for one in seen.values()),
            "pause": 1000 * max(pauses),
            "tick": 1000 * seen[self._fixed[0]].worst_tick,
        }

    def answering(self, since: float) -> float:
        """When the last of the addresses that are always asked answered for the first time after this moment."""
        found: dict[str, float] = {}
        for probe in self.probes():
            if probe.answered > since:
                found[probe.target] = min(probe.answered, found.get(probe.target, probe.answered))
        missing = [target for target in self._fixed if target not in found]
        if missing:
            raise RunFailed(f"{', '.join(missing)} did not answer")
        return max(found[target] for target in self._fixed)

    def newcomers(self, *triggers: tuple[str, float]) -> Callable[[], dict[str, float | None]]:
        """Hosts that first ask for the address at these moments: after ``goodbye`` or ``successor``, in seconds.

        What is returned tells how many milliseconds each was dark so far; ``None``: it has not asked.
        """
        found = {}
        for number, (trigger, delay) in enumerate(triggers, 1):
            host = f"new{number}"
            self.lab.add_host(host, f"10.77.0.{100 + number}/16")
            path = self.lab.path(host, "probes")
            with path.open("wb") as written:
                argv = ("bench.newcomer", trigger, f"{delay:g}", vip(0), f"{_NEWCOMER_PERIOD:g}")
                self.lab.python(host, *argv, stdout=written)
            found[f"{trigger} + {delay * 1000:g} ms"] = path
        return lambda: {name: _dark(path) for name, path in found.items()}

    # ---- what was on the wire and in the kernel

    def takeover(self, since: float, host: str = LB2) -> dict[str, float | None]:
        """From its first advert to its first claim, to the first claim of the address that came last."""
        first = self.advert(host, since).time
        claims = self.claimed(host, first)
        everything = len(claims) >= self.setup.vips
        return {
            "advert_to_garp": 1000 * (min(claims.values()) - first) if claims else None,
            "all_claimed": 1000 * (max(claims.values()) - first) if everything else None,
        }

    def claimed(self, host: str, since: float) -> dict[str, float]:
        """When each address was first claimed by this host."""
        return dict(figures.first_of_each((one.time, str(one.address)) for one in self.capture.claims(host, since)))

    def holdings(self, host: str, address: str) -> list[tuple[float, bool]]:
        """When the kernel of this host got the address, and when it lost it."""
        found = []
        for line in self._monitors[host].read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) > 4 and words[0].startswith("[") and f"{address}/" in line:
                stamp = datetime.fromisoformat(words[0].strip("[]")).replace(tzinfo=UTC)
                found.append((stamp.timestamp(), "Deleted" not in words))
        return found

    def bound(self, host: str) -> bool:
        """Whether the host has every virtual address."""
        wanted = {address for _, addresses in self.setup.groups() for address in addresses}
        return wanted <= self.lab.addresses(host)

    def _watch(self, host: str) -> Path:
        path = self.lab.path(host, "addresses.log")
        with path.open("wb") as written:
            argv = ["ip", "-tshort", "monitor", "address"]
            self.lab.popen(host, argv, stdout=written, env={**os.environ, "TZ": "UTC"})
        return path

    def _lb1_is_master(self) -> bool:
        now, span = time.time(), 1.5 * self.setup.interval + 0.02
        recent = [one for one in self.capture.adverts(since=now - span) if one.priority > 0]
        everything = {vrid for vrid, _ in self.setup.groups()}
        return {one.vrid for one in recent} >= everything and all(one.host == LB1 for one in recent)


def _dark(path: Path) -> float | None:
    found = figures.dark([parsed(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")])
    return None if found is None else 1000 * found
