"""The verbs that change something: reload and cleanup."""

from __future__ import annotations

import sys

import click

from hafw.cli.client import ask
from hafw.guard import cleanup as execute_will

RELOAD_TIMEOUT = 60.0
"""Seconds: routers that leave hand over first."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.pass_obj
def reload(socket: str, *, dry_run: bool) -> None:
    """Read the configuration again: a good one is applied whole, a bad one changes nothing."""
    answer = ask(socket, {"do": "reload", "dry_run": dry_run}, timeout=RELOAD_TIMEOUT)
    for line in answer["changes"] or ["nothing to change"]:
        click.echo(line)


@click.command()
def cleanup() -> None:
    """Release the addresses that a dead daemon left behind; refuses beside a live one."""
    sys.exit(execute_will())
