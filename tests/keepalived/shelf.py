"""What the tests of the importer share: files that lie in memory, and hafw's judgement of a result."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from hafw.config.convert import convert as converted
from hafw.config.file import ConfigErrors, loads
from hafw.config.plugins import installed_plugins


@dataclass
class Shelf:
    """Files that lie in memory."""

    texts: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        return self.texts.get(path)

    def glob(self, pattern: str) -> list[str]:
        return sorted(fnmatch.filter(self.texts, pattern))


PLUGINS = {entry.name: entry.load() for entry in entry_points(group="hafw") if entry.name not in ("vip", "arp")}
INSTALLED = installed_plugins()
OPTIONS = {name: plugin.options() for name, plugin in PLUGINS.items() if hasattr(plugin, "options")}
"""What each installed plugin wants to be told."""


def objections(text: str, nodes: tuple[str, ...]) -> list[str]:
    """The errors of `hafw check --no-system`, plugins' own included, as each of the routers sees the file."""
    found = []
    for node in nodes if len(nodes) > 1 else ("",):
        try:
            config, _ = loads(text, "config.toml", node or None, installed=INSTALLED)
        except ConfigErrors as errors:
            found += [each.render("config.toml") for each in errors.problems if each.severity == "error"]
            continue
        for name, plugin in config.plugins.items():
            if plugin.kind in OPTIONS:
                _, problems = converted(plugin.options, OPTIONS[plugin.kind], f"plugin.{name}", machine=False)
                found += [each.render("config.toml") for each in problems]
    return found
