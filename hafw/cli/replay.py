"""``hafw replay``: a journal through today's code, and the first thing that it does differently."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hafw.cli.client import FAILED
from hafw.cli.words import counted, table

if TYPE_CHECKING:
    from hafw.sim.replay import Account, Step
    from hafw.vrrp.actions import Transition

BAD_JOURNAL = 2
"""Exit code: as for every wrong usage."""
SHOWN = 20
"""Transitions that are shown, the last ones."""


@click.command(
    epilog="Example: hafw replay /var/lib/hafw/journal.jsonl\n\nHow to record a journal: docs/journal.md",
)
@click.argument("journal", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every transition.")
def replay(journal: Path, *, as_json: bool) -> None:
    """Live through JOURNAL once more: the recorded events, at the recorded times, in today's code.

    Prints what happened, or the first step that comes out differently. Nothing is sent, and no root is needed.

    Exit codes: 0 today's code does the same, 1 it does something else, 2 the journal makes no sense.
    """
    account = _account(journal)
    if as_json:
        click.echo(json.dumps(_document(account), ensure_ascii=False))
    else:
        click.echo(_told(str(journal), account))
    sys.exit(FAILED if account.difference else 0)


def _account(path: Path) -> Account:
    from hafw.sim.replay import BadJournal, replay  # noqa: PLC0415 - not needed for --help

    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return replay(lines)
    except BadJournal as error:
        click.echo(f"hafw replay: {path}:{error}", err=True)
    except OSError as error:
        click.echo(f"hafw replay: {path}: cannot be read: {(error.strerror or str(error)).lower()}", err=True)
    sys.exit(BAD_JOURNAL)


def _told(path: str, account: Account) -> str:
    lines = [f"{path}: {_of_host(host, notes)}" for host, notes in account.hosts.items()]
    lines += [f"line {number} was cut off: the recorder died or the disk was full" for number in account.cut_off]
    if account.lost:
        lines.append(f"{counted(account.lost, 'event')} could not be recorded, the journal goes on after them")
    if account.untold:
        lines.append(f"{counted(account.untold, 'action')} not compared: the journal did not know those routers yet")
    counts = [counted(account.events, "event"), counted(account.actions, "action")]
    counts.append(counted(len(account.transitions), "transition"))
    lines.append(f"{', '.join(counts)} in {account.seconds:.3f} s: {'the same' if not account.difference else 'then'}")
    if account.difference:
        return "\n".join([*lines, "", _difference(path, account)])
    if len(account.transitions) > SHOWN:
        lines.append(f"the last {SHOWN} transitions; --json has all")
    rows = [_row(*each) for each in account.transitions[-SHOWN:]]
    return "\n".join([*lines, *([table(rows)] if rows else [])])


def _of_host(host: str, notes: dict[str, Any]) -> str:
    rest = [f"{key} {_plain(value)}" for key, value in notes.items()]
    return ", ".join([*([host] if host else []), *rest])


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(at: float, host: str, each: Transition) -> tuple[str, ...]:
    return f"{at:10.3f}", host, each.router, f"{each.old} -> {each.new}", each.reason


def _difference(path: str, account: Account) -> str:
    found = account.difference
    assert found is not None
    lines = [line for step in found.before for line in (_step(path, step), *(f"    {each}" for each in step.actions))]
    lines.append(_step(path, found.step))
    return "\n".join([*lines, *_compared(found.step.actions, found.actual)])


def _step(path: str, step: Step) -> str:
    host = f"{step.host} " if step.host else ""
    return f"{path}:{step.line}: {step.at:.3f} {host}{step.event}"


def _compared(recorded: tuple[str, ...], actual: tuple[str, ...]) -> list[str]:
    """As a diff has it, in order."""
    from difflib import ndiff  # noqa: PLC0415 - not needed for --help

    marked = [each for each in ndiff(recorded, actual) if not each.startswith("?")]
    return ["    - recorded, + now:", *(f"    {each}" for each in marked or ["  (no action)"])]


def _document(account: Account) -> dict[str, Any]:
    transitions = [
        {"at": round(at, 6), "host": host, "instance": each.router, "from": each.old, "to": each.new}
        | {"reason": each.reason}
        for at, host, each in account.transitions
    ]
    found = account.difference
    return {
        "same": found is None,
        "hosts": account.hosts,
        "lives": account.lives,
        "events": account.events,
        "actions": account.actions,
        "seconds": round(account.seconds, 6),
        "lost": account.lost,
        "not_compared": account.untold,
        "cut_off": account.cut_off,
        "transitions": transitions,
        "difference": found
        and {
            "line": found.step.line,
            "at": round(found.step.at, 6),
            "host": found.step.host,
            "event": found.step.event,
            "recorded": found.step.actions,
            "actual": found.actual,
        },
    }
