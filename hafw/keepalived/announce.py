"""Gratuitous ARP: ``garp_master_*`` of an instance, ``vrrp_garp_*`` of all, and ``garp_group``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.config.values import format_duration
from hafw.keepalived.settings import DAY

if TYPE_CHECKING:
    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router

_BURST = (0.0, 0.05, 0.25, 1.0)
_DELAY = 5.0
_REFRESH = 60.0
_RATE_MAX = 50_000
_HOUR = 3600.0


@dataclass
class Announcing:
    """How an instance announces its addresses, as far as the input says."""

    given: dict[str, float] = field(default_factory=dict)
    statement: Statement | None = None

    def read(self, router: Router, statement: Statement) -> None:
        """``garp_master_delay`` and its like."""
        found = router.number(statement, 0, DAY)
        if found is not None:
            name = statement.word.removeprefix("garp_master_")
            self.given["interval" if name.endswith("interval") else name] = found
            self.statement = statement

    def over(self, common: dict[str, float]) -> dict[str, Value]:
        """The keys of ``[instance.NAME.announce]`` that differ from hafw's own."""
        given = {**common, **self.given}
        repeat = _repeat(given)
        found: dict[str, Value] = {}
        if repeat != [*_BURST, _DELAY]:
            found["repeat"] = [format_duration(each) for each in repeat]
        if "refresh" in given and given["refresh"] != _REFRESH:
            found["refresh"] = format_duration(min(given["refresh"], _HOUR))
        if given.get("interval"):
            found["rate"] = max(1, min(_RATE_MAX, round(1 / given["interval"])))
        return found


def _repeat(given: dict[str, float]) -> list[float]:
    """A burst of ``repeat`` frames at once and another after ``delay``: the burst is drawn out a little."""
    if given.get("min"):
        return [0.0]
    count = int(given.get("repeat", 5))
    delay = min(given.get("delay", _DELAY), _HOUR)
    burst = [each for each in _BURST[: max(1, min(count, len(_BURST)))] if not delay or each < delay]
    return [*burst, delay] if delay and count else burst


def read_group(router: Router, body: list[Statement]) -> dict[str, float]:
    """``garp_group``: the interval of each interface that it names."""
    interval, interfaces = 0.0, []
    for each in body:
        if each.word in ("garp_interval", "gna_interval"):
            interval = router.number(each, 0, DAY) or interval
        else:
            for inner in each.body or ():
                inner.told = True
            interfaces += [*each.arguments, *(word for inner in each.body or () for word in inner.words)]
    return dict.fromkeys(interfaces, interval) if interval else {}
