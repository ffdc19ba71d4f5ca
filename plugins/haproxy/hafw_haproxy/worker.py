"""The process that answers, followed by its pidfd: HAProxy itself says which one it is.

A pid file would not do: HAProxy leaves it behind when it ends, and in it stands the master process, which goes on while
workers come and go.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from pathlib import Path
from typing import Final

_NAME_MAX: Final = 15
"""Octets that the kernel keeps of a process's name."""


class Worker:
    """Two threads: one says who answers, the other waits for its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._pid = 0
        self._pidfd = -1
        self._news = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when another one is followed than the waiting thread knows."""

    def follow(self, pid: int) -> None:
        """This one answered. After a reload it is another: the old one may live on until its connections end."""
        with self._lock:
            if pid == self._pid and self._pidfd >= 0:
                return
            self._drop()
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(pid)
                if self._is_meant(pid):
                    self._pid, self._pidfd = pid, pidfd
                    os.eventfd_write(self._news, 1)
                else:
                    os.close(pidfd)

    def _is_meant(self, pid: int) -> bool:
        """In a container HAProxy counts processes from 1: the pid is another's here, and nobody is followed."""
        try:
            return Path(f"/proc/{pid}/comm").read_text().rstrip("\n") == self.name[:_NAME_MAX]
        except OSError:
            return False

    def wait(self, seconds: float | None) -> bool:
        """For its end, another to follow, or so many seconds; whether it has ended. It is then followed no more."""
        with self._lock:
            pidfd = self._pidfd
            poll = select.poll()
            poll.register(self._news, select.POLLIN)
            if pidfd >= 0:
                poll.register(pidfd, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if seconds is None else 1000 * seconds)}
        with self._lock:
            if self._news in ready:
                os.eventfd_read(self._news)
            ended = pidfd in ready and pidfd == self._pidfd
            if ended:
                self._drop()
            return ended

    def _drop(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pid, self._pidfd = 0, -1
