"""The verb that follows the events, over the end of a daemon and the beginning of the next."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from hafw.cli.client import DEFAULT_SOCKET, Refused, Unreachable, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

AGAIN_FOR = 15.0
"""Seconds in which the next daemon has to answer."""
LOOK_AGAIN = 0.2
NEWEST = 1000
"""As many as the daemon keeps."""


@click.command(epilog="What each event means, and what to do: docs/runbook.md")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--since", type=click.IntRange(0), default=None, metavar="SEQ", help="Begin after this sequence number.")
@click.option(
    "-n", "count", type=click.IntRange(0), default=None, metavar="N", help="Show the last N events, then follow."
)
@click.option("--no-follow", is_flag=True, help="Show the events that are there, all unless told otherwise, and end.")
@click.pass_obj
def events(socket: str, as_json: bool, since: int | None, count: int | None, no_follow: bool) -> None:  # noqa: FBT001
    """Follow the live events until Ctrl-C; with --since or -n, earlier ones first.

    When the daemon is restarted, it goes on with the next one. Where events are missing, a line `gap` says so.
    """
    request: Record = {"do": "events", "follow": not no_follow, "since": since, "n": count}
    if no_follow and since is None and count is None:
        request["n"] = NEWEST
    shown = _once(socket, request) if no_follow else _over_restarts(socket, request)
    for event in shown:
        click.echo(json.dumps(event, ensure_ascii=False) if as_json else sentence(event))


def _once(socket: str, request: Record) -> Iterator[Record]:
    lines = stream(socket, request)
    next(lines, None)  # the snapshot
    yield from lines


def _over_restarts(socket: str, request: Record) -> Iterator[Record]:
    """Every event, from whichever daemon; ends the program when none answers for ``AGAIN_FOR`` seconds."""
    until = 0.0  # the first one has to be there
    while True:
        try:
            yield from _of_one(socket, request)
            until = time.monotonic() + AGAIN_FOR
            click.echo("hafw: the daemon ended the stream: waiting for the next one", err=True)
        except Refused as error:
            if error.kind != "dropped":
                raise
            error.show()
        except Unreachable:
            if time.monotonic() >= until:
                raise
        time.sleep(LOOK_AGAIN)


def _of_one(socket: str, request: Record) -> Iterator[Record]:
    """The events of one daemon; ``request`` is made to ask the next one for what comes after them."""
    lines = stream(socket, request)
    head = next(lines, None)
    if head is None:
        raise Unreachable(socket or DEFAULT_SOCKET, "it closed the connection without an answer")
    request["stream"] = head["stream"]
    if request["since"] is None and request["n"] is None:
        request["since"] = head["seq"]
    for event in lines:
        if "seq" in event:
            request |= {"since": event["seq"], "n": None}
        yield event


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
