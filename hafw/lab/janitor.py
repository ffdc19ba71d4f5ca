"""Program: ``python -m hafw.lab.janitor DIRECTORY`` cleans up after a lab, however it ended.

It reads the inode of each network namespace from its input, a line each. When the input ends, because the lab closed
it or because the lab was killed, it ends every process in these networks by pid and removes the directory. Whatever
runs in them was started by the lab, so membership is enough; it finds what detached itself too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Final

_SWEEPS: Final = 250
_PAUSE: Final = 0.02


def main(directory: str) -> None:
    """Wait for the end, then clean up; exit status 1 when the kernel holds a process."""
    networks = {int(line) for line in sys.stdin}
    left = _sweep(networks)
    shutil.rmtree(directory, ignore_errors=True)
    if left:
        sys.exit(f"processes {left} survive SIGKILL in the lab's namespaces: the kernel holds them")


def _sweep(networks: set[int]) -> list[int]:
    """Return what is left after a few seconds: nothing, unless the kernel holds it."""
    for _ in range(_SWEEPS):
        left = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _lives_in(entry, networks)]
        if not left:
            break
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)
    return left


def _lives_in(process: Path, networks: set[int]) -> bool:
    with contextlib.suppress(OSError):
        return (process / "ns/net").stat().st_ino in networks
    return False


if __name__ == "__main__":
    main(sys.argv[1])
