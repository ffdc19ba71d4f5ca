"""Handing one message to one mail server, again when it may help, within a time limit."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hafw.notification import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from hafw.api import Secret

PAUSES = (1.0, 5.0)
"""Seconds before the second and the third attempt; there is no fourth."""
ATTEMPT = 10.0
"""Most seconds that a server may be silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mail goes, and how."""

    host: str
    port: int
    tls: bool
    """TLS from the first octet (SMTPS)."""
    starttls: Literal["auto", "always", "never"]
    username: str
    password: Secret | None
    ca_file: str

    @property
    def name(self) -> str:
        """As it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext:
        """Certificates are verified, except where TLS is a bonus over plain text that nobody asked for."""
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if self.starttls == "auto" and not self.tls and not self.username:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def deliver(
    server: Server, message: EmailMessage, timeout: float, *, sleep: Callable[[float], None] = time.sleep
) -> Outcome:
    """Try up to three times within ``timeout`` seconds; what the server refuses for good is not tried again."""
    deadline = time.monotonic() + timeout
    attempts = 0
    while True:
        attempts += 1
        try:
            refused = attempt(server, message, min(ATTEMPT, max(deadline - time.monotonic(), 0.1)))
        except (OSError, smtplib.SMTPException) as error:
            why = explain(error)
            pause = PAUSES[attempts - 1] if attempts <= len(PAUSES) else deadline
            if is_final(error) or time.monotonic() + pause >= deadline:
                tries = f" ({attempts} attempts)" if attempts > 1 else ""
                return Outcome(output=f"not sent, {server.name}{tries}: {why}", exit=1)
            sleep(pause)
        else:
            return sent(server, message, refused)


def sent(server: Server, message: EmailMessage, refused: dict[str, tuple[int, bytes]]) -> Outcome:
    """The server took it, perhaps not for everybody."""
    if not refused:
        return Outcome(output=f"sent to {message['To']} by {server.name}", exit=0)
    return Outcome(output=f"sent by {server.name}, but refused for {those_refused(refused)}", exit=1)


def those_refused(recipients: dict[str, tuple[int, bytes]]) -> str:
    """Each with what the server said of it."""
    return ", ".join(f"{who} ({code} {said.decode(errors='replace')})" for who, (code, said) in recipients.items())


def attempt(server: Server, message: EmailMessage, timeout: float) -> dict[str, tuple[int, bytes]]:
    """One connection, one message; gives the recipients that were refused beside others that were not."""
    with connection(server, timeout) as smtp:
        smtp.ehlo_or_helo_if_needed()
        wanted = server.starttls == "always" or server.username
        if not server.tls and server.starttls != "never" and (wanted or smtp.has_extn("starttls")):
            smtp.starttls(context=server.context())
            smtp.ehlo()
        if server.username and server.password is not None:
            smtp.login(server.username, server.password.reveal())
        return smtp.send_message(message)


def connection(server: Server, timeout: float) -> smtplib.SMTP:
    """A connected client. It names itself without asking DNS, which may be what has failed."""
    name = socket.gethostname()
    myself = name if "." in name else "[127.0.0.1]"
    if server.tls:
        context = server.context()
        return smtplib.SMTP_SSL(server.host, server.port, local_hostname=myself, timeout=timeout, context=context)
    return smtplib.SMTP(server.host, server.port, local_hostname=myself, timeout=timeout)


def is_final(error: OSError | smtplib.SMTPException) -> bool:
    """Whether another attempt must end in the same way: 5xx of RFC 5321, no TLS, a bad certificate."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return isinstance(error, ssl.SSLCertVerificationError | smtplib.SMTPNotSupportedError)


def explain(error: OSError | smtplib.SMTPException) -> str:
    """One line, without a password: smtplib's errors hold what the server said, never what we sent."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(
            f"{who}: {code} {said.decode(errors='replace')}" for who, (code, said) in error.recipients.items()
        )
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, smtplib.SMTPException):
        return str(error)
    return (error.strerror or str(error) or type(error).__name__).lower()
