"""``[plugin.NAME]``: which plugins run, found by metadata alone. No plugin is imported here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hafw.config.convert import FAILED
from hafw.config.model import PluginConfig, PluginLimits
from hafw.config.permissions import check_trusted
from hafw.config.problem import Problem, did_you_mean, show
from hafw.config.tables import LimitsTable, PluginTable
from hafw.config.types import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hafw.config.nodes import NodeReader

DEFAULT_PLUGINS = ("vip", "arp")
"""On unless switched off: without them a MASTER binds and announces nothing."""

PACKAGES = {
    **{
        name: name.replace("_", "-")
        for name in (
            *DEFAULT_PLUGINS,
            "nginx",
            "haproxy",
            "systemd",
            "script",
            "notify_script",
            "notify_email",
            "fifo",
            "routes",
            "web",
            "webhook",
            "apprise",
            "service",
            "bird",
        )
    },
    **dict.fromkeys(("interface", "file", "process", "tcp", "http", "ping"), "checks"),
}
"""The plugins of this project, and the package ``hafw-plugin-...`` that brings each."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


def installed_plugins() -> dict[str, tuple[str, ...]]:
    """The distributions that offer each plugin; two that offer the same one are a mistake."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms that a plugin process need not pay

    found: dict[str, tuple[str, ...]] = {}
    for entry in entry_points(group="hafw"):
        package = entry.dist.name if entry.dist else entry.value
        found[entry.name] = tuple(dict.fromkeys((*found.get(entry.name, ()), package)))
    return found


def limits_of(table: LimitsTable | None) -> PluginLimits:
    """What a table says, or the defaults."""
    table = table or LimitsTable()
    return PluginLimits(
        memory=int(table.memory),
        files=table.files,
        processes=table.processes,
        cpu_weight=table.cpu_weight,
        network=table.network,
    )


def weighs_by_number(plugin: PluginConfig) -> bool:
    """Whether its verdicts carry a number that multiplies a check's weight: then any priority may come of it."""
    if plugin.kind == "haproxy":
        return bool(plugin.options.get("factor", "none") != "none")
    return plugin.kind == "file" and plugin.options.get("expect", "zero") == "zero"


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for every node's view of a file."""

    path: Path
    """Of the file; absolute."""
    nodes: tuple[str, ...]
    """Every node that the file names."""
    installed: Mapping[str, tuple[str, ...]]
    """As ``installed_plugins``."""
    misnamed: frozenset[str] = frozenset()
    """The top tables that stand in the file under a wrong name: what they lack is no mistake of its own."""


class PluginReading:
    """The plugins of one node: configured ones, those on by default, and those that checks name."""

    def __init__(self, tables: Mapping[str, Any], reader: NodeReader, ground: Ground) -> None:
        self.configs: dict[str, PluginConfig] = {}
        self._reader = reader
        self._folder = ground.path.parent
        self._nodes = {*ground.nodes, reader.node}
        self._installed = ground.installed
        self._misnamed = "plugin" in ground.misnamed
        self._named: set[str] = set()
        self._disabled: set[str] = set()
        for name, table in tables.items():
            self._read(name, table)
        for name in DEFAULT_PLUGINS:
            self._read_default(name)

    def require(self, plugins: Mapping[str, str]) -> None:
        """Make sure of the plugins that checks name, each with the key path that names it."""
        for path, name in plugins.items():
            if name in self._disabled:
                self._blame(path, f"needs plugin {name}, which has enabled = false")
            elif name not in self._named and name not in self._installed:
                if self._misnamed:
                    continue
                self._blame(path, f"plugin {show(name)} is neither configured nor installed{self._way_out(name)}")
            elif name not in self._named and self._is_unambiguous(name, path):
                self.configs.setdefault(name, PluginConfig(name=name))

    def _read(self, name: str, table: Any) -> None:  # noqa: ANN401
        self._named.add(name)
        path = f"plugin.{name}"
        if not isinstance(table, dict):
            self._blame(path, f"must be a table: [{path}]")
            return
        before = len(self._reader.problems)
        own = {key.key for key in keys_of(PluginTable)}
        common = self._reader.read_keys({key: each for key, each in table.items() if key in own}, PluginTable, path)
        options = {key: self._option(each, f"{path}.{key}") for key, each in table.items() if key not in own}
        if not common.get("enabled", True):
            self._disabled.add(name)
            return
        if FAILED in options.values():  # told already; the plugin would only complain of it again
            return
        file = self._file(name, common, path)
        if len(self._reader.problems) == before:
            user = common.get("user", "")
            kind = common.get("plugin", "")
            self.configs[name] = PluginConfig(
                name=name,
                options=options,
                plugin=kind,
                file=file,
                user=user,
                delivery=common.get("delivery") or "",
                replay=common.get("replay"),
                limits=limits_of(common.get("limits")),
            )

    def _read_default(self, name: str) -> None:
        if name in self._named:
            return
        if name in self._installed:
            self.configs[name] = PluginConfig(name=name)
            return
        self._blame(f"plugin.{name}", f"is on by default and not installed{self._way_out(name)}, or enabled = false")

    def _option(self, value: object, path: str) -> object:
        """The plugin's own type is not known here: a table is by node if it names nothing but nodes. Or ``FAILED``."""
        if not isinstance(value, dict) or not value or not set(value) <= self._nodes:
            return value
        return self._reader.of_this_node(value, path)[0]

    def _file(self, name: str, common: dict[str, Any], path: str) -> str:
        """The absolute path of a local plugin; otherwise the plugin has to be installed."""
        if not _NAME.fullmatch(name):
            self._blame(path, "a plugin's name must be letters, digits, _ and -, at most 64")
        elif common.get("file") and common.get("plugin"):
            self._blame(f"{path}.plugin", f"= {show(common['plugin'])}: file names the plugin already: leave one out")
        elif not common.get("file"):
            kind = common.get("plugin")
            if kind:
                self._find_installed(kind, f"{path}.plugin", f"= {show(kind)}: ")
            else:
                self._find_installed(name, path)
        if not common.get("file"):
            return ""
        file = str(self._folder / common["file"])
        if self._reader.machine:
            as_root = os.geteuid() == 0 and common.get("user") in (None, "", "root")
            for mistake in check_trusted(file, as_root):
                self._blame(f"{path}.file", mistake)
        return file

    def _find_installed(self, kind: str, path: str, shown: str = "") -> None:
        if kind in self._installed:
            self._is_unambiguous(kind, path)
            return
        self._blame(path, f"{shown}is not installed{self._way_out(kind)}")

    def _is_unambiguous(self, name: str, path: str) -> bool:
        packages = self._installed[name]
        if len(packages) > 1:
            self._blame(path, f"is offered by {' and '.join(packages)}: uninstall one of them")
        return len(packages) == 1

    def _way_out(self, name: str) -> str:
        if name in PACKAGES:
            return f": pip install hafw-plugin-{PACKAGES[name]}"
        near = did_you_mean(name, {*PACKAGES, *self._installed, *self._named} - {name})
        return f"{near or ': pip install the package that offers it'}"

    def _blame(self, path: str, message: str) -> None:
        self._reader.problems.append(Problem(self._reader.place(path), message))
