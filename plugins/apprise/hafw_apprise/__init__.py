"""Tells of state changes and events through the apprise library: Telegram, Matrix, Teams, ntfy and a hundred more.

Each URL is one service, told on its own and again until it takes the message or ``patience`` is over. What is between
apprise and the service is apprise's; that a call ends in time, and what is said of it, is ours.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hafw.api import Router, hookimpl, refuse
from hafw.notification import Notifier, Outcome, one_line
from hafw.patience import tell_all
from hafw_apprise.options import PATIENCE, Options, mistakes, services

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.notification import Notification
    from hafw_apprise.service import Service

MARGIN = 10.0
"""Seconds of the host's deadline beyond ``patience``."""
MOST_TITLE = 250
MOST_BODY = 4000
"""Characters; apprise cuts further where a service takes less."""


class Teller(Notifier):
    """The messages of one machine."""

    def __init__(self) -> None:
        super().__init__()
        self._options: Options | None = None
        self._services: tuple[Service, ...] = ()

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one event."""
        return float(self._options.patience if self._options else PATIENCE) + MARGIN

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.apprise]``."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Refuse what cannot work, all of it at once. Nobody is asked: a service may be down and come back."""
        refuse(mistakes(options, routers))
        self._options = options
        self._services = services(options)
        self.listen_for(options.on, options.instances)

    def tell(self, word: str, notification: Notification) -> Outcome | None:  # noqa: ARG002 - it is in the message
        """Tell every service at once, and wait for the last of them."""
        if self._options is None:
            return None
        told = values(notification, self.node)
        title = one_line(self._options.title.format_map(told))[:MOST_TITLE]
        body = self._options.body.format_map(told)[:MOST_BODY]
        kind = notification.severity
        return tell_all([(each.name, partial(each.deliver, title, body, kind)) for each in self._services])


def values(notification: Notification, node: str) -> dict[str, str]:
    """What title and body may name: ``BODY_FIELDS`` of the options."""
    about = {"text": notification.lead, "details": notification.details, "time": notification.time}
    return notification.fields(node) | about


plugin = Teller()
