"""``hafw sim``: a scenario on a simulated LAN, as a timeline in the terminal and as a picture."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hafw.cli.client import FAILED

if TYPE_CHECKING:
    from hafw.sim.excerpt import Excerpt
    from hafw.sim.play import Played
    from hafw.sim.script import Script
    from hafw.sim.stage import Configurations

BAD_SCRIPT = 2
"""Exit code: as for every wrong usage."""


@click.command(
    epilog="Example: hafw sim examples/scenarios/failover.txt --svg failover.svg\n\n"
    "How to write a scenario: docs/simulation.md"
)
@click.argument("scenario", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also draw it here.")
@click.option("--from", "start", metavar="TIME", help="Draw from here on, such as 9.9s.")
@click.option("--to", "end", metavar="TIME", help="Draw up to here.")
@click.option("--lines", is_flag=True, help="Print the scenario with its whole output instead of the timeline.")
@click.option("--update", is_flag=True, help="Write the output into SCENARIO, below each command.")
@click.option("--plain", is_flag=True, help="ASCII only, without colours.")
def sim(  # noqa: PLR0913 - click's options
    scenario: Path, *, svg: Path | None, start: str | None, end: str | None, lines: bool, update: bool, plain: bool
) -> None:
    """Play SCENARIO: real routers on a simulated LAN, in virtual time.

    Prints when each router was what, and who had each address. Nothing is sent, no root is needed, and the same
    scenario always takes the same course.

    Exit codes: 0 all went as the scenario says, 1 an expectation failed, 2 the scenario makes no sense.
    """
    from hafw.sim.excerpt import Excerpt  # noqa: PLC0415 - not needed for --help

    window = _seconds(start, "--from"), _seconds(end, "--to")
    played = _played(scenario)
    excerpt = Excerpt(played.story, window[0] or 0.0, window[1])
    click.echo(
        played.script.rewritten(played.outputs) if lines else _timeline(played.script.title, excerpt, plain=plain)
    )
    if svg is not None:
        from hafw.sim.svg import draw  # noqa: PLC0415 - for this option alone

        _write(svg, draw(played.script.title, excerpt))
    if update and not played.failure:
        _write(scenario, played.script.rewritten(played.outputs))
    elif failure := played.failure or _difference(played.script, played):
        click.echo(f"hafw sim: {failure}", err=True)
        sys.exit(FAILED)


def _played(path: Path) -> Played:
    from hafw.sim.play import BadScript, play  # noqa: PLC0415 - not needed for --help
    from hafw.sim.script import read  # noqa: PLC0415

    try:
        return play(read(path.read_text("utf-8"), str(path)), lambda name: _configurations(path.parent / name))
    except BadScript as error:
        click.echo(f"hafw sim: {error}", err=True)
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "must be UTF-8 text"
        click.echo(f"hafw sim: {path}: cannot be read: {why}", err=True)
    sys.exit(BAD_SCRIPT)


def _configurations(path: Path) -> Configurations:
    """What every router of a configuration file would run."""
    from hafw.cli.cluster import instances_by_node  # noqa: PLC0415
    from hafw.config import ConfigErrors  # noqa: PLC0415
    from hafw.sim.grammar import Mistake  # noqa: PLC0415

    try:
        return instances_by_node(path)
    except ConfigErrors as errors:
        raise Mistake(f"config: {errors.problems[0].render(str(path))}") from None


def _difference(script: Script, played: Played) -> str:
    if not script.is_recorded:
        return ""
    difference = script.difference(played.outputs)
    return f"{difference}\n  (--update writes what came into the file)" if difference else ""


def _timeline(title: str, excerpt: Excerpt, *, plain: bool) -> str:
    from hafw.sim.timeline import draw  # noqa: PLC0415

    plain = plain or "utf" not in (sys.stdout.encoding or "").lower()
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and not plain
    return draw(title, excerpt, width=shutil.get_terminal_size().columns, colour=colour, plain=plain)


def _seconds(text: str | None, option: str) -> float | None:
    from hafw.sim.grammar import Mistake, duration  # noqa: PLC0415

    if text is None:
        return None
    try:
        return duration(text)
    except Mistake as mistake:
        raise click.BadParameter(str(mistake), param_hint=option) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        click.echo(f"hafw sim: {path}: cannot be written: {(error.strerror or str(error)).lower()}", err=True)
        sys.exit(FAILED)
