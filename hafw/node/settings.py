"""What a Node is told: instances with their checks, and what of them a running router can take."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.vrrp.settings import RouterSettings

PRIORITY_MIN, PRIORITY_MAX = 1, 254
"""What weights can make of a priority, as in keepalived; 255 is the owner's and never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """What the Node needs to know of one ``[instance.X.check.NAME]``."""

    name: str
    critical: bool = False
    """FAULT when it fails."""
    weight: int = 0
    """Otherwise: added to the priority while healthy (positive) or while failing (negative)."""
    rise: int = 2
    fall: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSettings:
    """One instance, as the Node sees it."""

    router: RouterSettings
    checks: tuple[CheckSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigurationReplaced:
    """A new configuration, checked and planned. Routers that it removes or re-homes were shut down before."""

    instances: tuple[InstanceSettings, ...]


_IDENTITY = attrgetter("interface", "vrid", "version", "family", "owner", "multicast_group", "virtual_mac")


def same_router(old: RouterSettings, new: RouterSettings) -> bool:
    """Tell whether a running router can take these settings; otherwise it is shut down and started anew."""
    return _IDENTITY(old) == _IDENTITY(new) and bool(old.unicast_peers) == bool(new.unicast_peers)
