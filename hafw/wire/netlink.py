"""rtnetlink: the addresses and links of this host, listed, changed and watched.

Two sockets, because answers and announcements must not mix. ``Netlink`` asks and waits for the answer; the kernel may
block on its routing lock, so call it from a thread. ``Monitor`` hears what changes, ours and everybody's; it never
blocks. A socket belongs to the network namespace of the thread that made it.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Self

from hafw.wire import options, rtmessages
from hafw.wire.rtmessages import Refusal, Resync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hafw.wire.rtmessages import AddressEntry, Change, Link, Order, Request

_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
FIRST_BATCH, BATCH = 64, 256
"""Messages per system call. The interpreter is let go for it, and has to be waited for after it: some milliseconds in
the kernel outweigh that. The first ones are fewer, because somebody waits for the first address."""
_AT_TYPE, _AT_PORT, _AT_PREFIX_LENGTH = 4, 12, 17
"""In an announcement of an address: two of the header's fields, and one of what follows it."""
_RECEIVE_SIZE = 65536
_BUFFER_SIZE = 8 << 20
_ANSWER_TIMEOUT = 10.0
_LISTINGS_MAX = 8


class Netlink:
    """Requests, one at a time; not for two threads at once.

    Every method raises ``OSError`` or ``MalformedMessage`` and nothing else.
    """

    def __init__(self) -> None:
        self._socket = _open(groups=0)
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._socket.settimeout(_ANSWER_TIMEOUT)
        self._seq = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def links(self) -> list[Link]:
        """Every link."""
        bodies = self._list(rtmessages.links_request())
        return [link for body in bodies if (link := rtmessages.parse_link_untrusted(body))]

    def addresses(self) -> list[AddressEntry]:
        """Every address of both families; of one interface and family in the kernel's order, primary ones first."""
        bodies = self._list(rtmessages.addresses_request())
        return [entry for body in bodies if (entry := rtmessages.parse_address_untrusted(body))]

    @property
    def port(self) -> int:
        """How the kernel marks what it announces because of us."""
        port: int = self._socket.getsockname()[0]
        return port

    def change(self, adds: Iterable[AddressEntry], removes: Iterable[AddressEntry]) -> list[Refusal]:
        """Add, then remove. An address to add that is there, or to remove that is not, is no refusal."""
        orders = [*map(rtmessages.addition, adds), *map(rtmessages.removal, removes)]
        return [refusal for refusal in self.carry_out(orders, lambda _: None) if not refusal.needless]

    def carry_out(self, orders: Sequence[Order], done: Callable[[Sequence[Order]], object]) -> list[Refusal]:
        """In this order; thousands are fine. ``done`` is told, a batch at a time, what the kernel has confirmed.

        Confirmed is as good as read back: what was refused, be it as needless, is not told to ``done``.
        """
        refusals: list[Refusal] = []
        for at in (0, *range(FIRST_BATCH, len(orders), BATCH)):
            batch = orders[at : at + (BATCH if at else FIRST_BATCH)]
            if not batch:
                break
            outcomes = self._exchange([order.request for order in batch])
            refusals += [Refusal(batch[number], code, text) for number, (code, text) in outcomes.items()]
            done([order for number, order in enumerate(batch) if number not in outcomes] if outcomes else batch)
        return refusals

    def promote_secondaries(self, ifindex: int) -> None:
        """Let the interface keep the other addresses of a subnet when their primary one is removed."""
        for code, text in self._exchange([rtmessages.promote_secondaries_request(ifindex)]).values():
            raise OSError(code, f"promote_secondaries on interface {ifindex}: {text}")

    def switch(self, ifindex: int, *, up: bool) -> None:
        """Let a link take part in its network, or not."""
        self.order(rtmessages.link_request(ifindex, b"", up=up))

    def order(self, request: Request) -> None:
        """Have one request carried out."""
        for code, text in self._exchange([request]).values():
            raise OSError(code, text)

    def _exchange(self, requests: Sequence[Request]) -> dict[int, tuple[int, str]]:
        """Errno and text of each request, by its number, that was refused; late answers to earlier ones are skipped."""
        first = self._seq + 1
        self._seq += len(requests)
        self._socket.send(rtmessages.encode_batch(requests, first))
        answers: dict[int, tuple[int, str]] = {}
        while len(requests) - 1 not in answers:  # the kernel goes through them in order: then all the others are done
            for kind, flags, seq, body in rtmessages.messages_untrusted(self._socket.recv(_RECEIVE_SIZE)):
                if kind == rtmessages.ERROR and first <= seq <= self._seq:
                    answers[seq - first] = rtmessages.outcome_untrusted(flags, body)
        return {number: (code, text) for number, (code, text) in answers.items() if code}

    def _list(self, request: Request) -> list[bytes]:
        """The bodies of a consistent listing: one that a change interrupted is taken again."""
        for _ in range(_LISTINGS_MAX):
            self._seq += 1
            self._socket.send(rtmessages.encode_request(request, self._seq))
            found = list(self._listing())
            if None not in found:
                return [body for body in found if body is not None]
        raise OSError(errno.EBUSY, "links or addresses keep changing while they are listed")

    def _listing(self) -> Iterator[bytes | None]:
        """The bodies; a ``None`` among them when the listing was interrupted and may lack or repeat some."""
        while True:
            for kind, flags, seq, body in rtmessages.messages_untrusted(self._socket.recv(_RECEIVE_SIZE)):
                if seq != self._seq:
                    continue
                if flags & rtmessages.DUMP_INTERRUPTED:
                    yield None
                if kind == rtmessages.DONE:
                    return
                if kind == rtmessages.ERROR:
                    raise OSError(*rtmessages.outcome_untrusted(flags, body))
                yield body


class Monitor:
    """Hears every change of links and addresses, in order.

    Not those of IPv4 host addresses (/32) that the owner of ``port`` ordered: it has the kernel's answer already, and
    of thousands the announcements would take 20 microseconds each to read. An order about a shorter prefix is heard,
    because the kernel may make another address of the subnet the primary one. So is one about IPv6, which the kernel
    announces in its own name.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = _open(groups=_GROUPS)
        if port:
            options.attach_filter(self._socket, _but_from(port))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def receive(self, limit: int = BATCH) -> list[Change]:
        """What has arrived, of at most ``limit`` datagrams (about 10 microseconds each); empty: nothing is left."""
        changes: list[Change] = []
        for _ in range(limit):
            try:
                data = self._socket.recv(_RECEIVE_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                changes.append(Resync())
                continue
            changes += rtmessages.parse_changes_untrusted(data)
        return changes


def _but_from(port: int) -> list[options.Instruction]:
    """Netlink is in the host's byte order, the filter in the network's."""
    return [
        (options.LOAD_HALF, 0, 0, _AT_TYPE),
        (options.JUMP_IF_EQUAL, 1, 0, socket.htons(rtmessages.NEWADDR)),
        (options.JUMP_IF_EQUAL, 0, 4, socket.htons(rtmessages.DELADDR)),
        (options.LOAD_WORD, 0, 0, _AT_PORT),
        (options.JUMP_IF_EQUAL, 0, 2, socket.htonl(port)),
        (options.LOAD_BYTE, 0, 0, _AT_PREFIX_LENGTH),
        (options.JUMP_IF_EQUAL, 1, 0, 32),
        options.ACCEPT,
        options.DISCARD,
    ]


def _open(groups: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        options.set_receive_buffer(opened, _BUFFER_SIZE)
        opened.bind((0, groups))
    except OSError:
        opened.close()
        raise
    return opened
