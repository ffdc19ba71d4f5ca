"""The lowest versions that are promised: `make test-lowest` runs the tests with these."""

from __future__ import annotations

import re
from pathlib import Path

import lowest
import pytest

ROOT = Path(__file__).parents[2]


def write(tree: Path, *dependencies: str, plugin: tuple[str, ...] = ()) -> Path:
    for folder, names in (("", dependencies), ("plugins/p", plugin)):
        (tree / folder).mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f'"{each}"' for each in names)
        (tree / folder / "pyproject.toml").write_text(f'[project]\nname = "x"\ndependencies = [{listed}]\n')
    (tree / "constraints.txt").write_text("# pins\nTrio_X==9.0\nidna==3.20\n")
    return tree


def test_every_direct_dependency_of_this_tree_has_its_lowest_version_and_all_else_its_pin():
    found = dict(line.split("==") for line in lowest.constraints(ROOT))
    assert found["trio"] == re.search(r'"trio>=([0-9.]+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert {"scapy", "pyroute2", "h11", "pytest", "hypothesis", "idna"} <= found.keys()
    assert not any(name.startswith("hafw") for name in found)


def test_a_pin_gives_way_to_a_bound_however_the_name_is_written(tmp_path: Path):
    assert lowest.constraints(write(tmp_path, "trio-x>=1.2", "hafw-plugin-vip==0.1.0")) == ["idna==3.20", "trio-x==1.2"]


def test_a_dependency_without_a_bound_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"^plugins/p/pyproject\.toml: h11: must say its lowest version, as in h11>=1"):
        lowest.constraints(write(tmp_path, plugin=("h11",)))


def test_two_bounds_of_one_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"trio>=2: another place says 1: make them the same"):
        lowest.constraints(write(tmp_path, "trio>=1", plugin=("trio>=2",)))
