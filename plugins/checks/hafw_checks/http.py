"""A web server answers as it should: its status, and what its page says.

One request each time, over a new connection, bounded in time and size whatever the server does.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from hafw.api import Duration, Secret, Verdict, hookimpl, refuse
from hafw_checks.reach import source_mistakes
from hafw_checks.request import MOST_BODY, Expect, Probe, parse_url, question_mistakes
from hafw_checks.tls import TlsOptions, context_of, tls_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = Duration(0.7)
_OURS: Final = {
    "host": "host",
    "authorization": "username and password, or token",
    "connection": "nothing: each request has a connection of its own",
    "content-length": "nothing: no body is sent",
    "transfer-encoding": "nothing: no body is sent",
}
"""Headers that have keys of their own, and those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(TlsOptions):
    """``[plugin.http]``."""

    url: str
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "GET"
    socket: str = ""
    """A Unix socket to ask instead of the host in ``url``, which then is the ``Host`` header alone."""
    source: str = ""
    """The own address to ask from; empty: the kernel's choice."""
    host: str = ""
    """The ``Host`` header, and the name on the certificate; empty: the URL's."""
    headers: dict[str, Secret] = field(default_factory=dict)
    username: str = ""
    """With ``password``, for basic authentication."""
    password: Secret | None = None
    token: Secret | None = None
    """Sent as ``Authorization: Bearer``."""
    expect: str = "200-399"
    """Status codes that count as healthy: ranges and single ones, separated by commas."""
    contains: str = ""
    """What the body must have in it, as it stands."""
    matches: str = ""
    """A regular expression that the body must match somewhere."""
    redirects: Annotated[int, Meta(ge=0, le=10)] = 0
    """How many are followed; with 0 the redirect is the answer."""
    timeout: Annotated[Duration, Meta(ge=0.01, le=60)] = TIMEOUT
    """For all of it; less than the check's own timeout, which kills this process."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    yield from question_mistakes(url=options.url, expect=options.expect, host=options.host)
    if options.socket and not Path(options.socket).is_absolute():
        yield "socket", f'= "{options.socket}": must be an absolute path'
    if options.source:
        yield from source_mistakes(options.source, "socket" if options.socket else "")
    yield from _header_mistakes(options)
    yield from _credential_mistakes(options)
    yield from _body_mistakes(options)
    secure = options.url.startswith("https:") or options.redirects > 0
    yield from tls_mistakes(options, used="" if secure else "https")


def _header_mistakes(options: Options) -> Iterator[tuple[str, str]]:
    for name, value in options.headers.items():
        key = f"headers.{name}"
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            yield "headers", f'"{name}": must be the name of a header: letters, digits and -'
        elif name.lower() in _OURS:
            yield key, f"cannot be set here: use {_OURS[name.lower()]}"
        elif not re.fullmatch(r"[\t -~]*", value.reveal()):
            yield key, "must be printable ASCII in one line"


def _credential_mistakes(options: Options) -> Iterator[tuple[str, str]]:
    if bool(options.username) != bool(options.password is not None):
        missing = "password" if options.username else "username"
        yield missing, "is missing: basic authentication needs both, username and password; a token stands in token"
    if options.token is not None and options.password is not None:
        yield "token", "is one way to say who asks, and password another: leave one of them out"
    if ":" in options.username:
        yield "username", f'= "{options.username}": must have no colon'
    if options.token is not None and not re.fullmatch(r"[!-~]*", options.token.reveal()):
        yield "token", "must be printable ASCII without blanks"


def _body_mistakes(options: Options) -> Iterator[tuple[str, str]]:
    if options.method == "HEAD":
        for key in ("contains", "matches"):
            if getattr(options, key):
                yield key, 'an answer to HEAD has no body: method = "GET"'
    try:
        re.compile(options.matches.encode())
    except re.error as error:
        yield "matches", f'= "{options.matches}": must be a regular expression: {error}'


def complaint_of(options: Options, body: bytes) -> str:
    """What is wrong with this body; empty: nothing."""
    within = f" in the first {MOST_BODY} octets" if len(body) == MOST_BODY else ""
    if options.contains and options.contains.encode() not in body:
        return f'the body has no "{options.contains}"{within}'
    if options.matches and not re.search(options.matches.encode(), body):
        return f'nothing in the body matches "{options.matches}"{within}'
    return ""


def authorization(options: Options) -> dict[str, str]:
    """The header that proves who asks."""
    if options.token is not None:
        return {"Authorization": f"Bearer {options.token.reveal()}"}
    if options.password is not None:
        pair = f"{options.username}:{options.password.reveal()}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return {}


class Http:
    """One URL, the same for every instance."""

    def __init__(self) -> None:
        self._probe: Probe | None = None

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.http]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work, all of it at once."""
        refuse(mistakes(options))
        self._probe = Probe(
            url=parse_url(options.url),
            expect=Expect.parse(options.expect),
            timeout=options.timeout,
            method=options.method,
            host=options.host,
            server_name=options.server_name,
            headers={name: value.reveal() for name, value in options.headers.items()},
            secrets=authorization(options),
            socket=options.socket,
            source=options.source,
            tls=context_of(options) if options.url.startswith("https:") or options.redirects else None,
            complaint=lambda body: complaint_of(options, body),
            redirects=options.redirects,
        )

    @hookimpl
    def check(self) -> Verdict:
        """Ask once."""
        if self._probe is None:
            return Verdict(False, "not configured")
        return self._probe.run()


plugin = Http()
