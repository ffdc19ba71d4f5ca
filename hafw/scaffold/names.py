"""What a new plugin may be called, and what everything else in its package is called after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hafw.config.plugins import PACKAGES
from hafw.config.problem import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LENGTH_MAX: Final = 50
"""So that ``hafw_NAME`` stays a plugin's name, of 64 characters at most, however it is used."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that is called after NAME; ``disk-space`` and ``disk_space`` give the same."""

    name: str

    @property
    def plugin(self) -> str:
        """Of the entry point, and so of the section ``[plugin.disk_space]``."""
        return self.name.replace("-", "_")

    @property
    def distribution(self) -> str:
        """What pip installs: ``hafw-disk-space``. The folder has its name."""
        return f"hafw-{self.name.replace('_', '-')}"

    @property
    def module(self) -> str:
        """What Python imports: ``hafw_disk_space``."""
        return f"hafw_{self.plugin}"

    @property
    def class_name(self) -> str:
        """``DiskSpacePlugin``: the ending keeps ``path`` from hiding ``Path``, and ``none`` from being ``None``."""
        return "".join(word.capitalize() for word in self.plugin.split("_")) + "Plugin"


def mistake(name: str, installed: Mapping[str, Sequence[str]]) -> str:
    """Why a new plugin cannot be called this, with the way out; empty: it can. ``installed``: distributions by plugin.

    The rules are those of PEP 508 for the distribution, of Python for the module, and hafw's own.
    """
    shown = f"{show(name)}: "
    if not _NAME.fullmatch(name):
        rule = "must be lower-case letters, digits and single - or _ between them, and begin with a letter"
        return f"{shown}{rule}{_suggestion(name)}"
    if len(name) > LENGTH_MAX:
        return f"{shown}has {len(name)} characters: must be at most {LENGTH_MAX}"
    names = Names(name)
    first, _, rest = names.distribution.removeprefix("hafw-").partition("-")
    if first == "hafw":
        return f"{shown}the package is called hafw-NAME by itself: {f'leave hafw out: {rest}' if rest else 'say NAME'}"
    if first == "plugin":
        way_out = f"leave plugin out: {rest}" if rest else "choose another"
        return f"{shown}packages hafw-plugin-... are hafw's own: {way_out}"
    if names.plugin == "new":
        return f"{shown}`hafw plugins new` writes a package: choose another, or nobody can look at it by its name"
    if names.plugin in PACKAGES or names.distribution.removeprefix("hafw-") in PACKAGES.values():
        return f"{shown}hafw has a plugin of this name: choose another, such as my-{names.name}"
    return _taken(names, installed, shown)


def _suggestion(name: str) -> str:
    near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
    return f": try {near}" if _NAME.fullmatch(near) else ""


def _taken(names: Names, installed: Mapping[str, Sequence[str]], shown: str) -> str:
    """Two packages that offer one plugin are refused by hafw; one that is written anew may be installed already."""
    others = [each for each in installed.get(names.plugin, ()) if _canonical(each) != names.distribution]
    return f"{shown}{' and '.join(others)} offers this plugin here already: choose another name" if others else ""


def _canonical(distribution: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
