"""A ``toml`` block of a page, given to the code that ``hafw check --no-system`` runs; warnings of the file count too.

A block that is not a whole file is completed, by one rule: an instance that lacks ``interface``, ``vrid`` or
``virtual_addresses`` gets them; a block without an instance gets one, ``VI_1``; bare keys at its beginning are that
one's. What else it needs stands in its mark ``with``. Completing adds keys only, so a mistake in the block stays one.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hafw.config import ConfigErrors
from hafw.config.convert import convert
from hafw.config.file import loads
from hafw.daemon.plugins.introduce import installed
from hafw.plugin.loading import load
from hafw.plugin.serve import NoOptions

if TYPE_CHECKING:
    from pages import Block

    from hafw.config import Config
    from hafw.config.problem import Problem

_REQUIRED: Final = {
    "interface": 'interface = "eth0"',
    "vrid": "vrid = {vrid}",
    "virtual_addresses": 'virtual_addresses = ["192.168.161.{vrid}"]',
}
_INSTANCE: Final = re.compile(r"^\[instance\.([A-Za-z0-9_-]+)[\].]", re.MULTILINE)
_FIRST_VRID: Final = 251


def completed(text: str, more: str = "") -> str:
    """The whole file that this block is a part of."""
    head, _, rest = _split(text)
    names = list(dict.fromkeys(_INSTANCE.findall(f"{text}\n{more}"))) or ["VI_1"]
    said = tomllib.loads(f"[instance.{names[0]}]\n{head}\n") if head.strip() else {}
    rest = f"{rest}\n{more}\n"
    instances = _instances(rest)
    for number, name in enumerate(names):
        own = instances.get(name, {}) | (said["instance"][names[0]] if said and name == names[0] else {})
        lines = [
            form.format(vrid=_FIRST_VRID - number if number else 51)
            for key, form in _REQUIRED.items()
            if key not in own
        ]
        if head.strip() and name == names[0]:
            lines.append(head)
        rest = _into(rest, name, lines)
    return rest


def _split(text: str) -> tuple[str, str, str]:
    """Bare keys before the first table, and the rest."""
    first = re.search(r"^\[", text, re.MULTILINE)
    at = first.start() if first else len(text)
    head = text[:at]
    if not re.search(r"^\s*[A-Za-z0-9_\"]", head, re.MULTILINE):
        return "", "", text
    return head, "", text[at:]


def _instances(text: str) -> dict[str, dict[str, object]]:
    try:
        found = tomllib.loads(text).get("instance", {})
    except tomllib.TOMLDecodeError:
        return {}
    return {name: table for name, table in found.items() if isinstance(table, dict)}


def _into(text: str, name: str, lines: list[str]) -> str:
    """Put these lines into the table of this instance; make it, in front, where there is none."""
    if not lines:
        return text
    header = f"[instance.{name}]"
    added = "\n".join(lines)
    if re.search(rf"^{re.escape(header)}[^\n]*$", text, re.MULTILINE):
        line = re.compile(rf"^({re.escape(header)}[^\n]*)$", re.MULTILINE)
        return line.sub(lambda found: f"{found[1]}\n{added}", text, count=1)
    return f"{header}\n{added}\n\n{text}"


def problems_of(text: str, folder: Path, node: str = "lb1") -> list[Problem]:
    """Every complaint, warnings too, as ``hafw check --no-system`` has it, but in this process, which is quicker."""
    try:
        config, found = loads(text, folder / "config.toml", node)
    except ConfigErrors as errors:
        if errors.partial is None:
            return errors.problems
        config, found = errors.partial, errors.problems
    return list(dict.fromkeys([*found, *_of_plugins(config)]))


def _of_plugins(config: Config) -> list[Problem]:
    found: list[Problem] = []
    for plugin in config.plugins.values():
        loaded = _loaded(plugin.kind, str(plugin.file or ""))
        options = loaded.call["options"]() if "options" in loaded.call else NoOptions
        _, problems = convert(dict(plugin.options), options, f"plugin.{plugin.name}", machine=False)
        found += problems
    return found


@cache
def _loaded(kind: str, file: str):
    return load(kind, file, _offers().get(kind, ()))


@cache
def _offers():
    return installed()


def files_of(page_blocks: list[Block]) -> dict[str, str]:
    """The files that a page shows: a block whose first line is a comment with the path of one."""
    found = {}
    for block in page_blocks:
        first = re.match(r"# (/\S+\.py)$", block.text.splitlines()[0]) if block.text.strip() else None
        if first:
            found[first[1]] = block.text
    return found


def nodes_of(text: str) -> list[str]:
    """The routers that a file names, so that each reads it; ``lb1`` where it names none."""
    names: dict[str, None] = {}
    for instance in tomllib.loads(text).get("instance", {}).values():
        priority = instance.get("priority")
        names.update(dict.fromkeys(priority if isinstance(priority, dict) else ()))
    return list(names) or ["lb1"]


def complaints(block: Block, folder: Path, others: list[Block]) -> list[str]:
    """What is wrong with a block that should be right, or right with one that should be refused."""
    if "other" in block.marks:
        tomllib.loads(block.text)
        return [] if block.marks["other"] else ["`other` needs words: which program's file is it?"]
    text = block.text
    for other in others:
        if "save" in other.marks and other.line < block.line and not other.marks["save"].startswith("/"):
            (folder / other.marks["save"]).write_text(other.text, "utf-8")
            _loaded.cache_clear()
    for path, shown in files_of(others).items():
        (folder / Path(path).name).write_text(shown, "utf-8")
        text = text.replace(f'"{path}"', f'"{folder / Path(path).name}"')
    whole = completed(text, block.marks.get("with", ""))
    try:
        tomllib.loads(whole)
        nodes = [block.marks["node"]] if "node" in block.marks else nodes_of(whole)
    except tomllib.TOMLDecodeError:
        nodes = ["lb1"]
    found = [each.render("config.toml") for node in nodes for each in problems_of(whole, folder, node)]
    if (refused := block.marks.get("refused")) is not None:
        return [] if any(refused in each for each in found) and refused else [f"not refused with {refused!r}: {found}"]
    return list(dict.fromkeys(found))
