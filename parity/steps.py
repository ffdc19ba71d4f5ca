"""The sequence: thirty failures and what mends them, as data. After each step everything comes to rest.

``short`` marks a part that begins and ends with everything well, so that it can be played alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from parity.pair import IN, LB1, LB2, OUT, SOLO

Verb = Literal["check", "file", "cut", "mend", "stop", "start", "crash", "kill", "priority", "remove", "address"]


@dataclass(frozen=True, slots=True)
class Act:
    """What befalls one router."""

    verb: Verb
    host: str
    what: str = ""
    """A check, an interface, an instance; instances of ``priority`` are separated by blanks."""
    value: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One failure, or the end of one; what it does happens at once."""

    name: str
    acts: tuple[Act, ...]
    failure: bool
    short: bool = False


def _failure(name: str, *acts: Act, short: bool = False) -> Step:
    return Step(name, acts, failure=True, short=short)


def _mended(name: str, *acts: Act, short: bool = False) -> Step:
    return Step(name, acts, failure=False, short=short)


def _check(host: str, name: str, status: int) -> Act:
    return Act("check", host, name, status)


STEPS: Final = (
    _failure("web fails on lb1", _check(LB1, "web", 1), short=True),
    _mended("web is well on lb1", _check(LB1, "web", 0), short=True),
    _failure("web fails on lb2", _check(LB2, "web", 1)),
    _failure("web fails on lb1 too", _check(LB1, "web", 1)),
    _mended("web is well on lb2 first", _check(LB2, "web", 0)),
    _mended("web is well on both", _check(LB1, "web", 0)),
    _failure("db fails on lb1", _check(LB1, "db", 1), short=True),
    _failure("web fails on lb1, where db has failed", _check(LB1, "web", 1)),
    _mended("web is well on lb1, db is not", _check(LB1, "web", 0)),
    _failure("db fails on lb2 too", _check(LB2, "db", 1)),
    _mended("db is well on lb1", _check(LB1, "db", 0), short=True),
    _mended("db is well on lb2 too", _check(LB2, "db", 0)),
    _failure("bonus fails on lb1", _check(LB1, "bonus", 1)),
    _mended("bonus is well on lb1", _check(LB1, "bonus", 0)),
    _failure("bonus fails on lb2", _check(LB2, "bonus", 1)),
    _mended("bonus is well on lb2", _check(LB2, "bonus", 0)),
    _failure("the file says -60 on lb1", Act("file", LB1, value=-60), short=True),
    _failure("the file says -60 on lb2 too", Act("file", LB2, value=-60)),
    _mended("the file says 0 on both", Act("file", LB1), Act("file", LB2), short=True),
    _failure("the file says -254 on lb1", Act("file", LB1, value=-254)),
    _mended("the file says 0 on lb1", Act("file", LB1)),
    _failure("eth0 of lb1 loses its link", Act("cut", LB1, "eth0")),
    _mended("eth0 of lb1 is back", Act("mend", LB1, "eth0")),
    _failure("eth1 of lb1 loses its link", Act("cut", LB1, "eth1"), short=True),
    _mended("eth1 of lb1 is back", Act("mend", LB1, "eth1"), short=True),
    _failure("eth1 of lb2 loses its link", Act("cut", LB2, "eth1")),
    _failure("web fails on lb1, lb2 has no link", _check(LB1, "web", 1)),
    _mended("web is well on lb1, lb2 has no link", _check(LB1, "web", 0)),
    _mended("eth1 of lb2 is back", Act("mend", LB2, "eth1")),
    _failure("eth2 of lb1 loses its link", Act("cut", LB1, "eth2")),
    _mended("eth2 of lb1 is back", Act("mend", LB1, "eth2")),
    _failure("lb1 is stopped", Act("stop", LB1), short=True),
    _mended("lb1 is started", Act("start", LB1), short=True),
    _failure("lb2 is stopped", Act("stop", LB2)),
    _failure("web fails on lb1, which is alone", _check(LB1, "web", 1)),
    _mended("web is well on lb1, which is alone", _check(LB1, "web", 0)),
    _mended("lb2 is started", Act("start", LB2)),
    _failure("the worker of lb1 is killed", Act("crash", LB1)),
    _failure("the worker of lb2 is killed", Act("crash", LB2)),
    _failure("every process of lb1 is killed", Act("kill", LB1)),
    _mended("lb1 is started after that", Act("start", LB1)),
    _failure("every process of lb2 is killed", Act("kill", LB2)),
    _mended("lb2 is started after that", Act("start", LB2)),
    _failure("the priority of VI_SOLO is 200 on lb2", Act("priority", LB2, SOLO, 200)),
    _mended("the priority of VI_SOLO is as it was", Act("priority", LB2, SOLO)),
    _failure("the priority of the group is 90 on lb1", Act("priority", LB1, f"{OUT} {IN}", 90)),
    _mended("the priority of the group is as it was", Act("priority", LB1, f"{OUT} {IN}")),
    _failure("somebody removes the address of VI_IN", Act("remove", LB1, IN), short=True),
    _failure("somebody removes the address of VI_SOLO", Act("remove", LB1, SOLO)),
    _failure("web fails on lb2 again", _check(LB2, "web", 1)),
    _failure("lb1 is stopped, web has failed on lb2", Act("stop", LB1)),
    _mended("lb1 is started, web has failed on lb2", Act("start", LB1)),
    _mended("web is well on lb2 again", _check(LB2, "web", 0)),
    _failure("both lose eth0", Act("cut", LB1, "eth0"), Act("cut", LB2, "eth0")),
    _mended("both have eth0 again", Act("mend", LB1, "eth0"), Act("mend", LB2, "eth0")),
)
SHORT: Final = tuple(step for step in STEPS if step.short)
