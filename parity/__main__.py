"""``python -m parity``: all of it, and docs/parity.md written anew. Needs root, keepalived and three minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hafw.lab import routers
from hafw.lab.network import Lab
from parity.compare import complaints
from parity.live import LANGUAGES, Migration, commands, page_of
from parity.machine import TREE
from parity.play import CASTS, play_all
from parity.report import page
from parity.steps import STEPS


def main() -> int:
    """Exit status 1 when something differs that may not."""
    keepalived = routers.program("keepalived")
    if keepalived is None:
        print("keepalived is not installed: apt-get install keepalived", file=sys.stderr)
        return 2
    said = subprocess.run([keepalived, "--version"], capture_output=True, text=True, check=True).stderr
    with Lab() as lab:
        migration = Migration(lab)
        chapters = [migration.control(), *migration.run(commands(page_of(LANGUAGES[0]), LANGUAGES[0]))]
    rests = play_all(CASTS, STEPS)
    failures = sum(step.failure for step in STEPS)
    text = page(said.split()[1].removeprefix("v"), failures, rests, chapters)
    (Path(TREE) / "docs/parity.md").write_text(text, encoding="utf-8")
    print(text)
    wrong = complaints(rests, STEPS)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
