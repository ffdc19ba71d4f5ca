"""The lock in the run directory: held by guard and daemon alike, for as long as one of them lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hafw import will as last_will

if TYPE_CHECKING:
    from pathlib import Path

STOPPING = "stopping"


class LockError(Exception):
    """It cannot be had."""

    def __init__(self, reason: str, way_out: str, *, forbidden: bool = False) -> None:
        super().__init__(f"{reason}: {way_out}")
        self.reason = reason
        self.forbidden = forbidden
        """Whether a right is missing, and not a living hafw in the way."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The open lock file; in it stand the pid of the guard and, at the end, that it is stopping."""

    descriptor: int
    directory: Path

    @classmethod
    def take(cls) -> Lock:
        """Raises ``LockError``."""
        directory = last_will.run_directory()
        path = directory / "lock"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            forbidden = isinstance(error, PermissionError)
            raise LockError(f"{path}: {reason}", "run as root, or set HAFW_RUN_DIR", forbidden=forbidden) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 64, 0).decode(errors="replace")
            os.close(descriptor)
            raise LockError(*_refusal(path, text)) from None
        lock = cls(descriptor, directory)
        lock.note(str(os.getpid()))
        return lock

    def note(self, text: str) -> None:
        """Let it say this from now on; where there is no room, it says less."""
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, f"{text}\n".encode(), 0)


def _refusal(path: Path, text: str) -> tuple[str, str]:
    pid, _, doing = text.strip().partition(" ")
    if doing == STOPPING:
        return f"the hafw of pid {pid} holds {path} and is stopping", "try again when it is gone"
    return f"a live hafw{f' of pid {pid}' if pid else ''} holds {path}", "stop it, or set HAFW_RUN_DIR"
