"""What another router says otherwise than our configuration has it: which field, which key, ours and theirs.

Adverts that are accepted with a remark and adverts that are refused are looked at alike; only the event tells them
apart. A peer that sends a good advert is forgotten.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hafw.daemon.observe import Observer
    from hafw.records import Record
    from hafw.vrrp.packet import Advertisement, BadPacket
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import RouterSettings

PEERS_KEPT = 64
"""Peers of one instance that the status can show to differ: sources can be forged."""
FRESH = 30.0
"""Seconds, or ten intervals, for which the status shows what a peer has said."""
OWNER = 255
SHOWN = 4
"""Addresses of a list."""
COLLISION_EVERY = 60.0
"""Seconds between two events about one stranger."""
STUBBORN = 10
"""Intervals, and seconds at least, after which a MASTER that ought to give way does not any more."""
_KEYS = {
    "version-errors": ("version", "version"),
    "interval-errors": ("interval", "advertisement_interval"),
    "address-list-errors": ("addresses", "virtual_addresses"),
    "auth-type-mismatch": ("authentication", "auth"),
    "invalid-auth-type": ("authentication", "auth"),
    "auth-failures": ("authentication", "auth.password"),
    "hmac-missing": ("authentication", "auth.mode"),
    "hmac-unknown-key": ("authentication", "auth.keys"),
    "hmac-invalid": ("authentication", "auth.keys"),
    "hmac-stale": ("clock", "auth.window"),
    "hmac-malformed": ("authentication", "auth"),
    "packet-length-errors": ("authentication", "auth"),
    "mode-mismatch-errors": ("destination", "unicast_peers"),
    "peer-source-errors": ("source", "unicast_peers"),
    "ip-ttl-errors": ("ttl", "min_ttl"),
}
"""By reason of a refusal: the field of the advert that differs, and the key of the instance that decides."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them. ``ours`` and ``theirs`` never contain a secret."""

    field: str
    key: str
    """Of the instance's table."""
    ours: str
    theirs: str
    detail: str
    is_stranger: bool = False
    """Not one address is ours: another virtual router, and no peer with a mistake in its list."""


def in_advert(advert: Advertisement, settings: RouterSettings, said: Sequence[str]) -> list[Difference]:
    """What differs in an advert that was accepted; ``said``: the words for it, in the order of the packet's judge."""
    found: list[Difference] = []
    rest = list(said)

    def note(field: str, key: str, ours: object, theirs: object, *, is_stranger: bool = False) -> None:
        detail = rest.pop(0) if rest else f"{field} {theirs}, ours is {ours}"
        found.append(Difference(field, key, str(ours), str(theirs), detail, is_stranger))

    if settings.owner:
        note("priority", "owner", OWNER, advert.priority)
    if sorted(map(int, advert.addresses)) != sorted(map(int, settings.virtual_addresses)):
        ours, theirs = _listed(settings.virtual_addresses), _listed(advert.addresses)
        is_stranger = _has_none_of_ours(map(int, advert.addresses), settings)
        note("addresses", "virtual_addresses", ours, theirs, is_stranger=is_stranger)
    if round(advert.interval * 100) != round(settings.advertisement_interval * 100):
        note("interval", "advertisement_interval", f"{settings.advertisement_interval:g}s", f"{advert.interval:g}s")
    if advert.priority == settings.priority != OWNER:  # C-RX-26; of two owners decode tells (C-RX-25)
        detail = f"priority {advert.priority} is ours too: the higher address decides"
        found.append(Difference("priority", "priority", str(settings.priority), str(advert.priority), detail))
    return found


def in_refusal(bad: BadPacket, payload: bytes, settings: RouterSettings) -> Difference | None:
    """What differs in an advert that was refused; ``None``: it is damaged, or nothing of the configuration."""
    if bad.reason not in _KEYS or (bad.reason == "packet-length-errors" and "HMAC" not in bad.detail):
        return None
    field, key = _KEYS[bad.reason]
    ours, theirs = _both(field, payload, settings, bad)
    theirs_alone = field == "addresses" and _has_none_of_ours(addresses_in(payload, settings.family), settings)
    return Difference(field, key, ours, theirs, bad.detail, theirs_alone)


def _both(field: str, payload: bytes, settings: RouterSettings, bad: BadPacket) -> tuple[str, str]:
    """Ours and theirs in short; the detail has the words."""
    if field == "version":
        return str(settings.version), str(payload[0] >> 4)
    if field == "interval":  # only version 2 refuses one
        return f"{settings.advertisement_interval:g}s", f"{payload[5]}s"
    if field == "addresses":
        return _listed(settings.virtual_addresses), _listed_in(payload, settings.family)
    if field == "authentication":
        return _authentication(settings), _their_authentication(bad, payload)
    if field == "destination":
        is_unicast = bool(settings.unicast_peers)
        return ("unicast", "multicast") if is_unicast else ("multicast", "unicast")
    if field == "source":
        return _listed(settings.unicast_peers), bad.detail.split()[1]
    if field == "ttl":
        return str(settings.min_ttl), bad.detail.split()[1].rstrip(",")
    return "", bad.detail


def _authentication(settings: RouterSettings) -> str:
    if settings.hmac is not None:
        return "hmac"
    return "none" if settings.password is None else "password"


