"""``hafw check`` and ``hafw schema``; and the reading of a configuration that every other verb starts with."""

from __future__ import annotations

import json
import select
import sys
from typing import TYPE_CHECKING

import click

from hafw.cli.words import counted
from hafw.config import ConfigErrors, load
from hafw.config.lines import Lines
from hafw.config.permissions import is_security_message
from hafw.config.problem import enumerate_words
from hafw.config.system import CAPABILITIES, Own, check_devices, check_system
from hafw.wire.systemd import priority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from hafw.config import Config, Problem
    from hafw.config.system import Interfaces
    from hafw.daemon.plugins.visiting import Examined

FAILED, CANNOT_RUN, WARNINGS, SCRIPT_SECURITY, CAPABILITY_MISSING = 1, 3, 4, 5, 7
STDERR = 2


def load_or_exit(path: str, node: str | None, *, machine: bool = True) -> Config:
    """The configuration for a verb that needs one. Problems go to stderr; a configuration that cannot run ends it."""
    try:
        config, warnings = load(path, node, machine=machine)
    except ConfigErrors as errors:
        _report(path, errors.problems)
        click.echo(priority("error", sys.stderr) + _count(errors.problems), err=True)
        sys.exit(exit_code(errors.problems))
    if select.select([], [STDERR], [], 0)[1]:  # a daemon never waits for somebody to read its warnings
        _report(path, warnings)
    return config


def exit_code(problems: Sequence[Problem], *, strict: bool = False) -> int:
    """The worst thing to fix first: the file, then permissions, then capabilities; with ``strict`` warnings too."""
    errors = [each for each in problems if each.severity == "error"]
    if not errors:
        return WARNINGS if strict and problems else 0
    incapable = {each for each in errors if each.path == CAPABILITIES}
    insecure = {each for each in errors if is_security_message(each.message)}
    if set(errors) - incapable - insecure:
        return CANNOT_RUN
    return SCRIPT_SECURITY if insecure else CAPABILITY_MISSING


@click.command()
@click.argument("config", type=click.Path())
@click.option("--node", default=None, metavar="NAME", help="Check what this node would run, not this machine's.")
@click.option(
    "--no-system",
    is_flag=True,
    help="For a file of another machine: looks at nothing here, and calls no configure of a plugin.",
)
@click.option("--strict", is_flag=True, help="Exit with 4 when there are warnings.")
@click.option("--print", "shown", is_flag=True, help="Print the effective configuration; secrets are hidden.")
@click.option(
    "--run", "execute", is_flag=True, help="Execute every check once, as its user: verdict, output, duration."
)
@click.option(
    "--pair",
    "others",
    multiple=True,
    metavar="[NAME=]OTHER",
    help="Compare with the file of another router, called NAME there: what has to be the same, and what must not.",
)
def check(  # noqa: PLR0913 - click's options
    config: str,
    node: str | None,
    *,
    no_system: bool,
    strict: bool,
    shown: bool,
    execute: bool,
    others: tuple[str, ...],
) -> None:
    """Check CONFIG and report every mistake at once: syntax, rules, plugins and this machine.

    Run it as the daemon runs, as root for example. Without root it names the rights that are missing, and checks
    everything else.

    Exit codes: 0 fine, 1 a check failed (--run), 3 cannot run, or not beside OTHER, 4 warnings (with --strict),
    5 script security, 7 capability missing.
    """
    if execute and no_system:
        raise click.UsageError("--run executes the checks on this machine, and --no-system leaves it out: drop one")
    loaded, examined, problems = _examined(config, node, machine=not no_system, shows=shown)
    if loaded is not None and others:
        from hafw.cli.pairing import compared  # noqa: PLC0415 - used by this option alone

        problems += compared(loaded, config, others)
    _report(config, problems)
    failed = any(each.severity == "error" for each in problems)
    if loaded is not None and not failed:
        if shown and examined is not None:
            _print(loaded, examined.options)
        click.echo(f"ok: {counted(len(loaded.instances), 'instance')}, node {loaded.node_name}", err=shown)
    if problems:
        click.echo(_count(problems), err=True)
    if examined is not None and examined.unasked:
        click.echo(_not_called(examined.unasked), err=True)
    executed = execute and loaded is not None and not failed
    sound = _execute(loaded) if executed and loaded is not None else True
    sys.exit(exit_code(problems, strict=strict) if sound else FAILED)


