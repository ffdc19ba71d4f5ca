"""What can be delivered to a plugin, as values that may be delivered twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw.daemon.plugins import Plugins
    from hafw.pipe import GroupChange, Router, StateChange, VipChange

TIME = "2026-01-01T00:00:00.000Z"
"""When everything happens: a test that compares a file with a time in it wants the same one every day."""
HOOK_OF_STATE = {
    "MASTER": "became_master",
    "BACKUP": "became_backup",
    "FAULT": "faulted",
    "STOP": "stopped",
    "DELETED": "stopped",
}
VIP_CHANGES = ("vip_bound", "vip_lost", "vip_restored", "vip_released")


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery, ready to be given to the daemon's code; again and again, if it shall come twice."""

    hook: str
    about: str
    """Its instance or sync group."""
    give: Callable[[Plugins, int], int]
    """With the number that it had before, or 0; returns the number that it has."""


def of_state(router: Router, change: StateChange) -> Event:
    """A transition of an instance; raises ``ValueError`` for a state of which no hook hears."""
    if change.new not in HOOK_OF_STATE:
        raise ValueError(f"state {change.new!r}: must be {', '.join(HOOK_OF_STATE)}")
    return Event(HOOK_OF_STATE[change.new], router.name, lambda plugins, seq: plugins.deliver(router, change, seq=seq))


def of_vip(router: Router, change: VipChange) -> Event:
    """Something that happened to an address; raises ``ValueError`` for an unknown word."""
    if change.change not in VIP_CHANGES:
        raise ValueError(f"change {change.change!r}: must be {', '.join(VIP_CHANGES)}")
    return Event("vip_changed", router.name, lambda plugins, seq: plugins.deliver(router, change, seq=seq))


def of_group(change: GroupChange) -> Event:
    """A transition of a sync group."""
    return Event("group_changed", change.group, lambda plugins, seq: plugins.deliver_group(change, seq=seq))


def of_stream(event: Mapping[str, Any], seq: int) -> Event:
    """Anything of the stream of events, which counts for itself; what the test leaves out of the head is filled in."""

    def give(plugins: Plugins, again: int) -> int:
        plugins.publish({"type": "transition", "time": TIME, **event, "seq": again or seq})
        return again or seq

    return Event("event", "", give)


def seq_of(arguments: Mapping[str, Any]) -> int:
    """The number of the event that a call was about; 0: it was about none."""
    change = arguments.get("change") or arguments.get("vip_change") or arguments.get("group_change")
    if change is not None:
        return int(change.seq)
    return int((arguments.get("event") or {}).get("seq", 0))
