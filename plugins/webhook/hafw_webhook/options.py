"""``[plugin.webhook]``: whom to tell, what, how, and every mistake in it."""

from __future__ import annotations

import ipaddress
import re
import ssl
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from msgspec import Meta

from hafw.api import Duration, Secret
from hafw.notification import Word, unknown_instances
from hafw_webhook.patience import Receiver
from hafw_webhook.post import Endpoint, Proxy, Way
from hafw_webhook.shapes import template_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.api import Router

TIMEOUT: Final = Duration(10)
CONNECT_TIMEOUT: Final = Duration(5)
PATIENCE: Final = Duration(300)
SHORTEST_KEY: Final = 16
"""Octets of a key for signatures; a shorter one can be guessed."""
OUR_OWN: Final = {
    *("host", "content-length", "transfer-encoding", "connection", "expect", "te", "trailer", "upgrade"),
    *("idempotency-key", "proxy-authorization", "x-hafw-signature"),
}
"""Headers that the plugin sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.webhook]``."""

    url: Secret | list[Secret]
    """One or several; of Slack and Discord the URL itself is the secret: ``file:/etc/hafw/slack.url``."""
    on: tuple[Word, ...] = ("master", "backup", "fault", "stop")
    instances: tuple[str, ...] = ()
    """Only these; empty: all."""
    shape: Literal["hafw", "slack", "discord"] = "hafw"
    template: str | dict[str, Any] = ""
    """A shape of one's own: a table becomes JSON, a string plain text; ``{field}`` is filled in."""
    token: Secret | None = None
    """``{token}`` of the template, for receivers that want a key in the message."""
    headers: dict[str, Secret] = field(default_factory=dict)
    """Sent with every message, such as ``Authorization``."""
    secret: Secret | None = None
    """Signs every message: HMAC-SHA256 in ``X-Hafw-Signature``."""
    timeout: Annotated[Duration, Meta(ge=0.1, le=120)] = TIMEOUT
    """For one attempt: name, connection, TLS, answer together."""
    connect_timeout: Annotated[Duration, Meta(ge=0.1, le=120)] = CONNECT_TIMEOUT
    """For the connection to one address of the receiver."""
    patience: Annotated[Duration, Meta(ge=1, le=3300)] = PATIENCE
    """For one message, all attempts together."""
    ca_file: str = ""
    """The certificates that are trusted; empty: the system's."""
    proxy: Secret | None = None
    """``http://HOST:PORT``; the environment is not asked."""


def urls_of(options: Options) -> tuple[tuple[str, Secret], ...]:
    """Each with its key."""
    if isinstance(options.url, Secret):
        return (("url", options.url),)
    return tuple((f"url[{number}]", url) for number, url in enumerate(options.url))


def receivers(options: Options) -> tuple[Receiver, ...]:
    """Everybody to tell; raises ``ValueError`` for what ``mistakes`` would name."""
    tls: ssl.SSLContext | None = None
    proxy = Proxy.parse(options.proxy.reveal()) if options.proxy else None
    several = len(urls_of(options)) > 1
    found = []
    for key, url in urls_of(options):
        endpoint = Endpoint.parse(url.reveal())
        if endpoint.tls and tls is None:  # reading the system's authorities takes a while
            tls = ssl.create_default_context(cafile=options.ca_file or None)
        way = Way(endpoint=endpoint, proxy=proxy, tls=tls, connect_timeout=options.connect_timeout)
        found.append(
            Receiver(
                name=f"{key} {endpoint.name}" if several else endpoint.name,
                way=way,
                headers={name: value.reveal() for name, value in options.headers.items()},
                key=options.secret.reveal().encode() if options.secret else b"",
                timeout=options.timeout,
                patience=options.patience,
                hidden=hidden(options, endpoint),
            )
        )
    return tuple(found)


def hidden(options: Options, endpoint: Endpoint) -> tuple[str, ...]:
    """Texts that must not come back in what a receiver says."""
    secrets = [options.token, options.secret, options.proxy, *options.headers.values()]
    texts = [each.reveal() for each in secrets if each] + [endpoint.authorization, endpoint.target]
    return tuple(sorted((text for text in texts if len(text) > 3), key=len, reverse=True))


def mistakes(options: Options, routers: Sequence[Router]) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out; of a secret never the value."""
    if not urls_of(options):
        yield "url", "is empty: it names nobody to tell"
    for key, url in urls_of(options):
        try:
            Endpoint.parse(url.reveal())
        except ValueError as error:
            yield key, str(error)
    yield from unknown_instances(options.instances, routers)
    if options.template and options.shape != "hafw":
        yield "template", f'is a shape of its own: leave it out, or shape = "{options.shape}"'
    yield from template_mistakes(options.template, has_token=options.token is not None)
    for name, value in options.headers.items():
        yield from mistakes_of_header(name, value.reveal())
    if options.secret is not None and len(options.secret.reveal().encode()) < SHORTEST_KEY:
        yield "secret", f"is shorter than {SHORTEST_KEY} octets and can be guessed: openssl rand -hex 32 makes one"
    if options.connect_timeout > options.timeout:
        yield "connect_timeout", "is longer than timeout, which is for all of an attempt"
    if options.timeout > options.patience:
        yield "timeout", "is longer than patience, which is for all attempts"
    yield from mistakes_of_the_way(options)


def mistakes_of_header(name: str, value: str) -> Iterator[tuple[str, str]]:
    """Of one header; its value may be a secret."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        yield f"headers.{name}", "is no name of a header: letters, digits and hyphens, such as Authorization"
    elif name.lower() in OUR_OWN:
        yield f"headers.{name}", "is set by hafw: leave it out"
    if not value.isascii() or not value.isprintable() or value != value.strip():
        yield f"headers.{name}", "must be printable ASCII on one line, without blanks at its ends"


def mistakes_of_the_way(options: Options) -> Iterator[tuple[str, str]]:
    """Of certificates and proxy."""
    try:
        if options.ca_file:
            ssl.create_default_context(cafile=options.ca_file)
    except ssl.SSLError:
        yield "ca_file", f'= "{options.ca_file}": cannot be read: it holds no certificates'
    except OSError as error:
        yield "ca_file", f'= "{options.ca_file}": cannot be read: {(error.strerror or str(error)).lower()}'
    if options.proxy is not None:
        try:
            Proxy.parse(options.proxy.reveal())
        except ValueError as error:
            yield "proxy", str(error)


def warn(options: Options) -> None:
    """Say what works and is odd."""
    for key, url in urls_of(options):
        endpoint = Endpoint.parse(url.reveal())
        exposed = url.source or options.headers or options.token or endpoint.authorization
        if not endpoint.tls and exposed and not is_loopback(endpoint.host):
            warnings.warn(f"{key}: http:// shows its secrets to everybody on the way: https://", stacklevel=2)
    if any(url.source == "" for _, url in urls_of(options)) and options.shape != "hafw":
        place = f'url = "file:/etc/hafw/{options.shape}.url"'
        warnings.warn(f"url: whoever reads this file can post there, for the URL is the secret: {place}", stacklevel=2)


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
