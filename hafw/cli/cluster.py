"""All routers of one configuration file, for the verbs that look at a whole cluster instead of this machine."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING

from hafw.config import load
from hafw.config.cluster import known_priorities

if TYPE_CHECKING:
    from pathlib import Path

    from hafw.node import InstanceSettings


def instances_by_node(path: Path) -> dict[str, tuple[InstanceSettings, ...]]:
    """By node that the file names (this machine, if it names none), what a Node there would be given.

    Nothing is asked of this machine. Raises ``ConfigErrors`` as ``load`` does.
    """
    configs = [load(path, name, machine=False)[0] for name in _nodes(path)]
    return {config.node_name: config.settings for config in configs}


def _nodes(path: Path) -> list[str | None]:
    """In the order of the file. Whatever is wrong with it is found by ``load``, whose messages are better."""
    with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError):
        tables = tomllib.loads(path.read_text("utf-8")).get("instance", {}).values()
        named = dict.fromkeys(name for table in tables for name in known_priorities(table) or {})
        return list(named) or [None]
    return [None]
