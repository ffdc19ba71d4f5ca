"""``make fuzz``: every target for a fixed number of tries, or for so many seconds in all; see docs/testing.md."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fuzz.targets import CORPUS, RUNS, target

ROOT = Path(__file__).parent.parent
FOUND = ROOT / ".fuzz"
"""Crashes, and what timed runs have found: the next one goes on from there, ``--merge`` takes it into the corpus."""
LENGTH_MAX = 8192
TIMEOUT = 10
"""Seconds for one input: more is a hang."""
MEMORY_MAX = 1024
_DONE = re.compile(r"Done (\d+) runs")
_COVERED = re.compile(r"cov: (\d+) ft: (\d+)")
_TRACEBACK = re.compile(r"=== Uncaught Python exception: ===\n(.*?)\n==\d+==", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run of libFuzzer ended."""

    name: str
    status: int
    said: str

    @property
    def line(self) -> str:
        """Of the table."""
        done, covered = _DONE.search(self.said), _COVERED.findall(self.said)
        tries, (edges, features) = done[1] if done else "?", covered[-1] if covered else ("?", "?")
        return f"{self.name:12} {tries:>9} tries  {edges:>5} edges  {features:>5} features  {self.verdict}"

    @property
    def verdict(self) -> str:
        """In words."""
        if self.status == 0:
            return "ok"
        written = re.search(r"Test unit written to (\S+)", self.said)
        return f"FAILED: make fuzz ARGS='{self.name} --input {written[1]}'" if written else "FAILED"

    @property
    def reason(self) -> str:
        """What it died of: the traceback, or its last words."""
        traceback = _TRACEBACK.search(self.said)
        return traceback[1] if traceback else "\n".join(self.said.splitlines()[-12:])


def main() -> int:
    """Returns the exit code."""
    asked = _arguments()
    names = asked.targets or list(RUNS)
    if asked.input:
        for name in names:
            print(f"{name}: {'got in' if target(name)(asked.input.read_bytes()) else 'refused, as it should be'}")
        return 0
    if find_spec("atheris") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"atheris is missing; does it have a wheel for Python {version}? 3.11 to 3.13 it has", file=sys.stderr)
        return 2
    if asked.merge:
        return max(_merge(name) for name in names)
    FOUND.mkdir(exist_ok=True)
    seconds = asked.seconds / len(names) * WORKERS if asked.seconds else 0.0
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda name: _shown(_run(name, seconds)), names))
    failed = [each for each in outcomes if each.status]
    for each in failed:
        print(f"\n{each.name}\n{each.reason}", file=sys.stderr)
    return 1 if failed else 0


WORKERS = min(2, len(os.sched_getaffinity(0)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", choices=[[], *RUNS], help=f"of {', '.join(RUNS)}")
    parser.add_argument("--seconds", type=float, help="for so long in all, with another seed each time")
    parser.add_argument("--input", type=Path, help="try this file alone, without atheris")
    parser.add_argument("--merge", action="store_true", help="reduce the corpus, with what timed runs have found")
    return parser.parse_args()


def _run(name: str, seconds: float) -> Outcome:
    """Without seconds the same in every run: seed, number of tries, and nothing is kept."""
    with tempfile.TemporaryDirectory(prefix="hafw-fuzz-") as fresh:
        kept = FOUND / name if seconds else Path(fresh)
        kept.mkdir(parents=True, exist_ok=True)
        bounds = [f"-max_total_time={max(1, round(seconds))}"] if seconds else [f"-runs={RUNS[name]}", "-seed=9568"]
        return _fuzz(name, *bounds, f"-artifact_prefix={FOUND}/{name}-", str(kept), str(CORPUS / name))


def _merge(name: str) -> int:
    """Keep the smallest set of inputs that reaches everything that these reach."""
    home, found = CORPUS / name, FOUND / name
    with tempfile.TemporaryDirectory(prefix="hafw-fuzz-") as fresh:
        sources = [str(each) for each in (home, found) if each.is_dir()]
        outcome = _fuzz(name, "-merge=1", fresh, *sources)
        if outcome.status == 0:
            for old in home.iterdir():
                old.unlink()
            for new in Path(fresh).iterdir():
                (home / new.name[:12]).write_bytes(new.read_bytes())
            print(f"{name:12} {len(list(home.iterdir()))} inputs")
        else:
            print(f"{name}\n{outcome.reason}", file=sys.stderr)
    return outcome.status


def _fuzz(name: str, *arguments: str) -> Outcome:
    usual = [f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY_MAX}", f"-max_len={LENGTH_MAX}"]
    words = [sys.executable, "-m", "fuzz.engine", name, *usual, *arguments]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=False)
    return Outcome(name, done.returncode, done.stderr.decode(errors="replace"))


def _shown(outcome: Outcome) -> Outcome:
    print(outcome.line, flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
