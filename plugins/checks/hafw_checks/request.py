"""One HTTP request, bounded in time and size: no proxies, no kept connection, redirects only where wanted.

A new connection each time, because a server that no longer accepts must not pass on an old one. The standard library's
``http.client`` on a connection of our own: a library for clients pools, retries and follows, all of which hides what a
check wants to see.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import SplitResult, urljoin, urlsplit

from hafw.api import Verdict
from hafw_checks.reach import Deadline, Place, ReachError, Stream, Tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

MOST_BODY: Final = 64 * 1024
"""Octets of the body that are read; more proves nothing more."""
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


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
    shown = re.sub(r"(?<=://)[^/@\s]*@", "(hidden)@", text)
    rule = f'= "{shown}": must be like "http://127.0.0.1/" or "https://[::1]:8443/status"'
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


def question_mistakes(*, url: str, expect: str, host: str) -> Iterator[tuple[str, str]]:
    """What is wrong with these three keys, which every plugin that asks a web server has."""
    for key, text, parse in (("url", url, parse_url), ("expect", expect, Expect.parse)):
        try:
            parse(text)
        except ValueError as error:
            yield key, str(error)
    if re.search(r"[^!-~]", host):
        yield "host", f'= "{host}": must be a host name, with a port if need be'


def _anything(_body: bytes) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What to ask, and what to expect."""

    url: SplitResult
    expect: Expect
    timeout: float
    """Seconds for all of it: the name, connecting, TLS, the answer, redirects."""
    method: str = "GET"
    host: str = ""
    """The ``Host`` header and, for https, the name on the certificate; empty: those of the URL."""
    server_name: str = ""
    """The name on the certificate, if it is yet another one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """More headers. Of neither is another server told: any of them may be a key."""
    socket: str = ""
    """A Unix socket, whatever host the URL names."""
    source: str = ""
    tls: ssl.SSLContext | None = None
    """For https."""
    complaint: Callable[[bytes], str] = _anything
    """What is wrong with the body; empty: nothing."""
    redirects: int = 0
    """How many are followed."""

    def run(self) -> Verdict:
        """Ask once. Every failure is a verdict with words, none an exception."""
        deadline = Deadline(self.timeout)
        probe, followed = self, 0
        try:
            while True:
                answer = probe.ask(deadline)
                if answer.elsewhere and followed < self.redirects:
                    probe, followed = probe.moved(answer.elsewhere), followed + 1
                    continue
                where = f" at {probe.url.geturl()}" if followed else ""
                return self._judge(answer, where)
        except ReachError as error:
            return Verdict(False, f"{error}, after a redirect" if followed else str(error))

    def _judge(self, answer: Answer, where: str) -> Verdict:
        said = f"HTTP {answer.status}{where}"
        if answer.status not in self.expect:
            followed = f", and {self.redirects} redirects were followed" if answer.elsewhere and self.redirects else ""
            return Verdict(False, f"{said}, expected {self.expect.text}{followed}")
        complaint = self.complaint(answer.body)
        return Verdict(not complaint, f"{said}, {complaint}" if complaint else said)

    def moved(self, elsewhere: str) -> Probe:
        """The same question there: another server is told no secret and no header that was meant for this one."""
        try:
            url = parse_url(urljoin(self.url.geturl(), elsewhere))
        except ValueError:
            raise ReachError(f"redirected to what is no URL: {elsewhere[:100]!r}") from None
        if (self.url.scheme, url.scheme) == ("https", "http"):
            raise ReachError(f"redirected from https to {url.geturl()[:100]}, which is not followed")
        method = "HEAD" if self.method == "HEAD" else "GET"
        if (url.scheme, url.netloc) == (self.url.scheme, self.url.netloc):
            return replace(self, url=url, method=method)
        return replace(self, url=url, method=method, host="", server_name="", headers={}, secrets={})

    @property
    def _place(self) -> Place:
        port = self.url.port or (443 if self.url.scheme == "https" else 80)
        return Place(host=self.url.hostname or "", port=port, path=self.socket, source=self.source)

    @property
    def _tls(self) -> Tls | None:
        if self.url.scheme != "https" or self.tls is None:
            return None
        named = urlsplit(f"//{self.host}").hostname if self.host else self.url.hostname
        return Tls(context=self.tls, name=self.server_name or named or "")

    def ask(self, deadline: Deadline) -> Answer:
        """Raises ``ReachError`` where there is no whole answer."""
        place = self._place
        with Stream(place, self._tls, deadline) as stream:
            try:
                answer = self._exchange(stream, place)
            except (http.client.HTTPException, OSError) as error:
                if stream.late:
                    raise _late(place, deadline) from error
                said = " ".join(str(error).split())[:200] or type(error).__name__
                raise ReachError(f"no valid HTTP answer from {place}: {said}") from error
            if stream.late:
                raise _late(place, deadline)
            return answer

    def _exchange(self, stream: Stream, place: Place) -> Answer:
        client = http.client.HTTPConnection(place.host, place.port)
        client.sock = stream.socket
        target = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        headers = {"User-Agent": "hafw", **self.headers, **self.secrets, "Connection": "close"}
        headers["Host"] = self.host or self.url.netloc
        client.request(self.method, target, headers=headers)
        with client.getresponse() as response:
            elsewhere = response.headers.get("Location", "") if response.status in _MOVED else ""
            if response.status not in self.expect or (elsewhere and self.redirects):
                return Answer(response.status, b"", elsewhere)
            body = response.read(MOST_BODY)
            if response.length and len(body) < MOST_BODY:
                raise http.client.IncompleteRead(body, response.length)
            return Answer(response.status, body, elsewhere)


@dataclass(frozen=True, slots=True)
class Answer:
    """As much of it as counts."""

    status: int
    body: bytes
    elsewhere: str
    """Where a redirect leads."""


def _late(place: Place, deadline: Deadline) -> ReachError:
    return ReachError(f"{place} accepts connections, and gives no whole answer within {deadline}")
