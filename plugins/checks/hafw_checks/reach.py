"""A connection with one deadline for everything: the name, the handshakes, and all that is said on it.

A socket timeout bounds each read, not their sum: a server that drips one octet at a time would outlive the check's own
timeout, and the plugin process would be killed for it.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - see below
import socket
import threading
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

# socket encodes host names with encodings.idna, which Python would load at the first check. By then the process is
# nobody, and where Python lies under a private home (pyenv of root), nobody may not read it.

FAMILIES: Final = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


_Address = tuple[str | int | bytes, ...] | str
"""As ``socket`` has them, each family its own."""
_Found = list[tuple[int, _Address]]


class ReachError(Exception):
    """Why nothing was reached, as a verdict says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who is asked, and from where."""

    host: str = ""
    port: int = 0
    path: str = ""
    """Of a Unix socket, instead of host and port."""
    family: str = "any"
    source: str = ""
    """The own address; empty: the kernel's choice."""

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def source_mistakes(source: str, instead: str) -> Iterator[tuple[str, str]]:
    """``instead``: the key that leaves no choice of an own address; empty: there is none."""
    try:
        ip_address(source)
    except ValueError:
        yield "source", f'= "{source}": must be an address of this machine'
        return
    if instead:
        yield "source", f'= "{source}": has no meaning with {instead}: leave one of them out'


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a connection is made private."""

    context: ssl.SSLContext
    name: str
    """The name on the certificate, sent as SNI."""


class Deadline:
    """A moment, and how long it was until then."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._moment = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; never negative."""
        return max(0.0, self._moment - time.monotonic())

    def __str__(self) -> str:
        return f"{self.seconds:g}s"


class Stream:
    """A connection that is shut down at its deadline, whatever its peer does; a context manager."""

    def __init__(self, place: Place, tls: Tls | None, deadline: Deadline) -> None:
        """Connect, and shake hands; raises ``ReachError``."""
        self.late = False
        """Whether the deadline has passed: what the socket says then is our own doing."""
        self.socket = _connect(place, deadline)
        self._timer = threading.Timer(deadline.left, self._end)
        self._timer.daemon = True
        self._timer.start()
        if tls is not None:
            try:
                self._secure(place, tls, deadline)
            except BaseException:
                self.close()
                raise

    def _secure(self, place: Place, tls: Tls, deadline: Deadline) -> None:
        import ssl  # noqa: PLC0415 - 5 MiB, which whoever has made the context holds already

        try:
            self.socket = tls.context.wrap_socket(
                self.socket, server_hostname=tls.name, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
            if self.late:  # and what was shut down was no longer the connection
                raise ConnectionAbortedError
            self.socket.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise ReachError(f"certificate of {place} refused: {error.verify_message}") from error
        except OSError as error:
            if self.late:
                raise ReachError(f"{place} accepts connections, and no TLS within {deadline}") from error
            said = error.reason if isinstance(error, ssl.SSLError) else (error.strerror or str(error)).lower()
            raise ReachError(f"no TLS with {place}: {said}") from error

    def _end(self) -> None:
        self.late = True
        with contextlib.suppress(OSError):  # already closed by the peer
            # On the plain socket below TLS: SSLSocket.shutdown() forgets its TLS state, and its reader would see
            # ciphertext.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """At once, without waiting for the peer."""
        self._timer.cancel()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _connect(place: Place, deadline: Deadline) -> socket.socket:
    """To the first of its addresses that accepts."""
    try:
        if place.path:
            return _dial(socket.AF_UNIX, place.path, place, deadline)
        failure: OSError = OSError("no address")
        for family, address in resolve(place, deadline):
            try:
                return _dial(family, address, place, deadline)
            except OSError as error:
                failure = error
        raise failure
    except TimeoutError as error:
        raise ReachError(f"no connection to {place} within {deadline}") from error
    except OSError as error:
        raise ReachError(f"{(error.strerror or str(error)).lower()} on {place}") from error


def _dial(family: int, address: _Address, place: Place, deadline: Deadline) -> socket.socket:
    if not deadline.left:
        raise TimeoutError
    plain = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        plain.settimeout(deadline.left)
        if place.source:
            plain.bind((place.source, 0))
        plain.connect(address)
    except BaseException:
        plain.close()
        raise
    plain.settimeout(None)  # from here on the stream's timer ends it
    return plain


def resolve(place: Place, deadline: Deadline) -> _Found:
    """Every address of the host, with its family; raises ``ReachError``.

    The system's resolver has no deadline, so it works in a thread of its own, one for each name at most.
    """
    with contextlib.suppress(socket.gaierror):
        return _look_up(place, socket.AI_NUMERICHOST)
    with _lock:
        if place not in _lookups:
            _lookups[place] = _Lookup(place)
        lookup = _lookups[place]
    lookup.thread.join(deadline.left)
    if lookup.thread.is_alive():
        raise ReachError(f"no address of {place.host} within {deadline}: does DNS answer? An address needs none")
    with _lock:
        if _lookups.get(place) is lookup:
            del _lookups[place]
    if lookup.error is not None:
        raise ReachError(f"cannot resolve {place.host}: {lookup.error.strerror}") from lookup.error
    return lookup.found


def _look_up(place: Place, flags: int = 0) -> _Found:
    family = FAMILIES[place.family]
    found = socket.getaddrinfo(place.host, place.port, family, socket.SOCK_STREAM, flags=flags)
    return [(each[0], each[4]) for each in found]


class _Lookup:
    """One question to the resolver, that somebody may still be waiting for."""

    def __init__(self, place: Place) -> None:
        self.found: _Found = []
        self.error: OSError | None = None
        self._place = place
        self.thread = threading.Thread(target=self._run, name=f"resolve {place.host}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.found = _look_up(self._place)
        except OSError as error:
            self.error = error


_lookups: dict[Place, _Lookup] = {}
_lock = threading.Lock()
