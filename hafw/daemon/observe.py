"""Logs, counters and the ring of recent events. Nothing here may block or fail: it runs inside the election loop.

A log line goes into a bounded queue and is written by a thread of its own; when the reader of the log stalls, lines
are dropped and counted, and adverts stay on time.
"""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import sys
import threading
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from hafw.wire.systemd import PRIORITIES, is_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hafw.records import Record

LOG_QUEUE = 2000
"""Lines; at a stalled reader the newest are dropped and counted."""
EVENTS_KEPT = 1000
"""Events that ``hafw events --since`` and ``hafw history`` can still show."""
BAD_PACKET_EVERY = 10.0
"""Seconds between two log lines for one reason and source (C-RX-20)."""
SUSPECTS_KEPT = 256
"""Such lines in that time, whoever and whatever they are about."""
WARNINGS = {
    "split_brain",
    "vip_lost",
    "vrid_collision",
    "peer_mismatch",
    "plugin_failed",
    "stall",
    "flapping",
    "degraded",
    "bad_packet",
    "fenced",
    "will_not_written",
    "restarted",
    "resumed",
}


class LogWriter:
    """A file-like object for structlog whose ``write`` never blocks.

    What goes to the journal has its priority before it, so that ``journalctl -p warning`` shows what is one.
    """

    def __init__(self, stream: TextIO) -> None:
        self.dropped = 0
        self._prefixes = {level: f"<{number}>" for level, number in PRIORITIES.items()} if is_journal(stream) else {}
        self._stream = stream
        self._queue: queue.Queue[str | None] = queue.Queue(LOG_QUEUE)
        self._thread = threading.Thread(target=self._drain, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: str, level: str = "info") -> None:
        """Queue one line, or count it as dropped."""
        try:
            self._queue.put_nowait(self._prefixes.get(level, "") + line)
        except queue.Full:
            self.dropped += 1

    info = msg

    def debug(self, line: str) -> None:
        """Queue one; so do the others."""
        self.msg(line, "debug")

    def warning(self, line: str) -> None:  # noqa: D102
        self.msg(line, "warning")

    def error(self, line: str) -> None:  # noqa: D102
        self.msg(line, "error")

    def critical(self, line: str) -> None:  # noqa: D102
        self.msg(line, "critical")

    def close(self, timeout: float = 1.0) -> None:
        """Write what is queued; at most ``timeout`` seconds, since the reader may be gone."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout)

    def _drain(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                self._stream.write(line + "\n")
                if self._queue.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                self.dropped += 1
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def start_logging(stream: TextIO | None = None, style: str | None = None) -> LogWriter:
    """Configure structlog for this process.

    ``style``: ``console`` (the default on a terminal), ``logfmt`` (the default elsewhere) or ``json``; the
    environment variable ``HAFW_LOG`` decides when it is left out.
    """
    stream = stream or sys.stderr
    style = style or os.environ.get("HAFW_LOG") or ("console" if stream.isatty() else "logfmt")
    writer = LogWriter(stream)
    renderer: Any
    if style == "json":
        renderer = structlog.processors.JSONRenderer()
    elif style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ, sort_keys=False)
    else:
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=lambda *_args: writer,
    )
    return writer


class Observer:
    """What happened: event stream with sequence numbers, counters, log."""

    def __init__(self, writer: LogWriter) -> None:
        self.log = structlog.get_logger()
        self.seq = self.born = 0
        """Of the newest event, and of the one before our first."""
        self.stream = secrets.token_hex(4)
        """What tells our numbers from those of another daemon."""
        self.began = timestamp()
        self.events: deque[Record] = deque(maxlen=EVENTS_KEPT)
        self.counters: Counter[tuple[str, str]] = Counter()
        """By (instance or "", name); the names are those of ietf-vrrp."""
        self._writer = writer
        self._subscribers: list[Callable[[Record], None]] = []
        self._said: dict[tuple[str, str], float] = {}

    @property
    def log_lines_dropped(self) -> int:
        """Lines that were never written, because the reader of the log stalled."""
        return self._writer.dropped

    def go_on(self, seq: int, events: Iterable[Record]) -> None:
        """Count from where the daemon before us was, which has left these events."""
        self.seq = self.born = seq
        self.events.extend(events)

    def subscribe(self, subscriber: Callable[[Record], None]) -> Callable[[], None]:
        """Call ``subscriber`` with every event; it must not block. Returns the way to end it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def since(self, seq: int, limit: int = EVENTS_KEPT) -> list[Record]:
        """Kept events with a greater ``seq``, oldest first, the newest ``limit`` of them."""
        newer = [event for event in self.events if event["seq"] > seq]
        return newer[-limit:] if limit else []

    def event(self, record: Record) -> Record:
        """Stamp, keep, log and publish one event."""
        self.seq += 1
        stamped = {"seq": self.seq, "time": timestamp(), **record}
        self.events.append(stamped)
        fields = {key: value for key, value in record.items() if key != "type"}
        unwell = record["type"] in WARNINGS or record.get("answered") is False or record.get("echo") is False
        level = self.log.warning if unwell else self.log.info
        level(record["type"], **fields)
        for subscriber in tuple(self._subscribers):
            subscriber(stamped)
        return stamped

    def count(self, instance: str, name: str, amount: int = 1) -> None:
        """Add to a counter of this instance; an empty instance means the whole host."""
        self.counters[instance, name] += amount

    def bad_packet(self, instance: str, reason: str, source: str, detail: str, now: float) -> None:
        """Count a refused packet exactly, and log it now and then (C-RX-20)."""
        self.counters[instance, reason] += 1
        if self.now_and_then(reason, source, now):
            total = self.counters[instance, reason]
            fields = {"instance": instance, "reason": reason, "source": source, "detail": detail, "count": total}
            self.log.warning("bad_packet", **fields)

    def now_and_then(self, what: str, whom: str, now: float) -> bool:
        """True at most once per ``BAD_PACKET_EVERY`` seconds for this pair, and ``SUSPECTS_KEPT`` times for all pairs.

        A flood from ever new sources costs neither memory nor log; what is not said is still counted.
        """
        while self._said and now >= next(iter(self._said.values())) + BAD_PACKET_EVERY:
            del self._said[next(iter(self._said))]  # in the order in which they were said
        if (what, whom) in self._said or len(self._said) >= SUSPECTS_KEPT:
            return False
        self._said[what, whom] = now
        return True


def timestamp() -> str:
    """Now, in UTC, ISO 8601 with milliseconds, as the event stream has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
