"""What hafw cannot do yet though its configuration has a name for it. Take a line out when it can."""

from __future__ import annotations

NOT_BUILT: frozenset[str] = frozenset(
    {
        "notify_deleted",
        "notify_master_rx_lower_pri",
        "startup_delay",
        "track_primary",
    }
)

WAIT = "not built yet in hafw"


def is_built(feature: str) -> bool:
    """Whether what is called so may stand in a configuration."""
    return feature not in NOT_BUILT
