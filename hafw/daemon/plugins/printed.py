"""What plugins print: logged with their names, at a bounded rate, whatever they print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LINES = 50
"""Lines that are logged per ``PERIOD``; the others are counted."""
PERIOD = 10.0
LINE_MAX = 1000
LINES_PER_FEED = 200

log = structlog.get_logger()


class Printed:
    """The output of one process."""

    def __init__(self, plugin: str, hear: Callable[[str, bool], None] = lambda _line, _logged: None) -> None:
        """``hear`` is told of every line, and whether it is logged."""
        self.last = ""
        """The last line that was not empty: of a traceback, the exception."""
        self.dropped = 0
        """Lines that were not logged, so far."""
        self._plugin = plugin
        self._hear = hear
        self._rest = b""
        self._said = 0
        self._dropped = 0
        self._since = 0.0

    def feed(self, data: bytes, now: float) -> None:
        """Take what was read; never blocks, and costs little however many lines there are."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LINE_MAX:]
        self._drop(max(0, len(lines) - LINES_PER_FEED))
        self._take([line[:LINE_MAX].decode(errors="replace") for line in lines[-LINES_PER_FEED:]], now)

    def say(self, text: str, now: float) -> None:
        """Take whole lines, of a few thousand characters at most."""
        self._take([line[:LINE_MAX] for line in text.splitlines()], now)

    def _take(self, lines: Sequence[str], now: float) -> None:
        if now >= self._since + PERIOD:
            self._begin_period(now)
        for line in lines:
            if text := line.strip():
                self._say(text)

    def _begin_period(self, now: float) -> None:
        if self._dropped:
            log.warning("plugin_output_dropped", plugin=self._plugin, lines=self._dropped)
        self._said, self._dropped, self._since = 0, 0, now

    def _say(self, text: str) -> None:
        self.last = text
        self._hear(text, self._said < LINES)
        if self._said < LINES:
            self._said += 1
            log.info("plugin_output", plugin=self._plugin, line=text)
        else:
            self._drop(1)

    def _drop(self, lines: int) -> None:
        self._dropped += lines
        self.dropped += lines
