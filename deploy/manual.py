"""The man pages: hafw(1) is made of the help of the commands, hafw.toml(5) of the types that read the configuration.

What a key means is told by docs/configuration.md, which has every key: a test compares it with the types.

``python deploy/manual.py FOLDER`` writes both; ``make man`` calls it.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import hafw
from hafw.cli.verbs import VERBS, cli
from hafw.config.plugins import PACKAGES
from hafw.config.schema import schema
from hafw.daemon.plugins.visiting import schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EXITS: Final = {
    "0": "Fine.",
    "1": "It failed: the last line on standard error says why.",
    "2": "Wrong usage: no such command, option or value.",
    "3": "The configuration cannot run.",
    "4": "The configuration has warnings, with --strict; hafw import left something to decide.",
    "5": "A script or a plugin could be changed by others than the user it runs as.",
    "6": "No daemon could be reached, or it does not answer: its state is unknown.",
    "7": "A capability is missing: not root.",
}
ENVIRONMENT: Final = {
    "HAFW_SOCKET": "The control socket, instead of /run/hafw/control.sock. hafw run makes it there.",
    "HAFW_RUN_DIR": "Where records and locks lie, instead of /run/hafw.",
    "HAFW_STATE_DIR": "Where maintenance is remembered, instead of /var/lib/hafw.",
    "HAFW_LOG": "How the log is written: console, logfmt or json.",
    "NO_COLOR": "No colours, if it is set.",
}
FILES: Final = {
    "/etc/hafw/config.toml": "The configuration that the systemd units run: see hafw.toml(5).",
    "/etc/default/hafw": "Variables of the units: OPTIONS for hafw run, and those below ENVIRONMENT.",
    "/run/hafw": "Control socket, and the record of what is bound, which hafw cleanup reads.",
    "/var/lib/hafw": "Maintenance, which outlives a reboot.",
}


def escape(text: str) -> str:
    """The same text for roff; a line must not begin with a dot or a quote, which would be a request."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").split("\n")
    return "\n".join(f"\\&{line}" if line[:1] in {".", "'"} else line for line in lines)


def head(name: str, section: int, about: str) -> Iterator[str]:
    """The first lines of a page; the day is the source's where a build says so, so that it can be repeated."""
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    yield f'.TH {name.upper()} {section} "{day}" "hafw {hafw.__version__}"'
    yield ".SH NAME"
    yield f"{escape(name)} \\- {escape(about)}"


def paragraphs(text: str) -> Iterator[str]:
    """Of a help text, to stand below a heading; what click leaves as it stands stays so."""
    for number, each in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        if each.startswith("\b\n"):
            yield f".nf\n{escape(each[2:])}\n.fi"
        else:
            yield escape(" ".join(each.split()))


def terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A list of words, each with what it means."""
    for term, meaning in pairs:
        word, blank, rest = term.partition(" (")
        yield f".TP\n\\fB{escape(word)}\\fR{escape(blank + rest)}\n{escape(' '.join(meaning.split()))}"


def options(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    """Names and help of its options, ``--help`` left out: every command has it."""
    records = (each.get_help_record(context) for each in command.params if isinstance(each, click.Option))
    return [record for record in records if record]


def verb(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    """One command, and those below it."""
    context = click.Context(command, info_name=name, parent=parent)
    yield f".SS {escape(' '.join(context.get_usage().removeprefix('Usage: ').split()))}"
    yield from paragraphs(command.help or "")
    yield from terms(options(command, context))
    if command.epilog:
        yield ".PP"
        yield from paragraphs(command.epilog)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from verb(each, below, context)


def commands_page() -> str:
    """hafw(1)."""
    root = click.Context(cli, info_name="hafw")
    lines = [*head("hafw", 1, "a virtual IP that moves to a healthy machine, with VRRP")]
    lines += [".SH SYNOPSIS", ".B hafw\n[\\-\\-socket PATH] COMMAND [ARGUMENT...]", ".SH DESCRIPTION"]
    lines += paragraphs(f"{cli.help}\n\nEach command has its own --help, which says the same as this page.")
    lines += [".SH OPTIONS", *terms([*options(cli, root), ("-h, --help", "Help for hafw, or for a command.")])]
    lines += [".SH COMMANDS"]
    for name in VERBS:
        command = cli.get_command(root, name)
        assert command is not None
        lines += verb(name, command, root)
    for title, pairs in (("EXIT STATUS", EXITS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines += [f".SH {title}", *terms(pairs.items())]
    lines += [".SH SEE ALSO", ".BR hafw.toml (5),\n.BR systemctl (1),\n.BR journalctl (1)"]
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """hafw.toml(5): the tables of the configuration, with those of every plugin that comes along."""
    whole = schema(schemas(sorted(PACKAGES)))
    lines = [*head("hafw.toml", 5, "configuration of hafw"), ".SH DESCRIPTION"]
    lines += paragraphs(INTRODUCTION)
    lines += [".SH EXAMPLE", ".nf", escape(EXAMPLE), ".fi"]
    for title, table in tables(whole["properties"]):
        lines += [f'.SH "{escape(title)}"', *terms(keys(table, meanings(title)))]
    lines += [".SH SEE ALSO", ".BR hafw (1)"]
    return "\n".join(lines) + "\n"


PAGE: Final = Path(__file__).parents[1] / "docs/configuration.md"
INTRODUCTION: Final = """\
The configuration is TOML. One file serves every router of a cluster: wherever a value may stand, a table keyed by
router may stand: priority = { lb1 = 150, lb2 = 100 }. hafw check FILE reports every mistake at once; hafw check --print
shows what is in force.

