"""From the path of a config.toml to a checked ``Config``, or to every mistake in it."""

from __future__ import annotations

import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hafw.config.cluster import idle_weights, incomplete, level_priorities
from hafw.config.convert import convert
from hafw.config.foreign import FileReader
from hafw.config.groups import crossed
from hafw.config.lines import Lines
from hafw.config.nodes import NodeReader
from hafw.config.plugins import Ground, installed_plugins
from hafw.config.problem import Problem, enumerate_words, show
from hafw.config.syntax import UnreadableError, parse
from hafw.config.tables import NodeTable
from hafw.config.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.config.model import Config

_SIZE_MAX = 4 * 1024 * 1024
_TABLES = ("node", "instance", "group", "plugin", "control", "process", "journal")


class ConfigErrors(Exception):  # noqa: N818 - it carries many
    """A configuration that cannot run, with every mistake in it, sorted by line; warnings are among them."""

    def __init__(self, file: str, problems: list[Problem], partial: Config | None = None) -> None:
        super().__init__("\n".join(problem.render(file) for problem in problems))
        self.problems = problems
        self.partial = partial
        """What is right in it, so that plugins and machine can be checked in the same run; ``None``: nothing is."""


def load(path: str | Path, node: str | None = None, *, machine: bool = True) -> tuple[Config, list[Problem]]:
    """The configuration as ``node`` sees it, and the warnings. Raises ``ConfigErrors`` and nothing else.

    ``node`` overrides ``[node] name``. ``machine=False`` is for a file of another machine: secrets are not read (a
    password is then empty) and files that it names are not looked for.
    """
    try:
        text = _read(Path(path))
    except UnreadableError as error:
        raise ConfigErrors(str(path), [error.problem]) from None
    return loads(text, path, node, machine=machine)


def loads(
    text: str,
    path: str | Path,
    node: str | None = None,
    *,
    machine: bool = False,
    installed: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Config, list[Problem]]:
    """The same of a text that is no file yet; ``path`` is what it is called, ``installed`` as ``installed_plugins``."""
    try:
        document = parse(text)
        return _load(document, Lines(text), _ground(path, installed), node, machine=machine)
    except UnreadableError as error:
        raise ConfigErrors(str(path), [error.problem]) from None
    except RecursionError:
        raise ConfigErrors(str(path), [Problem("", "is nested too deeply")]) from None


def named_nodes(path: str | Path) -> list[str]:
    """The nodes that the file names, in its order; none if it names none or cannot be read, which ``load`` tells."""
    try:
        document = parse(_read(Path(path)))
        return _named(View(document, NodeReader("", is_current=False, machine=False), _ground(path)))
    except (UnreadableError, RecursionError):
        return []


def _named(scout: View) -> list[str]:
    return list(dict.fromkeys(each for names in scout.node_tables.values() for each in names))


def _ground(path: str | Path, installed: Mapping[str, tuple[str, ...]] | None = None) -> Ground:
    return Ground(Path(path).absolute(), (), installed_plugins() if installed is None else installed)


def _read(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableError("must be a regular file")
        with path.open("rb") as file:
            content = file.read(_SIZE_MAX + 1)
        if len(content) > _SIZE_MAX:
            raise UnreadableError(f"is larger than {_SIZE_MAX // 1024 // 1024} MiB: no configuration is")
        return content.decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UnreadableError("must be UTF-8 text", line) from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise UnreadableError(f"cannot be read: {error}") from None


def _load(
    document: dict[str, Any], lines: Lines, ground: Ground, node: str | None, *, machine: bool
) -> tuple[Config, list[Problem]]:
    problems: list[Problem] = []
    misnamed = _stray(document, problems)
    own_name = _node_name(document, problems)
    name = node or own_name
    ground = replace(ground, misnamed=misnamed)
    # Which nodes there are shows only after a first look, which asks nothing of the machine.
    scout = View(document, NodeReader(name, is_current=False, machine=False), ground)
    nodes = sorted(_named(scout))
    if nodes and name not in nodes and "node" not in misnamed:
        way_out = f"--node {nodes[0]}, or [node] name"
        message = f"= {show(name)}: is no node of this file, which names {enumerate_words(nodes)}: {way_out}"
        problems.append(Problem("node.name", message))
    ground = replace(ground, nodes=tuple(nodes))
    current = View(document, NodeReader(name, is_current=not nodes or name in nodes, machine=machine), ground)
    views = [View(document, NodeReader(each, is_current=False, machine=False), ground) for each in nodes]
    problems += [problem for view in (current, *views) for problem in view.problems]
    problems += [*incomplete(scout.node_tables, nodes, name), *level_priorities(views), *idle_weights(views)]
    problems += crossed(views)
    placed = sorted(lines.place(dict.fromkeys(problems)), key=lambda each: each.line)
    if any(problem.severity == "error" for problem in placed):
        raise ConfigErrors(str(ground.path), placed, current.config)
    return current.config, placed


def _stray(document: dict[str, Any], problems: list[Problem]) -> frozenset[str]:
    """Refuse unknown tables; which known ones they stand for."""
    strays = {key: FileReader().about_unknown(key, _TABLES) for key in document if key not in _TABLES}
    problems += [Problem(key, message) for key, (message, _) in strays.items()]
    return frozenset(meant for _, meant in strays.values())


def _node_name(document: dict[str, Any], problems: list[Problem]) -> str:
    """The node's name, ``$HOSTNAME`` expanded to the short host name."""
    node = document.get("node", {})
    named = {key: value for key, value in node.items() if key == "name"} if isinstance(node, dict) else node
    table, mistakes = convert(named, NodeTable, "node")
    problems += mistakes
    name = (table or NodeTable()).name.replace("$HOSTNAME", socket.gethostname().partition(".")[0])
    if not name.strip() or not name.isprintable():
        problems.append(Problem("node.name", f"= {show(name)}: must be a name"))
    return name
