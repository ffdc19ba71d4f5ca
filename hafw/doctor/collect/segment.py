"""Listens to the segment for a moment, and asks who has the virtual addresses.

A tap sees frames before any packet filter of this machine, so a firewall that drops adverts does not hide them. Asking
is ARP probes (RFC 5227 section 2.1.1) and neighbour solicitations: they change nobody's cache.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from hafw.doctor.facts import Heard
from hafw.doctor.finding import Unseen
from hafw.doctor.need import bound_on, group_of
from hafw.vrrp.packet import PROTOCOL, BadPacket, Datagram, strip_ipv4_untrusted
from hafw.wire import options
from hafw.wire.asking import question
from hafw.wire.claims import ClaimSocket, FrameSender
from hafw.wire.frames import IPV6, TYPE_OF_IP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.config.model import Config
    from hafw.doctor.facts import Interface
    from hafw.vrrp.settings import IPAddress

LONGEST: Final = 5.0
"""Seconds; an interval that is longer is not waited for."""
_SHORTEST: Final = 1.0
_ASKED_MAX: Final = 256
_HEARD_MAX, _MACS_MAX = 256, 8
"""Routers and machines that are remembered: whoever floods the segment shows, and fills no memory."""
_FRAME_MAX: Final = 65536
_AT_PROTOCOL: Final = {4: 14 + 9, 6: 14 + 6}

Answers = dict[tuple[str, "IPAddress"], frozenset[str]]


def observe(config: Config, there: Mapping[str, Interface], unseen: list[Unseen]) -> tuple[tuple[Heard, ...], Answers]:
    """The last advert of each router on our interfaces, and the MACs that answer for virtual addresses."""
    try:
        with contextlib.ExitStack() as stack:
            return _Ears(config, there, stack, unseen).listen(_patience(config, unseen))
    except PermissionError:
        why = "needs CAP_NET_RAW"
        unseen.append(Unseen("adverts on the wire, and who answers for virtual addresses", why, "run it as root"))
        return (), {}


def _patience(config: Config, unseen: list[Unseen]) -> float:
    """Two intervals of the slowest router, within reason."""
    longest = max((each.router.advertisement_interval for each in config.instances.values()), default=0.0)
    if 2 * longest > LONGEST:
        unseen.append(
            Unseen(
                f"adverts that come every {longest:g} s",
                f"only {LONGEST:g} s are listened to",
                "hafw listen -i INTERFACE",
            )
        )
    return min(max(2 * longest + 0.2, _SHORTEST), LONGEST)


def refused(config: Config, there: Mapping[str, Interface]) -> dict[tuple[str, IPAddress], str]:
    """The groups that the kernel does not let us join, with its reason."""
    found = {}
    for instance in config.instances.values():
        group, interface = group_of(instance.router), there.get(instance.router.interface)
        if group is None or interface is None or not interface.up:
            continue
        try:
            options.member_of(group, socket.if_nametoindex(interface.name)).close()
        except OSError as error:
            found[interface.name, group] = (error.strerror or str(error)).lower()
    return found


class _Ears:
    """Everything that is open for the moment."""

    def __init__(
        self, config: Config, there: Mapping[str, Interface], stack: contextlib.ExitStack, unseen: list[Unseen]
    ) -> None:
        self._stack = stack
        self._taps: dict[socket.socket, tuple[str, int]] = {}
        self._claims: dict[ClaimSocket, str] = {}
        self._questions: list[tuple[FrameSender, list[bytes]]] = []
        self._heard: dict[tuple[str, str, int], Heard] = {}
        self._answers: Answers = {}
        up = {name: each for name, each in there.items() if each.up}
        wanted: dict[tuple[str, int], list[IPAddress]] = {}
        for instance in config.instances.values():
            router = instance.router
            if router.interface not in up:
                continue
            self._tap(router.interface, router.family)
            self._join(router.interface, group_of(router))
            for ip, on in bound_on(instance).items():
                if on in up:
                    wanted.setdefault((on, ip.version), []).append(ip)
        for (name, family), addresses in wanted.items():
            self._ask_about(up[name], family, addresses[:_ASKED_MAX])
            if len(addresses) > _ASKED_MAX:
                rest = f"{len(addresses) - _ASKED_MAX} virtual addresses of {name}"
                unseen.append(Unseen(f"who answers for {rest}", f"only {_ASKED_MAX} are asked about"))

    def _tap(self, interface: str, family: int) -> None:
        if (interface, family) in self._taps.values():
            return
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        opened = self._stack.enter_context(socket.socket(socket.AF_PACKET, kind, 0))
        passes = [
            (options.LOAD_BYTE, 0, 0, _AT_PROTOCOL[family]),
            (options.JUMP_IF_EQUAL, 0, 1, PROTOCOL),
            options.ACCEPT,
            options.DISCARD,
        ]
        options.attach_filter(opened, passes)
        opened.bind((interface, TYPE_OF_IP[family]))
        self._taps[opened] = (interface, family)

    def _join(self, interface: str, group: IPAddress | None) -> None:
        """So that the network card and a switch that snoops let the group through."""
        if group is None:
            return
        with contextlib.suppress(OSError):
            self._stack.enter_context(options.member_of(group, socket.if_nametoindex(interface)))

    def _ask_about(self, interface: Interface, family: int, addresses: list[IPAddress]) -> None:
        mac = bytes.fromhex(interface.mac.replace(":", "")) if interface.arp else b""
        if len(mac) != 6 or not any(mac):
            return
        own = next((each.ip for each in interface.addresses if each.ip.version == 6 and each.ip.is_link_local), None)
        if family == 6 and own is None:
            return
        frames = [question(mac, None if family == 4 else own, each) for each in addresses]
        index = socket.if_nametoindex(interface.name)
        claims = self._stack.enter_context(ClaimSocket(index, family, interface.mac))
        claims.watch(frozenset(addresses))
        self._claims[claims] = interface.name
        self._questions.append((self._stack.enter_context(FrameSender(index)), frames))

    def listen(self, seconds: float) -> tuple[tuple[Heard, ...], Answers]:
        """Ask, listen, and ask once more for what was lost."""
        begun = time.monotonic()
        for until in (begun + seconds / 2, begun + seconds):
            for sender, frames in self._questions:
                sender.send_some(frames, len(frames))
            while (left := until - time.monotonic()) > 0:
                opened: list[socket.socket | ClaimSocket] = [*self._taps, *self._claims]
                for each in select.select(opened, [], [], left)[0]:
                    self._read(each)
        return tuple(self._heard.values()), self._answers

    def _read(self, opened: socket.socket | ClaimSocket) -> None:
        if isinstance(opened, ClaimSocket):
            name = self._claims[opened]
            for address, mac in opened.drain().items():
                key = (name, address)
                known = self._answers.get(key, frozenset())
                self._answers[key] = known | {mac} if len(known) < _MACS_MAX else known
            return
        interface, family = self._taps[opened]
        with contextlib.suppress(OSError):
            frame, (_, _, kind, *_) = opened.recvfrom(_FRAME_MAX)
            datagram = datagram_untrusted(frame, family)
            if kind != socket.PACKET_OUTGOING and datagram is not None:
                heard = Heard(interface=interface, mac=frame[6:12].hex(":"), datagram=datagram, time=time.time())
                who = (interface, f"{datagram.source} {heard.mac}", datagram.payload[1])
                if who in self._heard or len(self._heard) < _HEARD_MAX:
                    self._heard[who] = heard


def datagram_untrusted(frame: bytes, family: int) -> Datagram | None:
    """An advert as it stands in a frame; ``None``: it is none."""
    packet = frame[14:]
    if family == 4:
        with contextlib.suppress(BadPacket):
            datagram = strip_ipv4_untrusted(packet)
            return datagram if len(datagram.payload) > 1 else None
        return None
    if len(packet) < IPV6.size + 2:
        return None
    _, length, following, hop_limit, source, destination = IPV6.unpack_from(packet)
    payload = packet[IPV6.size : IPV6.size + length]
    if following != PROTOCOL or len(payload) != length:
        return None
    return Datagram(payload=payload, source=IPv6Address(source), destination=IPv6Address(destination), ttl=hop_limit)
