"""``hafw plugins new``: what is wanted, checked, and the first steps with what was written."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import click

from hafw.cli.client import FAILED
from hafw.config.plugins import installed_plugins
from hafw.scaffold import LICENCES, Order, render, write
from hafw.scaffold.hooks import HOOKS
from hafw.scaffold.kinds import KINDS
from hafw.scaffold.names import Names, mistake

_AUTHOR = re.compile(r"([^<>]*?)\s*(?:<([^<>@\s]+@[^<>@\s]+)>)?")
GIT_SECONDS = 5.0


@click.command()
@click.argument("name")
@click.option(
    "--hook",
    "hooks",
    multiple=True,
    type=click.Choice(list(HOOKS)),
    help="What it begins with; more than once for several (default: check).",
)
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    help="In place of hooks: notifier tells somebody what happens, role makes a service fit MASTER or BACKUP.",
)
@click.option(
    "--license",
    "licence",
    type=click.Choice(LICENCES),
    default="MIT",
    show_default=True,
    help="Its licence, by its SPDX name; none: nobody else may use it, and nothing is published.",
)
@click.option(
    "--into",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    default=".",
    show_default=True,
    metavar="DIR",
    help="The folder in which its folder is made.",
)
@click.option("--author", metavar="'NAME <MAIL>'", help="Whose it is (default: as git knows you).")
def new(  # noqa: PLR0913 - click's options
    name: str, *, hooks: tuple[str, ...], kind: str | None, licence: str, into: Path, author: str | None
) -> None:
    """Write the package of a new plugin: hafw-NAME, with options, a passing test, and a workflow that releases it.

    Nothing that exists is overwritten. The first steps with it are told at the end.
    """
    if found := mistake(name, installed_plugins()):
        raise click.BadParameter(found, param_hint="NAME")
    if kind and hooks:
        raise click.UsageError(f"--kind {kind} brings its hooks: leave --hook out, and write others into the module")
    person, mail = _author(author) if author is not None else _git_author()
    order = Order(
        name=name,
        hooks=tuple(dict.fromkeys(hooks)) if hooks or kind else ("check",),
        kind=kind or "",
        licence=licence,
        author=person,
        email=mail,
        year=time.gmtime().tm_year,
    )
    folder = into / Names(name).distribution
    try:
        write(render(order), folder)
    except FileExistsError:
        raise click.BadParameter(
            f"{folder} exists, and nothing is overwritten: choose another name, or --into another folder",
            param_hint="NAME",
        ) from None
    except OSError as error:
        click.echo(f"hafw: {folder}: {(error.strerror or str(error)).lower()}: nothing was written", err=True)
        sys.exit(FAILED)
    click.echo(_first_steps(folder, Names(name)))


def _first_steps(folder: Path, names: Names) -> str:
    return f"""\
{folder}: the package {names.distribution}, which offers plugin {names.plugin}
next:
  cd {folder}
  python3 -m venv .venv && .venv/bin/pip install --editable '.[dev]'   # pip finds no hafw: see README.md, Change
  .venv/bin/pytest
  .venv/bin/hafw check config.toml   # without root: says which rights the daemon needs, and checks the rest
then change {names.module}/__init__.py and its test, and what README.md and pyproject.toml say of it"""


def _author(words: str) -> tuple[str, str]:
    """Name and mail, as git writes them. What cannot stand in a file of the package is refused."""
    matched = _AUTHOR.fullmatch(words.strip())
    if matched is None or not words.isprintable() or not matched[1]:
        raise click.BadParameter(f'"{words}": must be NAME or NAME <MAIL>', param_hint="--author")
    return matched[1], matched[2] or ""


def _git_author() -> tuple[str, str]:
    """As git would sign a commit here; empty where there is no git, or it does not know."""
    name, mail = _git("user.name"), _git("user.email")
    try:
        return _author(f"{name} <{mail}>" if mail else name)
    except click.BadParameter:
        return "", ""


def _git(key: str) -> str:
    try:
        done = subprocess.run(
            ["git", "config", "--get", key], capture_output=True, text=True, check=False, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip()
