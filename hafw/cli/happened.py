"""What has passed, in words: an operator who comes later should still see it in the status."""

from __future__ import annotations

from typing import Any

from hafw.cli.words import span

Record = dict[str, Any]


def happened(each: Record) -> str:
    """One line: what, how often, when last, and where to look."""
    last = (
        f"{span(each['seconds'])} ago"
        if each["times"] == 1
        else f"{each['times']} times, last {span(each['seconds'])} ago"
    )
    if each["type"] == "vip_lost":
        culprit = f"suspected: {each['culprit']}" if each["culprit"] else "find out who: ip -ts monitor address"
        said = f"somebody removed {each['addresses']} from this machine {last}; hafw has put it back"
        return f"{each['instance']}: {said}; {culprit}"
    return f"{each['instance']}: plugin {each['plugin']} failed in {each['hook']} {last}: {each['detail']}"
