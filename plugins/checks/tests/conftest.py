"""A thread that monitors, and servers that talk as told."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading

import pytest

PATIENCE = 20.0
"""Seconds after which a test fails rather than hangs."""


@pytest.fixture
def watched():
    """Configure the plugin and let it monitor; hands back what waits for the next report."""

    def start(plugin, options):
        plugin.configure(options)
        reports = queue.Queue()
        threading.Thread(target=plugin.monitor, args=[reports.put], daemon=True).start()
        return lambda: reports.get(timeout=PATIENCE)

    return start


@pytest.fixture
def serving():
    """Let ``talk`` have each connection, in a thread; gives the loopback port, or the path of the Unix socket."""
    with contextlib.ExitStack() as stack:

        def serve(talk, *, host="127.0.0.1", path=None, tls=None):
            family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.bind(str(path) if path else (host, 0))
            listener.listen()
            threading.Thread(target=accept, args=[listener, talk, tls], daemon=True).start()
            return path or listener.getsockname()[1]

        yield serve


def accept(listener, talk, tls):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), connection:
                peer = tls.wrap_socket(connection, server_side=True) if tls else connection
                with contextlib.closing(peer):
                    talk(peer)
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(peer, socket.SHUT_WR)


@pytest.fixture
def certificate(certificate_of):
    return certificate_of("DNS:www.example.com")


@pytest.fixture
def asks():
    """A plugin with these options, asked once; refused options come out as the list of their mistakes."""

    def ask(plugin, options):
        try:
            plugin.configure(options)
        except ValueError as error:
            return str(error).splitlines()
        return plugin.check()

    return ask
