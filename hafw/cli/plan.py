"""``hafw plan``: what a takeover and a release would do, before either happens."""

from __future__ import annotations

import click
import trio

from hafw.cli.check import load_or_exit


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--node", default=None, metavar="NAME", help="Plan for this router, not for this machine.")
def plan(config: str, node: str | None) -> None:
    """Show what a router would do with CONFIG: every address, frame and hook, in order.

    First on becoming MASTER, then on leaving. Nothing is bound, sent or called.
    """
    loaded = load_or_exit(config, node)
    from hafw.daemon.plan import describe_takeovers  # noqa: PLC0415  (heavy)

    click.echo(trio.run(describe_takeovers, loaded))