A duration is a number and a unit: "100ms", "1.5s", "10m", "1h". An address without a length means /32 or /128. A secret
is the text itself, or better where it lies: file:/path, env:NAME, credential:NAME.
"""
EXAMPLE: Final = """\
[instance.VI_1]
interface = "eth0"
vrid = 51
priority = { lb1 = 150, lb2 = 100 }
virtual_addresses = ["192.0.2.250"]

[instance.VI_1.check.nginx]
critical = true

[plugin.nginx]
url = "http://127.0.0.1/"
"""


def tables(properties: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every table of the file, by its name there."""
    instance = properties["instance"]["additionalProperties"]
    own = instance["properties"]
    (address,) = [each for each in own["virtual_addresses"]["anyOf"][0]["items"]["anyOf"] if "properties" in each]
    yield "[node]", properties["node"]
    yield "[instance.NAME]", instance
    yield "An address", address
    yield "[instance.NAME] auth", own["auth"]
    yield "[instance.NAME.announce]", own["announce"]
    yield "[instance.NAME.check.CHECK]", own["check"]["additionalProperties"]
    yield "[group.NAME]", properties["group"]["additionalProperties"]
    for name in ("control", "process", "journal"):
        yield f"[{name}]", properties[name]
    common = properties["plugin"]["additionalProperties"]
    yield "[plugin.NAME]", common
    for name, table in sorted(properties["plugin"]["properties"].items()):
        its_own = {key: each for key, each in table["properties"].items() if key not in common["properties"]}
        if its_own:
            yield f"[plugin.{name}]", {**table, "properties": its_own}


def meanings(title: str) -> dict[str, str]:
    """By key, what the page of the configuration says of this table, without its marks."""
    text = PAGE.read_text("utf-8")
    (rest,) = [each for mark in (title, f"`{title}`") if (each := text.partition(f"# {mark}\n")[2])]
    section = re.split(r"\n##+ ", rest)[0]
    rows = (re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `"))
    return {row[0].strip(" `"): _plain(row[-1]) for row in rows}


def _plain(text: str) -> str:
    linked = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text)
    return re.sub(r"`([^`]*)`|\*\*([^*]*)\*\*", r"\1\2", linked).replace("\\|", "|").strip()


def keys(table: Mapping[str, Any], told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every key of a table, with its kind, its default and what it means."""
    for name, each in table["properties"].items():
        facts = [kind(each)]
        if name in table.get("required", ()):
            facts.append("required")
        elif each.get("default", "") != "":
            facts.append(f"default {json.dumps(each['default'])}")
        yield f"{name} ({', '.join(filter(None, facts))})", told.get(name, each.get("description", ""))


def kind(each: Mapping[str, Any]) -> str:
    """What a value looks like, in a word or two."""
    if "anyOf" in each:  # the second of two is the same by router
        return kind(each["anyOf"][0])
    if "enum" in each:
        return " or ".join(json.dumps(value) for value in each["enum"])
    if "$ref" in each:
        return "duration"
    if "minimum" in each:
        return f"{each['minimum']} to {each['maximum']}" if "maximum" in each else f"{each['minimum']} or more"
    known = str(each.get("type", ""))
    return {"boolean": "true or false", "array": "list", "object": "table"}.get(known, known)


def main(folder: str) -> None:
    """Write both pages into this folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in (("hafw.1", commands_page()), ("hafw.toml.5", configuration_page())):
        (Path(folder) / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
