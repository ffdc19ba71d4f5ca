"""Whose checks one plugin runs, and what they are told: its verdicts, or, when it is gone too long, a failure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hafw.pipe import Verdict
from hafw.vrrp.events import VerdictReported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hafw.config.model import CheckConfig

Target = tuple[str, str]
"""Router, or group, and check."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One run of a check, and everybody whom its verdict concerns."""

    router: str
    """Empty: the check does not depend on it."""
    interval: float
    timeout: float
    targets: tuple[Target, ...]


class Health:
    """The checks of one plugin. A silence longer than ``grace`` seconds is a failure (fail closed)."""

    def __init__(
        self, checks: Iterable[tuple[str, CheckConfig]], grace: float, verdict: Callable[[VerdictReported], None]
    ) -> None:
        self._checks = tuple(checks)
        self._reversed = {
            (check.group or router, check.settings.name) for router, check in self._checks if check.reverse
        }
        self._grace = grace
        self._verdict = verdict
        self._silent_since: dict[Target, float | None] = {}
        """``None``: the failure was reported."""

    def watches(self, *, per_router: bool) -> list[Watch]:
        """What to run: a check that does not depend on the router once for all that want it equally often."""
        found: dict[tuple[str, float, float], list[Target]] = {}
        for router, check in self._checks:
            key = (router if per_router else "", check.interval, check.timeout)
            found.setdefault(key, []).append((check.group or router, check.settings.name))
        return [Watch(*key, tuple(targets)) for key, targets in found.items()]

    def targets(self, router: str = "") -> tuple[Target, ...]:
        """Every check, or those of one router."""
        mine = [(name, check) for name, check in self._checks if router in ("", name)]
        return tuple((check.group or name, check.settings.name) for name, check in mine)

    @property
    def routers(self) -> tuple[str, ...]:
        """Those with a check."""
        return tuple(dict.fromkeys(name for name, _ in self._checks))

    def report(self, targets: Iterable[Target], verdict: Verdict, duration: float = 0.0) -> None:
        """Pass on that a check failed to run, or what the daemon itself has found out."""
        for target in targets:
            self._silent_since.pop(target, None)
            self._tell(target, verdict, duration)

    def answered(self, targets: Iterable[Target], verdict: Verdict, duration: float = 0.0) -> None:
        """Pass on the plugin's own word, which some checks take the other way round."""
        for target in targets:
            own = replace(verdict, healthy=not verdict.healthy) if target in self._reversed else verdict
            self.report((target,), own, duration)

    def lost(self, now: float, why: str) -> None:
        """The process is gone or has not come yet: nothing is known from now on."""
        for target in self.targets():
            self._silent_since.setdefault(target, now)
        self.fail_closed(now, why)

    def fail_closed(self, now: float, why: str) -> None:
        """Report those that have been silent for too long; to be asked while the process does not run."""
        for target, since in self._silent_since.items():
            if since is not None and now >= since + self._grace:
                self._silent_since[target] = None
                self._tell(target, Verdict(False, why, immediate=True), 0.0)

    def _tell(self, target: Target, verdict: Verdict, duration: float) -> None:
        event = VerdictReported(
            *target,
            verdict.healthy,
            detail=verdict.detail,
            duration=duration,
            immediate=verdict.immediate,
            factor=verdict.factor,
        )
        self._verdict(event)
