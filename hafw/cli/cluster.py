"""All routers of one configuration file, for the verbs that look at a whole cluster instead of this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hafw.config import load
from hafw.config.file import named_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hafw.node import InstanceSettings


def instances_by_node(path: Path) -> dict[str, tuple[InstanceSettings, ...]]:
    """By node that the file names (this machine, if it names none), what a Node there would be given.

    Nothing is asked of this machine. Raises ``ConfigErrors`` as ``load`` does.
    """
    names: list[str | None] = [*named_nodes(path)]
    configs = [load(path, name, machine=False)[0] for name in names or [None]]
    return {config.node_name: config.settings for config in configs}


def assumed(own: Sequence[InstanceSettings], priority: int) -> tuple[InstanceSettings, ...]:
    """What a router with the same file, but this priority, would be given."""
    routers = (replace(each.router, priority=priority, owner=False, source_address=None) for each in own)
    return tuple(replace(each, router=router) for each, router in zip(own, routers, strict=True))
