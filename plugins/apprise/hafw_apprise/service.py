"""One URL of apprise's: a message is handed to it, again until it is taken, and never for longer than it may take."""

from __future__ import annotations

import logging
import queue
import random
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import apprise

from hafw.patience import Clock, insist

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: Final = {"good": "success", "info": "info", "warning": "warning", "bad": "failure"}
"""Ours and apprise's, which chooses colours and icons by it."""
MOST_SAID: Final = 300
_LOGGER: Final = logging.getLogger("apprise")


for _name in ("apprise", "urllib3"):  # what they warn of may show a URL, and would end in hafw's log
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


def instance_of(url: str) -> Any:  # noqa: ANN401 - a class of apprise's for each service
    """The service behind a URL; ``None``: apprise knows none, or lacks something in it."""
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is not None and "overflow=" not in url:
        service.overflow_mode = apprise.OverflowMode.TRUNCATE  # a short message beats none
    return service


@dataclass(slots=True, kw_only=True)
class Service:
    """One of those to tell. Only ``name`` may be shown."""

    name: str
    url: str
    timeout: float
    patience: float
    clock: Clock = field(default=time)
    chance: Callable[[], float] = random.random

    def deliver(self, title: str, body: str, severity: str) -> str:
        """Empty when it was taken; otherwise why not."""
        return insist(
            lambda left: (self._attempt(title, body, severity, min(self.timeout, left)), False),
            self.patience,
            clock=self.clock,
            chance=self.chance,
        )

    def _attempt(self, title: str, body: str, severity: str, timeout: float) -> str:
        """In a thread: apprise bounds single reads, and some services are no HTTP at all. One that hangs is left."""
        found: queue.SimpleQueue[str] = queue.SimpleQueue()

        def work() -> None:
            with Overheard() as heard:
                try:
                    service = instance_of(self.url)
                    sent = service is not None and service.notify(
                        body=body, title=title, notify_type=apprise.NotifyType(KINDS[severity])
                    )
                except Exception as error:  # noqa: BLE001 - a library of a hundred services may raise anything
                    found.put(f"{type(error).__name__}: {error}")
                else:
                    found.put("" if sent else heard.said() or "apprise says no more than that it failed")

        threading.Thread(target=work, name="apprise", daemon=True).start()
        try:
            return self._shown(found.get(timeout=timeout))
        except queue.Empty:
            return f"no end within {timeout:g}s: is there a firewall or a busy service?"

    def _shown(self, text: str) -> str:
        """Without anything that stands in the URL."""
        for piece in sorted(set(re.split(r"[/?&=@:,]+", self.url.partition("://")[2])), key=len, reverse=True):
            if len(piece) > 5 and "." not in piece:
                text = text.replace(piece, "...")
        return " ".join(text.split())[:MOST_SAID]


class Overheard(logging.Handler):
    """What apprise logs in this thread: the only place where it says why something failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is about us."""
        if record.thread == self._thread and len(self._lines) < 20:
            self._lines.append(record.getMessage())

    def said(self) -> str:
        """All of it in a line."""
        return "; ".join(self._lines)

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        _LOGGER.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _LOGGER.removeHandler(self)
