"""A daemon whose guard dies: nobody else is left to execute the will. Before anything that takes time is imported."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
EXECUTE = """
from hafw.guard.execution import execute_leftover
from hafw.guard.words import say
say("orphaned", reason="the guard died while the daemon was starting")
execute_leftover()
raise SystemExit(1)
"""


def obey_guard(words: Sequence[str]) -> None:
    """End when the guard does. Once the election runs that is a handover, as on SIGTERM; before, the will is executed.

    In our place, by another program: nothing of ours goes on speaking, and the lock stays held.
    """
    guard = int(os.environ.pop("HAFW_GUARDED"))

    def end(*_: object) -> None:
        if os.getppid() == guard:  # it lives, and executes the will itself
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        if "--dry-run" in words:  # the will is another's
            os._exit(1)
        os.execv(sys.executable, [sys.executable, "-P", "-c", EXECUTE])  # noqa: S606 - no shell, and our own words

    signal.signal(signal.SIGTERM, end)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != guard:
        end()
