"""systemd's notification protocol: a datagram to ``$NOTIFY_SOCKET`` (sd_notify(3)); and the journal's priorities."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Of syslog, by the level of a log line."""


def notify(state: str) -> None:
    """Tell the service manager, when there is one; never blocks and never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
    ):
        sender.sendto(state.encode(), address)


def watchdog_interval() -> float:
    """Seconds within which the service manager wants a ``WATCHDOG=1``; 0: it wants none."""
    try:
        return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0


def is_journal(stream: TextIO) -> bool:
    """Whether what is written there goes to the journal: ``$JOURNAL_STREAM`` names its device and inode.

    The variable alone says nothing: it is inherited, also by a process whose output goes elsewhere.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM", "") == f"{status.st_dev}:{status.st_ino}"


def priority(level: str, stream: TextIO) -> str:
    """What stands before a line of this level: ``<4>`` for a warning to the journal (sd-daemon(3)), else nothing."""
    return f"<{PRIORITIES[level]}>" if is_journal(stream) else ""