def _their_authentication(bad: BadPacket, payload: bytes) -> str:
    if bad.reason in {"auth-failures", "hmac-invalid"}:
        return "another password" if bad.reason == "auth-failures" else "another key, or a changed advert"
    if bad.reason == "hmac-unknown-key":
        return bad.detail.partition(",")[0].removeprefix("signed with ")
    if bad.reason == "packet-length-errors":
        return "hmac"
    if bad.reason in {"auth-type-mismatch", "invalid-auth-type"}:
        return {0: "none", 1: "password"}.get(payload[4], f"type {payload[4]}")
    return "none" if bad.reason == "hmac-missing" else "hmac"


def _listed(addresses: Iterable[object]) -> str:
    every = [str(each) for each in addresses]
    more = len(every) - SHOWN
    return ", ".join(every[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def addresses_in(payload: bytes, family: int) -> list[int]:
    """The addresses of an advert that was refused for them, so that its length is known to be right."""
    length = 4 if family == 4 else 16
    octets = payload[8 : 8 + payload[3] * length]
    return [int.from_bytes(octets[at : at + length], "big") for at in range(0, len(octets), length)]


def _listed_in(payload: bytes, family: int) -> str:
    make = IPv4Address if family == 4 else IPv6Address
    return _listed(make(each) for each in addresses_in(payload, family))


def _has_none_of_ours(addresses: Iterable[int], settings: RouterSettings) -> bool:
    theirs = set(addresses)
    return bool(theirs) and theirs.isdisjoint(map(int, settings.virtual_addresses))


def _record(name: str, each: Difference) -> Record:
    """With the whole path of the key; whether it is a stranger is the business of another event."""
    record = asdict(each)
    del record["is_stranger"]
    return {**record, "key": f"instance.{name}.{each.key}"}


class Mismatches:
    """What differs now, by instance and peer; told as events now and then, and shown by the status."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._known: dict[str, dict[str, tuple[float, Sequence[Difference]]]] = {}
        """With the time at which that was heard."""
        self._fresh_for: dict[str, float] = {}
        self._collided: dict[tuple[str, str], float] = {}

    def keep(self, names: Iterable[str]) -> None:
        """Forget all others."""
        staying = set(names)
        self._known = {name: each for name, each in self._known.items() if name in staying}

    def any_of(self, name: str) -> bool:
        """Whether a good advert would put something right."""
        return bool(self._known.get(name))

    def words(self, name: str, now: float = 0.0) -> dict[str, str]:
        """By peer, in words."""
        return {peer: "; ".join(each.detail for each in found) for peer, _, found in self._fresh(name, now)}

    def records(self, name: str, now: float) -> list[Record]:
        """Each difference, for the status."""
        return [
            {
                "peer": peer,
                **_record(name, each),
                "is_stranger": each.is_stranger,
                "heard_seconds": round(now - at, 3),
            }
            for peer, at, found in self._fresh(name, now)
            for each in found
        ]

    def _fresh(self, name: str, now: float) -> Iterator[tuple[str, float, Sequence[Difference]]]:
        """Of a peer that has been silent for long, nobody knows what it would say: it may have been mended, or left."""
        for peer, (at, found) in self._known.get(name, {}).items():
            if now <= at + self._fresh_for[name]:
                yield peer, at, found

    def note(self, settings: RouterSettings, peer: str, found: Sequence[Difference], now: float) -> None:
        """This is what differs now in what this peer says; nothing: it is forgotten."""
        name = settings.name
        self._fresh_for[name] = max(FRESH, 10 * settings.advertisement_interval)
        known = self._known.setdefault(name, {})
        if not found:
            known.pop(peer, None)
            return
        known[peer] = now, found
        if len(known) > PEERS_KEPT:
            del known[next(iter(known))]
        for each in found:
            if self._observer.now_and_then(f"{name} {each.detail}", peer, now):
                head = {"instance": name, "vrid": settings.vrid, "interface": settings.interface, "peer": peer}
                self._observer.event({"type": "peer_mismatch", **head, **_record(name, each)})

    # -- strangers ----------------------------------------------------------------------------------------------

    def stranger(self, settings: RouterSettings, peer: str, addresses: Iterable[int], now: float) -> None:
        """Say so when an advert with our VRID has not one address of ours."""
        if _has_none_of_ours(addresses, settings):
            said = f"it advertises VRID {settings.vrid} with none of our addresses: give one of the two another VRID"
            self._collision(settings, peer, "addresses", said, now)

    def stubborn(self, router: VirtualRouter, now: float) -> None:
        """Say so when a second MASTER that ought to give way does not."""
        rival, settings = router.speaker.rival, router.settings
        if rival is None or router.state is not State.MASTER:
            return
        beside = now - router.speaker.rival_since
        if beside < STUBBORN * max(settings.advertisement_interval, 1.0):
            return
        said = (
            f"its priority {rival.priority} has been MASTER beside our {router.priority} for {beside:.0f}s: "
            "it does not hear us (firewall, one-way link), or it is a stranger with our VRID"
        )
        self._collision(settings, str(rival.source), "never-yields", said, now)

    def _collision(self, settings: RouterSettings, peer: str, cause: str, said: str, now: float) -> None:
        """At most once in a while for each stranger, and for as many as we can remember."""
        while self._collided and now >= next(iter(self._collided.values())) + COLLISION_EVERY:
            del self._collided[next(iter(self._collided))]  # in the order in which they were told
        if (settings.name, peer) in self._collided or len(self._collided) >= PEERS_KEPT:
            return
        self._collided[settings.name, peer] = now
        head = {"instance": settings.name, "vrid": settings.vrid, "interface": settings.interface, "peer": peer}
        self._observer.event({"type": "vrid_collision", **head, "cause": cause, "detail": said})
