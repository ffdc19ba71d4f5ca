"""Plugins that are looked at without a daemon, each in a process of its own: what ``hafw check`` knows of them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from hafw.config.model import PluginConfig
from hafw.config.plugins import DEFAULT_PLUGINS
from hafw.config.problem import Problem
from hafw.daemon.plugins import together
from hafw.daemon.plugins.about import checks_of, router_of
from hafw.daemon.plugins.child import Child, ChildGone
from hafw.daemon.plugins.introduce import Limits, RefusedError, installed, introduce, start_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from hafw.config.model import CheckConfig, Config
    from hafw.pipe import Hello, Router, Start

T = TypeVar("T")

AT_ONCE = 8
"""Plugin processes that run beside each other."""


@dataclass(slots=True)
class Examined:
    """What came of looking at the plugins of a configuration."""

    problems: list[Problem] = field(default_factory=list)
    unasked: set[str] = field(default_factory=set)
    """Of a file of another machine: those whose ``configure`` might have refused more."""
    options: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By plugin: what is in force, with every default and without a secret. One that does not say is left out."""


def examine(
    config: Config,
    routers: Sequence[Router] | None = None,
    *,
    with_system: bool = True,
    shows: bool = False,
    limits: Limits | None = None,
) -> Examined:
    """Load and configure every plugin in a process of its own, and collect every mistake; blocks.

    ``with_system=False``: the file is of another machine, so the plugins only read their options. ``shows``: they say
    which options are in force. Not to be called inside a running trio loop.
    """
    limits = limits or Limits()
    routers = [router_of(each) for each in config.instances.values()] if routers is None else routers
    offers = installed()
    examined = Examined()
    found: dict[str, list[Problem]] = {}

    async def look_at(plugin: PluginConfig) -> None:
        try:
            start = start_of(plugin, offers.get(plugin.kind, ()), node=config.node_name, machine=with_system)
            async with visit(replace(start, shows=shows)) as child:
                hello = await introduce(child, routers, limits, configure=with_system)
                found[plugin.name] = [*misused(plugin.name, checks_of(config, plugin.name), hello)]
                if not with_system and _might_refuse(plugin, hello):
                    examined.unasked.add(plugin.name)
                if hello.options is not None:
                    examined.options[plugin.name] = hello.options
        except (RefusedError, ChildGone, OSError) as error:
            found[plugin.name] = problems_of(plugin.name, error)

    visit_all(look_at, config.plugins.values())
    examined.problems.extend(problem for name in config.plugins for problem in found[name])
    return examined


def _might_refuse(plugin: PluginConfig, hello: Hello) -> bool:
    """One that is on by default and has nothing but defaults takes them anywhere."""
    return "configure" in hello.hooks and (bool(plugin.options) or plugin.name not in DEFAULT_PLUGINS)


def schemas(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """JSON schema of the options of each of these installed plugins; blocks. One that cannot be loaded is left out."""
    limits = Limits()
    offers = installed()
    found: dict[str, dict[str, Any]] = {}

    async def look_at(name: str) -> None:
        start = replace(start_of(PluginConfig(name=name), offers.get(name, ())), options=None)
        with contextlib.suppress(RefusedError, ChildGone, OSError):
            async with visit(start) as child:
                await introduce(child, (), limits, configure=False)
                answer = await child.call("schema", "schema", limits.call)
                found[name] = dict(answer.reply.schema)

    visit_all(look_at, list(names))
    return found


def visit_all(look_at: Callable[[T], Awaitable[None]], whom: Iterable[T]) -> None:
    """Call it with each in a trio loop of its own, some of them at once."""

    async def main() -> None:
        gate = trio.CapacityLimiter(AT_ONCE)

        async def gated(each: T) -> None:
            async with gate:
                await look_at(each)

        await together(gated, whom)

    trio.run(main)


@contextlib.asynccontextmanager
async def visit(start: Start) -> AsyncIterator[Child]:
    """A plugin process for the length of a block."""
    child = Child(start)
    error: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run)
        try:
            yield child
        except (RefusedError, ChildGone) as caught:
            error = caught  # not in a group: it is the only one there is
        finally:
            child.kill("was only asked")
    if error:
        raise error


def problems_of(name: str, error: Exception) -> list[Problem]:
    """The mistakes behind a plugin that did not come up, each with its key path."""
    if isinstance(error, RefusedError) and error.failure.problems:
        return [Problem(path, message) for path, message in error.failure.problems]
    return [Problem(f"plugin.{name}", str(error))]


def misused(plugin: str, checks: Sequence[tuple[str, CheckConfig]], hello: Hello) -> Iterator[Problem]:
    """Checks of a plugin which has no check: a router that nobody watches must not start. The reverse is a warning."""
    watches = bool(hello.hooks.keys() & {"check", "monitor"})
    for router, check in () if watches else checks:
        table = f"group.{check.group}" if check.group else f"instance.{router}"
        path = f"{table}.check.{check.settings.name}"
        yield Problem(path, f"plugin {plugin} has neither check nor monitor: name one that has")
    if watches and not checks:
        message = f"watches nothing: no instance has a check of it: [instance.NAME.check.{plugin}], or leave it out"
        yield Problem(f"plugin.{plugin}", message, severity="warning")
    for path, message in hello.warnings:
        yield Problem(path, message, severity="warning")
