"""Nothing happens, and that is the point: cost, foreign routers, many instances, a busy machine, memory, the ruler."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Final

from bench import figures
from bench.bed import CLIENT
from bench.foreign import SOURCE
from bench.peers import LB1, LB2, spent
from bench.plan import RULER, ZERO, Finding, Goal, Metric, Scenario
from bench.scenarios.metrics import PAUSE, TICK

if TYPE_CHECKING:
    from bench.bed import Bed

_RESTLESS: Final = 5
"""Intervals: adverts of lb2 further apart than this are failovers of their own."""


def cost(bed: Bed) -> Finding:
    """One instance on an idle machine, then beside 200 foreign ones, slow and fast."""
    bed.lab.add_host("foreign", f"{SOURCE}/16")
    bed.elect()
    bed.rest(_quiet(bed))
    seconds = 3.0 if bed.quick else 6.0
    used, took, adverts = _used(bed, seconds)
    found = {
        "master": 1e6 * used[LB1] / adverts,
        "backup": 1e6 * used[LB2] / adverts,
    }
    for name, interval in (("slow", "1"), ("fast", "0.1")):
        sender = bed.lab.python("foreign", "bench.foreign", interval)
        bed.rest(1.5)
        beside, longer, _ = _used(bed, seconds)
        bed.lab.kill(sender)
        for role, host in (("backup", LB2), ("master", LB1)):
            found[f"{role}_{name}"] = 100 * max(0.0, beside[host] / longer - used[host] / took)
    return Finding(found)


def many(bed: Bed) -> Finding:
    """255 instances on one interface."""
    bed.elect()
    bed.rest(_quiet(bed))
    seconds = 4.0 if bed.quick else 7.0
    began = time.time()
    used, _, adverts = _used(bed, seconds)
    by_vrid: dict[int, list[float]] = {}
    for one in bed.capture.adverts(LB1, began):
        by_vrid.setdefault(one.vrid, []).append(one.time)
    late = [gap - bed.setup.interval for times in by_vrid.values() for gap in figures.gaps(times)]
    found = {
        "master": 1e6 * used[LB1] / adverts,
        "backup": 1e6 * used[LB2] / adverts,
        "late": 1000 * figures.percentile(late, 99),
        "latest": 1000 * max(late),
        "failovers": float(len({one.vrid for one in bed.capture.adverts(LB2, began) if one.priority})),
    }
    return Finding(found)


def busy(bed: Bed, loops: int) -> Finding:
    """So many processes that never rest, beside adverts every 10 ms."""
    bed.elect()
    bed.ping()
    for _ in range(loops):
        bed.lab.popen(CLIENT, ["sh", "-c", "while :; do :; done"])
    began = time.time()
    bed.rest(10.0 if bed.quick else 60.0)
    until = time.time()
    own = figures.gaps([one for one in bed.masters(LB1, began) if one <= until])
    found = bed.client(began, until)
    found |= {
        "failovers": float(figures.bursts(bed.masters(LB2, began), _RESTLESS * bed.setup.interval)),
        "median": 1000 * figures.percentile(own, 50),
        "p99": 1000 * figures.percentile(own, 99),
        "max": 1000 * max(own),
    }
    return Finding(found)


def memory(bed: Bed) -> Finding:
    """The MASTER, with a check of nginx and a notify script."""
    for host in (LB1, LB2):
        bed.start_web(host)
    bed.elect()
    bed.rest(2.0)
    parts = bed.services[LB1].memory()
    return Finding({"pss": sum(parts.values()), "processes": float(len(parts))}, {"MiB by process": parts})


def noise(bed: Bed) -> Finding:
    """Four addresses that nobody moves."""
    addresses = bed.plain(4)
    bed.ping(addresses)
    began = time.time()
    bed.rest(2.0 if bed.quick else 5.0)
    return Finding(bed.client(began, time.time()))


def _quiet(bed: Bed) -> float:
    """Seconds until both have announced for the last time: five after they became MASTER."""
    return 1.0 if bed.quick else 5.5


def _used(bed: Bed, seconds: float) -> tuple[dict[str, float], float, int]:
    """Processor seconds by host, the time it took, and how many adverts lb1 sent meanwhile."""
    before = {host: bed.services[host].cpu() for host in (LB1, LB2)}
    began = time.time()
    bed.rest(seconds)
    after = {host: bed.services[host].cpu() for host in (LB1, LB2)}
    until = time.time()
    adverts = sum(began <= one <= until for one in bed.masters(LB1, began))
    return {host: spent(before[host], after[host]) for host in before}, until - began, adverts


_SECTION: Final = "What it costs"
_BUSY: Final = "On a busy machine"


def _busy(loops: int, realtime: int) -> Scenario:
    words = "with real-time priority" if realtime else "without real-time priority"
    goal = ZERO if realtime else Goal(ratio=1)
    return Scenario(
        name=f"busy-{loops}{'-rt' if realtime else ''}",
        title=f"{loops} busy loops, {words}",
        about=f"Adverts every 10 ms for a minute, beside {loops} processes of nice 0 that never rest. "
        + (
            f"`[process] realtime = {realtime}`, keepalived's `vrrp_rt_priority {realtime}`."
            if realtime
            else "hafw raises its own niceness to -20 unless told otherwise; keepalived stays at 0, its default."
        ),
        section=_BUSY,
        run=lambda bed: busy(bed, loops),
        setup={"interval": 0.01, "realtime": realtime},
        metrics=(
            Metric("failovers", "spurious failovers", unit="", goal=goal),
            Metric("p99", "interval, 99th percentile", goal=Goal(limit=10.2) if realtime else None),
            Metric("median", "interval, median", plotted=False),
            Metric("max", "interval, longest"),
            TICK,
        ),
        seconds=63,
        most_runs=1,
    )


def _many(name: str, interval: float, words: str, limit: Goal | None) -> Scenario:
    return Scenario(
        name=f"many-{name}",
        title=f"255 instances, adverts every {words}",
        about="Processor time of all processes per 1,000 adverts; an advert is late by what its interval is too long.",
        section=_SECTION,
        run=many,
        setup={"interval": interval, "instances": 255},
        metrics=(
            Metric("master", "MASTER, per 1,000 adverts", unit="ms CPU", goal=limit),
            Metric("backup", "BACKUP, per 1,000 adverts", unit="ms CPU", goal=limit),
            Metric("late", "lateness, 99th percentile", goal=Goal(ratio=1)),
            Metric("latest", "lateness, longest", plotted=False),
            Metric("failovers", "spurious failovers", unit="", goal=ZERO, plotted=False),
        ),
        seconds=19,
        most_runs=2,
    )


SCENARIOS: Final = (
    Scenario(
        name="noise",
        title="The ruler alone",
        about="Four addresses that nobody moves, asked every millisecond: what the other tables cannot resolve.",
        section="The ruler",
        run=noise,
        setup={},
        metrics=(
            Metric("lost", "probes lost", unit="", plotted=False),
            PAUSE,
            TICK,
        ),
        seconds=7,
        variants=(RULER,),
    ),
    Scenario(
        name="cost",
        title="One instance, adverts every 100 ms",
        about="Processor time of all processes per 1,000 adverts; then what 200 foreign virtual routers on the segment"
        " add, in per cent of one processor.",
        section=_SECTION,
        run=cost,
        setup={"interval": 0.1},
        metrics=(
            Metric("master", "MASTER, per 1,000 adverts", unit="ms CPU", goal=Goal(ratio=2)),
            Metric("backup", "BACKUP, per 1,000 adverts", unit="ms CPU", goal=Goal(ratio=2)),
            Metric("backup_slow", "BACKUP, added by 200 foreign routers at 1 s", unit="% CPU", goal=Goal(ratio=0.1)),
            Metric("backup_fast", "BACKUP, added by 200 foreign routers at 100 ms", unit="% CPU", goal=Goal(ratio=0.1)),
            Metric("master_slow", "MASTER, added by 200 foreign routers at 1 s", unit="% CPU", plotted=False),
            Metric("master_fast", "MASTER, added by 200 foreign routers at 100 ms", unit="% CPU", plotted=False),
        ),
        seconds=27,
        most_runs=3,
    ),
    _many("100ms", 0.1, "100 ms", Goal(ratio=2)),
    _many("1s", 1.0, "second", None),
    Scenario(
        name="memory",
        title="Memory",
        about="Proportional memory (PSS) of every process of the MASTER, with a check of nginx and a notify script."
        " What several processes share counts once.",
        section=_SECTION,
        run=memory,
        setup={"interval": 0.1, "web": True, "notify": True},
        metrics=(
            Metric("pss", "all processes", unit="MiB", goal=Goal(limit=70)),
            Metric("processes", "processes", unit="", plotted=False),
        ),
        seconds=5,
        most_runs=3,
    ),
    *(_busy(loops, realtime) for loops, realtime in itertools.product((4, 32), (0, 50))),
)
