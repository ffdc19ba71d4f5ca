"""The verbs that change something: reload and cleanup."""

from __future__ import annotations

import sys

import click

from hafw.cli.client import ask
from hafw.guard import cleanup as execute_will


@click.command()
@click.pass_obj
def reload(socket: str) -> None:
    """Read the configuration again: a good one is applied whole, a bad one changes nothing."""
    answer = ask(socket, {"do": "reload"})
    for line in answer["changes"] or ["nothing to change"]:
        click.echo(line)


@click.command()
def cleanup() -> None:
    """Release the addresses that a dead daemon left behind; refuses beside a live one."""
    sys.exit(execute_will())
