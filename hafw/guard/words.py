"""What the guard says: log lines in the daemon's form, without its library."""

from __future__ import annotations

import contextlib
import select
import signal
import sys


def say(event: str, **fields: object) -> None:
    """One log line; a reader of the log that stalls must not stall the will."""
    words = " ".join(f'{key}="{value}"' if " " in str(value) else f"{key}={value}" for key, value in fields.items())
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [sys.stderr], [], 0)[1]:
            print(f"level=warning event={event} process=guard {words}".rstrip(), file=sys.stderr, flush=True)  # noqa: T201


def describe_status(code: int) -> str:
    """How a process ended."""
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
