"""Everything by which an advert differs from our configuration, found by the code that the daemon refuses with.

``decode_untrusted`` stops at the first refusal. So what it refused is taken over from the packet, as if the operator
had mended our side, and it is asked again, until it accepts or refuses what no configuration can mend.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hafw.config.values import format_duration
from hafw.listen.finding import Finding
from hafw.vrrp.packet import MULTICAST_GROUP, REASONS, TTL, BadPacket, decode_untrusted
from hafw.vrrp.settings import Checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from hafw.listen.message import Message
    from hafw.vrrp.packet import Advertisement, Datagram
    from hafw.vrrp.settings import HmacSettings, IPAddress, RouterSettings

    Authenticate = Callable[[bytes, bytes], None]

_OWNER: Final = 255
_LISTED: Final = 4
_VERSIONS: Final = (2, 3)
_PASSWORD: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an advert is judged by."""

    datagram: Datagram
    message: Message
    settings: RouterSettings
    own: Collection[IPAddress] = ()
    authenticate: Authenticate | None = None

    def decode(self) -> tuple[Advertisement, tuple[str, ...]]:
        """As the daemon does it; raises ``BadPacket``."""
        return decode_untrusted(self.datagram, self.settings, self.own, self.authenticate)


@dataclass(frozen=True, slots=True)
class Mended:
    """What would have to be otherwise in our configuration, and how we should see it then."""

    view: View | None
    """``None``: nothing of ours can be changed so that it is accepted."""
    key: str = ""
    ours: str = ""
    theirs: str = ""


def compare(view: View) -> tuple[Advertisement | None, list[Finding]]:
    """The advert, if it can be accepted at all, and all differences: what it is refused for, then the others."""
    findings: list[Finding] = []
    group = view.settings.multicast_group or MULTICAST_GROUP[view.settings.family]
    if _is_elsewhere(view, group):
        findings.append(_elsewhere(view, group))
    for _ in REASONS:
        try:
            advert, differs = view.decode()
        except BadPacket as bad:
            mended = _MEND[bad.reason](view) if bad.reason in _MEND else Mended(None)
            findings.append(
                Finding(reason=bad.reason, detail=bad.detail, key=mended.key, ours=mended.ours, theirs=mended.theirs)
            )
            if mended.view is None:
                return None, findings
            view = mended.view
        else:
            return advert, [*findings, *_odd(view, advert, differs)]
    return None, findings


def _is_elsewhere(view: View, group: IPAddress) -> bool:
    """Whether it goes to a group that our socket is not in: then it is not even refused."""
    to = view.datagram.destination
    return to is not None and to.is_multicast and to != group and not view.settings.unicast_peers


def _elsewhere(view: View, group: IPAddress) -> Finding:
    to = str(view.datagram.destination)
    return Finding(
        reason="mode-mismatch-errors",
        detail=f"multicast to {to}, ours is {group}: our socket never hears it",
        key="multicast_group",
        ours=str(group),
        theirs=to,
    )


# -- what is refused, and what would mend it ------------------------------------------------------------------------


def _own_source(view: View) -> Mended:
    return Mended(replace(view, own=()))


def _ttl(view: View) -> Mended:
    mended = replace(view, datagram=replace(view.datagram, ttl=TTL))
    if not view.settings.unicast_peers:
        return Mended(mended)
    return Mended(mended, "min_ttl", str(view.settings.min_ttl), f"{view.datagram.ttl} left when it arrives here")


def _mode(view: View) -> Mended:
    peers, to = view.settings.unicast_peers, view.datagram.destination
    if peers:
        mended = replace(view.settings, unicast_peers=())
        return Mended(replace(view, settings=mended), "unicast_peers", _listed(peers, ()), f"multicast, to {to}")
    mended = replace(view.settings, unicast_peers=(view.datagram.source,))
    return Mended(replace(view, settings=mended), "unicast_peers", "none, multicast", f"unicast, to {to}")


def _peers(view: View) -> Mended:
    peers, source = view.settings.unicast_peers, view.datagram.source
    mended = replace(view.settings, unicast_peers=(*peers, source))
    return Mended(replace(view, settings=mended), "unicast_peers", _listed(peers, ()), f"the address {source}")


def _version(view: View) -> Mended:
    version, ours = view.message.version, str(view.settings.version)
    if view.message.carp:
        return Mended(None, "vrid", str(view.settings.vrid), f"{view.message.vrid} too, as the VHID of CARP")
    if version not in _VERSIONS:
        return Mended(None, "version", ours, str(version))
    password = view.settings.password if version == 2 else None
    return Mended(
        replace(view, settings=replace(view.settings, version=version, password=password)),
        "version",
        ours,
        str(version),
    )


def _length(view: View) -> Mended:
    signature = view.message.signature
    if view.message.carp:
        return Mended(None, "vrid", str(view.settings.vrid), f"{view.message.vrid} too, as the VHID of CARP")
    if signature is None or view.authenticate is not None:
        return Mended(None)
    theirs = f"signed adverts, hmac with key {signature.key_id}"
    return Mended(replace(view, authenticate=accept_any), "auth", auth_shown(view.settings), theirs)


def _unsigned(view: View) -> Mended:
    return Mended(replace(view, authenticate=accept_any), "auth.mode", _hmac(view).mode, "adverts without signature")


