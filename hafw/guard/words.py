"""What the guard says: log lines in the daemon's form, without its library."""

from __future__ import annotations

import contextlib
import select
import signal
import sys

from hafw.wire.systemd import priority


def say(event: str, **fields: object) -> None:
    """One log line; a reader of the log that stalls must not stall the will."""
    words = " ".join(f'{key}="{value}"' if " " in str(value) else f"{key}={value}" for key, value in fields.items())
    with contextlib.suppress(OSError, ValueError):
        if select.select([], [sys.stderr], [], 0)[1]:
            line = f"{priority('warning', sys.stderr)}level=warning event={event} process=guard {words}"
            print(line.rstrip(), file=sys.stderr, flush=True)  # noqa: T201


def describe_status(code: int) -> str:
    """How a process ended."""
    if code >= 0:
        return f"exit status {code}"
    named = -code in {each.value for each in signal.Signals}  # real-time signals have no names
    return f"killed by {signal.Signals(-code).name if named else f'signal {-code}'}"
