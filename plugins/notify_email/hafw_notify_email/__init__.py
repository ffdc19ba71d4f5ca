"""Sends mail on state changes and other events, through a mail server that is near.

One mail per change and event that ``on`` names. What could not be sent is kept as the outcome of the call, where
``hafw plugins`` shows it; there is no spool: that is what the mail server is for.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from hafw.api import Duration, Secret, hookimpl, refuse
from hafw.notification import Notifier, Word, template_mistake
from hafw_notify_email import mail
from hafw_notify_email.smtp import Server, deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.notification import Notification, Outcome

TIMEOUT = Duration(30)
SUBJECT = "[hafw] {node} {instance}: {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.notify_email]``."""

    from_: str
    """``from``: an address, or ``Name <address>``."""
    to: Annotated[list[str], Meta(min_length=1)]
    smtp: str = "localhost:25"
    """``host:port``; the port may be left out: 25, or 465 with ``tls``."""
    on: tuple[Word, ...] = ("master", "fault", "split_brain")
    starttls: Literal["auto", "always", "never"] = "auto"
    """``auto``: when the server offers it, any certificate; with ``username`` the same as ``always``."""
    tls: bool = False
    """TLS from the first octet (SMTPS)."""
    ca_file: str = ""
    """The certificates that are trusted; empty: the system's."""
    username: str = ""
    password: Secret | None = None
    timeout: Annotated[Duration, Meta(ge=1, le=600)] = TIMEOUT
    """For one mail, all attempts together."""
    subject: str = SUBJECT
    """A template: ``{node}``, ``{instance}``, ``{what}``, ``{reason}``."""


def server_of(options: Options) -> Server:
    """The mail server; ``ValueError`` when ``smtp`` does not name one."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::(\d{1,5}))?", options.smtp)
    port = int(match[3]) if match and match[3] else 465 if options.tls else 25
    if match is None or not 0 < port < 65536:
        raise ValueError(f'= "{options.smtp}": must be host:port, such as "localhost:25" or "[::1]:25"')
    return Server(
        host=match[1] or match[2],
        port=port,
        tls=options.tls,
        starttls=options.starttls,
        username=options.username,
        password=options.password,
        ca_file=options.ca_file,
    )


def is_address(text: str) -> bool:
    """Whether it is one mail address, with or without a name, in ASCII and on one line."""
    _, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    return bool(local and domain and text.isascii() and text.isprintable() and " " not in address and "," not in text)


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    try:
        server = server_of(options)
    except ValueError as error:
        yield "smtp", str(error)
    else:
        try:
            server.context()
        except ssl.SSLError:
            yield "ca_file", f'= "{options.ca_file}": cannot be read: it holds no certificates'
        except OSError as error:
            yield "ca_file", f'= "{options.ca_file}": cannot be read: {(error.strerror or str(error)).lower()}'
    for key, address in [("from", options.from_), *((f"to[{n}]", to) for n, to in enumerate(options.to))]:
        if not is_address(address):
            yield key, f'= "{address}": must be a mail address, such as "ops@example.com" or "Ops <ops@example.com>"'
    if wrong := template_mistake(options.subject):
        yield "subject", wrong
    if options.tls and options.starttls == "always":
        yield "starttls", '= "always": tls = true is encrypted from the first octet, leave one of the two out'
    yield from mistakes_of_login(options)


def mistakes_of_login(options: Options) -> Iterator[tuple[str, str]]:
    """A login needs both parts, and a connection that nobody can listen to."""
    if options.username and options.password is None:
        yield "password", 'is missing: username needs one, such as password = "file:/etc/hafw/smtp.pass"'
    if options.password is not None and not options.username:
        yield "username", "is missing: password needs one"
    if options.username and options.starttls == "never" and not options.tls:
        yield "starttls", '= "never": the password would be sent in clear: leave it out, or set tls = true'


class NotifyEmail(Notifier):
    """The mails of one machine."""

    def __init__(self) -> None:
        super().__init__()
        self._options: Options | None = None

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one mail."""
        return float(self._options.timeout if self._options else TIMEOUT) + 5

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.notify_email]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work, all of it at once. The server is not asked: it may be down and come back."""
        refuse(mistakes(options))
        self._options = options
        self.listen_for(options.on)

    def tell(self, word: str, notification: Notification) -> Outcome | None:  # noqa: ARG002 - a mail looks the same
        """Send one mail."""
        options = self._options
        if options is None:
            return None
        message = mail.message(notification, self.node, options.subject, options.from_, options.to)
        return deliver(server_of(options), message, options.timeout)


plugin = NotifyEmail()
