"""docs/commands.md is what the command line says of itself. ``make reference`` writes it anew."""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from typing import TYPE_CHECKING, Final

import click
from pages import ROOT

from hafw.cli.verbs import VERBS, cli

if TYPE_CHECKING:
    from collections.abc import Iterator

UPDATE = "HAFW_UPDATE_DOCS" in os.environ
PAGE = ROOT / "docs/commands.md"
HEAD: Final = """\
# Commands

<!-- Written by `make reference` from the help of the commands. Change the help instead. -->

Every command of `hafw`, as `hafw COMMAND --help` has it. Which of them an operator needs when, with examples: the
[how-to pages](README.md). Between `hafw` and the command, or behind it:
"""
EXITS: Final = """\
## Exit codes

| code | meaning |
|---|---|
| 0 | fine |
| 1 | it failed: the last line on stderr says why |
| 2 | wrong usage: no such command, option or value |
| 3 | the configuration cannot run |
| 4 | the configuration has warnings, with `--strict`; `hafw import` left something to decide |
| 5 | a script or a plugin could be changed by others than the user it runs as |
| 6 | no daemon could be reached, or it does not answer: its state is unknown |
| 7 | a capability is missing: not root |

What is asked for goes to stdout, everything else to stderr; with `--json` stdout is one document, or of a stream one
object per line. `NO_COLOR` leaves colours out.
"""


def chapter(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    """One verb; those below it, if it has any."""
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(context.get_usage().removeprefix("Usage: ").split())
    usage = re.sub(r"\[(\[[^]]*])]", r"\1", usage)  # click before 8.4.2 puts a choice that may be left out into two
    yield f"## `{context.command_path}`"
    yield from paragraphs(command.help or "")
    yield f"```\n{usage}\n```"
    if rows := options(command, context):
        yield table(rows)
    yield from paragraphs(command.epilog or "")
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from chapter(each, below, context)


def options(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    """Names and help; ``--help`` is everywhere."""
    records = (each.get_help_record(context) for each in command.params if isinstance(each, click.Option))
    return [(names, " ".join(words.split())) for names, words in filter(None, records)]


def table(rows: list[tuple[str, str]]) -> str:
    escaped = [(names.replace("|", "\\|"), words.replace("|", "\\|")) for names, words in rows]
    return "\n".join(["| option | meaning |", "|---|---|", *(f"| `{names}` | {words} |" for names, words in escaped)])


def paragraphs(text: str) -> Iterator[str]:
    for each in inspect.cleandoc(text).split("\n\n"):
        if each.startswith("\b\n"):  # click's mark for lines that stay as they are
            yield f"```\n{textwrap.dedent(each[2:])}\n```"
        elif each.strip():
            linked = re.sub(r"\bdocs/([\w-]+)\.md", r"[\1](\1.md)", " ".join(each.split()))
            yield textwrap.fill(linked, 120, break_on_hyphens=False, break_long_words=False)


def whole() -> str:
    root = click.Context(cli, info_name="hafw")
    parts = [HEAD.rstrip(), table([*options(cli, root), ("-h, --help", "Help for hafw, or for the command.")])]
    for name in VERBS:
        command = cli.get_command(root, name)
        assert command is not None
        parts += chapter(name, command, root)
    return "\n\n".join([*parts, EXITS])


def test_the_page_has_every_command_as_the_help_has_it():
    if UPDATE:
        PAGE.write_text(whole(), "utf-8")
    assert PAGE.read_text("utf-8") == whole(), "make reference"


def test_every_command_and_option_says_what_it_does():
    root = click.Context(cli, info_name="hafw")
    wordless = [
        f"hafw {name} {names}"
        for name in VERBS
        if (command := cli.get_command(root, name)) is not None
        for names, words in options(command, click.Context(command, info_name=name, parent=root))
        if len(words) < 5
    ]
    assert wordless == []
