"""``HAFW_TRACE_PLUGINS=1``: every call of every plugin with its arguments, and what came of it, in the log.

Bounded in the length of a line and in lines per second; what an option keeps secret is shown nowhere.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import trio

from hafw.config.hiding import HIDDEN, as_written, untyped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hafw.pipe import Reply, Start

VARIABLE = "HAFW_TRACE_PLUGINS"
TEXT_MAX = 600
"""Characters of the arguments, or of the answer."""
LINES_PER_SECOND = 100
"""Of one plugin; what is more is counted."""
SECRET_MIN = 4
"""Characters of a secret that is looked for in texts: shorter ones are everywhere."""

log = structlog.get_logger()


class Trace:
    """Of one plugin process. Nothing here may block or fail."""

    def __init__(self, start: Start) -> None:
        self._plugin = start.name
        self._options = start.options or {}
        self._secrets: list[str] = []
        self._hide(untyped("", self._options))
        self._second = 0.0
        self._said = self._dropped = 0

    def started(self, pid: int, shown: Mapping[str, Any] | None, now: float) -> None:
        """The process is there, and was told its options; ``shown``: what it says of them, ``None``: nothing."""
        options = as_written("", self._options, shown)
        self._hide(options)
        self._say(now, "plugin_start", pid=pid, options=self._text(options))

    def _hide(self, options: Mapping[str, Any]) -> None:
        secrets = {each for each in secrets_of(self._options, options) if len(each) >= SECRET_MIN}
        secrets |= {msgspec.json.encode(each)[1:-1].decode() for each in secrets}
        self._secrets = sorted(secrets, key=len, reverse=True)

    def called(self, number: int, hook: str, arguments: Mapping[str, Any], now: float) -> None:
        """A hook is about to be called."""
        given = {name: value for name, value in arguments.items() if value not in (None, "", ())}
        self._say(now, "plugin_call", call=number, hook=hook, arguments=self._text(given))

    def answered(self, number: int, hook: str, reply: Reply, seconds: float, now: float) -> None:
        """It came back, or a part of its answer did."""
        what = "plugin_part" if reply.more else "plugin_answer"
        self._say(now, what, call=number, hook=hook, seconds=round(seconds, 4), answer=self._text(_said(reply)))

    def of_parts(
        self, on_part: Callable[[Reply], None] | None, hook: str, began: float
    ) -> Callable[[Reply], None] | None:
        """The same, and each part is told before it is taken."""
        if on_part is None:
            return None

        def take(part: Reply) -> None:
            now = trio.current_time()
            self.answered(part.id, hook, part, now - began, now)
            on_part(part)

        return take

    def ended(self, number: int, hook: str, why: str, seconds: float, now: float) -> None:
        """It did not, for this reason."""
        self._say(now, "plugin_no_answer", call=number, hook=hook, seconds=round(seconds, 4), detail=self._clean(why))

    def _say(self, now: float, what: str, **fields: Any) -> None:  # noqa: ANN401 - a log line's
        if now >= self._second + 1:
            dropped, self._second, self._said, self._dropped = self._dropped, now, 0, 0
            if dropped:
                _emit("plugin_trace_dropped", plugin=self._plugin, lines=dropped)
        if self._said >= LINES_PER_SECOND:
            self._dropped += 1
            return
        self._said += 1
        _emit(what, plugin=self._plugin, **fields)

    def _text(self, value: object) -> str:
        try:
            text = msgspec.json.encode(value, enc_hook=str).decode()
        except (TypeError, ValueError, RecursionError):
            text = repr(value)
        clean = self._clean(text)
        return clean if len(clean) <= TEXT_MAX else f"{clean[:TEXT_MAX]}... ({len(clean)} characters)"

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def trace_of(start: Start) -> Trace | None:
    """A trace, if one is asked for."""
    return Trace(start) if os.environ.get(VARIABLE, "0") not in ("", "0") else None


def secrets_of(value: object, shown: object) -> Iterator[str]:
    """Every text of these options that ``as_written`` has hidden, and what the environment has for ``env:``."""
    if isinstance(value, dict) and isinstance(shown, dict):
        for key, each in value.items():
            yield from secrets_of(each, shown.get(key))
    elif isinstance(value, list) and isinstance(shown, list):
        for each, one in zip(value, shown, strict=True):
            yield from secrets_of(each, one)
    elif isinstance(value, str) and value.startswith("env:"):
        yield os.environ.get(value.removeprefix("env:"), "")
    elif isinstance(value, str) and isinstance(shown, str) and HIDDEN in shown:
        yield value


def _said(reply: Reply) -> dict[str, Any]:
    """What is in an answer."""
    return {
        field.name: value
        for field in dataclasses.fields(reply)
        if field.name not in ("id", "more", "seconds") and (value := getattr(reply, field.name)) not in (None, (), {})
    }


def _emit(what: str, **fields: Any) -> None:  # noqa: ANN401
    """To the daemon's log; of a command, which has none, to standard error."""
    if structlog.is_configured():
        log.info(what, **fields)
        return
    shown = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
    sys.stderr.write(f"{what} {shown}\n")


def _quoted(value: object) -> str:
    text = str(value)
    return f"'{text}'" if " " in text or not text else text
