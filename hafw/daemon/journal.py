"""``[journal]``: the paper of the Node's journal is a file, and the one before it.

The election only puts a line into a bounded queue; a thread of its own makes it JSON and writes it. A line at a time
and without a buffer: a thread that writes lets go of the interpreter, so that the election never waits for more than
one line. What does not fit, or cannot be written, is lost and counted by the Node, and the journal goes on with a
beginning when there is room again.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.daemon.observe import timestamp
from hafw.journal import RecordedNode
from hafw.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.config import Config
    from hafw.daemon.process import Log
    from hafw.daemon.testament import KeptHistory

QUEUE = 4000
"""Lines."""
RESERVE = 8
"""The last one of so many parts of a file is for what is still queued when the file is full."""
ROOM = 16
"""Beginnings must fit into a file at least, for the states of all routers follow."""
RETRY = 10.0
"""Seconds after a refusal of the file system until it is tried again."""
CLOSE_WITHIN = 2.0
"""Seconds for what is queued at the end."""


class Recorder:
    """Paper in two files: ``path``, and ``path.1`` with what came before, each of ``max_size`` octets at most."""

    def __init__(self, path: str, max_size: int, log: Log) -> None:
        """``log`` is told why nothing can be written, in the thread of the recorder."""
        self._path = Path(path)
        self._max_size = max_size
        self._log = log
        self._file = -1
        """Negative: nothing can be written, until a beginning."""
        self._discarded = 0
        """Lines that were queued in vain, or not at all, since the last beginning."""
        self._size = 0
        self._is_turning = False
        self._is_over = False
        """A line did not fit: this file is not gone on with."""
        self._broken_at: float | None = None
        self._queue: queue.Queue[tuple[Callable[..., str], int | None] | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether the file has its size, and no beginning is under way that ends it."""
        return (self._is_over or self._is_long(self._size)) and not self._is_turning

    @property
    def ready(self) -> bool:
        """Whether there is room, and no refusal of late."""
        refused = self._broken_at is not None and time.monotonic() < self._broken_at + RETRY
        return not refused and self._queue.qsize() <= QUEUE // 2

    def begin(self, line: Callable[[int], str], lost: int = 0) -> bool:
        """The first line of a new file, if this one is full."""
        self._is_turning, self._broken_at = True, None  # before it is queued, for the thread may be quicker
        if self._put(line, lost):
            return True
        self._is_turning = False
        return False

    def write(self, line: Callable[[], str]) -> bool:
        """Queue it; False: it is lost."""
        return self._broken_at is None and self._put(line, None)

    def close(self) -> None:
        """Write what is queued, if that is quick."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(CLOSE_WITHIN)

    def _put(self, line: Callable[..., str], lost: int | None) -> bool:
        """``lost``: before this line, which is a beginning; ``None``: it is none."""
        try:
            self._queue.put_nowait((line, lost))
        except queue.Full:
            return False
        return True

    def _is_long(self, size: int) -> bool:
        return size >= self._max_size - self._max_size // RESERVE

    # -- in the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            try:
                self._take(*entry)
            except OSError as error:
                self._broken_at = time.monotonic()
                self._close()
                self._log.warning("journal_not_written", path=str(self._path), reason=(error.strerror or "").lower())

    def _take(self, line: Callable[..., str], lost: int | None) -> None:
        if lost is not None:
            self._discarded += lost
            self._begin(line)
        elif self._file < 0:
            self._discarded += 1
        else:
            self._add(f"{line()}\n".encode())

    def _begin(self, line: Callable[[int], str]) -> None:
        try:
            self._open()
        finally:
            self._is_turning = False
        data = f"{line(self._discarded)}\n".encode()
        if len(data) * ROOM > self._max_size:
            raise OSError(errno.EFBIG, f"a beginning takes {len(data)} octets: set max_size to {len(data) * ROOM}")
        self._append(data)
        self._discarded = 0

    def _add(self, data: bytes) -> None:
        """A line that does not fit ends the file, and waits with what follows for a beginning."""
        self._discarded += 1
        if self._size + len(data) > self._max_size:
            self._close()
            self._is_over = True
            return
        self._append(data)
        self._discarded -= 1

    def _open(self) -> None:
        """Turn the page if it is full. A line that was cut off, by a full disk or a death, is ended."""
        self._close()
        if self._path.is_file() and (self._is_over or self._is_long(self._path.stat().st_size)):
            self._path.replace(f"{self._path}.1")
        self._is_over = False
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._file).st_size
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            self._append(b"\n")

    def _append(self, data: bytes) -> None:
        while data:
            written = os.write(self._file, data)
            self._size += written
            data = data[written:]

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def node_of(config: Config, now: float, history: KeptHistory | None, log: Log) -> tuple[Node, Callable[[], None]]:
    """The Node of this configuration, recorded if it says so, and what is to be called at the end.

    ``history``: of the daemon that it goes on for, if there is one.
    """
    journal, seq = config.journal, history.node_seq if history else 0
    if not journal.path:
        return Node(config.settings, now, seq), lambda: None
    recorder = Recorder(journal.path, journal.max_size, log)
    node = RecordedNode(config.settings, now, recorder, config.node_name, notes=lambda: {"time": timestamp()}, seq=seq)
    return node, recorder.close
