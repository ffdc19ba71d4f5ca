"""What nobody planned: a process, a daemon, nginx, or the whole host dies."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

from bench import figures
from bench.peers import LB1, LB2, Hafw, vip
from bench.plan import HAFW, HAFW_RFC, KEEPALIVED, ZERO, Finding, Goal, Metric, RunFailed, Scenario
from bench.scenarios.metrics import ADVERT_TO_GARP, PAUSE, TICK, client
from hafw.lab import routers

if TYPE_CHECKING:
    from bench.bed import Bed

_BEFORE: Final = 0.3
_AFTER: Final = 1.0


def daemon_killed(bed: Bed) -> Finding:
    """SIGKILL to the process that elects; its parent lives."""
    bed.elect()
    bed.ping()
    worker = bed.peer.worker(bed.lab, LB1, bed.services[LB1])
    moment = time.time()
    os.kill(worker, signal.SIGKILL)
    bed.rest(max(1.0, 4.6 * bed.setup.interval))
    found = bed.client(moment - _BEFORE, time.time())
    own, other = bed.masters(LB1, moment), bed.masters(LB2, moment)
    last = max(one for one in bed.masters(LB1) if one < moment)
    found |= {
        "silence": 1000 * (min([*own, *other]) - last) if own or other else None,
        "back": 1000 * (min(own) - moment) if own else None,
        "peer": 1000 * (min(other) - moment) if other else None,
        "failovers": figures.bursts(other, 4 * bed.setup.interval),
    }
    return Finding(found)


def all_killed(bed: Bed) -> Finding:
    """SIGKILL to every process of the service; for hafw then what its unit file runs after it."""
    bed.elect()
    bed.ping()
    moment = bed.leave(LB1).kill_all()
    if isinstance(bed.peer, Hafw):
        environment = routers.hafw_environment(bed.lab, LB1)
        with bed.lab.path(LB1, "cleanup.log").open("wb") as log:
            bed.lab.python(LB1, "hafw", "cleanup", env=environment, stdout=log, stderr=log)
    return _leftovers(bed, moment)


def frozen(bed: Bed) -> Finding:
    """SIGSTOP to the process that elects; nothing wakes it again."""
    bed.elect()
    bed.ping()
    worker = bed.peer.worker(bed.lab, LB1, bed.services[LB1])
    moment = time.time()
    os.kill(worker, signal.SIGSTOP)
    return _leftovers(bed, moment)


def _leftovers(bed: Bed, moment: float) -> Finding:
    """Who holds the address, until a second after the peer's timer must have run out."""
    bed.rest_until(moment + 3.7 * bed.setup.interval + 1.3)
    until = time.time()
    found = bed.client(moment - _BEFORE, until)
    one, other = bed.holdings(LB1, vip(0)), bed.holdings(LB2, vip(0))
    double = figures.overlap(one, other, until)
    both = bool(one and one[-1][1] and other and other[-1][1])
    masters = [*bed.masters(LB1, moment), *bed.masters(LB2, moment)]
    found |= {
        "double": 1000 * double,
        "both_at_end": float(both),
        "advert": 1000 * (min(masters) - moment) if masters else None,
        "failovers": figures.bursts(bed.masters(LB2, moment), 4 * bed.setup.interval),
    }
    return Finding(found)


def web_killed(bed: Bed) -> Finding:
    """SIGKILL to nginx beside the MASTER."""
    for host in (LB1, LB2):
        bed.start_web(host)
    bed.elect()
    return _web_dies(bed)


