"""Every mutant in a process of its own, against the tests that reach it, under one pytest.

mutmut's own runner starts pytest anew for each: that costs more than the tests. Here pytest collects once; then each
mutant is a fork in which the tests run one by one until one fails: first those that killed others of the same function,
then those of the same file.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from time import process_time
from typing import TYPE_CHECKING

import pytest

from mutation.mutants import function

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import CodeType

    from mutation.mutants import Mutant
    from mutation.verdict import Change

KILLED, SURVIVED, ENDLESS, UNREACHED = "killed", "survived", "endless", "reached by no test"
PATIENCE, GRACE = 10, 3
"""So many times the processor time that a test needs, and so many seconds, after which a mutant goes on for ever."""
MEMORY_MAX = 2 << 30
EXAMPLES = 25
"""How many of those that hypothesis draws; nobody reads the one that kills a mutant, so it is not made smaller."""


@dataclass(eq=False)
class Trial:
    """A plugin that runs the tests in its own way."""

    mutants: Sequence[Mutant]
    processes: int
    killed: Path
    """The fingerprints of those that were killed, those of an earlier run among them: they are not tried again."""
    outcome: list[tuple[Change, str]] = field(default_factory=list)
    """What became of each."""
    broken: str = ""
    """A test that fails without a mutant."""
    _failed: bool = False
    _seconds: dict[pytest.Item, float] = field(default_factory=dict)
    _reaching: defaultdict[CodeType, list[pytest.Item]] = field(default_factory=lambda: defaultdict(list))
    _kills: defaultdict[CodeType | str, Counter[pytest.Item]] = field(default_factory=lambda: defaultdict(Counter))
    _running: dict[int, tuple[Mutant, list[pytest.Item], int]] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self) -> None:
        """After the conftest files, which have profiles of their own."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest wants to be the first to import it

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", max_examples=EXAMPLES, phases=phases, derandomize=True, deadline=None)
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take notice of a failure."""
        self._failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """See which test reaches what; then try the mutants."""
        session.config.pluginmanager.unregister(name="terminalreporter")  # until here it tells of errors in the tests
        if not self._survey(session.items):
            return True
        gc.freeze()
        before = set(self.killed.read_text(encoding="ascii").split()) if self.killed.exists() else set()
        for number, mutant in enumerate(self.mutants):
            if number % 100 == 0:
                print(f"{number} of {len(self.mutants)} mutants tried", flush=True)
            if mutant.fingerprint in before:
                self.outcome.append((mutant.change, KILLED))
                continue
            if not self._reaching[_code(mutant)]:
                self.outcome.append((mutant.change, UNREACHED))
                continue
            if len(self._running) == self.processes:
                self._await_one()
            self._start(mutant)
        while self._running:
            self._await_one()
        return True

    def _survey(self, items: Sequence[pytest.Item]) -> bool:
        """Run each test twice: were it to fail the second time, it would kill every mutant."""
        for item in items:
            reached: set[CodeType] = set()
            sys.settrace(lambda frame, *_, reached=reached: reached.add(frame.f_code))  # told of calls only
            passes = self._passes(item)
            sys.settrace(None)
            started = process_time()
            if not passes or not self._passes(item):
                self.broken = item.nodeid
                return False
            self._seconds[item] = process_time() - started
            for code in reached:
                self._reaching[code].append(item)
        return True

    def _passes(self, item: pytest.Item) -> bool:
        self._failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self._failed

    def _start(self, mutant: Mutant) -> None:
        here, nearby = self._kills[_code(mutant)], self._kills[mutant.change.file]
        reaching = self._reaching[_code(mutant)]
        items = sorted(reaching, key=lambda each: (-here[each], -nearby[each], self._seconds[each]))
        receives, tells = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os._exit(self._try(mutant, items, tells))
            os._exit(os.EX_SOFTWARE)
        os.close(tells)
        self._running[child] = mutant, items, receives

    def _try(self, mutant: Mutant, items: list[pytest.Item], tells: int) -> int:
        """In the child: the exit status. 0 is reached only past the last test."""
        gc.disable()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        mutant.put_in_place()
        for number, item in enumerate(items):
            seconds = int(process_time() + PATIENCE * self._seconds[item] + GRACE)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
            if not self._passes(item):
                os.write(tells, str(number).encode())
                return 1
        return 0

    def _await_one(self) -> None:
        child, status = os.wait()
        mutant, items, receives = self._running.pop(child)
        with contextlib.closing(os.fdopen(receives)) as told:
            killer = told.read()
        if killer:
            for where in (_code(mutant), mutant.change.file):
                self._kills[where][items[int(killer)]] += 1
        outcome = _meaning(os.waitstatus_to_exitcode(status), killer)
        self.outcome.append((mutant.change, outcome))
        if outcome == KILLED:
            with self.killed.open("a", encoding="ascii") as file:
                file.write(f"{mutant.fingerprint}\n")


def _code(mutant: Mutant) -> CodeType:
    """Of the function as it is: by this a test is known to reach it."""
    return function(mutant.change.file, mutant.change.function).__code__


def _meaning(status: int, killer: str) -> str:
    if killer:
        return KILLED
    if status in {-signal.SIGXCPU, -signal.SIGKILL}:
        return ENDLESS
    return SURVIVED if status == 0 else f"ended with status {status}"
