"""The verbs that move a router on purpose: handover and maintenance."""

from __future__ import annotations

import sys
from typing import Any

import click

from hafw.cli.client import FAILED, ask
from hafw.cli.words import brief, on_leave

Record = dict[str, Any]
PATIENCE = 15.0
"""Seconds beyond what the protocol waits for a successor: the ``before_release`` hooks, and thousands of addresses."""


@click.command()
@click.argument("name", required=False)
@click.option("--force", is_flag=True, help="Release even if no other router takes over.")
@click.option("--wait", is_flag=True, help="Also wait until every address was claimed or released.")
@click.pass_obj
def handover(socket: str, name: str | None, *, force: bool, wait: bool) -> None:
    """Let another router take over, without a gap; NAME: only this instance, and those of its sync group.

    The address stays here, answering, until the other one claims it. When nobody takes over it stays for good, and the
    exit code is 1. Afterwards this router does not take the role back while its successor lives.
    """
    request: Record = {"do": "handover", "force": force, "wait": wait} | ({"instance": name} if name else {})
    moved = ask(socket, request, timeout=_patience(socket))["instances"]
    if name and moved[1:]:
        click.echo(f"{name} is in group {moved[0]['group']}, which moves as one: {_listed(moved)}")
    for each in moved:
        line, well = told(each)
        click.echo(line, err=not well)
    if not all(told(each)[1] for each in moved):
        sys.exit(FAILED)


@click.command()
@click.argument("switch", required=False, type=click.Choice(["on", "off"]))
@click.option("--for", "length", metavar="DURATION", help="It ends by itself after this time, such as 30m.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who look at the status.")
@click.option("--force", is_flag=True, help="Release even if no other router takes over.")
@click.pass_obj
def maintenance(socket: str, switch: str | None, length: str | None, reason: str, *, force: bool) -> None:
    """Keep every router of this machine BACKUP whatever happens, also over a restart; without a word: show it.

    What is MASTER hands over first; where nobody takes over, it is refused and the exit code is 1.
    """
    if switch != "on" and (length or reason or force):
        raise click.UsageError("--for, --reason and --force belong to `hafw maintenance on`")
    request: Record = {"do": "maintenance"}
    if switch == "on":
        request |= {"on": True, "for": _seconds(length), "reason": reason, "force": force}
    elif switch == "off":
        request |= {"on": False}
    answer = ask(socket, request, timeout=_patience(socket))
    for each in answer.get("instances", []):
        if each["successor"] or each["seconds"] is not None:
            click.echo(told(each)[0])
    click.echo(on_leave(answer["maintenance"]))


def _seconds(length: str | None) -> float | None:
    from hafw.config.values import parse_duration  # noqa: PLC0415  (the configuration is not needed for --help)

    if length is None:
        return None
    try:
        return parse_duration(length)
    except ValueError as error:
        raise click.BadParameter(f"{length}: {error}", param_hint="--for") from None


def _patience(socket: str) -> float:
    """Seconds after which a daemon that does not answer has to be called hung: peers have their own time to answer."""
    instances = ask(socket, {"do": "status"})["instances"]
    return PATIENCE + 2 * max(float(each["master_down_interval"]) for each in instances)


def _listed(moved: list[Record]) -> str:
    return ", ".join(each["instance"] for each in moved)


# -- words ------------------------------------------------------------------------------------------------------


def told(moved: Record) -> tuple[str, bool]:
    """How a handover of one router ended, and whether that is what was asked for."""
    name, state = moved["instance"], moved["state"]
    if moved["outcome"] == "taken over":
        return f"{name}: {moved['successor'] or 'another router'} took over after {brief(moved['seconds'])}", True
    if moved["outcome"] != "nobody took over":
        return f"{name}: {state}: nothing to hand over", True
    waited = f"{name}: nobody took over within {brief(moved['seconds'])}"
    if state == "MASTER":
        return f"{waited}: still MASTER here; is another router up and healthy? `--force` releases anyway", False
    if state == "BACKUP":
        return f"{waited}: released all the same; this router takes it back if it goes on hearing nobody", True
    return f"{waited}: released; this router is in {state}", True
