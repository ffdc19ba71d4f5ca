"""``hafw demo``: three routers, a client and nginx on this machine, scripted failures, measured outages."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from hafw.lab.scenario import Row


@click.command()
@click.option("--fast", is_flag=True, help="VRRPv3 with an advert every 100 ms; the whole demo in half the time.")
def demo(fast: bool) -> None:  # noqa: FBT001  (click's flag)
    """Show failovers on this machine, in namespaces of its own, without root.

    Kills nginx, kills the daemon and cuts the link of the MASTER, brings each back, and measures what a client saw.
    The exit status is 0 only if every failover happened.
    """
    from hafw.lab import namespaces  # noqa: PLC0415
    from hafw.lab.network import Lab  # noqa: PLC0415
    from hafw.lab.scenario import Cluster, DemoFailed, play  # noqa: PLC0415
    from hafw.lab.screen import Screen  # noqa: PLC0415

    signal.signal(signal.SIGTERM, _stop)
    rows: list[Row] = []
    try:
        one_user = namespaces.enter()
        with Lab() as lab:
            cluster = Cluster(lab, one_user=one_user, fast=fast)
            for difference in cluster.differences():
                click.echo(f"not as in examples/classic: {difference}")
            live = sys.stdout.isatty() and Screen.fits()
            screen = Screen(cluster, sys.stdout, live=live, colour=live and "NO_COLOR" not in os.environ)
            rows.extend(play(cluster, screen.say))
            screen.finish(rows)
    except (namespaces.LabRefused, DemoFailed) as error:
        click.echo(f"hafw demo: {error}", err=True)
        sys.exit(1)
    if not all(row.winner for row in rows):
        click.echo("hafw demo: not every failover happened", err=True)
        sys.exit(1)


def _stop(_number: int, _frame: object) -> NoReturn:
    """Leave through the lab's own end, so that nothing stays behind."""
    raise SystemExit(128 + signal.SIGTERM)
