"""Where ``hafw listen`` has its frames from: a capture, or interfaces of this machine."""

from __future__ import annotations

import select
import signal
import socket as stdlib_socket
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hafw.cli.client import attempt
from hafw.listen.capture import BadCapture, Frame, frames_untrusted
from hafw.listen.finding import Verdict
from hafw.listen.link import ETHERNET, RAW
from hafw.vrrp.packet import MULTICAST_GROUP, REASONS
from hafw.wire.netlink import Netlink
from hafw.wire.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.daemon.addresses.kernelview import KernelView
    from hafw.listen.session import Session
    from hafw.vrrp.settings import IPAddress, RouterSettings
    from hafw.wire.tap import Tapped

TICK = 1.0
"""Seconds after which an interface is looked at, if nothing comes."""
ENOUGH = 2
"""Good adverts of which a daemon that hears has heard one."""


class EarError(Exception):
    """What ends the listening, or does not let it begin, in words."""


class Ear:
    """Where frames come from; a context manager."""

    names: tuple[str, ...] = ()
    """Interfaces."""
    own: Mapping[tuple[str, int], IPAddress] = {}
    """By interface and family, what this machine advertises from."""
    dated = False
    """Whether the day matters."""
    notes: Sequence[str] = ()
    """What to say before anything is heard."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def frames(self) -> Iterator[Frame]:
        """One by one; raises ``EarError``."""
        raise NotImplementedError

    def nothing(self, session: Session) -> str:
        """Where there was none, and what to look at."""
        raise NotImplementedError

    def afterwards(self, session: Session) -> Iterator[str]:  # noqa: ARG002 - a capture has nothing to add
        """What else there is to say at the end."""
        yield from ()


class CaptureEar(Ear):
    """A file, or standard input."""

    dated = True

    def __init__(self, path: str, interfaces: Sequence[str], seconds: float | None) -> None:
        super().__init__()
        self._path = path
        self._seconds = inf if seconds is None else seconds
        self.names = tuple(interfaces)

    def frames(self) -> Iterator[Frame]:
        """As if they had come in on the interface that was named; without one, on any."""
        name = self.names[0] if self.names else ""
        try:
            path = Path(self._path)
            stream = sys.stdin.buffer if self._path == "-" else self._open.enter_context(path.open("rb"))
            until = None
            for frame in frames_untrusted(stream):
                until = frame.time + self._seconds if until is None else until
                if frame.time > until:
                    return
                yield replace(frame, interface=name)
        except BadCapture as bad:
            raise EarError(f"{self._path}: {bad}") from None
        except OSError as error:
            raise EarError(f"{self._path}: cannot be read: {(error.strerror or str(error)).lower()}") from None

    def nothing(self, session: Session) -> str:
        """In the file."""
        return f"in the {session.frames} frames of {self._path}"


class LiveEar(Ear):
    """Interfaces of this machine."""

    def __init__(
        self,
        names: Sequence[str],
        routers: Sequence[RouterSettings],
        seconds: float | None,
        socket: str,
        file: str,
    ) -> None:
        """Raises ``EarError`` for an interface that is not there, and ``PermissionError`` without CAP_NET_RAW."""
        super().__init__()
        self.names = tuple(names)
        self._socket, self._file = socket, file
        groups = {*MULTICAST_GROUP.values(), *(each.multicast_group for each in routers if each.multicast_group)}
        self._taps = [self._tap(name, groups) for name in names]
        self._seconds = seconds
        self._before = self._heard_by_daemon()
        virtual = {address.packed for router in routers for address in router.all_addresses}
        view = _view()
        infos = {name: view.info(name, virtual) for name in names}
        self.own = {(name, family): address for name, info in infos.items() for family, address in info.primary.items()}
        self.notes = [
            f"{name}: {info.problem}: nothing is heard until that ends" for name, info in infos.items() if info.problem
        ]
        self.notes += [f"{tap.interface}: not in the group {each}" for tap in self._taps for each in tap.outside]

    def __enter__(self) -> Self:
        self._ended_by = signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._ended_by)
        super().__exit__(*_)

    def _tap(self, name: str, groups: set[IPAddress]) -> Tap:
        there = [each for _, each in stdlib_socket.if_nameindex()]
        if name not in there:
            raise EarError(f"-i {name}: there is no such interface, there are {', '.join(there)}")
        try:
            return self._open.enter_context(Tap.open(name, sorted(groups, key=str)))
        except PermissionError:
            raise
        except OSError as error:
            raise EarError(f"-i {name}: {(error.strerror or str(error)).lower()}") from None

    def frames(self) -> Iterator[Frame]:
        """Until the time is over, which begins now: what had to be loaded and asked first may have taken some."""
        until = inf if self._seconds is None else time.monotonic() + self._seconds
        while True:
            left = min(TICK, until - time.monotonic())
            if left <= 0:
                return
            for tap in select.select(self._taps, [], [], left)[0]:
                try:
                    frames = tap.frames()
                except OSError as error:
                    raise EarError(f"{tap.interface} is gone: {(error.strerror or str(error)).lower()}") from None
                yield from (_frame(tap, each) for each in frames)

    def nothing(self, session: Session) -> str:  # noqa: ARG002 - what passed is filtered
        """On the wire: what an operator would look at next."""
        for_how_long = "" if self._seconds is None else f" in {self._seconds:g}s"
        return (
            f"on {', '.join(self.names)}{for_how_long}: is a MASTER there, is it this interface and VLAN, does the "
            "switch send multicast here (IGMP and MLD snooping), do they speak unicast to others?"
        )

    def afterwards(self, session: Session) -> Iterator[str]:
        """What was lost, and whether the daemon heard what we heard."""
        for tap in self._taps:
            if dropped := tap.count_drops():
                yield f"{tap.interface}: the kernel dropped {dropped} frames that we were too slow for"
        before, after = self._before, self._heard_by_daemon()
        for name, count in accepted(session).items():
            if count >= ENOUGH and name in before and name in after:
                yield from unheard(name, count, after[name] - before[name])

    def _heard_by_daemon(self) -> dict[str, Counter[str]]:
        """What each instance of the daemon that runs this very file has counted of adverts."""
        status: dict[str, Any] | None = attempt(self._socket, {"do": "status"})
        if status is None or not self._file or Path(status["config"]).resolve() != Path(self._file).resolve():
            return {}
        return {each["name"]: Counter(each["counters"]) for each in status["instances"]}


def unheard(name: str, count: int, counted: Counter[str]) -> Iterator[str]:
    """Where good adverts have gone of which the daemon, by what it has counted meanwhile, accepted none."""
    if counted["advertisement-rcvd"]:
        return
    refused = next((reason for reason in REASONS if counted[reason]), "")
    if refused:
        why = f"and the daemon refused them ({refused}): it runs with what this file had before: hafw reload"
    else:
        why = (
            "and the daemon heard none of them: a firewall on this machine drops them "
            "(IP protocol 112: nft list ruleset, iptables -S INPUT): hafw doctor"
        )
    yield f"{name}: {count} good adverts arrived here, {why}"


def accepted(session: Session) -> dict[str, int]:
    """How many adverts of others each router of ours would have accepted."""
    counts: dict[str, int] = {}
    for each in session.ledger.accounts():
        for (verdict, _), count in each.verdicts.items():
            if verdict is Verdict.ACCEPTED:
                counts[each.judgement.instance] = counts.get(each.judgement.instance, 0) + count
    return counts


def _frame(tap: Tap, tapped: Tapped) -> Frame:
    return Frame(
        time=tapped.time,
        link_type=ETHERNET if tapped.ethernet else RAW,
        data=tapped.data,
        length=tapped.length,
        outgoing=tapped.outgoing,
        interface=tap.interface,
        vlans=tapped.vlans,
    )


def _view() -> KernelView:
    """What this machine has now."""
    from hafw.daemon.addresses.kernelview import KernelView, listing_of  # noqa: PLC0415 - heavy, and a capture needs none

    view = KernelView()
    with Netlink() as netlink:
        view.replace_links(netlink.links())
        view.replace_addresses(listing_of(netlink.addresses()))
    return view
