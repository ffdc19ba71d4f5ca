"""What is planned: a stop, a rolling restart, the return of the better router, a start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench.peers import LB1, LB2
from bench.plan import ZERO, Finding, Goal, Metric, Scenario
from bench.scenarios.metrics import client

if TYPE_CHECKING:
    from bench.bed import Bed

_BEFORE: Final = 0.3
"""Seconds before the event that belong to the stretch: an outage needs a beginning."""
_AFTER: Final = 1.0
_NEWCOMERS: Final = (("goodbye", 0.0), ("goodbye", 0.01), ("goodbye", 0.03), ("successor", 0.0), ("successor", 0.002))


def stop(bed: Bed) -> Finding:
    """SIGTERM to the service on lb1."""
    dark = bed.newcomers(*_NEWCOMERS) if bed.setup.vips == 1 else dict
    bed.elect()
    bed.ping()
    service = bed.leave(LB1)
    moment = service.terminate()
    ended = service.ended(20)
    successor = bed.advert(LB2, moment).time
    bed.until(lambda: bed.setup.vips <= len(bed.claimed(LB2, moment)), "lb2 claims every address", 0.1)
    found = bed.client(moment - _BEFORE, max(ended, time.time()) + _AFTER)
    found |= bed.takeover(moment)
    heard = [one for one in bed.claimed(LB2, moment).values() if one <= ended]
    found |= {
        "to_successor": 1000 * (successor - moment),
        "exit": 1000 * (ended - moment),
        "exit_after_claim": 1000 * (ended - max(heard)) if heard else None,
        "newcomer": max((one for one in dark().values() if one is not None), default=None),
    }
    return Finding(found, {"a newcomer was dark for, ms": dark()} if bed.setup.vips == 1 else {})


def rolling(bed: Bed) -> Finding:
    """Stop and start lb1, let it come back, then the same with lb2."""
    bed.elect()
    bed.ping()
    began = time.time()
    for host, other in ((LB1, LB2), (LB2, LB1)):
        service = bed.leave(host)
        moment = service.terminate()
        service.ended(20)
        bed.advert(other, moment)
        bed.rest(bed.setup.interval / 2)
        restarted = bed.start(host).began
        if host == LB1:
            bed.advert(LB1, restarted)
            bed.rest(_AFTER)
    bed.until(lambda: bed.peer.ready(bed.lab, LB2), "lb2 is back")
    return Finding(bed.client(began - _BEFORE, time.time() + _AFTER))


def preempt(bed: Bed) -> Finding:
    """lb2 serves, and the better lb1 comes."""
    bed.advert(LB2, bed.start(LB2).began)
    bed.until(lambda: bed.bound(LB2), "lb2 has every address", 0.2)
    bed.ping()
    began = bed.start(LB1).began
    first = bed.advert(LB1, began).time
    bed.until(lambda: bed.setup.vips <= len(bed.claimed(LB1, began)), "lb1 claims every address", 0.1)
    found = bed.client(began - _BEFORE, time.time() + _AFTER)
    late = [one - first for one in bed.masters(LB2, first)]
    found |= {"back": 1000 * (first - began), "both": 1000 * max(late, default=0.0)}
    return Finding(found)


def start(bed: Bed) -> Finding:
    """A lone router of priority 100: what it needs beyond the protocol's own wait."""
    began = bed.start(LB1).began
    first = bed.advert(LB1, began).time
    wait = bed.setup.interval * (3 + (256 - 100) / 256)
    return Finding({"start": 1000 * (first - began - wait), "first": 1000 * (first - began)})


_SECTION: Final = "Planned moves"
_STOP: Final = (
    *client(),
    Metric("to_successor", "SIGTERM to the successor's first advert"),
    Metric("exit", "SIGTERM to exit"),
    Metric("exit_after_claim", "the last claim that it heard to exit", goal=Goal(limit=300), plotted=False),
)
_NEWCOMER: Final = Metric("newcomer", "longest a newcomer was dark", goal=Goal(limit=60, every_run=True))
_COUNTS: Final = {1: "1 address", 1000: "1,000 addresses", 4000: "4,000 addresses"}

SCENARIOS: Final = (
    *(
        Scenario(
            name=f"stop-{count}",
            title=f"MASTER stopped, {words}",
            about="SIGTERM to the service on lb1, adverts every second."
            + (
                " Five newcomers first ask for the address while it moves: at the goodbye and 10 and 30 ms after it,"
                " at the successor's first advert and 2 ms after it."
                if count == 1
                else " The first, the middle and the last address are asked every millisecond, a hundred in turn."
            ),
            section=_SECTION,
            run=stop,
            setup={"vips": count},
            metrics=(*_STOP, _NEWCOMER) if count == 1 else _STOP,
            seconds=seconds,
        )
        for (count, words), seconds in zip(_COUNTS.items(), (8, 8, 10), strict=True)
    ),
    Scenario(
        name="rolling",
        title="Rolling restart of both",
        about="lb1 is stopped and started and takes its address back, then lb2 is; adverts every second.",
        section=_SECTION,
        run=rolling,
        setup={},
        metrics=client(),
        seconds=14,
        most_runs=3,
    ),
    *(
        Scenario(
            name=f"preempt-{count}",
            title=f"The better router comes back, {_COUNTS[count]}",
            about="lb2 serves when lb1 is started; adverts every second.",
            section=_SECTION,
            run=preempt,
            setup={"vips": count},
            metrics=(
                *client(),
                Metric("back", "exec to first advert of lb1"),
                Metric("both", "lb2 went on advertising for", goal=ZERO, plotted=False),
            ),
            seconds=seconds,
            most_runs=most,
        )
        for count, seconds, most in ((1, 9, 100), (1000, 11, 3))
    ),
    Scenario(
        name="start",
        title="A lone router starts",
        about="Priority 100, adverts every 100 ms: it waits for 361 ms by the protocol, and this is what comes on top.",
        section=_SECTION,
        run=start,
        setup={"lone": True, "interval": 0.1},
        metrics=(
            Metric("start", "exec to first advert, less the protocol's wait", goal=Goal(limit=400)),
            Metric("first", "exec to first advert", plotted=False),
        ),
        seconds=2,
    ),
)