def _web_dies(bed: Bed) -> Finding:
    bed.ping()
    pages = bed.pages()
    moment = bed.lab.kill(bed.webs[LB1])
    goodbye = bed.capture.wait_for_advert(lambda one: one.host == LB1 and one.priority == 0, since=moment, timeout=10.0)
    served = pages.wait_for_answer(LB2, since=moment, timeout=10.0)
    if served is None:
        raise RunFailed(f"lb2 served no page within 10 s; {bed.services[LB1].last_words()}")
    until = time.time() + _AFTER
    found = bed.client(moment - _BEFORE, until)
    bed.rest_until(until + pages.timeout + 0.05)
    http = pages.outage(moment - _BEFORE, until)
    found |= {
        "goodbye": 1000 * (goodbye.time - moment) if goodbye else None,
        "http": 1000 * http.longest,
        "http_failed": http.lost,
    }
    return Finding(found)


def web_killed_tracked(bed: Bed) -> Finding:
    """The same, where keepalived may not even be elected: that is a finding too."""
    bed.start_web(LB1)
    bed.start_web(LB2)
    try:
        bed.elect(patience=8.0)
    except RunFailed as refusal:
        return Finding({}, {"note": f"no figure: {refusal}"})
    return _web_dies(bed)


def host_dies(bed: Bed) -> Finding:
    """lb1's port on the switch goes down; whatever it sends after that is heard by nobody."""
    bed.elect()
    bed.ping()
    began = time.time()
    cut = bed.lab.cut(LB1)
    bed.leave(LB1).kill_all()
    successor = bed.advert(LB2, began).time
    bed.until(lambda: bed.setup.vips <= len(bed.claimed(LB2, successor)), "lb2 claims every address", 0.1)
    bed.rest_until(successor + 1.5)
    until = time.time()
    found = bed.client(began - _BEFORE, until)
    found |= bed.takeover(began)
    found |= {
        "silence": 1000 * (successor - max(bed.masters(LB1))),
        "detect": 1000 * (successor - cut),
        "all_answer": 1000 * (bed.answering(successor) - successor),
        "advert_gap": 1000 * max(figures.gaps(bed.masters(LB2, successor)), default=0.0),
    }
    return Finding(found)


_SECTION: Final = "Processes die"
_HOST: Final = "The host dies"
_SILENCE: Final = "silence on the wire, between two adverts of a MASTER"


def _killed(name: str, interval: float, words: str, seconds: float, goals: tuple[Metric, ...]) -> Scenario:
    return Scenario(
        name=f"kill-{name}",
        title=f"Daemon killed, adverts every {words}",
        about="SIGKILL to the process that elects, while its parent (keepalived's main process, hafw's guard) lives.",
        section=_SECTION,
        run=daemon_killed,
        setup={"interval": interval},
        metrics=goals,
        seconds=seconds,
    )


def _resumed(interval: float) -> tuple[Metric, ...]:
    return (
        *client(),
        Metric("silence", _SILENCE),
        Metric("back", "kill to the next advert of lb1", goal=Goal(limit=1000 * interval), plotted=False),
        Metric("failovers", "failovers", unit="", goal=ZERO, plotted=False),
    )


_WILLED: Final = (
    *client(),
    Metric("silence", _SILENCE),
    Metric("peer", "kill to the first advert of lb2", goal=Goal(limit=16.1)),
    Metric("failovers", "failovers", unit="", plotted=False),
)
_LEFT: Final = (
    *client(),
    Metric("double", "both held the address", goal=Goal(limit=10)),
    Metric("both_at_end", "both still hold it in the end", unit="", goal=ZERO, plotted=False),
    Metric("advert", "until the next advert of a MASTER"),
    Metric("failovers", "failovers", unit="", plotted=False),
)


def _dies(name: str, interval: float, words: str, seconds: float, limit: Goal) -> Scenario:
    return Scenario(
        name=f"host-{name}",
        title=f"Host dies, adverts every {words}",
        about="lb1's port on the switch goes down. Silence is measured from its last advert, so that the moment at"
        " which it dies does not matter; the outage begins somewhere within an interval.",
        section=_HOST,
        run=host_dies,
        setup={"interval": interval},
        metrics=(
            Metric("silence", "silence: last advert of lb1 to the first of lb2", goal=limit, rfc_goal=Goal(ratio=1)),
            Metric("outage", "outage at the client"),
            ADVERT_TO_GARP,
            Metric("all_answer", "first advert of lb2 to its first answer", plotted=False),
            TICK,
        ),
        seconds=seconds,
        variants=(KEEPALIVED, HAFW, HAFW_RFC),
    )


