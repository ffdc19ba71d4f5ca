"""A real receiver on loopback, which answers as it is told to, and a clock that does not wait."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hafw_webhook import Webhook
from hafw_webhook.options import Options

from hafw.api import Address, Router, Secret, StateChange

if TYPE_CHECKING:
    import ssl

ROUTER = Router(
    name="VI_1",
    vrid=51,
    version=3,
    priority=150,
    interface="eth0",
    addresses=(Address(address="192.0.2.10", prefixlen=32, interface="eth0"),),
)


def change_to(new: str = "MASTER", seq: int = 4711, **others: Any) -> StateChange:
    fields = {
        "old": "BACKUP",
        "reason": "no-response",
        "priority": 100,
        "peer": "192.0.2.2",
        "instance": "VI_1",
        "run": "run1",
    }
    return StateChange(seq=seq, time="2026-11-22T21:14:02.118Z", new=new, **{**fields, **others})


class Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if callable(answer):
            answer(self)
            return
        status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, "")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_CONNECT(self) -> None:
        """As a proxy: a tunnel to wherever."""
        self.server.tunnels.append((self.path, dict(self.headers)))
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(there, self.connection), daemon=True)
            back.start()
            pump(self.connection, there)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)


class Server(ThreadingHTTPServer):
    """``heard``: path, headers and body of each message; ``answers``: what to say to the next ones, then 200."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *answers: Any, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.answers = list(answers)
        self.heard: list[tuple[str, dict[str, str], bytes]] = []
        self.tunnels: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}/hook/s3cr3t?key=s3cr3t"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.heard]

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what is tested."""


@pytest.fixture
def receiver():
    """``receiver(answer, ...)`` starts one more."""
    with contextlib.ExitStack() as stack:

        def start(*answers: Any, tls: ssl.SSLContext | None = None) -> Server:
            server = stack.enter_context(Server(*answers, tls=tls))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            stack.callback(server.over.set)
            return server

        yield start


class Clock:
    """Nobody waits: ``pauses`` are those that would have been waited."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1795468442.7 + self.now - 1000.0

    def sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def configured(monkeypatch):
    """A plugin on lb1, whose receivers wait by a clock of their own, without chance."""
    monkeypatch.setenv("HAFW_NODE", "lb1")

    def configure(url: str | list[str], **options: Any) -> Webhook:
        secrets = [Secret(each) for each in url] if isinstance(url, list) else Secret(url)
        plugin = Webhook()
        plugin.configure(Options(url=secrets, **options), (ROUTER,))
        for each in plugin._receivers:
            each.clock, each.chance = Clock(), lambda: 0.0
        return plugin

    return configure


@pytest.fixture
def world():
    """What tests talk about."""
    return SimpleNamespace(router=ROUTER, change_to=change_to, clock_of=lambda plugin: plugin._receivers[0].clock)
