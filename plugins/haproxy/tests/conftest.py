"""A real HAProxy with everything under tmp_path, and servers behind it that come and go."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import threading
import time

import pytest
from hafw_haproxy import Haproxy, Options
from hafw_haproxy.stats import converse

PATIENCE = 20.0
"""Seconds after which a test fails rather than hangs."""

CONFIG = """
global
    stats socket {socket} mode 600 level admin
    hard-stop-after 60s
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend www
    bind 127.0.0.1:{port}
    default_backend web
backend web
    default-server check inter 50ms fall 1 rise 1
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
backend api
    server c 127.0.0.1:{a}
"""


class RealHaproxy:
    """A master process and its worker, as the unit of Debian runs them."""

    def __init__(self, folder, binary, until):
        self.socket, self.config = folder / "admin.sock", folder / "haproxy.cfg"
        self._binary, self._until = binary, until
        self.servers = {name: socket.create_server(("127.0.0.1", 0)) for name in "ab"}
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        ports = {name: each.getsockname()[1] for name, each in self.servers.items()}
        self.config.write_text(CONFIG.format(socket=self.socket, port=self.port, **ports))
        self.master = None

    def start(self):
        command = [self._binary, "-W", "-q", "-f", self.config]
        self.master = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        self._until(lambda: self.pid)

    def tell(self, line):
        """By its socket, as an operator would."""
        return converse(str(self.socket), line, _Patience())

    @property
    def pid(self):
        """Of the worker that answers; 0: nobody answers."""
        with contextlib.suppress(Exception):
            return int(self.tell("show info").partition("\nPid: ")[2].split()[0])
        return 0

    def reload(self, meanwhile=lambda: None):
        """Ask the master again where it was not listening yet, which it is not right after a reload."""
        before, asked = self.pid, float("-inf")

        def done():
            nonlocal asked
            if time.monotonic() > asked + 2:
                asked = time.monotonic()
                self.master.send_signal(signal.SIGUSR2)
            meanwhile()
            return self.pid not in (0, before)

        self._until(done)

    def end(self):
        for each in self.servers.values():
            each.close()
        if self.master is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.master.pid, signal.SIGKILL)
            self.master.wait()


class _Patience:
    left = seconds = PATIENCE


@pytest.fixture
def real_haproxy(tmp_path, program_of, until):
    haproxy = RealHaproxy(tmp_path, program_of("haproxy"), until)
    yield haproxy
    haproxy.end()


@pytest.fixture
def configured():
    """The plugin with these options, and what it was warned of."""

    def make(**options):
        plugin = Haproxy()
        plugin.configure(Options(**options))
        return plugin

    return make


@pytest.fixture
def watched(configured):
    """The plugin, and a queue of what its monitor reports."""

    def start(**options):
        plugin, reports = configured(**options), queue.Queue()
        threading.Thread(target=plugin.monitor, args=[reports.put], daemon=True).start()
        return plugin, reports

    return start
