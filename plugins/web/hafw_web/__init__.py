"""Status page, metrics, health and the event stream over HTTP. It shows, and can change nothing.

The daemon is asked through the ``serve`` hook, so this process needs no right to the control socket: it runs as nobody,
and whoever breaks in finds a status.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import trio

from hafw.api import hookimpl, refuse
from hafw_web.known import Known
from hafw_web.options import Options, address_missing, keyed, listed, mistakes_of, place_of, socket_of
from hafw_web.routes import Routes
from hafw_web.server import Server
from hafw_web.stream import Newsroom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw_web.known import Ask


class Web:
    """One server for all instances of this machine."""

    def __init__(self) -> None:
        self._options = Options()
        self._happened: Callable[[], object] = lambda: None

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.web]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work; nothing is listened on yet, for another daemon may do so now."""
        refuse(mistakes_of(options, as_root=os.geteuid() == 0))
        for key, text in keyed("listen", options.listen):
            if address_missing(place_of(text)):
                warnings.warn(f'{key}: = "{text}": this machine has no such address now', stacklevel=1)
        self._options = options

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> None:  # noqa: ARG002 - what it was is asked for
        """Something has happened."""
        self._happened()

    @hookimpl
    def serve(self, ask: Ask) -> None:
        """Until the daemon ends."""
        trio.run(self._serve, ask)

    async def _serve(self, ask: Ask) -> None:
        options = self._options
        known = Known(ask)
        newsroom = Newsroom(known, str(os.getppid()))
        routes = Routes(known, newsroom, names(listed(options.hosts)))
        server = Server(routes.answer, options.connections, options.timeout)
        sockets = [socket_of(place_of(text)) for text in listed(options.listen)]
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(newsroom.run)
            self._happened = lambda: token.run_sync_soon(newsroom.poke)
            await server.run(listeners)


def names(hosts: list[str]) -> frozenset[str]:
    """By which this machine may be asked: no page elsewhere can make these lead to us without being one of ours."""
    own = os.uname().nodename
    return frozenset(each.lower() for each in ("localhost", own, own.partition(".")[0], *hosts))


plugin = Web()
