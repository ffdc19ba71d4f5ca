"""``hafw plugins``: all of them in a table, or everything about one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from hafw.cli.client import FAILED, ask
from hafw.cli.words import DRY_RUN, brief, counted, table
from hafw.config.values import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]


class _Plugins(click.Group):
    """What can be done with plugins beside looking at them, imported when it is used; any other word names a plugin."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """One, until now."""
        return ["new"]

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """``new``, or a look at the plugin of this name."""
        if name == "new":
            from hafw.cli.new_plugin import new  # noqa: PLC0415 - used by this word alone

            return new
        return None if name.startswith("-") else _look_at(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """More words behind one that is not ``new``: somebody has mistyped it."""
        name, more = args[0], [each for each in args[1:] if not each.startswith("-")]
        if name != "new" and more:
            raise click.UsageError(
                f"{name} {more[0]}: one NAME shows a plugin; hafw plugins new NAME writes a new one", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Plugins, invoke_without_command=True, subcommand_metavar="[NAME | new]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def plugins(ctx: click.Context, *, as_json: bool) -> None:
    """Every plugin with its package, state, hooks, failures, and why they failed.

    NAME shows one: its limits as they are in force, what it holds, and how long each of its hooks takes.
    """
    if ctx.invoked_subcommand is None:
        show_plugins(ctx.obj, as_json=as_json)
    elif ctx.invoked_subcommand == "new" and as_json:
        raise click.UsageError("--json belongs to `hafw plugins`, without new")
    else:
        ctx.meta["hafw.json"] = as_json


def _look_at(name: str) -> click.Command:
    """The command that is called as a plugin is."""

    @click.command(name)
    @click.option("--json", "as_json", is_flag=True, help="One JSON document.")
    @click.pass_context
    def look(ctx: click.Context, *, as_json: bool) -> None:
        """One plugin: its limits as they are in force, what it holds, and how long each of its hooks takes."""
        show_plugins(ctx.obj, name, as_json=as_json or ctx.meta.get("hafw.json", False))

    return look


def show_plugins(socket: str, name: str = "", *, as_json: bool) -> None:
    """As a table, or as the daemon says it; of one plugin with everything that there is."""
    said = ask(socket, {"do": "plugins"})
    answer = said["plugins"]
    known = [each["name"] for each in answer]
    if name and name not in known:
        click.echo(f"hafw: no plugin {name!r} is configured: there is {', '.join(known)}", err=True)
        sys.exit(FAILED)
    answer = [each for each in answer if name in {"", each["name"]}]
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    dry = DRY_RUN if said.get("dry_run") else ""
    blocks = (dry, _table(answer), _remarks(answer), *(_closely(answer) if name else ()))
    click.echo("\n\n".join(block for block in blocks if block))


def _table(answer: list[Record]) -> str:
    rows = [["PLUGIN", "PACKAGE", "STATE", "HOOKS", "CALLS", "FAILURES", "RESTARTS", "MEMORY", "LAST ERROR"]]
    for each in answer:
        package = " ".join(part for part in (each["package"], each["version"]) if part)
        numbers = [str(each[key]) for key in ("calls", "failures", "restarts")]
        memory = _size(each["memory"])
        rows.append(
            [each["name"], package, each["state"], " ".join(each["hooks"]), *numbers, memory, each["last_error"] or "-"]
        )
    return table(rows)


def _remarks(answer: list[Record]) -> str:
    return "\n".join(
        f"plugin {each['name']}: {remark}" for each in answer for remark in (*each["remarks"], *_events(each))
    )


def _events(each: Record) -> Iterator[str]:
    """What an operator should know without asking: that it is behind, or was not told of something."""
    if each["queued"] and not each["pid"]:
        yield f"{counted(each['queued'], 'event')} wait{'s' * (each['queued'] == 1)} for its next process"
    if lost := each["events"]["dropped"] + each["events"]["given_up"]:
        yield f"was not told of {counted(lost, 'event')} since the daemon started: hafw events --since 0 says which"


def _told(each: Record) -> str:
    """All figures of its events that are not 0, by their names in --json."""
    policy = f" ({each['delivery']})" if each["delivery"] else ""
    said = {**each["events"], "waiting": each["queued"]}
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in said.items() if count)
    return f"{each['name']}: events{policy}: {counts or 'none yet'}"


def _closely(answer: list[Record]) -> Iterator[str]:
    for each in answer:
        yield "\n".join(_holds(each))
        rows = [["LIMIT", "CONFIGURED", "IN FORCE", "HOW"]]
        rows += [
            [limit["limit"], limit["configured"] or "-", limit["in_force"] or "NO", limit["how"] or "-"]
            for limit in each["limits"]
        ]
        yield table(rows) if each["limits"] else "no process of it has lived yet: what limits it had is not known"
        rows = [["HOOK", "CALLS", "FAILURES", "LAST", "MEAN", "LONGEST"], *map(_hook, each["figures"])]
        yield table(rows) if each["figures"] else "no hook was called yet"


def _holds(each: Record) -> Iterator[str]:
    yield _told(each)
    if not each["pid"]:
        yield f"{each['name']}: no process at the moment ({each['state']})"
        return
    count = each["processes"]
    processes = "1 process" if count == 1 else f"{count} processes"
    memory = (
        f"{_size(each['memory'])}, at most {_size(each['memory_peak'])} so far" if each["memory"] else "not seen yet"
    )
    yield f"{each['name']}: pid {each['pid']}, {processes}, memory {memory}"


def _hook(figures: Record) -> list[str]:
    times = [brief(figures[key]) if figures["answers"] else "-" for key in ("last", "mean", "most")]
    return [figures["hook"], str(figures["calls"]), str(figures["failures"]), *times]


def _size(octets: int) -> str:
    return format_size(octets) if octets else "-"