def _many(count: int, seconds: float) -> Scenario:
    return Scenario(
        name=f"host-{count}",
        title=f"Host dies, {count:,} addresses",
        about="Adverts every 100 ms. How soon after the successor's first advert every address that is asked answers,"
        " how soon every one was claimed, and how long its adverts pause meanwhile.",
        section=_HOST,
        run=host_dies,
        setup={"interval": 0.1, "vips": count},
        metrics=(
            Metric("all_answer", "first advert to the last address answering", goal=Goal(ratio=0.8)),
            Metric("all_claimed", "first advert to the first claim of the last address"),
            Metric("advert_gap", "longest time between two adverts of lb2", goal=Goal(limit=110, every_run=True)),
            Metric("advert_to_garp", "first advert to the first claim", plotted=False),
            Metric("outage", "outage at the client"),
            TICK,
        ),
        seconds=seconds,
    )


SCENARIOS: Final = (
    _killed("1s", 1.0, "second", 11, _resumed(1.0)),
    _killed("250ms", 0.25, "250 ms", 4, _resumed(0.25)),
    _killed("10ms", 0.01, "10 ms", 3, _WILLED),
    Scenario(
        name="kill-all",
        title="Every process killed",
        about="SIGKILL to all of the service on lb1, as the kernel does with a control group; for hafw then"
        " `hafw cleanup`, which its unit file runs. Adverts every second. The client loses nothing as long as the"
        " address stays; looked at until a second after the peer's timer.",
        section=_SECTION,
        run=all_killed,
        setup={},
        metrics=_LEFT,
        seconds=11,
    ),
    Scenario(
        name="freeze",
        title="Daemon frozen",
        about="SIGSTOP to the process that elects on lb1, for good; adverts every second.",
        section=_SECTION,
        run=frozen,
        setup={},
        metrics=_LEFT,
        seconds=11,
    ),
    Scenario(
        name="nginx",
        title="nginx killed",
        about="SIGKILL to nginx on lb1; adverts every second. keepalived asks with curl every 2 s and believes the"
        " second failure (`interval 2 fall 2`); hafw's plugin asks every second, believes the second failure, and"
        " watches the process. Pages are fetched every 20 ms, over new connections.",
        section=_SECTION,
        run=web_killed,
        setup={"web": True},
        metrics=(
            Metric("goodbye", "kill to priority 0 on the wire", goal=Goal(limit=5)),
            Metric("http", "HTTP outage at the client", goal=Goal(limit=60)),
            Metric("http_failed", "pages failed", unit="", plotted=False),
            Metric("outage", "ping outage meanwhile", goal=ZERO),
            PAUSE,
            TICK,
        ),
        seconds=10,
    ),
    Scenario(
        name="nginx-process",
        title="nginx killed, keepalived with its process tracker",
        about="The same with `track_process` in place of the script.",
        section=_SECTION,
        run=web_killed_tracked,
        setup={"web": True, "process_tracker": True},
        metrics=(
            Metric("goodbye", "kill to priority 0 on the wire"),
            Metric("http", "HTTP outage at the client"),
        ),
        seconds=12,
        variants=(KEEPALIVED,),
        most_runs=1,
    ),
    _dies("1s", 1.0, "second", 10, Goal(limit=3032.25)),
    _dies("100ms", 0.1, "100 ms", 5, Goal(limit=307)),
    _dies("10ms", 0.01, "10 ms", 3, Goal(ratio=1)),
    _many(1000, 5),
    _many(4000, 6),
)
