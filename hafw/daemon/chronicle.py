"""What ``hafw history`` tells beyond the life of a daemon: the transitions, as lines of a file in the state directory.

For people only: nothing of it comes back into the election. It is read and written in threads, and a disk that is full
or hangs costs lines of the history and nothing else.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from hafw.will import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from hafw.daemon.observe import Observer
    from hafw.records import Record

KEPT = 500
"""Transitions that are shown of earlier daemons; the file is cut to so many when it has twice as many lines."""
READ_MAX = 1 << 20
"""Octets from the end of the file that are read."""
TOLD = {"state_changed", "group_changed"}


class Chronicle:
    """Every transition of this host, the oldest first."""

    def __init__(self, path: Path | None, observer: Observer) -> None:
        """``path``: the file; ``None``: nothing is remembered, as in a dry run."""
        self._path = path
        self._observer = observer
        self._before: list[Record] = []
        self._lines = 0
        """In the file."""
        self._unwritten: deque[Record] = deque(maxlen=KEPT)
        self._news = trio.Event()
        self._failing = False
        if path is not None:
            observer.subscribe(self._heard)

    def transitions(self) -> list[Record]:
        """Those of earlier daemons, then those of this one."""
        known = {_identity(each) for each in self._before}
        return self._before + [
            each for each in self._observer.events if each["type"] in TOLD and _identity(each) not in known
        ]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read what there is, then write what comes; started when it is read."""
        if self._path is None:
            task_status.started()
            return
        self._before, self._lines = await trio.to_thread.run_sync(read_untrusted, self._path, abandon_on_cancel=True)
        task_status.started()
        while True:
            await self._news.wait()
            self._news = trio.Event()
            events = list(self._unwritten)
            self._unwritten.clear()
            await trio.to_thread.run_sync(self._write, events)

    def close(self) -> None:
        """Write what came last; the daemon ends."""
        if self._path is not None and self._unwritten:
            self._write(list(self._unwritten))

    def _heard(self, event: Record) -> None:
        if event["type"] in TOLD:
            self._unwritten.append(event)
            self._news.set()

    def _write(self, events: list[Record]) -> None:
        """In a thread. What cannot be written is told once and given up: the running daemon still knows it."""
        assert self._path is not None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(_line(each) for each in events)
            self._path.chmod(0o600)
            self._lines += len(events)
            if self._lines > 2 * KEPT:
                kept, _ = read_untrusted(self._path)
                replace_file(self._path, "".join(map(_line, kept)).encode())
                self._lines = len(kept)
        except OSError as error:
            if not self._failing:
                self._observer.log.warning("history_not_written", path=str(self._path), error=str(error))
            self._failing = True
        else:
            self._failing = False


def read_untrusted(path: Path) -> tuple[list[Record], int]:
    """The newest transitions of the file, and how many lines were read; damaged lines are left out."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - READ_MAX))
            lines = file.read(READ_MAX).splitlines()
    except OSError:
        return [], 0
    found = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            record = json.loads(line)
            if _is_told(record):
                found.append(record)
    return found[-KEPT:], len(lines)


def _is_told(record: object) -> bool:
    """Whether it can be shown beside our own."""
    if not isinstance(record, dict) or record.get("type") not in TOLD or not isinstance(record.get("seq"), int):
        return False
    needed = {"time", "from", "to", "reason", "instance", *(["group"] if record["type"] == "group_changed" else [])}
    return all(isinstance(record.get(key), str) for key in needed)


def _identity(event: Record) -> tuple[str, int]:
    return event["time"], event["seq"]


def _line(event: Record) -> str:
    return json.dumps(event, ensure_ascii=False, default=str) + "\n"
