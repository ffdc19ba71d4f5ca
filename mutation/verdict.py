"""What became of the mutants: those that no test noticed against those that are said to make no difference."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NOTICED = {"killed", "endless"}
"""A test failed, or went on for ever."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One mutation, by its text: it is known again when lines move, and unknown when the line itself changes."""

    file: str
    function: str
    """``Class.method``, or the name of a function."""
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.file} {self.function}\n  - {self.before}\n  + {self.after}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``unjustified`` are to be killed or justified, ``idle`` justifications to be deleted."""

    unjustified: list[tuple[str, Change]]
    idle: list[Change]
    table: str

    @property
    def good(self) -> bool:
        """Nothing is left to do."""
        return not self.unjustified and not self.idle


def read_justified(path: Path) -> list[Change]:
    """All changes that are justified; ``ValueError`` when one has no reason."""
    found = []
    for row in tomllib.loads(path.read_text(encoding="utf-8")).get("justified", []):
        if row.keys() != {"why", "file", "function", "before", "after"} or not row["why"].strip():
            raise ValueError(f"{path.name}: why, file, function, before and after are required: {row}")
        found += [Change(row["file"], row["function"], row["before"], after) for after in row["after"]]
    return found


def judge(outcomes: Iterable[tuple[Change, str]], justified: Iterable[Change], files: Iterable[str]) -> Verdict:
    """Hold one against the other, in these files. Two mutants of the same text need two justifications."""
    files, outcomes = list(files), list(outcomes)
    idle = Counter(each for each in justified if each.file in files)
    excused: Counter[str] = Counter()
    unjustified = []
    for change, how in outcomes:
        if how in NOTICED:
            continue
        if idle[change] > 0:
            idle[change] -= 1
            excused[change.file] += 1
        else:
            unjustified.append((how, change))
    return Verdict(unjustified, sorted(idle.elements()), _table(outcomes, excused, files))


def _table(outcomes: Iterable[tuple[Change, str]], excused: Mapping[str, int], files: Iterable[str]) -> str:
    """In the form in which docs/mutation.md shows it."""
    total = Counter(change.file for change, _ in outcomes)
    killed = Counter(change.file for change, how in outcomes if how in NOTICED)
    rows = ["| file | mutants | killed | justified | left | score |", "|---|---|---|---|---|---|"]
    rows += [_row(f"`{file}`", total[file], killed[file], excused.get(file, 0)) for file in files if total[file]]
    return "\n".join([*rows, _row("all", total.total(), killed.total(), sum(excused.values()))])


def _row(name: str, total: int, killed: int, excused: int) -> str:
    score = f"{100 * killed / total:.1f} %" if total else "-"
    return f"| {name} | {total} | {killed} | {excused} | {total - killed - excused} | {score} |"
