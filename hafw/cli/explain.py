"""``hafw explain``: which combinations of failures move the addresses where, and which checks never change anything."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hafw.cli.check import exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.config import Config, Problem
    from hafw.config.weights import Candidate
    from hafw.node import InstanceSettings
    from hafw.sim.failures import Cluster
    from hafw.sim.folding import Case

    Routers = dict[str, tuple[InstanceSettings, ...]]
    Numbered = dict[str, tuple[str, ...]]

DEPTH = 2
MOST = 5000
"""Orders of failures of one instance that are played; more take minutes."""
PRIORITIES = range(1, 255)
USAGE = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One instance, explained."""

    name: str
    settings: Mapping[str, InstanceSettings]
    """By router, in the order of the file."""
    cluster: Cluster
    depth: int
    cases: list[Case]
    findings: list[Problem]
    """Checks that can never change anything (errors), or not while all run (warnings)."""
    numbered: tuple[str, ...]
    """Checks that are not played: the number in a file decides what their weight counts."""


@click.command(
    epilog="Example: hafw explain examples/classic/config.toml\n\nHow to read it: docs/explain.md",
)
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--depth", type=click.IntRange(1, 9), metavar="N", help="Up to N failures together (2).")
@click.option("--node", metavar="NAME", help="Whose file it is, if it names no router.")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=PRIORITY|FILE",
    help="Another router, if the file names none: with this priority, or with a file of its own.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every combination.")
def explain(  # noqa: PLR0913 - click's options
    config: Path, names: tuple[str, ...], *, depth: int | None, node: str | None, peers: tuple[str, ...], as_json: bool
) -> None:
    """Say who is MASTER when routers, links and checks of CONFIG fail, alone and together.

    Every combination is played with the real election code in virtual time, from rest to rest and back again, for
    every instance or those called NAME. Nothing is sent, this machine is not looked at, and no root is needed.

    Exit codes: 0 fine, 2 usage, 3 the file cannot run, or has a check that can never change who is MASTER.
    """
    from hafw.cli import explained  # noqa: PLC0415 - not needed for --help

    routers, numbered, warnings = _read(config, node, peers)
    parts = [_explain(config, name, routers, numbered, depth) for name in _alone(routers, _chosen(routers, names))]
    findings = [each for part in parts for each in part.findings]
    found = {each.path for each in findings}
    for each in warnings:
        if each.path not in found:
            click.echo(each.render(str(config)), err=True)
    if as_json:
        click.echo(json.dumps(explained.document(str(config), parts), ensure_ascii=False))
    else:
        click.echo(explained.text(str(config), parts, shutil.get_terminal_size().columns))
    sys.exit(exit_code(findings))


# -- the routers ------------------------------------------------------------------------------------------------


def _read(path: Path, node: str | None, peers: Sequence[str]) -> tuple[Routers, Numbered, list[Problem]]:
    """What every router of the cluster would run, checks with a number left out, and the warnings of the file."""
    from hafw.config.file import named_nodes  # noqa: PLC0415 - not needed for --help
    from hafw.config.problem import enumerate_words  # noqa: PLC0415

    named = named_nodes(path)
    for option, given in (("--node", node), ("--peer", peers)):
        if named and given:
            raise click.BadParameter(f"{path} names its routers itself: {enumerate_words(named)}", param_hint=option)
    loaded = [_load(path, name) for name in named] or [_load(path, node)]
    routers = {config.node_name: _settings(config) for config, _ in loaded}
    numbered = {name: _numbered(config, name) for config, _ in loaded for name in config.instances}
    for peer in peers:
        name, settings = _peer(peer, next(iter(routers.values())))
        if name in routers:
            raise click.BadParameter(f"{name}: there are two routers of this name", param_hint="--peer")
        routers[name] = settings
    return routers, numbered, list(dict.fromkeys(each for _, warnings in loaded for each in warnings))


def _numbered(config: Config, instance: str) -> tuple[str, ...]:
    """The checks of an instance whose weight a number multiplies."""
    from hafw.config.plugins import weighs_by_number  # noqa: PLC0415 - not needed for --help

    return tuple(
        each.settings.name
        for each in config.instances[instance].checks
        if not each.settings.critical and weighs_by_number(config.plugins[each.plugin])
    )


def _settings(config: Config) -> tuple[InstanceSettings, ...]:
    left_out = {each.router.name: _numbered(config, each.router.name) for each in config.settings}
    return tuple(
        replace(each, checks=tuple(one for one in each.checks if one.name not in left_out[each.router.name]))
        for each in config.settings
    )


def _load(path: Path, node: str | None) -> tuple[Config, list[Problem]]:
    from hafw.config import ConfigErrors, load  # noqa: PLC0415 - not needed for --help

    try:
        return load(path, node, machine=False)
    except ConfigErrors as errors:
        for problem in errors.problems:
            click.echo(problem.render(str(path)), err=True)
        sys.exit(exit_code(errors.problems))


