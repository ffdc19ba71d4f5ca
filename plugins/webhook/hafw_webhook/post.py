"""One POST, bounded in time and size: no redirects, no kept connection, a proxy only if it is configured."""

from __future__ import annotations

import base64
import contextlib
import encodings.idna  # noqa: F401 - socket loads it for a name: now, while Python's own files can surely be read
import http.client
import queue
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote, urlsplit

import hafw

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

MOST_ANSWER: Final = 4096
"""Octets of an answer's body that are read, and only of one that refuses."""
RULE: Final = 'must be like "https://example.com/hook"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a message goes. Only ``name`` may be shown: path, query and user may be secrets."""

    tls: bool
    host: str
    port: int
    target: str
    authorization: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an http or https URL; ``ValueError`` says what is wrong with any other, and does not show it."""
        if any(ord(character) <= 32 or ord(character) > 126 for character in text):
            raise ValueError(f"{RULE}, with blanks, control and non-ASCII characters percent-encoded")
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:
            raise ValueError(f"{RULE}, with a port from 1 to 65535 if any") from None
        if url.scheme not in ("http", "https") or not url.hostname or port == 0:
            raise ValueError(RULE)
        return cls(
            tls=url.scheme == "https",
            host=url.hostname,
            port=port or (443 if url.scheme == "https" else 80),
            target=(url.path or "/") + (f"?{url.query}" if url.query else ""),
            authorization=basic(url.username, url.password),
        )

    @property
    def name(self) -> str:
        """Host, and the port if it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Who passes messages on: with TLS as a tunnel, so that it sees the receiver's name and no more."""

    host: str
    port: int
    authorization: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``http://[USER:PASSWORD@]HOST:PORT``; ``ValueError`` says what is wrong, and does not show it."""
        rule = 'must be like "http://proxy.example.com:3128": no other kind of proxy is spoken to'
        try:
            endpoint = Endpoint.parse(text)
        except ValueError:
            raise ValueError(rule) from None
        if endpoint.tls or endpoint.target != "/":
            raise ValueError(rule)
        return cls(host=endpoint.host, port=endpoint.port, authorization=endpoint.authorization)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said."""

    status: int
    words: str
    """Of the status line."""
    said: str = ""
    """The beginning of the body, where it refuses."""
    retry_after: str = ""
    location: str = ""


def basic(user: str | None, password: str | None) -> str:
    """The header for a user of a URL; empty for none."""
    if user is None:
        return ""
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an endpoint is reached."""

    endpoint: Endpoint
    proxy: Proxy | None
    tls: ssl.SSLContext | None
    """``None``: the endpoint speaks none."""
    connect_timeout: float

    def post(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
        """Send it once, within ``timeout`` seconds for all of it.

        Raises ``TimeoutError`` with how far it came, another ``OSError`` or an ``http.client.HTTPException``. A socket
        timeout bounds each read and not their sum, and none bounds the resolver: hence a thread, and who waits for it.
        """
        exchange = Exchange(self)
        found: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                found.put(exchange.run(body, headers, timeout))
            except Exception as error:  # noqa: BLE001 - raised again by the one who waits
                found.put(error)

        threading.Thread(target=work, name="post", daemon=True).start()
        try:
            answer = found.get(timeout=timeout)
        except queue.Empty:
            exchange.cut()
            raise TimeoutError(f"{exchange.stage} took longer than {timeout:g}s") from None
        if isinstance(answer, TimeoutError):
            limit = timeout if exchange.stage == "the answer" else min(timeout, self.connect_timeout)
            raise TimeoutError(f"{exchange.stage} took longer than {limit:g}s") from answer
        if isinstance(answer, Exception):
            raise answer
        return answer


class Exchange:
    """One connection and what is said on it, in a thread of its own."""

    def __init__(self, way: Way) -> None:
        self.stage = "connecting"
        self._way = way
        hop = way.proxy or way.endpoint
        self._client = http.client.HTTPConnection(hop.host, hop.port, timeout=way.connect_timeout)
        self._is_cut = False

    def cut(self) -> None:
        """End it, whatever it is doing."""
        self._is_cut = True
        if (connection := self._client.sock) is not None:
            with contextlib.suppress(OSError):
                # On the plain socket below TLS: SSLSocket.shutdown() forgets its TLS state.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def run(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
        """From the name to the answer."""
        with contextlib.closing(self._client):
            self._connect()
            if self._is_cut:
                raise TimeoutError
            self.stage = "the answer"
            self._client.sock.settimeout(timeout)
            self._client.request("POST", self._target, body=body, headers=self._headers(headers))
            with self._client.getresponse() as answer:
                good = answer.status < 300
                return Answer(
                    status=answer.status,
                    words=answer.reason,
                    said="" if good else readable(answer),
                    retry_after=answer.getheader("Retry-After", ""),
                    location=answer.getheader("Location", ""),
                )

    def _connect(self) -> None:
        endpoint, proxy = self._way.endpoint, self._way.proxy
        if proxy and endpoint.tls:
            login = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
            self._client.set_tunnel(endpoint.host, endpoint.port, login)
        self._client.connect()
        if self._way.tls and endpoint.tls:
            self.stage = "TLS"
            name, plain = endpoint.host, self._client.sock
            secured = self._way.tls.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False)
            self._client.sock = secured  # before the handshake, so that this too can be cut
            secured.do_handshake()

    @property
    def _target(self) -> str:
        endpoint = self._way.endpoint
        return f"http://{endpoint.name}{endpoint.target}" if self._way.proxy and not endpoint.tls else endpoint.target

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        endpoint, proxy = self._way.endpoint, self._way.proxy
        headers = {"Host": endpoint.name, "User-Agent": f"hafw/{hafw.__version__}", "Connection": "close"}
        if endpoint.authorization:
            headers["Authorization"] = endpoint.authorization
        if proxy and proxy.authorization and not endpoint.tls:
            headers["Proxy-Authorization"] = proxy.authorization
        return {**headers, **more}


def readable(answer: http.client.HTTPResponse) -> str:
    """The beginning of the body in one line; empty when it does not come whole."""
    try:
        return " ".join(answer.read(MOST_ANSWER).decode(errors="replace").split())
    except (OSError, http.client.HTTPException):
        return ""
