"""Raises the version of hafw and of all its distributions, which carry one: ``make version VERSION=0.2.0``.

It is written wherever it stands: ``hafw/__init__.py``, every plugin's version and its dependency on hafw, the extras of
hafw, and the pages that show what hafw prints. ``CHANGELOG.md`` gets its heading. Every file is looked at before the
first is written. Standard library only.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE: Final = Path(__file__).parents[1]
CODE: Final = "hafw/__init__.py"
CHANGES: Final = "CHANGELOG.md"
PAGES: Final = ("README.md", "README.zh-CN.md")
"""Show what a running daemon prints."""
PACKAGE_PAGE: Final = "docs/plugins/package.md"
"""Shows the range of versions that a new plugin asks for."""
_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:(a|b|rc)([1-9]\d*))?")
_UNRELEASED: Final = "## [Unreleased]\n"


def main() -> None:
    """Raise it, and say in which files."""
    if len(sys.argv) != 2:
        sys.exit("which version? make version VERSION=0.2.0")
    try:
        changed = raised(TREE, sys.argv[1], time.strftime("%Y-%m-%d", time.gmtime()))
    except ValueError as error:
        sys.exit(str(error))
    for name, text in changed.items():
        (TREE / name).write_text(text, "utf-8")
    print(f"{sys.argv[1]} stands in {', '.join(changed)}")
    print("next: make reference check test, then commit and tag it")


def raised(tree: Path, new: str, day: str) -> dict[str, str]:
    """The new text of every file that has the version. Raises ``ValueError`` in words."""
    old = current(tree)
    if _key(new) <= _key(old):
        raise ValueError(f"{new} must be greater than {old}")
    changed = {CODE: _replaced(tree, CODE, f'__version__ = "{old}"', f'__version__ = "{new}"')}
    for name in ("pyproject.toml", *sorted(map(str, _plugins(tree)))):
        text = (tree / name).read_text("utf-8")
        for before, after, words in _pins(old, new, own=name != "pyproject.toml"):
            if not re.search(before, text, re.MULTILINE):
                raise ValueError(f"{name}: {words} does not stand there: mend it first")
            text = re.sub(before, after, text, flags=re.MULTILINE)
        changed[name] = text
    for name in PAGES:
        changed[name] = _replaced(tree, name, f"hafw {old} ", f"hafw {new} ")
    if _range(old) != _range(new):
        changed[PACKAGE_PAGE] = _replaced(tree, PACKAGE_PAGE, _range(old), _range(new))
    changed[CHANGES] = _replaced(tree, CHANGES, _UNRELEASED, f"{_UNRELEASED}\n## [{new}] - {day}\n")
    return changed


def current(tree: Path) -> str:
    """What hafw says of itself."""
    found = re.search(r'^__version__ = "(.+)"$', (tree / CODE).read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{CODE}: no __version__ there")
    return found[1]


def _plugins(tree: Path) -> Iterator[Path]:
    return (path.relative_to(tree) for path in tree.glob("plugins/*/pyproject.toml"))


def _pins(old: str, new: str, *, own: bool) -> list[tuple[str, str, str]]:
    """What is replaced in a pyproject.toml, by what, in words: of a plugin what it is and needs, of hafw its extras."""
    escaped = re.escape(old)
    if own:
        return [
            (rf'^version = "{escaped}"$', f'version = "{new}"', f'version = "{old}"'),
            (rf'"(hafw|hafw-plugin-[a-z-]+)=={escaped}"', rf'"\g<1>=={new}"', f'"hafw=={old}"'),
        ]
    return [(rf'("hafw-plugin-[a-z-]+)=={escaped}"', rf'\g<1>=={new}"', f'"hafw-plugin-NAME=={old}"')]


def _replaced(tree: Path, name: str, old: str, new: str) -> str:
    text = (tree / name).read_text("utf-8")
    if old not in text:
        raise ValueError(f"{name}: {old.strip()} does not stand there: mend it first")
    return text.replace(old, new)


def _range(version: str) -> str:
    from hafw.scaffold import compatible  # noqa: PLC0415 - of the tree that runs this

    return f"`hafw{compatible(version)}`"


def _key(version: str) -> tuple[int, ...]:
    """To compare by; a pre-release comes before its release."""
    matched = _VERSION.fullmatch(version)
    if matched is None:
        raise ValueError(f"{version} must be like 0.2.0 or 0.2.0rc1")
    stage = {"a": 0, "b": 1, "rc": 2, None: 3}[matched[4]]
    return (*map(int, matched.groups()[:3]), stage, int(matched[5] or 0))


if __name__ == "__main__":
    main()
