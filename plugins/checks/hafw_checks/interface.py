"""Links that an instance depends on beside its own: healthy while enough of them are up and have a carrier.

keepalived's ``track_interface``. A change is reported at once, past rise and fall: the kernel has said so.
"""

from __future__ import annotations

import errno
import fcntl
import select
import socket
import struct
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw_checks.settle import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = Duration(0)
REVIEW: Final = 1.0
"""Seconds between two looks although the kernel said nothing: an announcement may be lost."""

_SIOCGIFFLAGS: Final = 0x8913
_IFREQ: Final = struct.Struct("16sH22x")
_UP, _RUNNING = 0x1, 0x40
_RTMGRP_LINK: Final = 1
_NAME_MAX: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.interface]``."""

    interfaces: Annotated[tuple[str, ...], Meta(min_length=1)]
    need: Annotated[int | None, Meta(ge=1)] = None
    """How many of them must be up; all when left out."""
    down_delay: Annotated[Duration, Meta(ge=0, le=3600)] = AT_ONCE
    """How long too few must be up until that counts."""
    up_delay: Annotated[Duration, Meta(ge=0, le=3600)] = AT_ONCE
    """How long enough must be up until that counts."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    for number, name in enumerate(options.interfaces):
        if not 0 < len(name.encode()) <= _NAME_MAX or "/" in name or any(letter.isspace() for letter in name):
            yield (
                f"interfaces[{number}]",
                f'= "{name}": must be the name of an interface: 1 to 15 octets, no blank, no /',
            )
        elif name in options.interfaces[:number]:
            yield f"interfaces[{number}]", f'= "{name}": is there twice'
    if options.need is not None and options.need > len(options.interfaces):
        yield "need", f"= {options.need}: must be at most {len(options.interfaces)}, the number of interfaces"


def problem_of(name: str) -> str:
    """Why this interface does not carry traffic; empty: it does."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as any_socket:
            flags = _IFREQ.unpack(fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _IFREQ.pack(name.encode(), 0)))[1]
    except OSError as error:
        missing = error.errno in (errno.ENODEV, errno.ENXIO)
        return "does not exist" if missing else (error.strerror or str(error)).lower()
    if not flags & _UP:
        return "is down"
    return "" if flags & _RUNNING else "has no carrier"


class Interface:
    """The links of one ``[plugin.NAME]``, the same for every instance."""

    def __init__(self) -> None:
        self._options = Options(interfaces=("lo",))
        self._settled = Settled(self._look, down=0.0, up=0.0)

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.interface]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work; warn of what is not there yet."""
        refuse(mistakes(options))
        for number, name in enumerate(options.interfaces):
            if problem_of(name) == "does not exist":
                rule = "does not exist on this machine now: the check fails until it does"
                warnings.warn(f'interfaces[{number}]: = "{name}": {rule}', stacklevel=1)
        self._options = options
        self._settled = Settled(self._look, down=options.down_delay, up=options.up_delay)

    @hookimpl
    def check(self) -> Verdict:
        """Look once."""
        return self._settled.now()

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> NoReturn:
        """Report what is there, and each change the moment the kernel announces it."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as news:
            news.bind((0, _RTMGRP_LINK))
            news.setblocking(False)
            report(verdict := self._settled.now())
            while True:
                left = self._settled.left
                select.select([news], [], [], REVIEW if left is None else min(left, REVIEW))
                _forget(news)
                before, verdict = verdict.healthy, self._settled.now()
                if verdict.healthy != before:
                    report(replace(verdict, immediate=True))

    def _look(self) -> Verdict:
        names = self._options.interfaces
        problems = {name: problem for name in names if (problem := problem_of(name))}
        up = len(names) - len(problems)
        need = len(names) if self._options.need is None else self._options.need
        said = [f"{name} {problem}" for name, problem in problems.items()] or [f"{', '.join(names)} up"]
        if need < len(names):
            said.append(f"{up} of {len(names)} up, {need} needed")
        return Verdict(up >= need, "; ".join(said))


def _forget(news: socket.socket) -> None:
    """What the kernel says is read from the interface itself; here only that it said something counts."""
    try:
        while news.recv(65536):
            pass
    except BlockingIOError:
        return
    except OSError:  # ENOBUFS: something was lost, which is news too
        return


plugin = Interface()
