"""``make swarm SEEDS=N``: so many worlds, drawn by chance, on every processor; and how quick virtual time is."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from multiprocessing import Pool
from pathlib import Path
from statistics import median

from hafw.journal import Pages
from hafw.sim.swarm import Outcome, play, run, smallest
from hafw.sim.worlds import steady

JOURNALS = Path(".swarm")
"""Where the journals of broken promises go."""
STRETCHES, STRETCH = 25, 1200.0
"""How often speed is measured, over so many seconds of virtual time each."""
SHOWN = 5
"""Violations that are made smaller and printed, of each promise."""


def main() -> int:
    """Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m hafw.sim", description=__doc__)
    parser.add_argument("seeds", type=int, nargs="?", default=2000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one alone, as small as it can be and still fail")
    parser.add_argument("--journal", type=Path, help="with --seed: what went in and out of every Node, for hafw replay")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="how many at once, one for each processor"
    )
    words = parser.parse_args()
    if words.seed is not None:
        outcome = smallest(run(words.seed))
        if words.journal is not None:
            _write_journal(outcome, words.journal)
        print(f"{outcome.violation or 'every promise is kept'}\n{outcome.world}")
        return bool(outcome.violation)
    _show_speed()
    return _swarm(range(words.first, words.first + words.seeds), words.processes)


def _show_speed() -> None:
    """Three routers at rest, an advert a second: what the simulator itself can do.

    In several stretches: whatever else the machine does makes some of them slower, and none of them quicker.
    """
    found = []
    for _ in range(STRETCHES):
        began = time.process_time()
        outcome = play(steady(STRETCH))
        found.append(outcome.seconds / 3600 / (time.process_time() - began) * 60)
    print(f"steady: {max(found):.0f} router-hours a minute on one processor at best, {median(found):.0f} in the middle")


def _write_journal(outcome: Outcome, path: Path) -> None:
    """What every Node was told and did, up to the broken promise."""
    play(outcome.world, pages := Pages())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*pages.lines, ""]), "utf-8")


def _swarm(seeds: range, processes: int) -> int:
    began, hours, broken = time.monotonic(), 0.0, list[Outcome]()
    with Pool(processes) as pool:
        for outcome in pool.imap_unordered(run, seeds, chunksize=50):
            hours += outcome.seconds / 3600
            if outcome.violation:
                broken.append(outcome)
    took = time.monotonic() - began
    print(f"{len(seeds)} seeds, {hours:.0f} router-hours in {took:.0f} s: {len(broken)} violations")
    seen = Counter[str]()
    for outcome in sorted(broken, key=lambda each: each.world.seed):
        seen[outcome.promise] += 1
        if seen[outcome.promise] <= SHOWN:
            small, path = smallest(outcome), JOURNALS / f"seed-{outcome.world.seed}"
            _write_journal(small, path)
            print(f"\n{small.violation}\n{small.world}")
            print(f"again: python -m hafw.sim --seed {outcome.world.seed}; its journal: hafw replay {path}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