def _print(config: Config, options: Mapping[str, Mapping[str, Any]]) -> None:
    """What is in force: of the plugins' own keys they alone know the defaults, and which are secrets."""
    from hafw.config.show import effective  # noqa: PLC0415 - used by this option alone

    click.echo(effective(config, options))


def _not_called(unasked: set[str]) -> str:
    """What ``--no-system`` leaves out without being asked to: most of what a plugin refuses, it refuses there."""
    names = enumerate_words(sorted(unasked))
    return f"not called: configure of {names}, which may refuse more: hafw check without --no-system calls it"


def _execute(config: Config) -> bool:
    """Run the checks and show what came of them; whether all are healthy."""
    from hafw.cli.words import brief, table  # noqa: PLC0415 - used by this option alone
    from hafw.daemon.plugins.once import run_checks  # noqa: PLC0415

    ran = run_checks(config)
    if not ran:
        click.echo("no instance has a check: nothing to run")
        return True
    rows = [("CHECK", "PLUGIN", "USER", "VERDICT", "TOOK", "IF IT FAILS", "OUTPUT")]
    for each in ran:
        settings = each.check.settings
        verdict = "ok" if each.healthy else "FAILED"
        consequence = "FAULT" if settings.critical else f"weight {settings.weight:+}"
        name = f"{each.owner} {settings.name}"
        rows.append(
            (name, each.check.plugin, each.user or "-", verdict, brief(each.duration), consequence, each.detail)
        )
    click.echo(table(rows))
    if bad := sum(not each.healthy for each in ran):
        click.echo(f"{bad} of {counted(len(ran), 'check')} failed", err=True)
    return not bad


@click.command()
def schema() -> None:
    """Print the JSON schema of the configuration, installed plugins included: for completion in editors."""
    from hafw.config.plugins import installed_plugins  # noqa: PLC0415 - used by this verb alone
    from hafw.config.schema import schema as whole_schema  # noqa: PLC0415
    from hafw.daemon.plugins.visiting import schemas  # noqa: PLC0415 - heavy

    click.echo(json.dumps(whole_schema(schemas(sorted(installed_plugins()))), indent=2))


def _examined(
    path: str, node: str | None, *, machine: bool, shows: bool
) -> tuple[Config | None, Examined | None, list[Problem]]:
    """The configuration, what its plugins said, and every problem of file, plugins and machine, sorted by line."""
    try:
        config, problems = load(path, node, machine=machine)
    except ConfigErrors as errors:
        if errors.partial is None:
            return None, None, errors.problems
        config, problems = errors.partial, errors.problems
    from hafw.daemon.plugins.visiting import examine  # noqa: PLC0415 - heavy, and a file that is no TOML need not wait for it

    partial = any(each.severity == "error" for each in problems)
    examined = examine(config, with_system=machine, shows=shows)
    # That a plugin is used by nobody may only mean that the instance which uses it has a mistake.
    found = [each for each in examined.problems if each.severity == "error" or not partial]
    if machine:
        found += [*check_system(config, _interfaces()), *_check_devices(config)]
    placed = Lines.read(path).place([*problems, *found])
    return config, examined, sorted(dict.fromkeys(placed), key=lambda each: each.line)


def _interfaces() -> Interfaces:
    """What this machine has now."""
    from hafw.wire.netlink import Netlink  # noqa: PLC0415 - not needed with --no-system
    from hafw.wire.rtmessages import PROTO_HAFW  # noqa: PLC0415

    with Netlink() as netlink:
        links, entries = netlink.links(), netlink.addresses()
    return {
        link.name: tuple(
            Own(entry.address, entry.prefixlen, bound_by_hafw=entry.proto == PROTO_HAFW)
            for entry in entries
            if entry.ifindex == link.index
        )
        for link in links
    }


def _check_devices(config: Config) -> Iterator[Problem]:
    from hafw.wire.macvlan import deaf_host, misfit  # noqa: PLC0415 - not needed with --no-system
    from hafw.wire.netlink import Netlink  # noqa: PLC0415

    with Netlink() as netlink:
        misfits = {link.name: misfit(link) for link in netlink.links()}
    return check_devices(config, misfits, deaf_host())


def _report(file: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(priority(problem.severity, sys.stderr) + problem.render(file), err=True)


def _count(problems: Sequence[Problem]) -> str:
    errors = sum(each.severity == "error" for each in problems)
    counts = {"error": errors, "warning": len(problems) - errors}
    return ", ".join(counted(count, word) for word, count in counts.items() if count)