def _stale(view: View) -> Mended:
    theirs = "a clock that is further off: mend the clocks, not this"
    return Mended(replace(view, authenticate=accept_any), "auth.window", format_duration(_hmac(view).window), theirs)


def _unknown_key(view: View) -> Mended:
    ours = ", ".join(map(str, sorted(_hmac(view).keys)))
    return Mended(replace(view, authenticate=accept_any), "auth.keys", ours, str(_key_id(view)))


def _other_key(view: View) -> Mended:
    key = _key_id(view)
    return Mended(replace(view, authenticate=accept_any), f"auth.keys.{key}", "(hidden)", f"another key {key}")


def _signed_wrong(view: View) -> Mended:
    return Mended(replace(view, authenticate=accept_any))


def _auth_type(view: View) -> Mended:
    theirs = _password_shown(view.message.password if view.message.auth_type == _PASSWORD else None)
    return Mended(_with_their_password(view), "auth", auth_shown(view.settings), theirs)


def _password(view: View) -> Mended:
    return Mended(_with_their_password(view), "auth.password", "(hidden)", "another one")


def _foreign_auth(view: View) -> Mended:
    return Mended(
        None, "auth", _password_shown(view.settings.password), f"authentication type {view.message.auth_type}"
    )


def _addresses(view: View) -> Mended:
    ours, theirs = view.settings.virtual_addresses, view.message.addresses
    mended = replace(view.settings, virtual_addresses=theirs)
    return Mended(replace(view, settings=mended), "virtual_addresses", _listed(ours, theirs), _listed(theirs, ours))


def _interval(view: View) -> Mended:
    ours, theirs = view.settings.advertisement_interval, view.message.interval
    assert theirs is not None
    mended = replace(view.settings, advertisement_interval=theirs)
    return Mended(
        replace(view, settings=mended), "advertisement_interval", format_duration(ours), format_duration(theirs)
    )


_MEND: Final[dict[str, Callable[[View], Mended]]] = {
    "own-source": _own_source,
    "ip-ttl-errors": _ttl,
    "mode-mismatch-errors": _mode,
    "peer-source-errors": _peers,
    "version-errors": _version,
    "packet-length-errors": _length,
    "hmac-missing": _unsigned,
    "hmac-stale": _stale,
    "hmac-unknown-key": _unknown_key,
    "hmac-invalid": _other_key,
    "hmac-replayed": _signed_wrong,
    "hmac-malformed": _signed_wrong,
    "invalid-auth-type": _foreign_auth,
    "auth-type-mismatch": _auth_type,
    "auth-failures": _password,
    "address-list-errors": _addresses,
    "interval-errors": _interval,
}
"""The others are faults of the packet: nothing in a configuration mends them."""


# -- what is accepted and differs all the same ----------------------------------------------------------------------


def _odd(view: View, advert: Advertisement, differs: Sequence[str]) -> list[Finding]:
    """Each remark of the daemon's with the key that it is about: the one whose mending makes it go away."""
    found = [_explained(view, remark) for remark in differs]
    settings = view.settings
    if advert.priority == settings.priority != _OWNER:
        said = f"priority {advert.priority} is ours too: the higher address decides"
        found.append(Finding(detail=said, key="priority", ours=str(advert.priority), theirs="the same"))
    if settings.checksum is Checksum.RFC9568 and advert.checksum is Checksum.PSEUDO_HEADER:
        said = "its checksum has the pseudo-header, ours has not: keepalived and FRR refuse ours"
        found.append(Finding(detail=said, key="checksum", ours=settings.checksum, theirs=advert.checksum))
    return found


def _explained(view: View, remark: str) -> Finding:
    for mend in (_addresses, _interval):
        mended = mend(view)
        assert mended.view is not None
        if remark not in mended.view.decode()[1]:
            return Finding(detail=remark, key=mended.key, ours=mended.ours, theirs=mended.theirs)
    if view.settings.owner:
        return Finding(detail=remark, key="owner", ours="true", theirs=f"priority {view.message.priority}")
    return Finding(detail=remark)


# -- words ----------------------------------------------------------------------------------------------------------


def accept_any(_message: bytes, _trailer: bytes) -> None:
    """Stands for an authentication that agrees with whatever comes."""


def _hmac(view: View) -> HmacSettings:
    assert view.settings.hmac is not None
    return view.settings.hmac


def _key_id(view: View) -> int:
    assert view.message.signature is not None
    return view.message.signature.key_id


def _with_their_password(view: View) -> View:
    theirs = view.message.password if view.message.auth_type == _PASSWORD else None
    return replace(view, settings=replace(view.settings, password=theirs))


def auth_shown(settings: RouterSettings) -> str:
    """What kind it is, never a password or key."""
    return "hmac" if settings.hmac else _password_shown(settings.password)


def _password_shown(password: bytes | None) -> str:
    """Never the password itself: the peer's may be that of another cluster."""
    return "none" if password is None else "a password (hidden)"


def _listed(addresses: Sequence[IPAddress], others: Sequence[IPAddress]) -> str:
    """A few of them, those that the others lack first."""
    ranked = sorted(addresses, key=set(others).__contains__)
    more = len(ranked) - _LISTED
    return ", ".join(map(str, ranked[:_LISTED])) + (f" and {more} more" if more > 0 else "")
