"""What guard and daemon share while both live: a beat in shared memory, a line for messages, and what is inherited.

The beat is written by the daemon at every advert of a MASTER and read by the guard whenever it wakes: so the guard
knows to the millisecond what the peers heard last, and needs no wake-up of its own for it. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import socket
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from hafw.wire.sockets import VrrpSocket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafw.will import Bequest

VERSION = 3
VARIABLE = "HAFW_LIFELINE"
"""The environment variable in which a daemon finds its ``Inheritance``."""
SLOTS = 1024
"""MASTERs that the beat can tell of; further ones are handed over instead of resumed, and nobody fences them."""
_FIELDS = 4
_MESSAGE_MAX = 65536
_HIGH = 1000
"""A descriptor that is above those of sockets, and below the usual limit of 1024."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of life of one MASTER. Times are of the monotonic clock, which all processes share."""

    spoke_at: float
    """When its last advert left."""
    promised_at: float
    """When its next one is due."""
    patience: float
    """Seconds after its last advert at which a peer of the highest priority takes its place: three intervals."""


class Beat:
    """Shared memory with a slot for each router.

    Each number is stored whole (eight aligned bytes), and a sign that mixes an old one with a new one is at worst an
    interval off: no lock is needed.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = memoryview(mmap.mmap(descriptor, 8 * (1 + SLOTS * _FIELDS))).cast("d")

    @classmethod
    def create(cls) -> Beat:
        """A new one, with nobody in it."""
        descriptor = os.memfd_create("hafw-beat")
        os.ftruncate(descriptor, 8 * (1 + SLOTS * _FIELDS))
        return cls(descriptor)

    def mark(self, slot: int, sign: Sign) -> None:
        """This router is MASTER and has just spoken."""
        if not 0 <= slot < SLOTS:
            return
        at = 1 + slot * _FIELDS
        self._memory[at + 1], self._memory[at + 2] = sign.promised_at, sign.patience
        self._memory[at] = sign.spoke_at
        self._memory[0] = max(self._memory[0], slot + 1)

    def silence(self, slot: int) -> None:
        """This router does not speak as MASTER."""
        if 0 <= slot < SLOTS:
            self._memory[1 + slot * _FIELDS] = 0.0

    def promise(self, slot: int, release_at: float) -> None:
        """This router, MASTER or not any more, lets its addresses go until then; 0: it holds none for others."""
        if 0 <= slot < SLOTS:
            self._memory[1 + slot * _FIELDS + 3] = release_at
            self._memory[0] = max(self._memory[0], slot + 1)

    def promised(self, slot: int) -> float:
        """Until when it lets its addresses go; 0: it holds none for others."""
        return self._memory[1 + slot * _FIELDS + 3] if 0 <= slot < SLOTS else 0.0

    def promises(self) -> list[float]:
        """Of every router that holds addresses until they are claimed."""
        every = (self.promised(slot) for slot in range(int(self._memory[0])))
        return [release_at for release_at in every if release_at]

    def sign(self, slot: int) -> Sign | None:
        """What is known of this router; ``None``: it does not speak as MASTER."""
        if not 0 <= slot < SLOTS:
            return None
        at = 1 + slot * _FIELDS
        sign = Sign(self._memory[at], self._memory[at + 1], self._memory[at + 2])
        return sign if sign.spoke_at else None

    def signs(self) -> list[Sign]:
        """Of every MASTER."""
        every = (self.sign(slot) for slot in range(int(self._memory[0])))
        return [sign for sign in every if sign is not None]

    def keep_only(self, slots: Iterable[int]) -> None:
        """Silence every other router: their daemon is dead, and they are not resumed."""
        for slot in range(int(self._memory[0])):
            self.promise(slot, 0.0)
        for slot in set(range(int(self._memory[0]))) - set(slots):
            self.silence(slot)


class Line:
    """Messages between guard and daemon, either way; each may carry one descriptor. Nothing here blocks or raises."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.ended = False
        """The other end is gone."""
        self._socket = end

    @classmethod
    def raised(cls, descriptor: int) -> Line:
        """The daemon's end, under a high number.

        When a process dies, Linux closes the highest descriptors first, and each packet socket takes 10 ms: so the
        guard sees the end of the line before anything else is closed.
        """
        with contextlib.suppress(OSError):
            high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
            os.close(descriptor)
            descriptor = high
        return cls(socket.socket(fileno=descriptor))

    @classmethod
    def pair(cls) -> tuple[Line, socket.socket]:
        """Our end, and the other's."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """The other end reads its end."""
        self._socket.close()

    def say(self, message: Mapping[str, Any], descriptor: int | None = None) -> bool:
        """Send; tell whether it left: the other may be gone, or stuck with a full queue."""
        descriptors = [] if descriptor is None else [descriptor]
        try:
            socket.send_fds(self._socket, [json.dumps(message).encode()], descriptors)
        except OSError:
            return False
        return True

    def hear(self) -> tuple[dict[str, Any], int | None] | None:
        """The next message with its descriptor, if it has one; ``None``: there is none now, or no more ever."""
        try:
            octets, descriptors, _, _ = socket.recv_fds(self._socket, _MESSAGE_MAX, 1)
        except OSError:
            return None
        self.ended = not octets
        return (_message_untrusted(octets), descriptors[0] if descriptors else None) if octets else None


@dataclass(frozen=True, slots=True)
class SharedSocket:
    """A VRRP socket that both have open, so that its queue and its membership outlive a daemon."""

    interface: str
    ifindex: int
    family: int
    group: str
    """Empty: unicast."""
    descriptor: int = -1

    def adopt(self) -> VrrpSocket:
        """Own the descriptor, and use it."""
        group = ip_address(self.group) if self.group else None
        return VrrpSocket.adopt(self.descriptor, self.ifindex, self.family, group)


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What the guard hands to a daemon."""

    line: int
    beat: int
    sockets: tuple[SharedSocket, ...] = ()
    resume: tuple[str, ...] = ()
    """Routers that were MASTER, to be resumed at once."""
    withheld: tuple[str, ...] = ()
    """Routers whose will is being executed: they may not start before the line says that it is done."""
    cause: str = ""
    """How the daemon before this one ended; empty: there was none."""
    died_at: float = 0.0
    fenced: bool = False
    """Whether the guard killed it because it was stuck."""

    def dumps(self) -> str:
        """As it stands in the environment."""
        return json.dumps({"version": VERSION, **asdict(self)})

    @classmethod
    def take(cls) -> Inheritance | None:
        """From the environment, where it does not stay; ``None``: there is none that this code understands."""
        record = _message_untrusted(os.environ.pop(VARIABLE, "").encode(errors="surrogateescape"))
        if record.pop("version", None) != VERSION:
            return None
        try:
            sockets = tuple(SharedSocket(**each) for each in record.pop("sockets"))
            resume, withheld = tuple(record.pop("resume")), tuple(record.pop("withheld"))
            return cls(sockets=sockets, resume=resume, withheld=withheld, **record)
        except (KeyError, TypeError):
            return None


def _message_untrusted(octets: bytes) -> dict[str, Any]:
    """Empty when it is none: whoever reads it has to go on without what the other may have meant."""
    try:
        message = json.loads(octets)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def rivals_heard(opened: VrrpSocket, bequests: Iterable[Bequest]) -> set[str]:
    """Read everything that has arrived, and name the routers whose place another MASTER has taken."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        while datagrams := opened.receive():
            found |= {
                each.name
                for each in bequests
                for datagram in datagrams
                if each.is_rival(datagram.payload, str(datagram.source))
            }
    return found
