"""The lowest versions that hafw, its plugins and their tests promise to work with, as constraints for pip and uv.

``make test-lowest`` installs these and runs the tests, so that a bound in a pyproject.toml that is too low is found.
What is not named there, but needed by what is, has the version of ``constraints.txt``. Standard library only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE: Final = Path(__file__).parents[1]
_BOUND: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z,-]+\])?>=([0-9.]+)")
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)==\S+")


def main() -> None:
    """Print them."""
    try:
        print("\n".join(constraints(TREE)))
    except ValueError as error:
        sys.exit(str(error))


def constraints(tree: Path) -> list[str]:
    """A line ``NAME==VERSION`` each. Raises ``ValueError`` for a requirement without a lowest version."""
    lowest: dict[str, str] = {}
    for place, requirement in requirements(tree):
        if re.match(r"hafw\b", requirement):
            continue
        bound = _BOUND.fullmatch(requirement)
        if bound is None:
            raise ValueError(f"{place}: {requirement}: must say its lowest version, as in {requirement}>=1.0")
        name = _canonical(bound[1])
        if lowest.setdefault(name, bound[2]) != bound[2]:
            raise ValueError(f"{place}: {requirement}: another place says {lowest[name]}: make them the same")
    pins = (tree / "constraints.txt").read_text("utf-8").splitlines()
    others = [pin[0] for line in pins if (pin := _PIN.fullmatch(line)) and _canonical(pin[1]) not in lowest]
    return sorted([*(f"{name}=={version}" for name, version in lowest.items()), *others])


def requirements(tree: Path) -> Iterator[tuple[str, str]]:
    """What is installed for the tests, with the file that says so."""
    for path in (tree / "pyproject.toml", *sorted(tree.glob("plugins/*/pyproject.toml"))):
        whole = tomllib.loads(path.read_text("utf-8"))
        project = whole["project"]
        groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
        for group in [*groups, whole.get("dependency-groups", {}).get("dev", [])]:
            yield from ((str(path.relative_to(tree)), each) for each in group)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
