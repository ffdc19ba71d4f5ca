"""``make worlds``: the small worlds that are searched, and what each search has found.

Some are small enough for every run of the tests; the others take as long as one lets them.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hafw.journal import Pages
from hafw.sim.exhaustive import Outcome, explore, live_through, story
from hafw.sim.machine import INTERFACE, ROUTER, VIPS
from hafw.sim.small import BUDGET, SmallWorld
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = 255


def world(  # noqa: PLR0913 - each by name
    name: str,
    priorities: tuple[int, ...],
    *,
    ranked: bool = True,
    wishes: Mapping[str, Any] = MappingProxyType({}),
    overtaking: bool = False,
    careful: bool = False,
    depth: int | None = None,
    **budget: int,
) -> SmallWorld:
    """A cluster of these priorities; ``wishes`` of all its routers, and what may befall them, as in ``BUDGET``."""
    places = sorted(priorities, reverse=True)
    routers = tuple(
        RouterSettings(
            name=ROUTER,
            interface=INTERFACE,
            vrid=51,
            priority=priority,
            owner=priority == OWNER,
            virtual_addresses=VIPS[:1],
            excluded_addresses=VIPS[1:],
            rank=places.index(priority) if ranked else None,
            announce_repeat=(0.0, 0.5),
            announce_refresh=0.0,
            **wishes,
        )
        for priority in priorities
    )
    if unknown := budget.keys() - set(BUDGET):
        raise TypeError(f"{', '.join(unknown)}: nothing of which a world has a number")
    numbers = tuple(budget.get(each, 0) for each in BUDGET)
    return SmallWorld(name=name, routers=routers, budget=numbers, overtaking=overtaking, careful=careful, depth=depth)


_PAIR, _EQUAL, _OWNER, _TRIO = (200, 100), (100, 100), (OWNER, 100), (200, 150, 100)
_STAYS, _OLD, _HARD = {"preempt": False}, {"version": 2}, {"last_resort": False}
_ALL: dict[str, Any] = {"losses": 1, "copies": 1, "crashes": 1, "cuts": 1, "failures": 1, "requests": 1}

QUICK = (
    world("one router", (100,), failures=2, requests=2),
    world("pair", _PAIR, losses=1),
    world("pair, copies", _PAIR, copies=1),
    world("pair, overtaking", _PAIR, overtaking=True),
    world("pair, rfc skew", _PAIR, ranked=False),
    world("pair, version 2", _PAIR, wishes=_OLD, losses=1),
    world("pair, nopreempt", _PAIR, wishes=_STAYS, losses=1),
    world("pair, equal priorities", _EQUAL, ranked=False),
    world("pair, owner", _OWNER, depth=40),
    world("pair, planned", _PAIR, wishes=_STAYS, requests=1, careful=True),
    world("trio", _TRIO, depth=22),
)
"""A few seconds together."""
LONG = (
    world("pair, everything", _PAIR, **_ALL, depth=16),
    world("pair, everything, overtaking", _PAIR, **_ALL, overtaking=True, depth=14),
    world("pair, losses and crashes", _PAIR, losses=2, crashes=1),
    world("pair, three losses", _PAIR, losses=3),
    world("pair, cuts", _PAIR, cuts=2),
    world("pair, checks and crashes", _PAIR, failures=1, crashes=1),
    world("pair, requests and losses", _PAIR, requests=1, losses=1),
    world("pair, planned", _PAIR, requests=2, careful=True),
    world("pair, planned, with checks", _PAIR, failures=1, requests=1, careful=True),
    world("pair, no last resort", _PAIR, wishes=_HARD, failures=2),
    world("pair, rfc skew", _PAIR, ranked=False, losses=1, crashes=1),
    world("pair, rfc skew, planned", _PAIR, ranked=False, requests=2, careful=True),
    world("pair, version 2", _PAIR, wishes=_OLD, losses=1, crashes=1),
    world("pair, version 2, planned", _PAIR, wishes=_OLD, requests=2, careful=True),
    world("pair, nopreempt", _PAIR, wishes=_STAYS, losses=2, crashes=1),
    world("pair, nopreempt, planned", _PAIR, wishes=_STAYS, requests=2, careful=True),
    world("pair, nopreempt, version 2", _PAIR, wishes={**_STAYS, **_OLD}, losses=2, crashes=1),
    world("pair, equal priorities", _EQUAL, ranked=False, losses=1, crashes=1),
    world("pair, equal priorities, planned", _EQUAL, ranked=False, requests=2, careful=True),
    world("pair, owner", _OWNER, losses=1, crashes=1),
    world("pair, owner, planned", _OWNER, requests=2, careful=True),
    world("trio", _TRIO),
    world("trio, a loss", _TRIO, losses=1),
    world("trio, a crash", _TRIO, crashes=1),
    world("trio, a cut", _TRIO, cuts=1, depth=24),
    world("trio, planned", _TRIO, requests=1, careful=True, depth=24),
    world("trio, everything", _TRIO, **_ALL, depth=9),
    world("trio, nopreempt", _TRIO, wishes=_STAYS, losses=1, crashes=1, depth=24),
    world("trio, rfc skew", _TRIO, ranked=False, crashes=1, depth=24),
    world("trio, version 2", _TRIO, wishes=_OLD, crashes=1, depth=24),
    world("trio, two of equal priority", (200, 100, 100), ranked=False, losses=1, depth=22),
    world("trio, owner", (OWNER, 150, 100), losses=1, depth=22),
)


def main() -> int:
    """Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m hafw.sim.atlas", description=__doc__)
    parser.add_argument("names", nargs="*", help="of worlds; all when left out")
    parser.add_argument("--quick", action="store_true", help="the worlds of make test")
    parser.add_argument("--list", action="store_true", help="the worlds and their bounds")
    parser.add_argument("--depth", type=int, help="this many choices at most")
    parser.add_argument("--states", type=float, default=inf, help="no deeper choices once a world has so many states")
    parser.add_argument("--journal", type=Path, help="where a broken promise is written, for hafw replay")
    words = parser.parse_args()
    known = QUICK if words.quick else LONG
    if unknown := set(words.names) - {each.name for each in known}:
        parser.error(f"{min(unknown)!r}: no such world, --list shows them")
    chosen = [each for each in known if not words.names or each.name in words.names]
    if words.list:
        print(*chosen, sep="\n")
        return 0
    if words.depth is not None:
        chosen = [replace(each, depth=words.depth) for each in chosen]
    found = [_search(each, words.states, words.journal) for each in chosen]
    broken = sum(bool(each.broken) for each in found)
    states, transitions = sum(each.states for each in found), sum(each.transitions for each in found)
    seconds = sum(each.seconds for each in found)
    print(f"{len(found)} worlds, {states} states, {transitions} transitions in {seconds:.0f} s: {broken} violations")
    return bool(broken)


def _search(chosen: SmallWorld, states_max: float, journal: Path | None) -> Outcome:
    """Print what was found, as soon as it is."""
    print(chosen, flush=True)
    outcome = explore(chosen, states_max)
    print(f"  {outcome}", flush=True)
    if outcome.broken:
        print("", *story(outcome), "", sep="\n    ")
        if journal is not None:
            live_through(chosen, outcome.path, pages := Pages())
            journal.write_text("\n".join([*pages.lines, ""]), "utf-8")
    return outcome


if __name__ == "__main__":
    sys.exit(main())
