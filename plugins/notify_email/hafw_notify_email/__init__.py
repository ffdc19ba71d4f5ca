"""Sends mail on state changes and other events, through a mail server that is near.

One mail per change and event that ``on`` names. What could not be sent is kept as the outcome of the call, where
``hafw plugins`` shows it; there is no spool: that is what the mail server is for.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from hafw.api import Duration, Router, Secret, StateChange, hookimpl, refuse
from hafw_notify_email import mail
from hafw_notify_email.smtp import Outcome, Server, deliver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Word = Literal[
    "master", "backup", "fault", "stop",
    "vip_bound", "vip_lost", "vip_restored", "vip_released", "announced", "takeover_complete", "handover_started",
    "handover_complete", "split_brain", "split_brain_over", "vrid_collision", "peer_mismatch", "check_changed",
    "plugin_failed", "plugin_restarted", "config_reloaded", "stall", "resumed", "fenced", "flapping", "degraded",
    "maintenance",
]  # fmt: skip
"""The four states, and the event types of the control socket."""

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
    if wrong := mail.subject_mistake(options.subject):
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


class NotifyEmail:
    """The mails of one machine."""

    def __init__(self) -> None:
        self._options: Options | None = None
        self._node = os.environ.get("HAFW_NODE") or socket.gethostname().partition(".")[0]
        self._masters: dict[str, str] = {}
        """By instance, as of its last change."""

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

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["master"]``."""
        return self._tell_change(router, change, "master", f"this router, {self._node}")

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["backup"]``."""
        return self._tell_change(router, change, "backup", change.peer or "not known yet")

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["fault"]``."""
        return self._tell_change(router, change, "fault", change.peer or "not known yet")

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["stop"]``."""
        return self._tell_change(router, change, "stop", change.peer or "not known yet")

    @hookimpl
    def event(self, event: Mapping[str, object]) -> Outcome | None:
        """Any other word of ``on``; changes of state come by the hooks above."""
        master = self._masters.get(str(event.get("instance")), "")
        return self._send(str(event.get("type")), mail.of_event(self._node, event, master))

    def _tell_change(self, router: Router, change: StateChange, word: Word, master: str) -> Outcome | None:
        self._masters[change.instance] = master
        return self._send(word, mail.of_change(self._node, router, change, word.upper(), master))

    def _send(self, word: str, report: mail.Report) -> Outcome | None:
        options = self._options
        if options is None or word not in options.on:
            return None
        message = mail.message(report, self._node, options.subject, options.from_, options.to)
        return deliver(server_of(options), message, options.timeout)


plugin = NotifyEmail()
