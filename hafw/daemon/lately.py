"""What has passed and left no trace in any state, and an operator should still see in the status for a while."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.records import Record

FOR = 600.0
"""Seconds for which it is shown."""


def lately(events: Iterable[Record], now: datetime) -> list[Record]:
    """Addresses that somebody removed, and hooks that failed: how often, when last, and what was said then."""
    found: dict[tuple[str, ...], Record] = {}
    for event in events:
        if event["type"] != "vip_lost" and (event["type"] != "plugin_failed" or not event.get("hook")):
            continue
        ago = (now - datetime.fromisoformat(event["time"])).total_seconds()
        if ago > FOR:
            continue
        told = {key: str(event.get(key, "")) for key in ("type", "instance", "plugin", "hook")}
        key = tuple(told.values())
        times = found.pop(key, {"times": 0})["times"] + 1
        said = {each: str(event.get(each, "")) for each in ("detail", "addresses", "culprit")}
        found[key] = {**told, **said, "times": times, "seconds": round(max(ago, 0.0), 3)}
    return list(found.values())
