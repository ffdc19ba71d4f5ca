"""What becomes of a packet here: whose it is, whether that router accepts it, and everything that differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hafw.listen.compare import View, auth_shown, compare
from hafw.listen.finding import Finding, Judgement, Verdict
from hafw.vrrp.packet import BadPacket, Datagram
from hafw.vrrp.settings import AntiReplay, HmacMode, HmacSettings, RouterSettings
from hafw.vrrp.trailer import SENDERS, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hafw.listen.message import Message
    from hafw.listen.packet import Packet
    from hafw.vrrp.settings import IPAddress

_VERSIONS: Final = (2, 3)
_SMALLEST: Final = 1
_ANY_KEY: Final = HmacSettings(keys={}, active=1, anti_replay=AntiReplay.MONOTONIC, mode=HmacMode.PERMISSIVE)
_NO_MESSAGE: Final = Finding(reason="packet-length-errors", detail="0 octets, a VRRP header has 8")


class Judge:
    """The routers of one configuration; of none, too. It remembers how far each signer has come, as the daemon does."""

    def __init__(
        self, routers: Iterable[RouterSettings], own: Mapping[tuple[str, int], IPAddress] | None = None
    ) -> None:
        """``own``: by interface and family, the address that this host advertises from."""
        self._routers = tuple(routers)
        self._own = own or {}
        self._verifiers: dict[str, Verifier] = {}

    def judge(self, packet: Packet, message: Message | None) -> Judgement:
        """``message``: what the packet says of itself; ``None``: it is empty."""
        ours = self._addressed(packet, message)
        name = ours[0].name if ours else ""
        if packet.cut:
            said = f"the capture kept all but {packet.cut} octets of it: capture with -s 0"
            return Judgement(verdict=Verdict.CUT, instance=name, findings=(Finding(detail=said),))
        if packet.link.outgoing:
            return Judgement(verdict=Verdict.SENT, instance=name)
        refusal = packet.refusal or (_encapsulated(packet) if packet.authentication_header else None)
        if refusal is not None:
            found = Finding(reason=refusal.reason, detail=refusal.detail, key="auth" if _is_auth(refusal) else "")
            if found.key and ours:
                found = replace(found, ours=auth_shown(ours[0]), theirs="AH")
            return Judgement(verdict=Verdict.REFUSED, instance=name, findings=(found,))
        if message is None:
            return Judgement(verdict=Verdict.REFUSED, instance=name, findings=(_NO_MESSAGE,))
        if not ours:
            return self._foreign(packet, message)
        return min((self._by(router, packet, message) for router in ours), key=_badness)

    def _addressed(self, packet: Packet, message: Message | None) -> list[RouterSettings]:
        """The routers of its VRID and family, on its interface where that is known."""
        if message is None or message.vrid is None:
            return []
        return [each for each in self._on(packet) if (each.vrid, each.family) == (message.vrid, packet.source.version)]

    def _on(self, packet: Packet) -> list[RouterSettings]:
        names = names_of(packet)
        return [each for each in self._routers if not packet.interface or each.interface in names]

    def _by(self, router: RouterSettings, packet: Packet, message: Message) -> Judgement:
        own = router.source_address or self._own.get((packet.interface, router.family))
        unknown = router.password == b""
        if unknown:
            theirs = message.password if message.auth_type == _SMALLEST else b"\0"
            router = replace(router, password=theirs)
        view = View(
            datagram=packet.datagram,
            message=message,
            settings=router,
            own=() if own is None else (own,),
            authenticate=self._authenticate(router, packet),
        )
        advert, findings = compare(view)
        if unknown or (router.hmac and not all(router.hmac.keys.values())):
            findings.append(Finding(detail="its secret could not be read here, and was not compared", key="auth"))
        refused = any(each.reason for each in findings)
        verdict = Verdict.REFUSED if refused else Verdict.ACCEPTED
        return Judgement(verdict=verdict, instance=router.name, findings=tuple(findings), advert=advert)

    def _authenticate(self, router: RouterSettings, packet: Packet) -> Callable[[bytes, bytes], None] | None:
        """The daemon's check; what it found of this packet stays, since it may be asked again."""
        if router.hmac is None:
            return None
        hmac, verifier = router.hmac, self._verifiers.setdefault(router.name, Verifier())
        passed = False

        def check_untrusted(message: bytes, trailer: bytes) -> None:
            nonlocal passed
            if passed:
                return
            try:
                verifier.check_untrusted(hmac, message, trailer, packet.source, packet.time)
            except BadPacket as bad:
                if bad.reason != "hmac-invalid" or hmac.keys[trailer[1]]:
                    raise
            verifier.forget(len(router.unicast_peers) or SENDERS)
            passed = True

        return check_untrusted

    def _foreign(self, packet: Packet, message: Message) -> Judgement:
        """Nobody's here: whether it is well made, and whether one of ours has its addresses under another VRID."""
        advert, findings = compare(_on_its_own_terms(packet.datagram, message))
        refusals = tuple(_unconfigured(each, message) for each in findings if each.reason)
        if refusals:
            return Judgement(verdict=Verdict.REFUSED, findings=refusals)
        if not self._routers:
            return Judgement(verdict=Verdict.VALID, advert=advert)
        tags = "".join(f" in VLAN {tag}" for tag in packet.link.vlans)
        found = Finding(reason="vrid-errors", detail=f"VRID {message.vrid}{tags} is not ours")
        for router in self._on(packet):
            if set(router.all_addresses) & set(message.addresses):
                said = f"VRID {message.vrid} is not ours, but its addresses are those of {router.name}"
                found = replace(found, detail=said, key="vrid", ours=str(router.vrid), theirs=str(message.vrid))
                return Judgement(verdict=Verdict.FOREIGN, instance=router.name, findings=(found,), advert=advert)
        return Judgement(verdict=Verdict.FOREIGN, findings=(found,), advert=advert)


