"""What ``hafw status`` shows of a daemon that answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hafw.cli.happened import happened
from hafw.cli.words import DRY_RUN, on_leave, span, table

Record = dict[str, Any]

OWNER = 255
REMARKS_MAX = 4
"""About addresses, of one instance: of thousands the first ones say it all."""


def render(answer: Record, *, details: bool = False) -> str:
    """The status table, above it what holds for all of it, and below it what an operator should know.

    ``details``: every address, peer and check of its own, too.
    """
    dry = f"   {DRY_RUN}" if answer["dry_run"] else ""
    head = (
        f"{answer['node']}   hafw {answer['version']}   up {span(answer['uptime_seconds'])}   {answer['config']}{dry}"
    )
    above = [on_leave(answer["maintenance"])] if answer["maintenance"] else []
    if restart := answer["restart"]:
        above.append(f"{restart['how']} {span(answer['uptime_seconds'])} ago after: {restart['cause']}")
    rows = [["INSTANCE", "VRID", "STATE", "PRIORITY", "MASTER", "HEARD", "ADDRESSES", "SINCE", "WHY", "CHECKS"]]
    instances = [_not_run(each) if dry else each for each in answer["instances"]]
    rows += [_row(each) for each in instances]
    remarks = [remark for each in instances for remark in _remarks(each)]
    if error := answer.get("kernel_error"):
        remarks.append(f"cannot read addresses back from the kernel: {error}")
    remarks += [
        f"plugin {plugin['name']}: {plugin['state']}: {plugin['last_error']}"
        for plugin in answer["plugins"]
        if plugin["state"] in {"backing-off", "parked"}
    ]
    remarks += map(happened, answer.get("lately", ()))
    groups = table([["GROUP", "STATE", "MEMBERS", "SINCE"], *map(_group, answer["groups"])]) if answer["groups"] else ""
    waits = [f"{name}: {why}" for group in answer["groups"] for name, why in group["waiting"].items()]
    blocks = [block for each in instances for block in details_of(each)] if details else []
    parts = (head, "\n".join(above), table(rows), groups, *blocks, "\n".join([*remarks, *waits]), _plugins(answer))
    return "\n\n".join(part for part in parts if part)


def _not_run(each: Record) -> Record:
    """An instance of a dry run: its checks are taken for well, and nobody has looked."""
    return {**each, "checks": [{**check, "not_run": True} for check in each["checks"]]}


def _group(each: Record) -> list[str]:
    return [each["name"], each["state"], ", ".join(each["members"]), span(each["since_seconds"])]


def _state(each: Record) -> str:
    """The state, with what an operator would otherwise not expect of it."""
    split = any(not rival.get("over") for rival in each["split_brain"])
    asides = {"SPLIT BRAIN": split, "handing over": each["handing_over"], "degraded": each["degraded"]}
    asides["flapping"] = each.get("flapping") is not None
    shown = ", ".join(aside for aside, so in asides.items() if so)
    return f"{each['state']} ({shown})" if shown else str(each["state"])


def _row(each: Record) -> list[str]:
    effective, configured = each["effective_priority"], each["priority"]
    return [
        each["name"],
        str(each["vrid"]),
        _state(each),
        str(configured) if effective == configured else f"{effective}/{configured}",
        _master(each),
        _heard(each),
        _addresses(each),
        span(each["since_seconds"]),
        each["reason"],
        ", ".join(_check(check) for check in each["checks"]) or "-",
    ]


def _master(each: Record) -> str:
    master = each["master"]
    if master is None:
        return "nobody heard"
    return "this router" if master["self"] else f"{master['address']} ({master['priority']})"


def _heard(each: Record) -> str:
    """Who was heard last; of a BACKUP that hears its MASTER only when, for who it is stands beside it."""
    peer = each["peer"]
    if peer is None:
        return "nobody"
    ago = f"{span(peer['heard_seconds'])} ago"
    master = each["master"]
    if master and not master["self"]:
        return ago
    return f"{peer['address']} ({peer['priority']}) {ago}"


def _addresses(each: Record) -> str:
    """The first of them, and the worst that is known of any."""
    addresses = each["addresses"]
    first, more = addresses[0]["address"], len(addresses) - 1
    shown = f"{first} +{more}" if more else str(first)
    return f"{shown} {word}" if (word := _worst(each)) else shown


def _worst(each: Record) -> str:
    kernel = {address["kernel"] for address in each["addresses"]}
    if "missing" in kernel:
        return "MISSING"
    if each["state"] != "MASTER":
        return "HERE TOO" if "foreign" in kernel else ""
    if any(address.get("claimed_by") for address in each["addresses"]):
        return "CONTESTED"
    verified = {address.get("verified") for address in each["addresses"]}
    if False in verified:
        return "NOT CONFIRMED"
    return "verified" if verified == {True} else ""


def _plugins(answer: Record) -> str:
    shown = ", ".join(f"{each['name']} {each['state']}" for each in answer["plugins"])
    return f"plugins: {shown}" if shown else ""


def _check(check: Record) -> str:
    if check.get("not_run"):
        return f"{check['name']} not run"
    if check["healthy"] is None:
        return f"{check['name']} unknown"
    if check["healthy"]:
        weak = f" (failed {check['against']}/{check['needed']})" if check["against"] else ""
        return f"{check['name']} ok {check['duration'] * 1000:.0f}ms{weak}"
    better = f" (well {check['against']}/{check['needed']})" if check["against"] else ""
    return f"{check['name']} FAILED{better}"


def _remarks(each: Record) -> list[str]:
    name = each["name"]
    remarks = [f"{name}: {_rival(rival, each)}" for rival in each["split_brain"]]
    remarks += _reasons(each)
    remarks += [f"{name}: {remark}" for remark in _flapping(each)]
    remarks += [
        f"{name}: check {check['name']} ({check['weight']:+d}): {check['detail']}"
        for check in each["checks"]
        if check["healthy"] is False and not check["critical"]
    ]
    if (device := each.get("device")) and device["up"]:
        remarks.append(f"{name}: answers from {device['mac']} on {device['name']}")
    remarks += [f"{name}: {remark}" for remark in _in_kernel(each)]
    held = [address["address"] for address in each["addresses"] if address["state"] == "held"]
    if held:
        remarks.append(f"{name}: holds {', '.join(held)} until another router claims it")
    remarks += [f"{name}: {remark}" for remark in (*_silent(each), *_announced(each))]
    remarks += [f"{name}: {_differs(differs, each)}" for differs in each.get("differences", ())[:REMARKS_MAX]]
    if refused := _refused(each):
        remarks.append(
            f"{name}: refused an advert from {refused['source']} {span(refused['at'])} ago: "
            f"{refused['reason']}: {refused['detail']}"
        )
    return remarks


def _refused(each: Record) -> Record | None:
    """The last advert that was refused, if that was within a minute."""
    refused: Record | None = each["last_refused"]
    return refused if refused and refused["at"] < 60 else None


def _differs(differs: Record, each: Record) -> str:
    peer, ago = differs["peer"], f"{span(differs['heard_seconds'])} ago"
    said = f"peer {peer} differs, heard {ago}: {differs['detail']}"
    if differs.get("field") == "clock":
        return said
    if differs.get("is_stranger"):
        way_out = "give one of the two another (hafw listen --scan names a free one)"
        served = each["master"] and each["master"]["address"] == peer
        harm = f", and while it is MASTER nobody has to serve {differs['ours']}" if served else ""
        return f"{said}: another virtual router with VRID {each['vrid']}{harm}: {way_out}"
    return f"{said}: compare {differs['key']}"


def _in_kernel(each: Record) -> list[str]:
    """Where the kernel has another opinion than this router."""
    remarks = []
    for address in each["addresses"] if each["priority"] != OWNER else ():
        shown, interface = address["address"], each["interface"]
        if address["kernel"] == "missing" and address["state"] == "bound":
            remarks.append(f"{shown} is MISSING from the kernel: somebody removed it, hafw puts it back")
        elif address["kernel"] == "foreign" and address["state"] in {"released", "held"}:
            way_out = f"ip address show to {shown}, and remove it there"
            remarks.append(f"{shown} is here and not bound by hafw: two machines answer for it: {way_out}")
        elif address["kernel"] == "foreign":
            remarks.append(f"{shown} was on {interface} before hafw bound it: it stays when another router is MASTER")
        elif address["kernel"] == "leftover":
            remarks.append(f"{shown} is still on this machine, about to be removed")
    return remarks[:REMARKS_MAX]


def _flapping(each: Record) -> list[str]:
    flapping = each.get("flapping")
    if not flapping:
        return []
    left = flapping["left_seconds"]
    if left is None:
        when = f"before it has been well for {span(flapping['hold_seconds'])}"
    else:
        until = datetime.now().astimezone() + timedelta(seconds=left)
        when = f"before {until:%H:%M:%S} (in {span(left)})"
    return [f"flapping: in trouble {flapping['troubles']} times in a row: preempts no live MASTER {when} (flap_hold)"]


def _silent(each: Record) -> list[str]:
    """A peer that this MASTER has lost without a goodbye."""
    peer, alive = each["peer"], each.get("peer_alive")
    if alive is None or peer is None or peer["live"]:
        return []
    silent = f"{peer['address']} is silent for {span(peer['heard_seconds'])}"
    if alive:
        return [f"{silent}, but its host answers ARP: hafw is stopped there, or protocol 112 is dropped on the way"]
    return [f"{silent} and answers no ARP: its host or the way to it is down"]


def _announced(each: Record) -> list[str]:
    """Neighbours that should know where the addresses are, and do not."""
    remarks = []
    for asked in each.get("announced", ()):
        target, address, ago = asked["target"], asked["address"], f"{span(asked['asked_seconds'])} ago"
        if asked["answered"] is False:
            said = f"{target} did not answer {address}, asked {asked['attempts']} times {ago}"
            remarks.append(f"{said}: it is down, or frames from here do not reach it (switch, port security)")
        elif asked["echo"] is False:
            said = f"{target} sends its packets for {address} to another MAC"
            remarks.append(f"{said} (asked {ago}): it heeds no announcement: clear its ARP entry, or use virtual_mac")
    return remarks


def _rival(rival: Record, each: Record) -> str:
    priority = each["effective_priority"]
    if rival["evidence"] == "advert":
        said = f"SPLIT BRAIN: {rival['peer']} (priority {rival['priority']}) is MASTER too"
        if rival["priority"] >= priority:
            return said
        why = "does not hear our adverts, or refuses them: its firewall, the way from here to there, its configuration"
        return f"{said}, and ought to yield to {priority}: it {why} (hafw status and hafw listen there)"
    more = f" and {rival['addresses'] - 1} more" if rival["addresses"] > 1 else ""
    if rival["over"]:
        ago = span(rival["heard_seconds"])
        return f"{rival['mac']} claimed {rival['address']}{more} {ago} ago: see that no other router holds it"
    what = f"{rival['mac']} also claims {rival['address']}{more} (heard {span(rival['heard_seconds'])} ago)"
    if refused := _refused(each):
        return f"SPLIT BRAIN: {what}: adverts from {refused['source']} are refused here: {refused['detail']}"
    return f"SPLIT BRAIN: {what}: another VRID there, or its adverts do not arrive (hafw doctor, hafw listen)"


def _reasons(each: Record) -> list[str]:
    """Why it is in this state."""
    name, state = each["name"], _state(each)
    if each["handing_over"]:
        return [f"{name}: has said goodbye: waits for a router that takes over"]
    if each["degraded"]:
        state = "degraded, for nobody else takes over"
    reasons = [f"{name}: {state}: {cause['reason']}: {cause['detail']}" for cause in each["causes"]]
    return reasons or ([f"{name}: {state}: {each['detail']}"] if each["detail"] else [])


# -- one instance, with all of it -------------------------------------------------------------------------------


def details_of(each: Record) -> list[str]:
    """Its addresses and its checks, a table each."""
    addresses = [["ADDRESS", "WANTED", "KERNEL", "ON THE SEGMENT"], *map(_address_row, each["addresses"])]
    checks = [["CHECK", "RESULT", "COUNTS", "TOOK", "AGO", "OUTPUT"], *map(_check_row, each["checks"])]
    asked = "\n".join(_asked(verified) for verified in each.get("announced", ()))
    return [table(addresses), *([asked] if asked else []), *([table(checks)] if each["checks"] else [])]


def _address_row(address: Record) -> list[str]:
    if mac := address.get("claimed_by"):
        said = f"CLAIMED by {mac}"
    elif address.get("asked_seconds") is None:
        said = "-"
    else:
        said = f"nobody else answers (asked {span(address['asked_seconds'])} ago)"
    return [address["address"], address["state"], address["kernel"], said]


def _asked(verified: Record) -> str:
    """Whether a neighbour knows where an address is."""
    who, ago = f"{verified['target']} asked by {verified['address']}", f"{span(verified['asked_seconds'])} ago"
    if not verified["target"]:
        return f"announcement not verified: {verified['detail']}"
    if not verified["answered"]:
        return f"{who} {ago}: NO ANSWER to {verified['attempts']} questions"
    comes = {True: "its packets come here", False: "its packets do NOT come here", None: "it answers no pings"}
    return f"{who} {ago}: answered after {verified['ms']:.1f}ms, {comes[verified['echo']]}"


def _check_row(check: Record) -> list[str]:
    result = {None: "unknown", True: "ok", False: "FAILED"}[check["healthy"]]
    counts = "critical" if check["critical"] else f"{check['weight']:+d}"
    if check.get("not_run"):
        return [check["name"], "not run", counts, "-", "-", check["detail"] or "-"]
    if check["healthy"] is None:
        return [check["name"], result, counts, "-", "-", check["detail"] or "has not answered yet"]
    took, ago = f"{check['duration'] * 1000:.0f}ms", f"{span(check['age_seconds'])} ago"
    return [check["name"], result, counts, took, ago, check["detail"] or "-"]
