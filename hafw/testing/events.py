"""What can be delivered to a plugin, as values that may be delivered twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw.daemon.plugins import Plugins
    from hafw.pipe import GroupChange, Router, StateChange, VipChange

TIME = "2026-01-01T00:00:00.000Z"
"""When the first thing happens: a test that compares a file with a time in it wants the same one every day."""
STEP = timedelta(seconds=1)
"""From one thing to the next."""
HOOK_OF_STATE = {
    "MASTER": "became_master",
    "BACKUP": "became_backup",
    "FAULT": "faulted",
    "STOP": "stopped",
    "DELETED": "stopped",
}
IN_STREAM = dict.fromkeys(("STOP", "DELETED"), "INITIALIZE")
"""What the election calls them, and so the stream."""
VIP_CHANGES = ("vip_bound", "vip_lost", "vip_restored", "vip_released")


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery, ready to be given to the daemon's code; again and again, if it shall come twice."""

    hook: str
    about: str
    """Its instance or sync group."""
    give: Callable[[Plugins, int], int]
    """With the number that it had before, or 0; returns the number that it has."""


class Clock:
    """Virtual: what happens later has a later time, and every run has the same ones."""

    def __init__(self) -> None:
        self._now = datetime.fromisoformat(TIME) - STEP

    def next(self, said: str = "") -> str:
        """The time of the next thing that happens; ``said``: it is this one, and later ones come after it."""
        if not said:
            self._now += STEP
            return text_of(self._now)
        with suppress(ValueError, TypeError):  # no time, or one without a zone: the test wants to see what comes of it
            self._now = max(self._now, datetime.fromisoformat(said))
        return said


def text_of(moment: datetime) -> str:
    """As changes and events have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


def told_before(router: Router, change: StateChange) -> dict[str, Any] | None:
    """The event of the stream by which everybody hears of it, before the hook does; ``None``: there is none."""
    if not (moved := _moved(change)):
        return None
    record = {
        "type": "state_changed",
        "time": change.time,
        "instance": router.name,
        "vrid": router.vrid,
        "interface": router.interface,
        **moved,
        "reason": change.reason,
        "priority": change.priority,
    }
    return record | ({"peer": change.peer} if change.peer else {})


def group_told_before(change: GroupChange) -> dict[str, Any] | None:
    """The same of a sync group."""
    if not (moved := _moved(change)):
        return None
    return {
        "type": "group_changed",
        "time": change.time,
        "group": change.group,
        **moved,
        "reason": change.reason,
        "instance": change.instance,
    }


def _moved(change: StateChange | GroupChange) -> dict[str, str]:
    """From where to where; empty: it is where it was, as after ``resumed``."""
    old, new = IN_STREAM.get(change.old, change.old), IN_STREAM.get(change.new, change.new)
    return {} if old == new else {"from": old, "to": new}


def of_stream(event: Mapping[str, Any], seq: int) -> Event:
    """Anything of the stream of events, which counts for itself; what the test leaves out of the head is filled in."""

    def give(plugins: Plugins, again: int) -> int:
        plugins.publish({"type": "transition", **event, "seq": again or seq})
        return again or seq

    return Event("event", "", give)


def seq_of(arguments: Mapping[str, Any]) -> int:
    """The number of the event that a call was about; 0: it was about none."""
    change = arguments.get("change") or arguments.get("vip_change") or arguments.get("group_change")
    if change is not None:
        return int(change.seq)
    return int((arguments.get("event") or {}).get("seq", 0))