def names_of(packet: Packet) -> tuple[str, ...]:
    """What the interface is called at which it arrives: a tag's own one, by the usual names."""
    if not packet.link.vlans:
        return (packet.interface,)
    tags = ".".join(map(str, packet.link.vlans))
    return f"{packet.interface}.{tags}", f"vlan{packet.link.vlans[-1]}", f"vlan{packet.link.vlans[-1]:04}"


def _badness(judgement: Judgement) -> tuple[int, int]:
    """When several routers have the VRID, on interfaces that a capture does not name: whom it fits best."""
    return sum(bool(each.reason) for each in judgement.findings), len(judgement.findings)


def _unconfigured(finding: Finding, message: Message) -> Finding:
    """In the words of somebody who has no configuration to compare it with."""
    if finding.reason == "version-errors" and not message.carp:
        return Finding(reason=finding.reason, detail=f"version {message.version}: only 2 and 3 are known")
    return Finding(reason=finding.reason, detail=finding.detail)


def _is_auth(refusal: BadPacket) -> bool:
    return refusal.reason == "invalid-auth-type"


def _encapsulated(packet: Packet) -> BadPacket:
    said = f"AH around it, over IPv{packet.source.version}, is not supported: use PASS or version 3 on the peer"
    return BadPacket("invalid-auth-type", said)


def _on_its_own_terms(datagram: Datagram, message: Message) -> View:
    """A router that agrees with it in everything that is a matter of configuration."""
    multicast = datagram.destination is not None and datagram.destination.is_multicast
    family = datagram.source.version
    settings = RouterSettings(
        name="",
        interface="",
        vrid=message.vrid or _SMALLEST,
        version=message.version if message.version in _VERSIONS else 3,
        priority=0,
        advertisement_interval=message.interval or float(_SMALLEST),
        virtual_addresses=message.addresses or (datagram.source,),
        password=message.password if message.auth_type == _SMALLEST else None,
        unicast_peers=() if multicast else (datagram.source,),
        multicast_group=datagram.destination if multicast else None,
    )
    assert settings.family == family
    return View(datagram=datagram, message=message, settings=settings, authenticate=_well_formed(datagram))


def _well_formed(datagram: Datagram) -> Callable[[bytes, bytes], None]:
    """Refuse a trailer that nobody could have a key for."""

    def check_untrusted(message: bytes, trailer: bytes) -> None:
        try:
            Verifier().check_untrusted(_ANY_KEY, message, trailer, datagram.source, 0.0)
        except BadPacket as bad:
            if bad.reason != "hmac-unknown-key":
                raise

    return check_untrusted
