"""One HTTP request to nginx, bounded in time and size: no proxies, no redirects, no kept connection.

A new connection each time, because an nginx that no longer accepts must not pass on an old one.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - see below
import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from hafw.api import Verdict

# socket encodes host names with encodings.idna, which Python would load at the first check. By then the process is
# nobody, and where Python lies under a private home (pyenv of root), nobody may not read it.

MOST_BODY = 64 * 1024
"""Octets of the body that are read; more proves nothing more."""


@dataclass(frozen=True, slots=True)
class Expect:
    """The status codes that count as healthy."""

    text: str
    ranges: tuple[range, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``200-399`` or ``200,301``; ``ValueError`` otherwise."""
        rule = f'= "{text}": must be HTTP status codes from 100 to 599, such as "200-399" or "200,301"'
        ranges = []
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            last = last if dash else first
            if not (first.isdecimal() and last.isdecimal()):
                raise ValueError(rule)
            codes = range(int(first), int(last) + 1)
            if not codes or codes[0] < 100 or codes[-1] > 599:
                raise ValueError(rule)
            ranges.append(codes)
        return cls(text, tuple(ranges))

    def __contains__(self, status: int) -> bool:
        return any(status in codes for codes in self.ranges)


def parse_url(text: str) -> SplitResult:
    """Split an http or https URL; ``ValueError`` says what is wrong with any other."""
    rule = f'= "{text}": must be like "http://127.0.0.1/" or "https://[::1]:8443/status"'
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"{rule}: {str(error)[:1].lower()}{str(error)[1:]}") from error
    if url.scheme not in ("http", "https") or not url.hostname or port == 0:
        raise ValueError(rule)
    if url.username is not None:
        raise ValueError(f"{rule}, a user in the URL is not sent")
    if any(ord(character) <= 32 or ord(character) > 126 for character in text):
        raise ValueError(f"{rule}, blanks, control and non-ASCII characters must be percent-encoded")
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to ask, and what to expect."""

    url: SplitResult
    host: str = ""
    """The ``Host`` header and, for https, the name on the certificate; empty: those of the URL."""
    expect: Expect
    timeout: float
    """Seconds for all of it: connecting, TLS, the answer."""
    tls: ssl.SSLContext | None = None

    def run(self) -> Verdict:
        """Ask once. Every failure is a verdict with words, none an exception."""
        deadline = time.monotonic() + self.timeout
        try:
            with self._connect() as connection:
                remaining = deadline - time.monotonic()
                with Cutoff(connection, remaining) as cutoff:
                    return self._ask(connection, remaining, cutoff)
        except TimeoutError:
            return Verdict(False, f"no connection to {self._where} within {self.timeout:g}s")
        except socket.gaierror as error:
            return Verdict(False, f"cannot resolve {self.url.hostname}: {error.strerror}")
        except ssl.SSLCertVerificationError as error:
            return Verdict(False, f"certificate of {self._where} refused: {error.verify_message}")
        except ssl.SSLError as error:
            return Verdict(False, f"no TLS with {self._where}: {error.reason}")
        except OSError as error:
            return Verdict(False, f"{(error.strerror or str(error)).lower()} on {self._where}")

    @property
    def _port(self) -> int:
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    @property
    def _where(self) -> str:
        host = self.url.hostname or ""
        return f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self.url.hostname, self._port), timeout=self.timeout)
        if self.tls is None:
            return plain
        name = urlsplit(f"//{self.host}").hostname if self.host else self.url.hostname
        try:
            return self.tls.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def _ask(self, connection: socket.socket, remaining: float, cutoff: Cutoff) -> Verdict:
        if remaining <= 0:
            raise TimeoutError
        client = http.client.HTTPConnection(self.url.hostname or "", self._port)
        client.sock = connection
        target = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        headers = {"User-Agent": "hafw-plugin-nginx", "Connection": "close"}
        if self.host:
            headers["Host"] = self.host
        try:
            client.request("GET", target, headers=headers)
            with client.getresponse() as answer:
                status = answer.status
                if status not in self.expect:
                    return Verdict(False, f"HTTP {status}, expected {self.expect.text}")
                body = answer.read(MOST_BODY)
                if answer.length and len(body) < MOST_BODY:
                    raise http.client.IncompleteRead(body, answer.length)
        except (http.client.HTTPException, OSError) as error:
            if cutoff.passed:
                return self._late()
            said = " ".join(str(error).split())[:200] or type(error).__name__
            return Verdict(False, f"no valid HTTP answer from {self._where}: {said}")
        if cutoff.passed:
            return self._late()
        return Verdict(True, f"HTTP {status}")

    def _late(self) -> Verdict:
        return Verdict(False, f"{self._where} accepts connections, and gives no whole answer within {self.timeout:g}s")


class Cutoff:
    """Shuts a connection down after so many seconds.

    A socket timeout bounds each read, not their sum: a server that drips one octet at a time would outlive the
    check's deadline, and the plugin process would be killed for it.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self.passed = False
        self._connection = connection
        self._timer = threading.Timer(max(seconds, 0), self._pass)
        self._timer.daemon = True

    def _pass(self) -> None:
        self.passed = True
        with contextlib.suppress(OSError):  # already closed by the peer
            # On the plain socket below TLS: SSLSocket.shutdown() forgets its TLS state, and its reader would see
            # ciphertext.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()
