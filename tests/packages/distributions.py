"""Programs that are run to their end, copies of this tree, distributions, and environments to install them into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 300


def run(*words: str | Path, cwd: Path = ROOT, **variables: str) -> str:
    """What it prints; a failure is shown with all that it said."""
    environment = {key: each for key, each in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-5000:]}"
    return done.stdout


def tracked(folder: Path) -> Path:
    """A copy of this tree as git has it, in another folder."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
            (folder / name).chmod((ROOT / name).stat().st_mode & 0o777)
    return folder


def build(tree: Path, into: Path, **variables: str) -> Path:
    """``make dist`` of this tree, by this environment, which stays as it is; returns their folder."""
    make = ("make", "--silent", "dist", f"BUILD={into}", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.installed")
    run(*make, cwd=tree, **variables)
    return into / "dist"


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has nothing but pip at first."""

    folder: Path
    before: frozenset[str] = frozenset()
    """The files that were there before the installation."""

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def pip(self, *words: str | Path) -> str:
        return run(self.python, "-m", "pip", *words, PIP_CONSTRAINT=str(ROOT / "constraints.txt"))

    def hafw(self, *words: str | Path) -> str:
        return run(self.folder / "bin/hafw", *words)

    def files(self) -> set[str]:
        """All files in it, but what pip itself leaves when it runs. Folders that scapy had, pip leaves there, empty."""
        found = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir()}
        return {name for name in found if "__pycache__" not in name or "hafw" in name}
