"""``[plugin.web]``: where it listens, by which names it may be asked, and its limits."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from hafw.api import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT: Final = 9112
LISTEN_MAX: Final = 16
TIMEOUT: Final = Duration(5)
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
"""Not in Python's socket module."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.web]``."""

    listen: str | list[str] = f"127.0.0.1:{PORT}"
    """Addresses with a port, such as ``[::1]:9112`` or ``0.0.0.0:9112``; nobody else can ask by default."""
    hosts: str | list[str] = ""
    """Names by which browsers and programs may ask, beside addresses, ``localhost`` and this machine's own name."""
    connections: Annotated[int, Meta(ge=10, le=900)] = 200
    """At most so many at once; three quarters of them may be event streams."""
    timeout: Annotated[Duration, Meta(ge=0.1, le=60)] = TIMEOUT
    """For a whole request to come, and for a piece of the answer to be taken; then the client is dropped."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address to listen on."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


def place_of(text: str) -> Place:
    """``127.0.0.1:9112`` or ``[::1]:9112``; raises ``ValueError`` with the rule."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(f"must be an address and a port, such as 127.0.0.1:{PORT} or [::1]:{PORT}") from None
    if (address.version == 6) != bracketed or not colon:
        raise ValueError(f"an IPv6 address stands in brackets, an IPv4 address in none: [::1]:{PORT}")
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError("the port must be 1 to 65535")
    return Place(address, int(port))


def listed(value: str | list[str]) -> list[str]:
    """One, several, or nothing."""
    return ([value] if value else []) if isinstance(value, str) else value


def mistakes_of(options: Options, *, as_root: bool) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out. ``as_root``: low ports are free to it."""
    texts = listed(options.listen)
    if not texts:
        yield "listen", f"is empty: must name an address, such as 127.0.0.1:{PORT}"
    if len(texts) > LISTEN_MAX:
        yield "listen", f"has {len(texts)} addresses: must be at most {LISTEN_MAX}"
    seen: set[Place] = set()
    for key, text in keyed("listen", options.listen):
        try:
            place = place_of(text)
        except ValueError as error:
            yield key, f'= "{text}": {error}'
            continue
        if place in seen:
            yield key, f'= "{text}": is listed twice'
        seen.add(place)
        if place.port < lowest_port() and not as_root:
            yield key, f'= "{text}": ports below {lowest_port()} take user = "root": choose another, such as {PORT}'
    for key, name in keyed("hosts", options.hosts):
        if not _NAME.fullmatch(name):
            yield key, f'= "{name}": must be a host name without a port, such as lb1.example.com'


def keyed(key: str, value: str | list[str]) -> Iterator[tuple[str, str]]:
    """Each text with the key under which it stands: ``listen`` alone, or ``listen[0]``."""
    if isinstance(value, str):
        yield from [(key, value)] if value else []
    else:
        yield from ((f"{key}[{number}]", each) for number, each in enumerate(value))


def lowest_port() -> int:
    """The lowest that anybody may listen on."""
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:  # noqa: PTH123 - one number
            return int(file.read())
    except (OSError, ValueError):
        return 1024


def address_missing(place: Place) -> bool:
    """Whether this machine does not have the address at this moment."""
    family = socket.AF_INET6 if place.address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((str(place.address), 0))
    except OSError:
        return True
    return False


def socket_of(place: Place) -> socket.socket:
    """Bound and listening; an address that is not there yet, such as a virtual one, is listened on beforehand."""
    family = socket.AF_INET6 if place.address.version == 6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # or [::] would take 0.0.0.0's port too
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        made.bind((str(place.address), place.port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise OSError(error.errno, f"listen = {place}: {(error.strerror or str(error)).lower()}") from None
    return made
