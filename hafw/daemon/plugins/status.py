"""What there is to show of one plugin. Times and sizes are the daemon's and the kernel's, not the plugin's word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.daemon.plugins.deliveries import HookResult
    from hafw.daemon.plugins.inforce import InForce
    from hafw.daemon.plugins.losses import Figures


@dataclass(slots=True)
class HookFigures:
    """Of one hook; seconds."""

    hook: str
    calls: int = 0
    failures: int = 0
    answers: int = 0
    last: float = 0.0
    mean: float = 0.0
    most: float = 0.0

    def took(self, seconds: float) -> None:
        """One call was answered, well or not."""
        self.answers += 1
        self.last = round(seconds, 6)
        self.mean = round(self.mean + (seconds - self.mean) / self.answers, 6)
        self.most = max(self.most, self.last)


@dataclass(slots=True)
class Counts:
    """Numbers for the status."""

    calls: int = 0
    failures: int = 0
    restarts: int = 0
    last_error: str = ""
    hooks: dict[str, HookFigures] = field(default_factory=dict)

    def called(self, hook: str) -> HookFigures:
        """One call more."""
        self.calls += 1
        figures = self.of(hook)
        figures.calls += 1
        return figures

    def of(self, hook: str) -> HookFigures:
        """The figures of one hook, from its first call on."""
        return self.hooks.setdefault(hook, HookFigures(hook))


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """What ``hafw plugins`` shows of one."""

    name: str
    package: str
    version: str
    user: str
    state: str
    """``starting``, ``running``, ``backing-off``, ``parked``, ``finished``; of a dry run ``not-run``."""
    hooks: tuple[str, ...]
    calls: int
    failures: int
    last_error: str
    restarts: int
    pid: int
    """0: no process."""
    queued: int
    dropped: int
    delivery: str
    """``every`` or ``latest``; empty: it has not said it yet."""
    events: Figures
    processes: int = 0
    """Its own and those that it has started, when they were counted last."""
    memory: int = 0
    """Octets that they hold together, resident."""
    memory_peak: int = 0
    remarks: tuple[str, ...] = ()
    """What it does that is no failure, and that an operator should know."""
    results: tuple[HookResult, ...] = ()
    """Of events, the newest last."""
    figures: tuple[HookFigures, ...] = ()
    limits: tuple[InForce, ...] = ()
