"""A web server that keeps what it is asked, and answers as the script says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from hafw.testing.server import Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

BODY_MAX = 10 << 20
"""Octets of a request's body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One that came in whole."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    """Names in lower case; of several with one name the last."""
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """The body, decoded; raises ``ValueError``."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A step of a script, where the status alone does not say it all."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpReceiver(Server[Request]):
    """The fixture ``http_receiver``. A step of its script is a status, ``503``, or a ``Response``."""

    def __init__(self) -> None:
        self.usual = Response()
        """What is answered when no script says anything else."""
        super().__init__()

    @property
    def url(self) -> str:
        """Its address, without a path: ``http://127.0.0.1:40123``."""
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def serve(self, connection: socket.socket) -> None:
        """The requests of one client."""
        _Exchange(connection, self)

    def answer(self, request: Request) -> Response:
        """What it gets; every request is received, however it is answered."""
        self.take(request)
        step = self.step()
        if step is None:
            return self.usual
        return step if isinstance(step, Response) else Response(status=step)


class _Exchange(BaseHTTPRequestHandler):
    """Requests on one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "hafw-testing"

    def __init__(self, connection: socket.socket, receiver: HttpReceiver) -> None:
        self._receiver = receiver
        super().__init__(connection, ("127.0.0.1", 0), receiver)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Any method is answered alike: ``do_GET``, ``do_POST`` and all others."""
        if name.startswith("do_"):
            return self._exchange
        raise AttributeError(name)

    def _exchange(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_MAX or "transfer-encoding" in self.headers:
            self.send_error(413 if length > BODY_MAX else 411)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("it left in the middle of a request")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self._receiver.answer(Request(method=self.command, path=self.path, headers=headers, body=body)))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's names
        """Nothing: the test has every request."""
