"""The parent process. It starts the daemon, outlives it, and executes its last will.

Small on purpose: standard library, the will's record and the wire; no trio, no click, no plugin. What it does while
the daemon lives is to sleep: it passes signals down and systemd's notifications up, and wakes when a MASTER's next sign
of life is overdue.
"""

from __future__ import annotations

import contextlib
import os
import sys

from hafw.guard.execution import execute_leftover
from hafw.guard.lock import Lock, LockError
from hafw.guard.parent import Guard
from hafw.guard.words import say

OOM_SCORE = -900
FAILED, INCAPABLE = 1, 7


def guard(words: list[str]) -> int:
    """Be the parent of ``hafw run``; returns the exit code."""
    if "--dry-run" in words:  # holds nothing, leaves nothing
        return Guard(words, None).run()
    try:
        lock = Lock.take()
    except LockError as error:
        say("refused", reason=error)
        return INCAPABLE if error.forbidden else FAILED
    execute_leftover()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
        score.write(str(OOM_SCORE))
    return Guard(words, lock).run()


def cleanup() -> int:
    """``hafw cleanup``: execute the will of a daemon that is dead; refuse beside a live one."""
    try:
        lock = Lock.take()
    except LockError as error:
        text = error if error.forbidden else f"{error.reason}: nothing to clean up"
        print(f"hafw: {text}", file=sys.stderr)  # noqa: T201
        return FAILED
    if not execute_leftover():
        print(f"hafw: nothing to clean up: no will in {lock.directory}")  # noqa: T201
    os.close(lock.descriptor)
    return 0
