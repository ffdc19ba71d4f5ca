"""Adverts as octets: encoded by their sender, judged by each receiver with the code that judges them in the daemon.

So that nothing but the wire itself is simulated, and that what is wrong, forged or replayed is refused by who has to.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hafw.sim.troubles import START, TroubledLan
from hafw.vrrp.events import AdvertReceived
from hafw.vrrp.packet import MULTICAST_GROUP, TTL, BadPacket, Datagram, decode_untrusted, encode, peek_vrid_untrusted
from hafw.vrrp.settings import Checksum
from hafw.vrrp.trailer import Signer, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hafw.sim.host import Host
    from hafw.vrrp.settings import IPAddress, RouterSettings

TAPE = 64
"""Datagrams that somebody who listens has recorded."""
EPOCH = 1.8e9
"""The time of day, in seconds since the Unix epoch, at which every LAN begins."""


class OctetLan(TroubledLan):
    """As a ``TroubledLan``, but what is heard is octets."""

    def __init__(self, rng: Random, **wire: Any) -> None:  # noqa: ANN401 - those of Lan
        super().__init__(rng, **wire)
        self.tape: deque[Datagram] = deque(maxlen=TAPE)
        self.wall: dict[str, float] = {}
        """By host, the seconds by which its time of day is ahead."""
        self._messages: dict[tuple[str, str, int], Datagram] = {}
        self._known: dict[tuple[str, int], tuple[Datagram, AdvertReceived | None]] = {}
        """By receiver and identity, what comes of a message that is not signed: always the same."""
        self._signers: dict[tuple[str, str], Signer] = {}
        self._verifiers: dict[tuple[str, str], Verifier] = {}
        self._accepted: dict[tuple[str, str], set[bytes]] = {}
        """By receiver and its router, the signed adverts that were accepted since its daemon began."""

    def start(self, name: str) -> None:
        """A new daemon remembers nobody."""
        self._forget(name, self._signers, self._verifiers, self._accepted)
        super().start(name)

    def crash(self, name: str, start: float = START) -> None:
        """What it knew of others is lost; the clock that it signs by goes on."""
        self._forget(name, self._verifiers, self._accepted)
        super().crash(name, start)

    @staticmethod
    def _forget(name: str, *known: dict[tuple[str, str], Any]) -> None:
        for each in known:
            for key in [key for key in each if key[0] == name]:
                del each[key]

    def renew(self) -> None:
        """Settings or addresses have changed: nothing that was made or judged by them holds."""
        self._messages.clear()
        self._known.clear()

    # -- sending ------------------------------------------------------------------------------------------------

    def _send(self, host: Host, settings: RouterSettings, priority: int) -> None:
        datagram = self._messages.get((host.name, settings.name, priority))
        if datagram is None:
            source = host.source(settings)
            datagram = self._messages[host.name, settings.name, priority] = plain(settings, priority, source)
        hear = partial(self._hear_again, datagram)
        if settings.hmac is not None:
            datagram = self._signed(host, settings, datagram)
            hear = partial(self.hear, datagram=datagram)
        self.tape.append(datagram)
        self._broadcast(host, hear)

    def _signed(self, host: Host, settings: RouterSettings, message: Datagram) -> Datagram:
        assert settings.hmac is not None
        assert message.destination is not None
        signer = self._signers.setdefault((host.name, settings.name), Signer())
        messages = [(message.destination, message.payload)]
        ((_, payload),) = signer.sign_all(settings.hmac, messages, message.source, self.time_of_day(host))
        return replace(message, payload=payload)

    def time_of_day(self, host: Host) -> float:
        """By its own clock, which somebody keeps right."""
        return EPOCH + self.now + self.wall.get(host.name, 0.0)

    # -- receiving ----------------------------------------------------------------------------------------------

    def hear(self, host: Host, datagram: Datagram) -> None:
        """A datagram arrives; what is refused is heard by nobody."""
        event = self.judge(host, datagram)
        if event is not None:
            self.inject(host.name, event)

    def _hear_again(self, datagram: Datagram, host: Host) -> None:
        key = host.name, id(datagram)
        known = self._known.get(key)
        if known is None or known[0] is not datagram:
            known = self._known[key] = datagram, self.judge(host, datagram)
        if known[1] is not None:
            self.inject(host.name, known[1])

    def judge(self, host: Host, datagram: Datagram) -> AdvertReceived | None:
        """What it tells whom; ``None``: it is refused."""
        settings = self._addressee(host, datagram)
        if settings is None:
            return None
        own = [host.primary[settings.family]]
        try:
            advert, _ = decode_untrusted(datagram, settings, own, self._authentication(host, settings, datagram))
        except BadPacket:
            return None
        if settings.hmac is not None:
            self._accepted.setdefault((host.name, settings.name), set()).add(datagram.payload)
        return AdvertReceived(settings.name, advert, datagram.source)

    def was_heard(self, host: Host, datagram: Datagram) -> bool:
        """Whether this daemon has accepted it already, and can tell: it is signed."""
        return any(datagram.payload in each for (name, _), each in self._accepted.items() if name == host.name)

    def _addressee(self, host: Host, datagram: Datagram) -> RouterSettings | None:
        """The filter of the socket: family and VRID."""
        family, vrid = datagram.source.version, peek_vrid_untrusted(datagram.payload)
        every = (each.router for each in host.instances)
        return next((each for each in every if (each.family, each.vrid) == (family, vrid)), None)

    def _authentication(
        self, host: Host, settings: RouterSettings, datagram: Datagram
    ) -> Callable[[bytes, bytes], None] | None:
        if settings.hmac is None:
            return None
        verifier = self._verifiers.setdefault((host.name, settings.name), Verifier())
        return partial(_check_untrusted, verifier, settings, datagram.source, self.time_of_day(host))


def _check_untrusted(  # noqa: PLR0913, PLR0917 - message and trailer come from the decoder
    verifier: Verifier, settings: RouterSettings, source: IPAddress, clock: float, message: bytes, trailer: bytes
) -> None:
    assert settings.hmac is not None
    verifier.check_untrusted(settings.hmac, message, trailer, source, clock)


def group(settings: RouterSettings) -> IPAddress:
    """Where its adverts go."""
    return settings.multicast_group or MULTICAST_GROUP[settings.family]


def plain(settings: RouterSettings, priority: int, source: IPAddress) -> Datagram:
    """What a router with these settings sends, not signed."""
    destination = group(settings)
    payload = encode(settings, priority, source, destination, Checksum.PSEUDO_HEADER)
    return Datagram(payload=payload, source=source, destination=destination, ttl=TTL)
