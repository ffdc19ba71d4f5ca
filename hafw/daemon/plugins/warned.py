"""What plugins are warned of: logged once each, however often they start, and a bounded number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hafw.pipe import Reply

WARNINGS_MAX = 100
"""Of one plugin. It says them itself, and may lie."""
LINE_MAX = 500
"""Characters."""

log = structlog.get_logger()


class Warned:
    """The warnings of one plugin."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._said: set[tuple[str, str]] = set()

    def say(self, warnings: Iterable[tuple[str, str]]) -> None:
        """Log those that are new: key path and message."""
        for path, message in warnings:
            said = (path[:LINE_MAX], message[:LINE_MAX])
            if said not in self._said and len(self._said) < WARNINGS_MAX:
                self._said.add(said)
                log.warning("plugin_warning", plugin=self._plugin, path=said[0], detail=said[1])

    def hear(self, *replies: Reply) -> None:
        """Those that came with an answer, or with parts of one."""
        for reply in replies:
            self.say((f"plugin.{self._plugin}", each) for each in reply.warnings)

    def before(self, hear: Callable[[Reply], None]) -> Callable[[Reply], None]:
        """The same for each part of an answer without an end, before it is passed on."""

        def both(part: Reply) -> None:
            self.hear(part)
            hear(part)

        return both
