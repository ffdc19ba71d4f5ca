"""The verbs that look at a running daemon: status, events, history, plugins."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from hafw.cli.client import FAILED, UNREACHABLE, ask, stream
from hafw.cli.words import on_leave, span, table

Record = dict[str, Any]


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--watch", is_flag=True, help="Show it again every second until Ctrl-C.")
@click.pass_obj
def status(socket: str, name: str | None, as_json: bool, watch: bool) -> None:  # noqa: FBT001  (click's flags)
    """Who is MASTER, since when, why; NAME shows one instance."""
    while True:
        answer = ask(socket, {"do": "status"})
        known = [each["name"] for each in answer["instances"]]
        if name and name not in known:
            click.echo(f"hafw: no instance {name!r} in {answer['config']}: there is {', '.join(known)}", err=True)
            sys.exit(FAILED)
        answer["instances"] = [each for each in answer["instances"] if name in {None, each["name"]}]
        answer["groups"] = [each for each in answer["groups"] if not name or name in each["members"]]
        text = json.dumps(answer, ensure_ascii=False, indent=None if watch else 2) if as_json else render(answer)
        click.echo(("\033[H\033[2J" if watch and not as_json and sys.stdout.isatty() else "") + text)
        if not watch:
            return
        time.sleep(1)


def render(answer: Record) -> str:
    """The status table, above it what holds for all of it, and below it what an operator should know."""
    dry = "   DRY RUN: sends and binds nothing" if answer["dry_run"] else ""
    head = (
        f"{answer['node']}   hafw {answer['version']}   up {span(answer['uptime_seconds'])}   {answer['config']}{dry}"
    )
    above = [on_leave(answer["maintenance"])] if answer["maintenance"] else []
    if restart := answer["restart"]:
        above.append(f"{restart['how']} {span(answer['uptime_seconds'])} ago after: {restart['cause']}")
    rows = [["INSTANCE", "VRID", "STATE", "PRIORITY", "MASTER", "ADDRESSES", "SINCE", "WHY", "CHECKS"]]
    rows += [_row(each) for each in answer["instances"]]
    remarks = [remark for each in answer["instances"] for remark in _remarks(each)]
    remarks += [
        f"plugin {plugin['name']}: {plugin['state']}: {plugin['last_error']}"
        for plugin in answer["plugins"]
        if plugin["state"] in {"backing-off", "parked"}
    ]
    groups = table([["GROUP", "STATE", "MEMBERS", "SINCE"], *map(_group, answer["groups"])]) if answer["groups"] else ""
    waits = [f"{name}: {why}" for group in answer["groups"] for name, why in group["waiting"].items()]
    parts = (head, "\n".join(above), table(rows), groups, "\n".join([*remarks, *waits]))
    return "\n\n".join(part for part in parts if part)


def _group(each: Record) -> list[str]:
    return [each["name"], each["state"], ", ".join(each["members"]), span(each["since_seconds"])]


def _state(each: Record) -> str:
    """The state, with what an operator would otherwise not expect of it."""
    split = any(not rival.get("over") for rival in each["split_brain"])
    asides = {"SPLIT BRAIN": split, "handing over": each["handing_over"], "degraded": each["degraded"]}
    shown = ", ".join(aside for aside, so in asides.items() if so)
    return f"{each['state']} ({shown})" if shown else str(each["state"])


def _row(each: Record) -> list[str]:
    effective, configured = each["effective_priority"], each["priority"]
    shown = [address["address"] for address in each["addresses"]]
    addresses = shown[0] if len(shown) == 1 else f"{shown[0]} +{len(shown) - 1}"
    return [
        each["name"],
        str(each["vrid"]),
        _state(each),
        str(configured) if effective == configured else f"{effective}/{configured}",
        _master(each),
        addresses,
        span(each["since_seconds"]),
        each["reason"],
        ", ".join(_check(check) for check in each["checks"]) or "-",
    ]


def _master(each: Record) -> str:
    master = each["master"]
    if master is None:
        return "nobody heard"
    return "this router" if master["self"] else f"{master['address']} ({master['priority']})"


def _check(check: Record) -> str:
    if check["healthy"] is None:
        return f"{check['name']} unknown"
    if check["healthy"]:
        return f"{check['name']} ok {check['duration'] * 1000:.0f}ms"
    return f"{check['name']} FAILED"


def _remarks(each: Record) -> list[str]:
    name = each["name"]
    remarks = [f"{name}: {_rival(rival)}" for rival in each["split_brain"]]
    remarks += _reasons(each)
    remarks += [
        f"{name}: check {check['name']} ({check['weight']:+d}): {check['detail']}"
        for check in each["checks"]
        if check["healthy"] is False and not check["critical"]
    ]
    if (device := each.get("device")) and device["up"]:
        remarks.append(f"{name}: answers from {device['mac']} on {device['name']}")
    held = [address["address"] for address in each["addresses"] if address["state"] == "held"]
    if held:
        remarks.append(f"{name}: holds {', '.join(held)} until another router claims it")
    remarks += [f"{name}: peer {peer} differs: {words}" for peer, words in each["peers_differ"].items()]
    refused = each["last_refused"]
    if refused and refused["at"] < 60:
        remarks.append(
            f"{name}: refused an advert from {refused['source']} {span(refused['at'])} ago: "
            f"{refused['reason']}: {refused['detail']}"
        )
    return remarks


def _rival(rival: Record) -> str:
    if rival["evidence"] == "advert":
        return f"SPLIT BRAIN: {rival['peer']} (priority {rival['priority']}) is MASTER too"
    more = f" and {rival['addresses'] - 1} more" if rival["addresses"] > 1 else ""
    if rival["over"]:
        ago = span(rival["heard_seconds"])
        return f"{rival['mac']} claimed {rival['address']}{more} {ago} ago: see that no other router holds it"
    what = f"{rival['mac']} also claims {rival['address']}{more} (heard {span(rival['heard_seconds'])} ago)"
    return f"SPLIT BRAIN: {what}: another VRID, version or password there?"


def _reasons(each: Record) -> list[str]:
    """Why it is in this state."""
    name, state = each["name"], _state(each)
    if each["handing_over"]:
        return [f"{name}: has said goodbye: waits for a router that takes over"]
    if each["degraded"]:
        state = "degraded, for nobody else takes over"
    reasons = [f"{name}: {state}: {cause['reason']}: {cause['detail']}" for cause in each["causes"]]
    return reasons or ([f"{name}: {state}: {each['detail']}"] if each["detail"] else [])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--since", type=int, default=None, metavar="SEQ", help="Begin after this sequence number.")
@click.option(
    "-n", "count", type=click.IntRange(0), default=None, metavar="N", help="Show the last N events, then follow."
)
@click.option("--no-follow", is_flag=True, help="Show the events that are there, all unless told otherwise, and end.")
@click.pass_obj
def events(socket: str, as_json: bool, since: int | None, count: int | None, no_follow: bool) -> None:  # noqa: FBT001
    """Follow the live events; with --since or -n, earlier ones first."""
    request: Record = {"do": "events", "follow": not no_follow}
    if no_follow or since is not None or count is not None:
        request |= {"since": since or 0, "n": count if count is not None else 1000}
    lines = stream(socket, request)
    next(lines)  # the snapshot
    for event in lines:
        click.echo(json.dumps(event, ensure_ascii=False) if as_json else sentence(event))
    if not no_follow:
        click.echo("hafw: the daemon ended the stream: it stopped, or this reader was too slow", err=True)
        sys.exit(UNREACHABLE)


def sentence(event: Record) -> str:
    """One event as one line."""
    shown = {key: value for key, value in event.items() if key not in {"seq", "time", "type", "vrid", "interface"}}
    if event["type"] == "state_changed":
        move = f"{shown.pop('instance')} {shown.pop('from')} -> {shown.pop('to')}"
        shown = {"": move, **shown}
    elif event["type"] == "group_changed":
        move = f"{shown.pop('group')} {shown.pop('from')} -> {shown.pop('to')}"
        shown = {"": move, **shown}
    words = " ".join(f"{key}={value}" if key else str(value) for key, value in shown.items())
    return f"{event['time']}  {event['type']:<18} {words}"


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def history(socket: str, name: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Transitions since the daemon started, with their reasons; NAME: of one instance or group."""
    transitions = ask(socket, {"do": "history"})["transitions"]
    if name is None or any(each.get("group") == name for each in transitions):
        transitions = [each for each in transitions if name in {None, each.get("group")}]
    else:
        transitions = [each for each in transitions if each["instance"] == name and "group" not in each]
    if as_json:
        click.echo(json.dumps(transitions, ensure_ascii=False, indent=2))
        return
    rows = [["TIME", "INSTANCE", "FROM", "TO", "REASON", "PRIORITY", "PEER", "DETAIL"]]
    keys = ("time", "instance", "from", "to", "reason", "priority", "peer", "detail")
    rows += [[str({**each, "instance": _whom(each)}.get(key, "")) for key in keys] for each in transitions]
    click.echo(table(rows))


def _whom(event: Record) -> str:
    return f"group {event['group']}" if "group" in event else str(event["instance"])


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def plugins(socket: str, as_json: bool) -> None:  # noqa: FBT001
    """Name, package, state, hooks, failures and why."""
    answer = ask(socket, {"do": "plugins"})["plugins"]
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    rows = [["PLUGIN", "PACKAGE", "STATE", "HOOKS", "CALLS", "FAILURES", "RESTARTS", "LAST ERROR"]]
    for each in answer:
        package = " ".join(part for part in (each["package"], each["version"]) if part)
        numbers = [str(each[key]) for key in ("calls", "failures", "restarts")]
        rows.append(
            [each["name"], package, each["state"], " ".join(each["hooks"]), *numbers, each["last_error"] or "-"]
        )
    click.echo(table(rows))
