"""How long an address was out, as its client saw it: by ping every millisecond, by page every 20 ms.

An outage runs from the sending of the last probe answered before it to the sending of the first one answered after
it, less the period: exact to the period, at best. Only a gap in which a probe was lost counts. A gap without a loss is
the ruler's own: its CPU was taken away, on shared machines for 5 to 40 ms now and then; ``worst_tick`` shows it.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hafw.lab import pages, ping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.lab.network import Lab

_POLL: Final = 0.02
_MAX_PROBES: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe that has met its fate."""

    sent: float
    """Seconds of ``time.time``."""
    answered: float
    """The same; 0 when it was lost."""
    who: str
    """The router that served it; ``-`` where a probe cannot know."""
    target: str = ""
    """The address that it asked."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What the probes of one stretch of time say. Durations in seconds."""

    longest: float
    """0 when nothing was lost."""
    lost: int
    sent: int
    worst_tick: float
    """The longest pause between two probes: what the ruler itself missed."""


class Ruler:
    """Probes from one host of the lab to its addresses, until the lab ends.

    ``options`` are those of the program: ``ping`` asks several addresses, ``pages`` one.
    """

    def __init__(self, lab: Lab, host: str, *addresses: str, kind: str, options: Sequence[str] = ()) -> None:
        """Start ``ping`` or ``pages``."""
        program = {"ping": ping, "pages": pages}[kind]
        self.period: Final = program.PERIOD
        self.timeout: Final = program.TIMEOUT
        path = lab.path(host, f"{kind}-{addresses[0].replace(':', '.')}.probes")
        with path.open("wb") as written:
            lab.python(host, program.__name__, *addresses, *options, stdout=written)
        self._file = lab.resources.enter_context(path.open("rb"))
        self._rest = b""
        self._probes: list[Probe] = []

    def read(self) -> Sequence[Probe]:
        """Return every probe whose fate is known, by the time of its fate."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        self._probes += map(parsed, lines)
        if len(self._probes) > _MAX_PROBES:
            raise OverflowError(f"ruler: more than {_MAX_PROBES} probes: measure a shorter stretch with a new one")
        return self._probes

    def wait_for_answer(self, who: str | None = None, *, since: float, timeout: float) -> Probe | None:
        """Return the first answered probe sent after ``since`` (and served by ``who``); ``None`` after ``timeout``."""
        deadline = time.monotonic() + timeout
        read = 0
        while True:
            probes = self.read()
            for probe in probes[read:]:
                if probe.sent >= since and probe.answered and who in (None, probe.who):
                    return probe
            read = len(probes)
            if time.monotonic() > deadline:
                return None
            time.sleep(_POLL)

    def outage(self, since: float, until: float, target: str | None = None) -> Outage:
        """Measure the probes sent in this stretch; ask ``timeout`` later. Of several targets, name one."""
        stretch = (probe for probe in self.read() if since <= probe.sent <= until)
        return measure([probe for probe in stretch if target in (None, probe.target)], self.period)


def parsed(line: bytes) -> Probe:
    """Return what a line of a probing program says."""
    sent, answered, who, target = line.decode().split()
    return Probe(int(sent) / 1e9, int(answered) / 1e9, who, sys.intern(target))


def measure(probes: Sequence[Probe], period: float) -> Outage:
    """Find the longest outage. One that was under way at either end of the stretch is counted as far as it is in it."""
    ordered = sorted(probes, key=lambda probe: probe.sent)
    longest, lost, worst_tick = 0.0, 0, 0.0
    last_good, losing = math.nan, False
    for before, probe in zip([None, *ordered], ordered, strict=False):
        if before is None:
            last_good = probe.sent - period
        else:
            worst_tick = max(worst_tick, probe.sent - before.sent)
        if not probe.answered:
            lost, losing = lost + 1, True
            continue
        if losing:
            longest = max(longest, probe.sent - last_good - period)
        last_good, losing = probe.sent, False
    if losing:
        longest = max(longest, ordered[-1].sent - last_good)
    return Outage(longest, lost, len(ordered), worst_tick)
