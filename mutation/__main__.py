"""``make mutation``: mutants against the tests, the survivors against their justifications; see docs/mutation.md."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mutation.mutants import ROOT, mutants, mutated_files
from mutation.trial import Trial
from mutation.verdict import judge, read_justified

JUSTIFIED = Path(__file__).parent / "justified.toml"
KILLED = ROOT / ".mutation"
BY_CHANCE = "test_whatever_happens_no_group_is_ever_half_master_and_in_the_end_one_host_is_master_of_all"
PYTEST = [
    *("--quiet", "--capture=no", "-pno:cacheprovider", "-pno:xdist"),
    *("-pno:logging", "-pno:warnings", "-pno:faulthandler", "-pno:threadexception", "-pno:unraisableexception"),
    *("tests/vrrp", "tests/election", "--ignore=tests/election/test_stateful.py"),
    f"--deselect=tests/election/test_groups.py::{BY_CHANCE}",
]
"""The judges, without plugins that take longer than they do. Stateful tests are slow, and for what nobody expected."""


def main() -> int:
    """Returns the exit code."""
    asked = _arguments()
    if find_spec("mutmut") is None:
        print("mutmut is missing: make mutation installs it", file=sys.stderr)
        return 2
    justified = read_justified(JUSTIFIED)
    files = asked.files or mutated_files()
    os.chdir(ROOT)
    if not asked.again:
        KILLED.unlink(missing_ok=True)
    trial = Trial([each for file in files for each in mutants(file)], asked.processes, KILLED)
    status = pytest.main(PYTEST, plugins=[trial])
    if trial.broken:
        print(f"{trial.broken} fails without a mutant: make test", file=sys.stderr)
        return 2
    if len(trial.outcome) < len(trial.mutants):
        print(f"pytest ended with {status!r} before every mutant was tried", file=sys.stderr)
        return 2
    verdict = judge(trial.outcome, justified, files)
    print(f"\n{verdict.table}")
    for how, change in verdict.unjustified:
        print(f"\n{how}, kill it with a test or justify it in {JUSTIFIED.relative_to(ROOT)}: {change}", file=sys.stderr)
    for change in verdict.idle:
        print(f"\njustified, but no such mutant survives, delete the row: {change}", file=sys.stderr)
    return 0 if verdict.good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("files", nargs="*", type=_file, help="hafw/vrrp/peer.py; without: all")
    parser.add_argument("--again", action="store_true", help="those that were killed in the last run count as killed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="as many as there are processors")
    return parser.parse_args()


def _file(name: str) -> str:
    if name not in mutated_files():
        raise argparse.ArgumentTypeError(f"{name}: must be one of {', '.join(mutated_files())}")
    return name


if __name__ == "__main__":
    sys.exit(main())
