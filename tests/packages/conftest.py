"""The distributions, built once, and environments into which they are installed by one command of pip.

What they need comes from the package index, in the versions of constraints.txt, as for everything that ``make`` does.
"""

from __future__ import annotations

import shutil
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from distributions import ROOT, Environment, build, run


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and a source distribution of hafw and of each plugin."""
    return build(ROOT, tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def index(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these, and with what they need: docs/service.md has the two commands."""
    folder = tmp_path_factory.mktemp("index")
    for wheel in dist.glob("*.whl"):
        shutil.copy(wheel, folder)
    pip = (sys.executable, "-m", "pip", "--quiet", "download", "--dest", folder, "--find-links", dist)
    run(*pip, "hafw[all,testing]", PIP_CONSTRAINT=str(ROOT / "constraints.txt"))
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Nothing is installed yet; for each file of tests another one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=True)
    return Environment(folder)


@pytest.fixture(scope="module")
def installed(empty: Environment, index: Path) -> Environment:
    """hafw with all its plugins, by one command."""
    before = empty.files()
    empty.pip("install", "--no-index", "--find-links", index, "hafw[all]")
    return replace(empty, before=frozenset(before))
