"""The verbs that look at a running daemon: status, history."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from hafw.cli.client import FAILED, Unreachable, ask
from hafw.cli.standing import render
from hafw.cli.unknown import render_unknown, unknown_record
from hafw.cli.watching import look_again_and_again
from hafw.cli.words import table

Record = dict[str, Any]


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document; with --watch one per line.")
@click.option("--watch", is_flag=True, help="Show it again every second until Ctrl-C, whatever becomes of the daemon.")
@click.pass_obj
def status(socket: str, name: str | None, as_json: bool, watch: bool) -> None:  # noqa: FBT001  (click's flags)
    """Who is MASTER, since when, why; NAME shows one instance with its addresses and checks.

    When the daemon does not answer, its state is unknown, and what it left behind is shown; exit code 6.
    """
    if watch:
        look_again_and_again(lambda: _look(socket, name, as_json=as_json, lines=True), clears=not as_json)
        return
    text, why = _look(socket, name, as_json=as_json, lines=False)
    if text:
        click.echo(text)
    if why is not None:
        raise why


def _look(socket: str, name: str | None, *, as_json: bool, lines: bool) -> tuple[str, Unreachable | None]:
    """What is shown, and why nobody answered; ``lines``: JSON on one line."""
    indent = None if lines else 2
    try:
        answer = ask(socket, {"do": "status"})
    except Unreachable as why:
        unknown = unknown_record(why.path, why.why)
        text = json.dumps(unknown, ensure_ascii=False, indent=indent) if as_json else render_unknown(unknown)
        return text, why
    known = [each["name"] for each in answer["instances"]]
    if name and name not in known:
        click.echo(f"hafw: no instance {name!r} in {answer['config']}: there is {', '.join(known)}", err=True)
        sys.exit(FAILED)
    answer["instances"] = [each for each in answer["instances"] if name in {None, each["name"]}]
    answer["groups"] = [each for each in answer["groups"] if not name or name in each["members"]]
    if as_json:
        return json.dumps(answer, ensure_ascii=False, indent=indent), None
    return render(answer, details=name is not None), None


@click.command(epilog="What each reason means, and what to do: docs/runbook.md")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("-n", "count", type=click.IntRange(1), default=None, metavar="N", help="The last N only.")
@click.pass_obj
def history(socket: str, name: str | None, as_json: bool, count: int | None) -> None:  # noqa: FBT001
    """Transitions with their reasons, over restarts too, the newest last; NAME: of one instance or group."""
    transitions = ask(socket, {"do": "history"})["transitions"]
    if name is None or any(each.get("group") == name for each in transitions):
        transitions = [each for each in transitions if name in {None, each.get("group")}]
    else:
        transitions = [each for each in transitions if each["instance"] == name and "group" not in each]
    transitions = transitions[-count:] if count else transitions
    if as_json:
        click.echo(json.dumps(transitions, ensure_ascii=False, indent=2))
        return
    rows = [["TIME", "INSTANCE", "FROM", "TO", "REASON", "PRIORITY", "PEER", "DETAIL"]]
    keys = ("time", "instance", "from", "to", "reason", "priority", "peer", "detail")
    rows += [[str({**each, "instance": _whom(each)}.get(key, "")) for key in keys] for each in transitions]
    click.echo(table(rows))


def _whom(event: Record) -> str:
    return f"group {event['group']}" if "group" in event else str(event["instance"])
