"""A server on loopback that does what the test wants, wrong things above all; a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

PATIENCE = 30.0
"""Seconds that ``wait_for`` waits, and that a client may be silent."""
BACKLOG = 50
LOOK = 0.01
"""Seconds between two tries to end somebody."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cut:
    """A step of a script: the connection is closed without an answer."""


@dataclass(frozen=True, slots=True)
class Delay:
    """A step of a script: the usual answer, but only after so many seconds."""

    seconds: float


class Server(Generic[T]):
    """Listens on loopback from the start. ``T``: what it receives."""

    def __init__(self) -> None:
        self.received: list[T] = []
        """Everything that it has taken, in order."""
        self.connections = 0
        """How many came, failed ones included."""
        self.tls: ssl.SSLContext | None = None
        """Encrypted from the first octet with this; to be set before anybody connects."""
        self._script: deque[Any] = deque()
        self._closing = threading.Event()
        self._news = threading.Condition()
        self._open: dict[int, socket.socket] = {}
        """By the thread that serves it."""
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self.accept()

    @property
    def address(self) -> str:
        """``127.0.0.1:40123``."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def script(self, *steps: Any) -> None:  # noqa: ANN401 - what a step may be says the subclass
        """What the next ones get, one after the other; when it is at its end, all is well again."""
        self._script.extend(steps)

    def wait_for(self, number: int, timeout: float = PATIENCE) -> list[T]:
        """Block until so many have been received, and return them all; raises ``AssertionError``."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.received) >= number, timeout):
                raise AssertionError(f"received {len(self.received)} of {number} within {timeout:g}s")
        return list(self.received)

    def refuse(self) -> None:
        """From now on connections are refused, as by a machine on which nothing listens."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
            self._listener.close()
            self._listener = None

    def accept(self) -> None:
        """Connections are taken again, on the same port."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=BACKLOG)
            self.port = self._listener.getsockname()[1]
            self._begin(self._listen, self._listener)

    def close(self) -> None:
        """End it, and every connection."""
        self._closing.set()
        self.refuse()
        for thread in self._threads:  # those that listen come first, so none is added meanwhile
            while thread.is_alive():
                for each in tuple(self._open.values()):
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
                thread.join(LOOK)

    def take(self, one: T) -> None:
        """Remember what has come; called by the thread of its connection."""
        with self._news:
            self.received.append(one)
            self._news.notify_all()

    def step(self) -> Any:  # noqa: ANN401
        """The next step of the script, a delay already spent; ``None``: all is well. ``ConnectionError``: be cut."""
        step = self._script.popleft() if self._script else None
        if isinstance(step, Delay):
            self._closing.wait(step.seconds)
            return None
        if isinstance(step, Cut):
            raise ConnectionAbortedError("the script says so")
        return step

    def encrypt(self, connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Go on encrypted; the connection that it was is closed."""
        encrypted = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open[threading.get_ident()] = encrypted
        encrypted.do_handshake()
        return encrypted

    def serve(self, connection: socket.socket) -> None:
        """Speak with one client until it has enough; a subclass does it."""
        raise NotImplementedError

    def _begin(self, work: Callable[[socket.socket], None], on: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(on,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._begin(self._attend, connection)

    def _attend(self, connection: socket.socket) -> None:
        own = threading.get_ident()
        self._open[own] = connection
        connection.settimeout(PATIENCE)
        try:
            with contextlib.suppress(OSError):  # that is also what a client does who does not trust us
                self.serve(connection if self.tls is None else self.encrypt(connection, self.tls))
        finally:
            self._open.pop(own).close()
