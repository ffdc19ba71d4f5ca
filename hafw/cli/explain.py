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
    from hafw.config.weights import Candidate, Candidates
    from hafw.node import InstanceSettings
    from hafw.sim.failures import Cluster
    from hafw.sim.folding import Case
    from hafw.vrrp.settings import RouterSettings

    Routers = dict[str, tuple[InstanceSettings, ...]]
    Numbered = dict[str, tuple[str, ...]]

DEPTH = 2
MOST = 5000
"""Orders of failures of one instance that are played; more take minutes. Of a group: divided by its members."""
PRIORITIES = range(1, 255)


@dataclass(frozen=True, slots=True)
class Part:
    """One instance, or one sync group, explained."""

    name: str
    settings: Mapping[str, tuple[InstanceSettings, ...]]
    """By router, in the order of the file: the instance, or every member of the group."""
    cluster: Cluster
    depth: int
    cases: list[Case]
    findings: list[Problem]
    """Checks that can never change anything (errors), or not while all run (warnings)."""
    numbered: tuple[str, ...]
    """Checks that are not played: the number in a file decides what their weight counts."""

    @property
    def members(self) -> dict[str, RouterSettings]:
        """The instances, as the first router that has them sees them."""
        found: dict[str, RouterSettings] = {}
        for each in (one.router for some in self.settings.values() for one in some):
            found.setdefault(each.name, each)
        return found

    @property
    def is_group(self) -> bool:
        """Whether its instances are MASTER together or not at all."""
        return any(each.group for each in self.members.values())


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
    every instance and sync group or those called NAME. Nothing is sent, this machine is not looked at, and no root is
    needed.

    Exit codes: 0 fine, 2 usage, 3 the file cannot run, or has a check that can never change who is MASTER.
    """
    from hafw.cli import explained  # noqa: PLC0415 - not needed for --help

    routers, numbered, warnings = _read(config, node, peers)
    parts = [_explain(config, name, routers, numbered, depth) for name in _chosen(routers, names)]
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
    """The instances that decide alone, and the sync groups; who names a member means its group."""
    from hafw.config.problem import did_you_mean, enumerate_words  # noqa: PLC0415 - not needed for --help

    owners: dict[str, str] = {}
    for node, each in ((node, each) for node, settings in routers.items() for each in settings):
        if owners.setdefault(each.router.name, _unit(each)) != _unit(each):
            rule = "must be in the same sync group on every router, or in none"
            raise click.BadParameter(f"{node}: instance {each.router.name}: {rule}", param_hint="--peer")
    units = list(dict.fromkeys(owners.values()))
    known = {**{unit: unit for unit in units}, **owners}
    for name in names:
        if name not in known:
            rule = f"no such instance or group{did_you_mean(name, known)}: there is {enumerate_words(known)}"
            raise click.BadParameter(f"{name}: {rule}", param_hint="NAME")
    return [unit for unit in units if not names or unit in {known[name] for name in names}]


def _unit(settings: InstanceSettings) -> str:
    """What decides: its sync group, or itself."""
    return settings.router.group or settings.router.name


# -- one instance or group --------------------------------------------------------------------------------------


def _explain(path: Path, name: str, routers: Routers, numbered: Numbered, asked: int | None) -> Part:
    from hafw.config.lines import Lines  # noqa: PLC0415 - not needed for --help
    from hafw.sim.failures import Cluster  # noqa: PLC0415
    from hafw.sim.folding import cases  # noqa: PLC0415

    settings = _settings_of(name, routers)
    cluster = Cluster(settings)
    depth = _depth(name, cluster, asked)
    members = dict.fromkeys(each.router.name for some in settings.values() for each in some)
    numbers = tuple(dict.fromkeys(check for each in members for check in numbered.get(each, ())))
    # With a number that a file says, any priority may come, and every check may count.
    findings = [] if numbers else list(Lines.read(path).place(_idle_checks(name, settings)))
    return Part(name, settings, cluster, depth, list(cases(cluster, depth)), findings, numbers)


def _settings_of(name: str, routers: Routers) -> Routers:
    """Of each router that has it: the instance, or the members of the group, in the same order."""
    every = {node: [each for each in some if _unit(each) == name] for node, some in routers.items()}
    order = list(dict.fromkeys(each.router.name for some in every.values() for each in some))
    return {
        node: tuple(sorted(some, key=lambda each: order.index(each.router.name)))
        for node, some in every.items()
        if some
    }


def _depth(name: str, cluster: Cluster, asked: int | None) -> int:
    """As deep as was asked for; two, or less where that would take too long."""
    most = MOST // max(map(len, cluster.routers.values()))
    fits = max((each for each in range(1, DEPTH + 1) if cluster.count(each) <= most), default=1)
    if asked is None:
        return fits
    if cluster.count(asked) > most and asked > 1:
        number = f"{cluster.count(asked)} orders of {len(cluster.failures)} failures in {name}"
        raise click.BadParameter(f"{number}: more than {most} take too long: --depth {asked - 1}", param_hint="--depth")
    return asked


def _idle_checks(name: str, settings: Mapping[str, tuple[InstanceSettings, ...]]) -> Iterator[Problem]:
    """Weights that are never enough, and those that are not while all run; a critical check always counts."""
    from hafw.config.cluster import idle  # noqa: PLC0415 - not needed for --help
    from hafw.config.problem import Problem  # noqa: PLC0415
    from hafw.config.weights import matters, weight_of, why_never  # noqa: PLC0415

    table = "group" if any(each.router.group for some in settings.values() for each in some) else "instance"
    candidates = _candidates(settings)
    for check in dict.fromkeys(check for each in candidates.values() for check in each.weights):
        path = f"{table}.{name}.check.{check}.weight"
        if len(candidates) > 1 and not matters(check, candidates, deaths=True):
            never = f"= {weight_of(check, candidates)}: can never change who is MASTER"
            yield Problem(path, f"{never}: {why_never(check, candidates)}")
        elif len(candidates) > 1 and not matters(check, candidates, deaths=False):
            yield idle(path, check, candidates)


def _candidates(settings: Mapping[str, tuple[InstanceSettings, ...]]) -> Candidates:
    """How each router stands; of a group that member comes first in which the leader is furthest ahead."""
    candidates = {node: _candidate(some) for node, some in settings.items()}
    if len(candidates) == 1 or len({len(some) for some in settings.values()}) > 1:
        return {node: _candidate(some[:1]) for node, some in settings.items()}
    best, second, *_ = sorted((each.stands() for each in candidates.values()), reverse=True)
    order = sorted(range(len(best)), key=lambda place: second[place] - best[place])
    return {node: _candidate([some[place] for place in order]) for node, some in settings.items()}


def _candidate(members: Sequence[InstanceSettings]) -> Candidate:
    """How it stands, its patience being that of the real election."""
    from hafw.config.weights import Candidate  # noqa: PLC0415 - not needed for --help
    from hafw.vrrp.listener import Listener  # noqa: PLC0415

    def skew(standing: Sequence[int]) -> tuple[float, ...]:
        listeners = [Listener(each.router) for each in members]
        for listener, priority in zip(listeners, standing, strict=True):
            listener.set_priority(priority)
        return tuple(each.skew_time for each in listeners)

    first, *others = (each.router for each in members)
    return Candidate(
        priority=first.priority,
        others=tuple(each.priority for each in others),
        preempt=all(each.preempt or each.owner for each in (first, *others)),
        weights={check.name: check.weight for each in members for check in each.checks if not check.critical},
        skew=skew,
    )
