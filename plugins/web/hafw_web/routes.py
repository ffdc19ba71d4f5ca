"""Which path is answered with what. Everything is read, nothing can be changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib import resources
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from hafw_web import health
from hafw_web.exposition import OPEN, PLAIN, wants_openmetrics
from hafw_web.metrics import exposition

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Mapping

    from hafw_web.known import Known
    from hafw_web.stream import Newsroom

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
EVENTS: Final = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the page."""

    body: bytes
    kind: str
    tag: str
    """Changes when the file does."""


def _page(file: str, kind: str) -> Page:
    body = resources.files(__package__).joinpath("pages", file).read_bytes()
    return Page(body, kind, f'"{hashlib.sha256(body).hexdigest()[:16]}"')


PAGES: Final = {
    "/": _page("index.html", "text/html; charset=utf-8"),
    "/page.css": _page("page.css", "text/css; charset=utf-8"),
    "/page.js": _page("page.js", "text/javascript; charset=utf-8"),
    "/timeline.js": _page("timeline.js", "text/javascript; charset=utf-8"),
    "/icon.svg": _page("icon.svg", "image/svg+xml"),
}
"""Read while this is imported: later this process is nobody, who may not be able to."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from anywhere else, nothing inline."""
ALWAYS: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; all of it untrusted."""

    method: str
    target: str
    http_1_0: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered; with ``stream`` in place of ``body`` it goes on for ever."""

    code: int
    kind: str = TEXT
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncGenerator[bytes, None] | None = None


def text(code: int, *lines: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Lines for people."""
    return Response(code, TEXT, "".join(f"{line}\n" for line in lines).encode(), headers)


def document(code: int, value: Mapping[str, Any]) -> Response:
    """One JSON document."""
    return Response(code, JSON, json.dumps(value, ensure_ascii=False).encode() + b"\n")


class Routes:
    """Answers requests from what is known."""

    def __init__(self, known: Known, newsroom: Newsroom, hosts: Collection[str]) -> None:
        """``hosts``: names by which we may be asked, in lower case."""
        self._known = known
        self._newsroom = newsroom
        self._hosts = hosts

    async def answer(self, request: Request) -> Response:
        """The response to one request; never raises for what a client may send."""
        if request.method not in {"GET", "HEAD"}:
            return text(405, f"{request.method}: only GET and HEAD: this only shows", headers=(("Allow", "GET, HEAD"),))
        if refusal := self._refused_host(request):
            return refusal
        try:
            url = urlsplit(request.target, allow_fragments=False)
        except ValueError as error:
            return text(400, f"this is no path: {error}")
        path = unquote(url.path, errors="replace")
        if path in PAGES:
            return _shown(PAGES[path], request.headers.get("if-none-match", ""))
        if path == "/events":
            return self._events(request, url.query)
        return await self._look(path, request)

    async def _look(self, path: str, request: Request) -> Response:
        await self._known.refresh()
        if path == "/metrics":
            return self._metrics(request)
        if path == "/api/status":
            return document(200 if self._known.current is not None else 503, self._known.record())
        if path == "/api/history":
            return await self._history()
        verdict = self._verdict(path)
        if verdict is None:
            known = (
                "/ /metrics /livez /readyz /master /backup /master/NAME /backup/NAME /api/status /api/history /events"
            )
            return text(404, f"nothing is here; there are: {known}")
        return text(verdict.code, *verdict.lines)

    def _verdict(self, path: str) -> health.Answer | None:
        first, _, name = path.removeprefix("/").partition("/")
        if first not in {"livez", "readyz", "master", "backup"} or (name and first in {"livez", "readyz"}):
            return None
        status = self._known.current
        if status is None:
            return health.unknown(self._known.why)
        if first == "livez":
            return health.live()
        return health.ready(status) if first == "readyz" else health.role(status, first.upper(), name)

    def _metrics(self, request: Request) -> Response:
        openmetrics = wants_openmetrics(request.headers.get("accept", ""))
        said = exposition(self._known.current).text(openmetrics=openmetrics)
        return Response(200, OPEN if openmetrics else PLAIN, said.encode())

    async def _history(self) -> Response:
        try:
            return document(200, await self._known.history())
        except (TimeoutError, ValueError) as error:
            return document(503, {"error": {"kind": "unknown", "message": str(error), "path": ""}})

    def _events(self, request: Request, query: str) -> Response:
        """``?since=SEQ`` for the first time, ``Last-Event-ID`` whenever a client comes back."""
        try:
            since = parse_qs(query, max_num_fields=8).get("since", [""])[-1]
        except ValueError as error:
            return text(400, f"this is no query: {error}")
        last_id = request.headers.get("last-event-id", "") or (f"{self._newsroom.epoch}-{since}" if since else "")
        return Response(200, EVENTS, stream=self._newsroom.listen(last_id))

    def _refused_host(self, request: Request) -> Response | None:
        """A page elsewhere may let its own name lead to us (DNS rebinding); an address or a name of ours it cannot."""
        said = request.headers.get("host", "")
        if request.http_1_0 and not said:
            return None  # no browser: some load balancers ask so
        name = said.rpartition(":")[0] if said.rpartition(":")[2].isdigit() else said
        name = name.strip().rstrip(".").lower()
        if name in self._hosts or _is_address(name):
            return None
        way_out = f'hosts = ["{name}"]' if name and len(name) < 254 else "hosts"
        return text(421, f"Host: {said[:254]!r} is no name of this router: set {way_out} in [plugin.web]")


def _is_address(name: str) -> bool:
    try:
        ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True


def _shown(page: Page, known: str) -> Response:
    headers = (("ETag", page.tag),)
    return Response(304, page.kind, b"", headers) if page.tag in known else Response(200, page.kind, page.body, headers)
