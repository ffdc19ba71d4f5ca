"""What there is to show of one plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.daemon.plugins.deliveries import HookResult
    from hafw.daemon.plugins.losses import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """What ``hafw plugins`` shows of one."""

    name: str
    package: str
    version: str
    user: str
    state: str
    """``starting``, ``running``, ``backing-off``, ``parked``, ``finished``."""
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
    results: tuple[HookResult, ...] = ()
    """Of events, the newest last."""


@dataclass(slots=True)
class Counts:
    """Numbers for the status."""

    calls: int = 0
    failures: int = 0
    restarts: int = 0
    last_error: str = ""
