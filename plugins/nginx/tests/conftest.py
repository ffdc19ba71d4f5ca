"""A server that answers as told, a process that a pid file names, and a real nginx with everything under tmp_path."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hafw_nginx import Nginx, Options

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0
"""Seconds after which a test fails rather than hangs."""


@pytest.fixture
def until(until):
    return functools.partial(until, patience=PATIENCE)


@pytest.fixture
def follows():
    """Tell whether this very process holds a pidfd of that one."""

    def follows(pid):
        infos = []
        for entry in os.scandir("/proc/self/fdinfo"):
            with contextlib.suppress(OSError):  # closed meanwhile
                infos.append(Path(entry.path).read_text())
        return any(f"Pid:\t{pid}\n" in info for info in infos)

    return follows


@pytest.fixture
def watched(until):
    """Configure the plugin and follow the pid file in a thread; hands back the plugin and a queue of its reports."""

    def start(**options):
        nginx = Nginx()
        nginx.configure(Options(**options))
        reports = queue.Queue()
        threading.Thread(target=nginx.monitor, args=[reports.put], daemon=True).start()
        until(lambda: nginx._watch is not None)
        return nginx, reports

    return start


@pytest.fixture
def answering():
    """Serve each connection with the given octets (None: accept and keep silent) on a loopback port; gives the URL."""
    with contextlib.ExitStack() as stack:

        def serve(answer, tls=None):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            asked = queue.Queue()
            threading.Thread(target=accept, args=[listener, asked, answer, tls], daemon=True).start()
            return listener.getsockname()[1], asked

        yield serve


def accept(listener, asked, answer, tls):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), connection:
                peer = tls.wrap_socket(connection, server_side=True) if tls else connection
                asked.put(peer.recv(4096))
                for part in answer or ():
                    peer.sendall(part)
                if answer is None:
                    peer.recv(1)
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_WR)
                peer.close()


@pytest.fixture
def process(until):
    """Start ``sleep`` processes; those that still run are killed at the end."""
    with contextlib.ExitStack() as stack:

        def start():
            child = subprocess.Popen(["sleep", "1000"])
            stack.callback(child.wait)
            stack.callback(child.kill)
            until(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "sleep\n")
            return child

        yield start


class RealNginx:
    """One nginx with its own configuration, on a loopback port of its own."""

    def __init__(self, folder: Path, binary: str, until: Callable[..., Any]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.pid_file = folder / "nginx.pid"
        self.config = folder / "nginx.conf"
        self.binary, self._until = binary, until
        self._sessions: set[int] = set()
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.config.write_text(
            f"pid {self.pid_file}; error_log {folder}/error.log; worker_processes 1;"
            "events { worker_connections 64; }"
            f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{self.port};"
            'location / { return 200 "hello"; } location /broken { return 503; } location /moved { return 301 /; } } }'
        )

    def start(self) -> None:
        subprocess.run([self.binary, "-c", self.config], check=True, timeout=PATIENCE)
        self._until(lambda: self.pid_file.exists() and self.pid_file.read_text().strip())
        self._sessions.add(self.pid)

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def workers(self) -> set[int]:
        return set(map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()))

    def has_workers(self) -> bool:
        return bool(self.workers())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self) -> None:
        """Kill all that was ever started, orphaned workers too: nginx opens a session, and they stay in it."""
        for pid in [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal()]:
            with contextlib.suppress(OSError):
                if os.getsid(pid) in self._sessions:
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def real_nginx(tmp_path, program_of, until):
    nginx = RealNginx(tmp_path, program_of("nginx"), until)
    yield nginx
    nginx.end()
