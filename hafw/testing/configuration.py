"""A ``config.toml`` for the plugin under test, read by the code that reads everybody's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from hafw.config import toml
from hafw.config.file import ConfigErrors, loads
from hafw.config.lines import Lines
from hafw.config.plugins import DEFAULT_PLUGINS, installed_plugins
from hafw.config.problem import Problem
from hafw.daemon.plugins import router_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hafw.config.model import Config
    from hafw.pipe import Router

FILE = "config.toml"
NODE = "lb1"
"""The router that it is, unless the test or its file says another."""
MAC = "02:00:00:00:00:01"
IFINDEX = 2


class PluginRefused(Exception):  # noqa: N818 - what happened to it
    """The plugin, or the configuration that it was given, cannot run: what ``hafw check`` would show, line by line."""

    def __init__(self, problems: Sequence[Problem], file: str = FILE) -> None:
        self.lines = [each.render(file) for each in problems]
        """As ``hafw check`` shows them: ``config.toml:9: plugin.page.url = "x": must begin with http://``."""
        self.mistakes = [replace(each, line=0).render("").removeprefix(": ") for each in problems]
        """The same without file and line: ``plugin.page.url = "x": must begin with http://``."""
        super().__init__("\n".join(self.lines))

    @classmethod
    def placed(cls, text: str, problems: Sequence[Problem], file: str = FILE) -> Self:
        """With the line of ``text`` that each is about, in the order of the lines."""
        return cls(sorted(Lines(text).place(dict.fromkeys(problems)), key=lambda each: each.line), file)


def configuration(  # noqa: PLR0913 - the keys of a file, each by name
    plugin: str,
    options: Mapping[str, Any],
    *,
    file: str = "",
    instances: Sequence[str] | Mapping[str, Mapping[str, Any]],
    node: str = "",
    user: str = "",
    check: Mapping[str, Any] | None = None,
) -> str:
    """The text of a file with this plugin alone; ``check``: the table of a check that every instance has of it."""
    tables: dict[tuple[str, ...], Mapping[str, Any]] = {("node",): {"name": node or NODE}}
    named = instances if isinstance(instances, Mapping) else {key: {} for key in instances}
    for number, (name, keys) in enumerate(named.items()):
        own = {
            "interface": "eth0",
            "vrid": 51 + number,
            "priority": 100,
            "virtual_addresses": [f"192.0.2.{10 + number}/24"],
            **keys,
        }
        tables["instance", name] = own
        if check is not None:
            tables["instance", name, "check", "tested"] = {"plugin": plugin, "critical": True, **check}
    for name in sorted({*DEFAULT_PLUGINS} - {plugin}):
        tables["plugin", name] = {"enabled": False}
    about = {"file": file, "user": user}
    tables["plugin", plugin] = {**{key: value for key, value in about.items() if value}, **options}
    return text_of(tables)


def with_options(text: str, plugin: str, options: Mapping[str, Any], *, file: str = "") -> str:
    """A whole file, with these keys besides in the plugin's own table, which must begin with ``[plugin.NAME]``.

    ``file``: of a one-file plugin, unless the table names one.
    """
    if file and _said(text, "plugin", plugin, "file") is None:
        options = {"file": file, **options}
    header = f"[plugin.{plugin}]\n"
    added = "".join(f"{toml.key(key)} = {toml.value(value)}\n" for key, value in options.items())
    return text.replace(header, header + added, 1) if header in text or not added else f"{text}\n{header}{added}"


def text_of(tables: Mapping[tuple[str, ...], Mapping[str, Any]]) -> str:
    """As TOML, by key path."""
    return "\n".join(_lines(tables))


def _lines(tables: Mapping[tuple[str, ...], Mapping[str, Any]]) -> Iterator[str]:
    for path, table in tables.items():
        yield f"[{'.'.join(map(toml.key, path))}]"
        for key, value in table.items():
            yield f"{toml.key(key)} = {toml.value(value)}"
        yield ""


def read(text: str, plugin: str, place: Path, node: str = "") -> Config:
    """The checked configuration, of its plugins only this one; raises ``PluginRefused`` with every mistake in it.

    ``place``: of the file, whether it is there or not. ``node``: the router that it is, whatever the text says.
    """
    own = None if _said(text, "node", "name") is not None else NODE
    try:
        config, _ = loads(text, place, node or own, machine=True, installed=installed_plugins())
    except ConfigErrors as errors:
        found = [each for each in errors.problems if each.severity == "error"]
        raise PluginRefused(found, place.name) from None
    if plugin not in config.plugins:
        known = ", ".join(config.plugins) or "none"
        mistake = Problem(f"plugin.{plugin}", f"is to be tested, and this file has another: {known}")
        raise PluginRefused.placed(text, [mistake], place.name)
    return replace(config, plugins={plugin: config.plugins[plugin]})


def _said(text: str, *path: str) -> object:
    """What a text says of this key; ``None``: nothing, or it is no TOML, which is told where it is read."""
    try:
        found: object = tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def routers_of(config: Config) -> dict[str, Router]:
    """Every instance as a hook is told of it, on an interface that is there."""
    found = {}
    for number, (name, instance) in enumerate(config.instances.items(), 1):
        own = f"192.0.2.{number}" if instance.router.family == 4 else f"fe80::{number:x}"
        found[name] = replace(router_of(instance), ifindex=IFINDEX, mac=MAC, primary_address=own)
    return found
