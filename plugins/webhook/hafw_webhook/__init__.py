"""Posts state changes and other events to URLs: JSON of hafw's own, Slack's, Discord's or any other shape.

One message per change and event that ``on`` names, to every URL at once. What a receiver does not take is tried again
until ``patience`` is over, while later messages about the same instance wait, so that their order is kept. Then it is
given up, and the outcome says why and what to do: hafw does not repeat what a plugin has answered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hafw.api import Router, hookimpl, refuse
from hafw.notification import Notifier, Outcome
from hafw.patience import tell_all
from hafw_webhook.options import PATIENCE, Options, mistakes, receivers, warn
from hafw_webhook.shapes import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.notification import Notification
    from hafw_webhook.patience import Receiver

MARGIN = 10.0
"""Seconds of the host's deadline beyond ``patience``."""


class Webhook(Notifier):
    """The messages of one machine."""

    def __init__(self) -> None:
        super().__init__()
        self._options: Options | None = None
        self._receivers: tuple[Receiver, ...] = ()

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one event."""
        return float(self._options.patience if self._options else PATIENCE) + MARGIN

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.webhook]``."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Refuse what cannot work, all of it at once. Nobody is asked: a receiver may be down and come back."""
        refuse(mistakes(options, routers))
        warn(options)
        self._options = options
        self._receivers = receivers(options)
        self.listen_for(options.on, options.instances)

    def tell(self, word: str, notification: Notification) -> Outcome | None:  # noqa: ARG002 - it is in the message
        """Post it to all, and wait for the last of them."""
        if self._options is None:
            return None
        message = render(self._options, notification, self.node)
        return tell_all([(each.name, partial(each.deliver, message)) for each in self._receivers])


plugin = Webhook()
