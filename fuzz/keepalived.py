"""Target for keepalived.conf: whatever stands in it, a configuration that hafw takes, and a word about every line."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from hafw.config.file import loads
from hafw.config.plugins import PACKAGES
from hafw.keepalived.importing import Source, convert

if TYPE_CHECKING:
    from hafw.keepalived.language import Statement

INSTALLED = {name: (package,) for name, package in PACKAGES.items()}
OTHER = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  192.0.2.51\n }\n}\n"


class Nowhere:
    """No includes, no scripts, but for one that includes itself."""

    def read(self, path: str) -> str | None:
        """The text of the one file."""
        return "priority 3\ninclude a\n}" if path.endswith("a") else None

    def glob(self, pattern: str) -> list[str]:
        """The one file."""
        return ["a"] if pattern.endswith("a") else []


def keepalived(data: bytes) -> bool:
    """Alone, and as one of two routers."""
    text = data.decode(errors="replace")
    return sum([_kept([Source("k.conf", text)]), _kept([Source("lb1.conf", OTHER), Source("lb2.conf", text)])]) > 1


def _kept(sources: list[Source]) -> bool:
    """Everything that an import promises; whether something usable came of it."""
    imported = convert(sources, Nowhere())
    tomllib.loads(imported.text)
    if imported.usable:
        for node in imported.nodes if len(imported.nodes) > 1 else (None,):
            loads(imported.text, "config.toml", node, installed=INSTALLED)
    todo: list[Statement] = [each for tree in imported.trees for each in tree]
    while todo:
        each = todo.pop()
        assert each.told, each.text
        todo += each.body or ()
    notes = imported.report.lines()
    assert len({note.place for note in notes}) == len(notes)
    assert all(note.render().isprintable() for note in notes)
    return imported.usable
