"""The one JSON form of transitions, notices and snapshots: what the control socket, the log and the CLI show.

Pure: takes values and the time, returns plain dicts. Event types are the stable words of the control socket.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from hafw.vrrp.actions import GroupTransition, Notice, Transition
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafw.node import Group, Instance
    from hafw.vrrp.settings import IPAddress, RouterSettings

Record = dict[str, Any]


def event_record(action: Transition | Notice, settings: RouterSettings) -> Record:
    """A line of the event stream, without ``seq`` and ``time``, which the daemon stamps."""
    head: Record = {"instance": settings.name, "vrid": settings.vrid, "interface": settings.interface}
    if isinstance(action, Notice):
        return {"type": action.kind, **head, **action.fields}
    record = {
        "type": "state_changed",
        **head,
        "from": str(action.old),
        "to": str(action.new),
        "reason": action.reason,
        "priority": action.priority,
    }
    if action.detail:
        record["detail"] = action.detail
    if action.peer is not None:
        record["peer"] = str(action.peer)
    return record


def group_event_record(action: GroupTransition) -> Record:
    """A line of the event stream about a sync group; ``instance`` is the member that began it."""
    record: Record = {
        "type": "group_changed",
        "group": action.group,
        "from": str(action.old),
        "to": str(action.new),
        "reason": action.reason,
        "instance": action.router,
    }
    return record | ({"detail": action.detail} if action.detail else {})


def group_record(group: Group, now: float) -> Record:
    """One sync group as ``hafw status --json`` shows it."""
    since = max(each.router.since for each in group.members)
    return {
        "name": group.name,
        "state": str(group.state),
        "since_seconds": round(now - since, 3),
        "members": [each.name for each in group.members],
        "waiting": {each.name: why for each in group.members if (why := group.waits_for(each, now))},
    }


def restart_record(events: Iterable[Record]) -> Record | None:
    """What became of it when the daemon before this one died; ``None``: there was none, or it is long ago."""
    told = [each for each in events if each["type"] in {"fenced", "restarted", "resumed"}]
    return {"how": told[-1]["type"], "cause": told[-1]["cause"]} if told else None


def instance_record(instance: Instance, now: float, seen: Mapping[IPAddress, str] | None = None) -> Record:
    """One instance as ``hafw status --json`` shows it. Durations are seconds.

    ``seen``: what the kernel has of each address; what is left out is unknown.
    """
    router = instance.router
    settings = router.settings
    return {
        "name": settings.name,
        "vrid": settings.vrid,
        "interface": settings.interface,
        "version": settings.version,
        "state": str(router.state),
        "since_seconds": round(now - router.since, 3),
        "group": settings.group,
        "reason": router.reason,
        "detail": router.detail or instance.waits_for_now,
        "priority": settings.priority,
        "effective_priority": router.speaker.priority,
        "degraded": router.degraded,
        "handing_over": router.handing_over,
        "maintenance": router.listener.maintenance,
        "primary_address": str(router.primary or ""),
        "flapping": _flapping_record(instance, now),
        "master": _master_record(instance, now),
        "peer": _peer_record(instance, now),
        "split_brain": _split_brain_records(instance, now),
        "addresses": _address_records(instance, seen or {}),
        "advertisement_interval": settings.advertisement_interval,
        "master_adver_interval": router.listener.master_adver_interval,
        "master_down_interval": router.listener.master_down_interval,
        "skew_time": router.listener.skew_time,
        "skew": "rfc" if settings.rank is None else "ranked",
        "checks": [
            {
                "name": check.settings.name,
                "critical": check.settings.critical,
                "weight": check.settings.weight,
                "healthy": check.healthy,
                "detail": check.detail,
                "duration": round(check.duration, 4),
                "age_seconds": round(now - check.at, 3) if check.healthy is not None else None,
                "against": check.streak,
                "needed": check.settings.fall if check.healthy else check.settings.rise,
            }
            for check in instance.checks.values()
        ],
        "causes": [{"reason": cause.reason, "detail": cause.detail} for cause in instance.causes.values()],
    }


def _flapping_record(instance: Instance, now: float) -> Record | None:
    """Why and how long it is held back from preempting; ``None``: it is not."""
    damping = instance.damping
    if damping.since is None:
        return None
    left = None if damping.until == inf else round(damping.until - now, 3)
    since = round(now - damping.since, 3)
    return {"troubles": damping.troubles, "hold_seconds": damping.hold, "since_seconds": since, "left_seconds": left}


def _master_record(instance: Instance, now: float) -> Record | None:
    """Who holds the role, as far as this host knows; ``None``: nobody was heard."""
    router = instance.router
    if router.state is State.MASTER:
        return {"self": True, "address": str(router.primary or ""), "priority": router.speaker.priority}
    peer = router.peer
    if peer is None or not peer.live(now):
        return None
    heard = round(now - peer.heard_at, 3)
    return {"self": False, "address": str(peer.source), "priority": peer.priority, "heard_seconds": heard}


def _peer_record(instance: Instance, now: float) -> Record | None:
    """Who was heard last, be it long ago; ``None``: nobody was, since the router joined the election."""
    peer = instance.router.peer
    if peer is None:
        return None
    return {
        "address": str(peer.source),
        "priority": peer.priority,
        "interval": peer.interval,
        "heard_seconds": round(now - peer.heard_at, 3),
        "live": peer.live(now),
    }


def _split_brain_records(instance: Instance, now: float) -> list[Record]:
    """Every other MASTER beside this one; empty: none is known of."""
    speaker = instance.router.speaker
    found: list[Record] = []
    if speaker.rival is not None:
        since = round(now - speaker.rival_since, 3)
        peer, priority = str(speaker.rival.source), speaker.rival.priority
        found.append({"evidence": "advert", "peer": peer, "priority": priority, "since_seconds": since})
    claim = speaker.contest.claim
    if claim is not None:
        found.append(
            {
                "evidence": "claim",
                "mac": claim.mac,
                "address": str(claim.address),
                "addresses": claim.addresses,
                "since_seconds": round(now - claim.since, 3),
                "heard_seconds": round(now - claim.heard_at, 3),
                "over": claim.over,
            }
        )
    return found


def _address_records(instance: Instance, seen: Mapping[IPAddress, str]) -> list[Record]:
    tenure = instance.router.tenure
    held = set(tenure.held)

    def how(address: object) -> str:
        if address in held:
            return "held"
        if tenure.bound:
            return "bound" if tenure.installed else "binding"
        return "released"

    advertised = instance.settings.router.virtual_addresses
    return [
        {
            "address": str(address),
            "state": how(address),
            "advertised": address in advertised,
            "kernel": seen.get(address, "unknown"),
        }
        for address in instance.settings.router.all_addresses
    ]
