"""A mail server that keeps what it is sent: RFC 5321 as far as a client that delivers needs it, STARTTLS and logins."""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from hafw.testing.server import Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from email.message import EmailMessage

LINE_MAX = 1000
"""Octets of a line (RFC 5321 section 4.5.3.1)."""
SIZE_MAX = 10 << 20
"""Octets of a mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One that was taken."""

    sender: str
    """Of the envelope."""
    recipients: tuple[str, ...]
    """Of the envelope; those that were refused are not among them."""
    content: bytes
    """As it was sent, line ends included."""
    encrypted: bool
    login: str = ""
    """Who sent it; empty: nobody logged in."""

    @property
    def message(self) -> EmailMessage:
        """Its headers and its body."""
        return email.message_from_bytes(self.content, policy=email.policy.default)

    @property
    def body(self) -> str:
        """The text, with line ends as Python has them."""
        content: str = self.message.get_content()
        return content.replace("\r\n", "\n")


class SmtpServer(Server[Mail]):
    """The fixture ``smtp_server``. A step of its script is a reply to a whole mail: ``"451 try later"``."""

    def __init__(self) -> None:
        self.starttls: ssl.SSLContext | None = None
        """Offered with this; ``None``: not offered."""
        self.users: dict[str, str] = {}
        """Names and passwords. With any, nobody sends without a login, which needs encryption."""
        self.logins: list[tuple[str, str]] = []
        """Every name and password that was tried."""
        self.unknown: set[str] = set()
        """Recipients that are refused."""
        self.attempts = 0
        """Mails that were sent here to the end, refused ones included."""
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        """One session."""
        session = _Session(self, connection)
        try:
            session.run()
        finally:
            session.close()


class _Session:
    """One client."""

    def __init__(self, server: SmtpServer, connection: socket.socket) -> None:
        self._server = server
        self._connect(connection)
        self._greeted = self._over = False
        self._login = ""
        self._forget()

    def _connect(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")

    def _forget(self) -> None:
        """What was said of a mail that is over."""
        self._sender: str | None = None
        self._recipients: list[str] = []

    @property
    def _encrypted(self) -> bool:
        return isinstance(self._connection, ssl.SSLSocket)

    def run(self) -> None:
        """Until the client has enough."""
        self._say("220 localhost the mail server of a test")
        while not self._over and (line := self._reader.readline(LINE_MAX)):
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            answer = self._VERBS.get(verb.upper())
            self._say("500 5.5.2 command not recognized" if answer is None else answer(self, rest.strip()))

    def close(self) -> None:
        """Nothing more is read."""
        self._reader.close()

    def _say(self, *lines: str) -> None:
        """One reply: all lines but the last with a dash behind the code; nothing, when all was said already."""
        text = [line for each in lines for line in each.split("\n") if line]
        marked = [f"{line[:3]}-{line[4:]}" for line in text[:-1]] + text[-1:]
        self._connection.sendall("".join(f"{line}\r\n" for line in marked).encode())

    # -- the verbs: what is answered ----------------------------------------------------------------------------

    def _helo(self, _name: str) -> str:
        self._greeted = True
        self._forget()
        return "250 localhost"

    def _ehlo(self, name: str) -> str:
        offers = ["8BITMIME", f"SIZE {SIZE_MAX}"]
        if self._server.starttls and not self._encrypted:
            offers.append("STARTTLS")
        if self._server.users and self._encrypted:
            offers.append("AUTH PLAIN LOGIN")
        return "\n".join([self._helo(name), *(f"250 {each}" for each in offers)])

    def _mail(self, rest: str) -> str:
        if not self._greeted:
            return "503 5.5.1 say EHLO first"
        if self._server.users and not self._login:
            return "530 5.7.0 Authentication required"
        if self._sender is not None:
            return "503 5.5.1 a mail has begun already"
        self._sender = _address(rest, "FROM:")
        return "250 2.1.0 fine" if self._sender is not None else "501 5.5.4 say MAIL FROM:<address>"

    def _rcpt(self, rest: str) -> str:
        if self._sender is None:
            return "503 5.5.1 say MAIL first"
        address = _address(rest, "TO:")
        if not address:
            return "501 5.5.4 say RCPT TO:<address>"
        if address in self._server.unknown:
            return "550 no such mailbox"
        self._recipients.append(address)
        return "250 2.1.5 fine"

    def _data(self, _rest: str) -> str:
        if not self._recipients or self._sender is None:
            return "503 5.5.1 say RCPT first"
        self._say("354 end with a dot on a line of its own")
        lines = []
        while (line := self._reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError("it left in the middle of a mail")
            lines.append(line.removeprefix(b"."))
        self._server.attempts += 1
        mail = Mail(
            sender=self._sender,
            recipients=tuple(self._recipients),
            content=b"".join(lines),
            encrypted=self._encrypted,
            login=self._login,
        )
        self._forget()
        refused: str | None = self._server.step()
        if refused is None:
            self._server.take(mail)
        return refused or "250 2.0.0 taken"

    def _start_tls(self, _rest: str) -> str:
        if self._server.starttls is None or self._encrypted:
            return "502 5.5.1 not offered"
        self._say("220 go ahead")
        self._reader.close()
        self._connect(self._server.encrypt(self._connection, self._server.starttls))
        self._greeted = False  # all that was said in clear is forgotten (RFC 3207 section 4.2)
        self._forget()
        return ""

    def _auth(self, rest: str) -> str:
        mechanism, _, initial = rest.partition(" ")
        if not self._encrypted:
            return "538 5.7.11 Encryption required for requested authentication mechanism"
        try:
            if mechanism.upper() == "PLAIN":
                _, name, password = self._asked("", initial).split("\0")
            elif mechanism.upper() == "LOGIN":
                name, password = self._asked("Username:", initial), self._asked("Password:", "")
            else:
                return "504 5.5.4 unknown mechanism"
        except (ValueError, binascii.Error):
            return "501 5.5.2 cannot be decoded"
        self._server.logins.append((name, password))
        if self._server.users.get(name) != password:
            return "535 5.7.8 Authentication credentials invalid"
        self._login = name
        return "235 2.7.0 welcome"

    def _asked(self, question: str, given: str) -> str:
        if not given:
            self._say(f"334 {base64.b64encode(question.encode()).decode()}")
            given = self._reader.readline(LINE_MAX).decode().strip()
        return base64.b64decode(given, validate=True).decode()

    def _reset(self, _rest: str) -> str:
        self._forget()
        return "250 2.0.0 fine"

    def _noop(self, _rest: str) -> str:
        return "250 2.0.0 fine"

    def _quit(self, _rest: str) -> str:
        self._over = True
        return "221 2.0.0 goodbye"

    _VERBS: ClassVar[dict[str, Callable[[_Session, str], str]]] = {
        "HELO": _helo,
        "EHLO": _ehlo,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "STARTTLS": _start_tls,
        "AUTH": _auth,
        "RSET": _reset,
        "NOOP": _noop,
        "QUIT": _quit,
    }


def _address(rest: str, word: str) -> str | None:
    """Of ``FROM:<a@b> SIZE=3``; ``None``: there is none."""
    if not rest.upper().startswith(word):
        return None
    text = rest[len(word) :].strip()
    return text[1:].partition(">")[0] if text.startswith("<") and ">" in text else None
