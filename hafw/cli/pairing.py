"""``hafw check --pair``: the file of another router, read and compared."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hafw.config import ConfigErrors, load
from hafw.config.file import named_nodes
from hafw.config.lines import Lines
from hafw.config.pair import Side, compare
from hafw.config.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.config import Config

_CANNOT_RUN = 3


def compared(own: Config, path: str, others: Sequence[str]) -> list[Problem]:
    """What is wrong between this router and every other one that ``others`` name, as ``FILE`` or ``NAME=FILE``.

    Ends the program with the other file's own mistakes where it has any.
    """
    lines = Lines.read(path)
    found: list[Problem] = []
    for text in others:
        for config, file in _others(own, path, text):
            alike = config.node_name == own.node_name
            other = Side(config, file, Lines.read(file), file if alike else config.node_name)
            if alike and (_name(path), _name(file)) == (own.node_name, own.node_name):
                message = f'= "{own.node_name}": {other.place("node.name")} has the same: each router needs its own'
                found.append(Problem("node.name", message, severity="warning"))
            found += compare(Side(own, path, lines, path if alike else own.node_name), other)
    return lines.place(found)


def _others(own: Config, path: str, text: str) -> Iterator[tuple[Config, str]]:
    """Every router that this option means: one, or all others of a file that names its routers."""
    name, separator, file = text.partition("=")
    if not separator or Path(text).exists():
        name, file = "", text
    same = Path(file).exists() and Path(file).samefile(path)
    named = [each for each in named_nodes(file) if each != own.node_name]
    if same and not named and not name:
        raise click.BadParameter(
            f"{text}: is the file itself, and it names no other router: name the file of the other one",
            param_hint="--pair",
        )
    nodes: list[str | None] = [name] if name else [*named]
    for node in nodes or [None]:
        try:
            yield load(file, node, machine=False)[0], file
        except ConfigErrors as errors:
            for problem in errors.problems:
                click.echo(problem.render(file), err=True)
            click.echo(f"{file}: has mistakes of its own: mend them first, then compare", err=True)
            sys.exit(_CANNOT_RUN)


def _name(path: str) -> str:
    """What ``[node] name`` says, if it says it literally: the host name of the other machine is not known here."""
    name = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("node", {}).get("name", "")
    return name if isinstance(name, str) and "$" not in name else ""
