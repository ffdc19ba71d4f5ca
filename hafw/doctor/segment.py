"""What is on the wire: adverts of our VRIDs, judged as the daemon judges them, and who answers for our addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from hafw.doctor import clock
from hafw.doctor.finding import Finding, Unseen
from hafw.doctor.need import bound_on, places
from hafw.vrrp.packet import BadPacket, decode_untrusted, virtual_mac
from hafw.vrrp.trailer import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafw.config.model import Config, InstanceConfig
    from hafw.doctor.facts import Facts, Heard, Interface
    from hafw.vrrp.packet import Datagram
    from hafw.vrrp.settings import IPAddress, RouterSettings

_LENGTHS: Final[Mapping[int, tuple[int, type[IPv4Address | IPv6Address]]]] = {4: (4, IPv4Address), 6: (16, IPv6Address)}
_HEADER: Final = 8
_BOTH_MASTER: Final = "this router discards its adverts: both would be MASTER"
_AGREE: Final = (
    "make both files agree: hafw listen -i {} CONFIG names the line, hafw check CONFIG --pair OTHER compares"
)
_BY_SECRET: Final = {"auth-failures", "hmac-invalid"}


def probe(config: Config, facts: Facts) -> Iterator[Finding | Unseen]:
    """Of every instance."""
    for place, instance, interface in places(config, facts):
        mine = [each for each in facts.heard if _concerns(each, instance.router, interface)]
        for heard in mine:
            yield from _heard(place, instance, interface, heard)
        yield from _answers(place, instance, mine, facts)


def _concerns(heard: Heard, router: RouterSettings, interface: Interface) -> bool:
    datagram = heard.datagram
    return (
        heard.interface == interface.name
        and datagram.source.version == router.family
        and len(datagram.payload) >= _HEADER
        and datagram.payload[1] == router.vrid
    )


def _heard(place: str, instance: InstanceConfig, interface: Interface, heard: Heard) -> Iterator[Finding | Unseen]:
    router, who = instance.router, f"{heard.datagram.source} ({heard.mac})"
    theirs = addresses_untrusted(heard.datagram)
    own = {each.ip for each in interface.addresses}
    if heard.datagram.source in own:
        if heard.mac != interface.mac and heard.mac != virtual_mac(router.vrid, router.family).hex(":"):
            yield _own_address(place, heard)
        return
    if theirs and not set(theirs) & set(router.all_addresses):
        yield _collision(place, router, who, theirs)
        return
    try:
        _, disagreements = decode_untrusted(heard.datagram, router, own, _authenticate(router, heard))
    except BadPacket as error:
        if error.reason in _BY_SECRET and not _has_secrets(router):
            why = "its password or keys could not be read"
            yield Unseen(f"whether the password or key of {who} is that of {router.name}", why, "run it as root")
        else:
            yield _refused(place, instance, heard, error)
        return
    for said in disagreements:
        yield Finding(
            id="peer-disagrees",
            where=place,
            what=f"{who} advertises VRID {router.vrid} with other settings: {said}",
            why="the routers elect together all the same, and a takeover is not what either file says",
            keep=_AGREE.format(router.interface),
        )


def _has_secrets(router: RouterSettings) -> bool:
    return router.password != b"" and (router.hmac is None or all(router.hmac.keys.values()))


def _own_address(place: str, heard: Heard) -> Finding:
    source = heard.datagram.source
    return Finding(
        id="duplicate-own-address",
        where=place,
        what=f"another machine ({heard.mac}) sends adverts from {source}, the address of this one",
        why="this router takes them for its own and hears no MASTER",
        keep="give one of the two machines another address",
    )


def _authenticate(router: RouterSettings, heard: Heard):  # type: ignore[no-untyped-def]  # noqa: ANN202
    hmac = router.hmac
    if hmac is None:
        return None
    source, time = heard.datagram.source, heard.time
    return lambda message, trailer: Verifier().check_untrusted(hmac, message, trailer, source, time)


def _collision(place: str, router: RouterSettings, who: str, theirs: tuple[IPAddress, ...]) -> Finding:
    shown = ", ".join(map(str, theirs[:3])) + (" and more" if len(theirs) > 3 else "")
    return Finding(
        id="vrid-collision",
        where=place,
        what=f"{who} uses VRID {router.vrid} for other addresses ({shown})",
        why="it is another virtual router: each takes the other for a peer, and one of them loses its addresses",
        keep=f"another vrid for instance.{router.name} on all its routers; a free one:"
        f" hafw listen -i {router.interface} --scan",
    )


def _refused(place: str, instance: InstanceConfig, heard: Heard, error: BadPacket) -> Finding:
    who = f"{heard.datagram.source} ({heard.mac})"
    if error.reason == "hmac-stale":
        return Finding(
            id="clock-differs",
            where=place,
            what=f"the clock of {who} and that of this machine differ: {error.detail}",
            why=_BOTH_MASTER,
            fix=clock.SYNCHRONISE,
            keep=f"{clock.KEEP}; on both machines",
        )
    return Finding(
        id="peer-refused",
        where=place,
        what=f"an advert of {who} for VRID {instance.router.vrid} is refused ({error.reason}): {error.detail}",
        why=_BOTH_MASTER,
        keep=_AGREE.format(instance.router.interface),
    )


def addresses_untrusted(datagram: Datagram) -> tuple[IPAddress, ...]:
    """The addresses in an advert of any version, as far as they are there."""
    length, make = _LENGTHS[datagram.source.version]
    count, payload = datagram.payload[3], datagram.payload[_HEADER:]
    whole = [payload[at : at + length] for at in range(0, count * length, length)]
    return tuple(make(each) for each in whole if len(each) == length)


def _answers(place: str, instance: InstanceConfig, mine: list[Heard], facts: Facts) -> Iterator[Finding]:
    """Nobody but the MASTER answers for a virtual address."""
    router = instance.router
    masters = {each.mac for each in mine} | {virtual_mac(router.vrid, router.family).hex(":")}
    strangers: dict[frozenset[str], list[str]] = {}
    for address, on in bound_on(instance).items():
        others = facts.answers.get((on, address), frozenset()) - masters
        if others:
            strangers.setdefault(others, []).append(str(address))
    for macs, addresses in strangers.items():
        shown = ", ".join(addresses[:3]) + (f" and {len(addresses) - 3} more" if len(addresses) > 3 else "")
        yield Finding(
            id="address-in-use",
            where=place,
            what=f"{shown}: answered by {' and '.join(sorted(macs))}, and no advert of VRID {router.vrid} is from it",
            why="another machine has the address, or it is the MASTER and its adverts do not arrive: this router would"
            " become MASTER beside it",
            keep="find the machine by its MAC (ip neighbour, the switch). Take the address from it; if it is the"
            " MASTER: hafw doctor there, and see what lies between (IP protocol 112, multicast, VLAN)",
        )
