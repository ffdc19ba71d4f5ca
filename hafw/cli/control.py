"""The verbs that change something: reload, reexec and cleanup."""

from __future__ import annotations

import sys
import time

import click

from hafw.cli.client import FAILED, ask, attempt
from hafw.guard import cleanup as execute_will

RELOAD_TIMEOUT = 60.0
"""Seconds: routers that leave hand over first."""
REEXEC_TIMEOUT = 90.0
"""Seconds: the installed code is tried first."""
SUCCESSOR_TIMEOUT = 20.0
"""Seconds until the new daemon answers: plugins are told what they have not heard yet, and ended."""
LOOK_AGAIN = 0.1


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.pass_obj
def reload(socket: str, *, dry_run: bool) -> None:
    """Read the configuration again: a good one is applied whole, a bad one changes nothing."""
    answer = ask(socket, {"do": "reload", "dry_run": dry_run}, timeout=RELOAD_TIMEOUT)
    for line in answer["changes"] or ["nothing to change"]:
        click.echo(line)


@click.command()
@click.pass_obj
def reexec(socket: str) -> None:
    """Let the running daemon go on with the installed code: no failover, no address is released.

    The installed code is tried first; if it does not start, nothing is changed. The guard, the daemon's parent, goes on
    as it is until the next restart.
    """
    old = ask(socket, {"do": "reexec"}, timeout=REEXEC_TIMEOUT)["pid"]
    until = time.monotonic() + SUCCESSOR_TIMEOUT
    while time.monotonic() < until:
        status = attempt(socket, {"do": "status"})
        if status is not None and status["pid"] != old:
            states = ", ".join(f"{each['name']} {each['state']}" for each in status["instances"])
            click.echo(f"hafw {status['version']} goes on as pid {status['pid']} (was {old}): {states}")
            return
        time.sleep(LOOK_AGAIN)
    click.echo(f"hafw: no new daemon within {SUCCESSOR_TIMEOUT:g}s: see its log and `hafw status`", err=True)
    sys.exit(FAILED)


@click.command()
def cleanup() -> None:
    """Release the addresses that a dead daemon left behind; refuses beside a live one."""
    sys.exit(execute_will())
