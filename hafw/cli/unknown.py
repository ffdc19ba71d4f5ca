"""What can be said when no daemon answers: that nothing is known, and what the last one wrote down before."""

from __future__ import annotations

from typing import Any

from hafw import will as last_will
from hafw.cli.words import span

Record = dict[str, Any]

UNKNOWN = "UNKNOWN"


def unknown_record(path: str, why: str) -> Record:
    """As ``hafw status --json`` says it: every instance that is known of is UNKNOWN, never what it was."""
    record: Record = {"reachable": False, "socket": path, "why": why, "instances": [], "record": ""}
    try:
        will = last_will.read()
    except last_will.BadWill as bad:
        return {**record, "record": str(bad)}
    if will is None:
        return record
    there = _addresses_here()
    record |= {"node": will.node, "config": will.config, "pid": will.pid, "written_seconds": last_will.dead_for()}
    record["instances"] = [
        {
            "name": each.name,
            "interface": each.interface,
            "state": UNKNOWN,
            "was_master": bool(each.goodbyes),
            "addresses": [
                {"address": place.address, "here": None if there is None else place.address in there}
                for place in each.addresses
            ],
        }
        for each in will.bequests
    ]
    return record


def render_unknown(record: Record) -> str:
    """A line for each router that a dead daemon left something of; empty: there is nothing to tell."""
    return "\n".join(_sentence(each, record) for each in record["instances"])


def _sentence(each: Record, record: Record) -> str:
    was = "MASTER" if each["was_master"] else "not MASTER"
    addresses = each["addresses"]
    here = [address["address"] for address in addresses if address["here"]]
    more = f" and {len(here) - 1} more" if len(here) > 1 else ""
    if here:
        left = f"{here[0]}{more} still on this machine: a guard that lives resumes or releases it, else: hafw cleanup"
    elif any(address["here"] is None for address in addresses):
        left = "its addresses may still be on this machine: ip address show"
    else:
        left = "none of its addresses is on this machine"
    ago = f"{span(record['written_seconds'])} ago"
    return f"{each['name']}: {UNKNOWN}: was {was} when its daemon (pid {record['pid']}) last wrote, {ago}; {left}"


def _addresses_here() -> set[str] | None:
    """What the kernel of this machine has now; ``None``: it cannot be asked."""
    from hafw.wire.netlink import Netlink  # noqa: PLC0415 - only when something is wrong

    try:
        with Netlink() as netlink:
            return {str(entry.address) for entry in netlink.addresses()}
    except OSError:
        return None
