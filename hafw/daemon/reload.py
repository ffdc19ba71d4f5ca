"""``hafw reload`` and SIGHUP: all of the new configuration, or none of it.

Everything that can be refused is asked before anything is changed: the file, the plugins' own checks, and the takeover
plans of what is new. Then routers that leave hand over as in a planned stop, and the rest goes on in its state: keyed
by instance name, with no advert missing.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import trio

from hafw import will as last_will
from hafw.config import ConfigErrors, load
from hafw.config.lines import Lines
from hafw.daemon.control import CommandError
from hafw.daemon.plugins import PlanRefused
from hafw.daemon.plugins.visiting import examine
from hafw.daemon.rehearsal import plan_of, take_checks_for_well
from hafw.node import ConfigurationReplaced, same_router
from hafw.vrrp.events import LinkChanged, PlanReported, Shutdown, Startup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.config import Config, InstanceConfig
    from hafw.config.problem import Problem
    from hafw.daemon.plugins.takeover import Plan
    from hafw.daemon.run import Daemon
    from hafw.vrrp.settings import RouterSettings

HIDDEN = {"password", "hmac"}
"""Settings whose values are never shown."""


def read_again(config: Config) -> Config:
    """The file as it is now, checked as ``hafw check`` does it; raises ``CommandError`` with every mistake. Blocks."""
    try:
        fresh, found = load(config.path, config.node_name)
    except ConfigErrors as errors:
        if errors.partial is None:
            raise refusal(config.path, errors.problems) from None
        fresh, found = errors.partial, errors.problems
    placed = Lines.read(config.path).place([*found, *examine(fresh).problems])
    problems = dict.fromkeys(each for each in placed if each.severity == "error")
    if problems:
        raise refusal(config.path, sorted(problems, key=lambda each: each.line))
    # The socket is where the clients are; it moves with a restart only.
    return replace(fresh, control_socket=config.control_socket, control_group=config.control_group)


def refusal(path: str, problems: Iterable[Problem]) -> CommandError:
    """What the client is told of a bad file; the running configuration stays."""
    lines = "\n".join(each.render(path) for each in problems)
    return CommandError("bad-configuration", f"nothing was changed:\n{lines}", path)


def differences(old: Config, new: Config) -> list[str]:
    """What would change, a line each, for people."""
    said = [f"{name}: removed" for name in old.instances.keys() - new.instances.keys()]
    for name, instance in new.instances.items():
        before = old.instances.get(name)
        if before is None:
            said.append(f"{name}: added")
        elif before != instance:
            said.append(f"{name}: {_what_changed(before, instance)}")
    for name in sorted(old.plugins.keys() | new.plugins.keys()):
        if name not in new.plugins:
            said.append(f"plugin {name}: removed")
        elif name not in old.plugins:
            said.append(f"plugin {name}: added")
        elif old.plugins[name] != new.plugins[name]:
            said.append(f"plugin {name}: changed, starts anew")
    return said


def _what_changed(old: InstanceConfig, new: InstanceConfig) -> str:
    changes = [
        name if name in HIDDEN else f"{name} {_shown(old.router, name)} -> {_shown(new.router, name)}"
        for name in (field.name for field in fields(new.router))
        if getattr(old.router, name) != getattr(new.router, name)
    ]
    if old.checks != new.checks:
        changes.append("checks")
    if old.addresses != new.addresses and not any(each.startswith(("virtual", "excluded")) for each in changes):
        changes.append("addresses")
    if old.announce_rate != new.announce_rate:
        changes.append("announce.rate")
    if old.verify != new.verify:
        changes.append("announce.verify")
    anew = "" if same_router(old.router, new.router) else " (hands over and starts anew)"
    return ", ".join(changes) + anew


def _shown(settings: RouterSettings, name: str) -> str:
    value: Any = getattr(settings, name)
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)


async def apply(daemon: Daemon, new: Config) -> None:
    """Make a checked configuration the running one; raises ``CommandError`` before anything is changed."""
    old = daemon.config
    kept = {
        name
        for name, each in new.instances.items()
        if name in old.instances and same_router(old.instances[name].router, each.router)
    }
    leaving = [name for name in old.instances if name not in kept]
    await daemon.before_release(leaving)
    plans = await _plan_anew(daemon, new, kept)
    states = {name: str(daemon.node.instances[name].router.state) for name in leaving}
    for name in leaving:
        daemon.dispatch(Shutdown(name))
    await daemon.election.until(lambda: all(daemon.node.instances[name].router.done for name in leaving))
    await daemon.keeper.settled()
    daemon.tidings.deleted({name: old for name, old in states.items() if name not in new.instances})
    for name in leaving:
        daemon.forget(name)
    daemon.config = new
    daemon.plans |= plans
    daemon.dispatch(ConfigurationReplaced(new.settings))
    daemon.wire.serve({name: instance.router for name, instance in daemon.node.instances.items()})
    daemon.watch()
    await daemon.keeper.settled()
    for name in new.instances.keys() - kept:
        daemon.maintenance.introduce(name)
        daemon.dispatch(Startup(name))
        if name in plans:
            daemon.dispatch(PlanReported(name))
    for name in new.instances:
        take_checks_for_well(daemon, name)
    for interface, link in daemon.keeper.links().items():  # what is new has not heard of its interface
        daemon.dispatch(LinkChanged(interface, not link.problem, dict(link.primary), link.problem))


async def _plan_anew(daemon: Daemon, new: Config, kept: set[str]) -> dict[str, Plan]:
    """Restart the plugins that changed and ask what new addresses mean; on a refusal the old ones are back."""
    old = daemon.config
    await daemon.plugins.reconfigure(new)
    plugins_changed = old.plugins != new.plugins
    links = daemon.keeper.links()
    plans = {}
    try:
        for name, each in new.instances.items():
            same = name in kept and each.addresses == old.instances[name].addresses and not plugins_changed
            if not same and each.router.interface in links:
                told = daemon.describe(each)
                plans[name] = plan_of(told.addresses) if daemon.dry_run else await daemon.plugins.takeover(told)
    except PlanRefused as error:
        await daemon.plugins.reconfigure(old)
        raise CommandError("plan-refused", f"nothing was changed: {error}") from None
    return plans


class Reloads:
    """One at a time."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._lock = trio.Lock()

    async def reload(self, *, dry_run: bool = False) -> list[str]:
        """Read, check, compare, apply; returns what changed. Raises ``CommandError``: nothing was changed."""
        async with self._lock:
            identity = last_will.identify_file(self._daemon.config.path)
            new = await trio.to_thread.run_sync(read_again, self._daemon.config)
            changes = differences(self._daemon.config, new)
            if changes and not dry_run:
                await apply(self._daemon, new)
                self._daemon.observer.event({"type": "config_reloaded", "changes": "; ".join(changes)})
            if not dry_run:
                self._daemon.testament.identity = identity
                self._daemon.testament.changed()
            return changes
