"""What is in force of the options of plugins, in the plugins' own words: what ``hafw check --print`` shows of them."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hafw.daemon.plugins import visit, visit_all
from hafw.daemon.plugins.child import ChildGone
from hafw.daemon.plugins.introduce import Limits, RefusedError, installed, introduce, start_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.config.model import Config, PluginConfig


def options_of(config: Config, *, with_system: bool = True) -> dict[str, Mapping[str, Any]]:
    """By plugin: its options with every default and without a secret; blocks. One that does not say is left out.

    Each is loaded in a process of its own, and its ``configure`` is not called. ``with_system=False``: the file is of
    another machine. Not to be called inside a running trio loop.
    """
    limits = Limits()
    offers = installed()
    found: dict[str, Mapping[str, Any]] = {}

    async def look_at(plugin: PluginConfig) -> None:
        start = start_of(plugin, offers.get(plugin.kind, ()), machine=with_system)
        with contextlib.suppress(RefusedError, ChildGone, OSError):
            async with visit(replace(start, shows=True)) as child:
                hello = await introduce(child, (), limits, configure=False)
                if hello.options is not None:
                    found[plugin.name] = hello.options

    visit_all(look_at, config.plugins.values())
    return found
