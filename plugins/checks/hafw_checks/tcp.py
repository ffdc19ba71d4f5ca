"""Something listens on a port, and says what it should, if that is wanted. Any service without a check of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw_checks.reach import Deadline, Place, ReachError, Stream, Tls, source_mistakes
from hafw_checks.tls import TlsOptions, context_of, tls_mistakes

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

TIMEOUT = Duration(0.7)
MOST: Final = 64 * 1024
"""Octets that are read while waiting for what is expected."""
_SHOWN: Final = 60
"""Characters of them that a verdict shows."""
_VERSIONS: Final = {"ipv4": 4, "ipv6": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(TlsOptions):
    """``[plugin.tcp]``."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """An address, or a name, for which the system's resolver is asked each time."""
    port: Annotated[int, Meta(ge=1, le=65535)]
    family: Literal["any", "ipv4", "ipv6"] = "any"
    """Which addresses of a name."""
    source: str = ""
    """The own address to ask from; empty: the kernel's choice."""
    tls: bool = False
    """Shake hands by TLS before anything else."""
    send: str = ""
    """What is said first; after ``hex:`` as digits."""
    expect: str = ""
    """A regular expression that what comes must match somewhere; empty: that a connection is made is enough."""
    timeout: Annotated[Duration, Meta(ge=0.01, le=60)] = TIMEOUT
    """For all of it; less than the check's own timeout, which kills this process."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    if re.search(r"[^!-~]|/", options.host):
        yield "host", f'= "{options.host}": must be an address or a host name; the port is a key of its own'
    if options.source:
        yield from source_mistakes(options.source, "")
    yield from _family_mistakes(options)
    try:
        octets_of(options.send)
    except ValueError:
        yield "send", f'= "{options.send}": after hex: must be hexadecimal digits, two for each octet'
    try:
        re.compile(options.expect.encode())
    except re.error as error:
        yield "expect", f'= "{options.expect}": must be a regular expression: {error}'
    yield from tls_mistakes(options, used="" if options.tls else "tls = true")


def _family_mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Addresses of two families never meet."""
    found = {key: version for key in ("host", "source") if (version := _version(getattr(options, key)))}
    if options.family != "any":
        for key, version in found.items():
            if version != _VERSIONS[options.family]:
                yield key, f'= "{getattr(options, key)}": must be of the family {options.family}'
    elif len(set(found.values())) > 1:
        yield "source", f'= "{options.source}": must be of the same family as host, {options.host}'


def _version(text: str) -> int:
    try:
        return ip_address(text).version
    except ValueError:
        return 0


def octets_of(text: str) -> bytes:
    """What to send; ``ValueError`` where digits are none."""
    return bytes.fromhex(text.removeprefix("hex:")) if text.startswith("hex:") else text.encode()


class Tcp:
    """One port, the same for every instance."""

    def __init__(self) -> None:
        self._options = Options(port=1)
        self._context: ssl.SSLContext | None = None

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.tcp]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work, all of it at once."""
        refuse(mistakes(options))
        self._options = options
        self._context = context_of(options) if options.tls else None

    @hookimpl
    def check(self) -> Verdict:
        """Connect once. Every failure is a verdict with words, none an exception."""
        options = self._options
        family = {4: "ipv4", 6: "ipv6"}.get(_version(options.source), options.family)
        place = Place(host=options.host, port=options.port, family=family, source=options.source)
        tls = Tls(context=self._context, name=options.server_name or options.host) if self._context else None
        deadline = Deadline(options.timeout)
        try:
            with Stream(place, tls, deadline) as stream:
                return self._talk(stream, place, deadline)
        except ReachError as error:
            return Verdict(False, str(error))

    def _talk(self, stream: Stream, place: Place, deadline: Deadline) -> Verdict:
        heard, ended = b"", False
        try:
            if self._options.send:
                stream.socket.sendall(octets_of(self._options.send))
            if not self._options.expect:
                return Verdict(True, f"{place} accepts connections{' by TLS' if self._context else ''}")
            pattern = re.compile(self._options.expect.encode())
            while not (found := pattern.search(heard)) and not ended and len(heard) < MOST:
                more = stream.socket.recv(4096)
                heard, ended = heard + more, not more
        except OSError as error:
            if not stream.late:
                heard_so_far = f" after {shown(heard)}" if heard else ""
                return Verdict(False, f"{(error.strerror or str(error)).lower()} by {place}{heard_so_far}")
            found, ended = None, True
        if found:
            return Verdict(True, f"{place} says {shown(found[0] or heard)}")
        return Verdict(False, self._missing(place, heard, deadline if stream.late else None))

    def _missing(self, place: Place, heard: bytes, late: Deadline | None) -> str:
        said = f"says {shown(heard)}" if heard else "says nothing"
        wanted = f'expected "{self._options.expect}"'
        if late is not None:
            return f"{place} accepts connections, {said} within {late}, {wanted}"
        return f"{place} {said}{' and closes the connection' if len(heard) < MOST else ''}, {wanted}"


def shown(octets: bytes) -> str:
    """In quotes and in one line, the beginning of it."""
    text = octets[: 4 * _SHOWN].decode("utf-8", "replace").strip()
    line = "".join(each if each.isprintable() else " " for each in text)
    return f'"{line[:_SHOWN]}{"..." if len(line) > _SHOWN else ""}"'


plugin = Tcp()
