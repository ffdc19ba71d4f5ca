"""``hafw run``: the daemon in the foreground."""

from __future__ import annotations

import sys
from dataclasses import replace

import click
import trio

from hafw.cli.check import load_or_exit
from hafw.config.model import JournalConfig
from hafw.config.system import missing_capabilities
from hafw.wire.systemd import priority

CAPABILITY_MISSING = 7


@click.command()
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--node", default=None, metavar="NAME", help="Name of this router, instead of the host name.")
@click.option("--dry-run", is_flag=True, help="Elect and log; send, bind and run nothing.")
@click.pass_obj
def run(socket: str, config: str, node: str | None, dry_run: bool) -> None:  # noqa: FBT001  (click's flag)
    """Run the daemon on CONFIG, in the foreground."""
    loaded = load_or_exit(config, node)
    if socket:
        loaded = replace(loaded, control_socket=socket)
    if dry_run:
        loaded = replace(loaded, journal=JournalConfig())  # that of the real daemon is not to be written by two
    missing = missing_capabilities()
    if missing:
        way_out = f"run as root, or grant them (systemd: AmbientCapabilities={' '.join(missing)})"
        click.echo(f"{priority('error', sys.stderr)}hafw: {' and '.join(missing)} missing: {way_out}", err=True)
        sys.exit(CAPABILITY_MISSING)
    # Heavy imports only here, and only once it is clear that the daemon can run.
    from hafw.daemon.observe import start_logging  # noqa: PLC0415
    from hafw.daemon.resume import life  # noqa: PLC0415
    from hafw.daemon.run import Daemon  # noqa: PLC0415

    writer = start_logging()

    async def daemon() -> None:
        await Daemon(loaded, writer, dry_run=dry_run, life=life()).run()

    try:
        trio.run(daemon)
    except* OSError as errors:
        for error in errors.exceptions:
            click.echo(f"{priority('error', sys.stderr)}hafw: {error}", err=True)
        sys.exit(1)
    finally:
        writer.close()