def _peer(text: str, own: tuple[InstanceSettings, ...]) -> tuple[str, tuple[InstanceSettings, ...]]:
    from hafw.cli.cluster import assumed  # noqa: PLC0415 - for this option alone

    name, _, value = text.partition("=")
    if not name or not value:
        raise click.BadParameter(f"{text}: must be as lb2=100 or lb2=/etc/hafw/lb2.toml", param_hint="--peer")
    if not value.isdecimal():
        return name, _settings(_load(Path(value), name)[0])
    if int(value) not in PRIORITIES:
        raise click.BadParameter(f"{text}: a priority must be 1 to 254", param_hint="--peer")
    return name, assumed(own, int(value))


def _chosen(routers: Routers, names: Sequence[str]) -> list[str]:
    from hafw.config.problem import did_you_mean, enumerate_words  # noqa: PLC0415 - not needed for --help

    known = list(dict.fromkeys(each.router.name for settings in routers.values() for each in settings))
    for name in names:
        if name not in known:
            rule = f"no such instance{did_you_mean(name, known)}: there is {enumerate_words(known)}"
            raise click.BadParameter(f"{name}: {rule}", param_hint="NAME")
    return [name for name in known if not names or name in names]


def _alone(routers: Routers, names: Sequence[str]) -> list[str]:
    """Those that decide alone: what moves a member of a sync group depends on all of them."""
    every = [each.router for settings in routers.values() for each in settings]
    groups = {each.name: each.group for each in every if each.group}
    for name in names:
        if name in groups:
            click.echo(f"hafw explain: {name}: is in sync group {groups[name]}: not built yet for groups", err=True)
    found = [name for name in names if name not in groups]
    if not found:
        sys.exit(USAGE)
    return found


# -- one instance -----------------------------------------------------------------------------------------------


def _explain(path: Path, name: str, routers: Routers, numbered: Numbered, asked: int | None) -> Part:
    from hafw.config.lines import Lines  # noqa: PLC0415 - not needed for --help
    from hafw.sim.failures import Cluster  # noqa: PLC0415
    from hafw.sim.folding import cases  # noqa: PLC0415

    settings = {node: each for node, some in routers.items() for each in some if each.router.name == name}
    cluster = Cluster({node: (each,) for node, each in settings.items()})
    depth = _depth(name, cluster, asked)
    numbers = numbered.get(name, ())
    # With a number that a file says, any priority may come, and every check may count.
    findings = [] if numbers else list(Lines.read(path).place(_idle_checks(name, settings)))
    return Part(name, settings, cluster, depth, list(cases(cluster, depth)), findings, numbers)


def _depth(name: str, cluster: Cluster, asked: int | None) -> int:
    """As deep as was asked for; two, or less where that would take too long."""
    fits = max((each for each in range(1, DEPTH + 1) if cluster.count(each) <= MOST), default=1)
    if asked is None:
        return fits
    if cluster.count(asked) > MOST and asked > 1:
        number = f"{cluster.count(asked)} orders of {len(cluster.failures)} failures in {name}"
        raise click.BadParameter(f"{number}: more than {MOST} take too long: --depth {asked - 1}", param_hint="--depth")
    return asked


def _idle_checks(name: str, settings: Mapping[str, InstanceSettings]) -> Iterator[Problem]:
    """Weights that are never enough, and those that are not while all run; a critical check always counts."""
    from hafw.config.cluster import idle  # noqa: PLC0415 - not needed for --help
    from hafw.config.problem import Problem  # noqa: PLC0415
    from hafw.config.weights import matters, weight_of, why_never  # noqa: PLC0415

    candidates = {node: _candidate(each) for node, each in settings.items()}
    for check in dict.fromkeys(check for each in candidates.values() for check in each.weights):
        path = f"instance.{name}.check.{check}.weight"
        if len(candidates) > 1 and not matters(check, candidates, deaths=True):
            never = f"= {weight_of(check, candidates)}: can never change who is MASTER"
            yield Problem(path, f"{never}: {why_never(check, candidates)}")
        elif len(candidates) > 1 and not matters(check, candidates, deaths=False):
            yield idle(path, check, candidates)


def _candidate(settings: InstanceSettings) -> Candidate:
    """How it stands, its patience being that of the real election."""
    from hafw.config.weights import Candidate  # noqa: PLC0415 - not needed for --help
    from hafw.vrrp.listener import Listener  # noqa: PLC0415

    def skew(priority: int) -> float:
        listener = Listener(settings.router)
        listener.set_priority(priority)
        return listener.skew_time

    return Candidate(
        priority=settings.router.priority,
        preempt=settings.router.preempt,
        weights={each.name: each.weight for each in settings.checks if not each.critical},
        skew=skew,
    )
