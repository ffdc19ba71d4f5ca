"""Programs of this machine that are asked how things are. They only look; nothing here changes anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

_PATIENCE: Final = 10.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Without root the administrator's folders are seldom searched."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said."""

    code: int
    output: str
    error: str


def found(program: str) -> bool:
    """Whether this machine has it."""
    return shutil.which(program, path=_PATH) is not None


def ask(*words: str) -> Answer | None:
    """Run it to its end; ``None``: it is not there, or hangs."""
    program = shutil.which(words[0], path=_PATH)
    if program is None:
        return None
    environment = {**os.environ, "LC_ALL": "C", "PATH": _PATH}
    try:
        done = subprocess.run(
            [program, *words[1:]],
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
