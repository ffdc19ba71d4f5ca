"""The rules that tie the keys of one instance together.

A rule is a function whose parameters are named as the keys that it reads: it is left out while one of them is wrong
already, and every other one still speaks. It yields the key at fault and the message. Beside the keys of
``InstanceTable`` there are ``vips`` and ``excluded`` (addresses parsed), ``family`` (4 or 6, of the first address),
``advertised``, ``peers``, ``source`` and ``priorities`` (by node).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Literal

from hafw.config.addresses import Vip, duplicates
from hafw.config.cluster import is_ranking, level_nodes
from hafw.config.problem import enumerate_words
from hafw.config.values import Duration, format_duration
from hafw.secret import key_octets
from hafw.vrrp.auth import DATA_LENGTH
from hafw.vrrp.packet import TRAILER_LENGTH, TTL, max_addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.config.tables import AuthTable
    from hafw.secret import Secret
    from hafw.vrrp.settings import IPAddress

Mistake = tuple[str, str]
Severity = Literal["error", "warning"]
Rule = Callable[..., Iterator[Mistake]]

_RULES: list[tuple[tuple[str, ...], Severity, Rule]] = []

_MTU = 1500
_INTERFACE_LENGTH = 15


def broken_rules(values: Mapping[str, Any]) -> Iterator[tuple[str, str, Severity]]:
    """Key, message and severity of every rule that these values break."""
    for names, severity, rule in _RULES:
        if all(name in values for name in names):
            for key, message in rule(*(values[name] for name in names)):
                yield key, message, severity


def _rule(function: Rule) -> Rule:
    _RULES.append((tuple(inspect.signature(function).parameters), "error", function))
    return function


def _advice(function: Rule) -> Rule:
    """A rule whose breach is a warning."""
    _RULES.append((tuple(inspect.signature(function).parameters), "warning", function))
    return function


def interface_mistake(name: str) -> str:
    """Why the kernel would not call an interface so; empty: it might."""
    if not 0 < len(name.encode()) <= _INTERFACE_LENGTH:
        return f"must be 1 to {_INTERFACE_LENGTH} characters"
    if name in {".", ".."} or any(each in "/:" or each.isspace() for each in name) or not name.isprintable():
        return "must be an interface name such as eth0, without blank, slash or colon"
    return ""


@_rule
def _interface(interface: str) -> Iterator[Mistake]:
    if mistake := interface_mistake(interface):
        yield "interface", f'= "{interface}": {mistake}'


@_rule
def _owner(priority: int | None, owner: bool) -> Iterator[Mistake]:  # noqa: FBT001 - a key of the file
    if priority == 255 and not owner:
        yield "priority", "= 255: is for the owner of the addresses only: set owner = true, or 1 to 254"
    if owner and priority not in (None, 255):
        yield "priority", f"= {priority}: must be 255 with owner = true: leave it out"


@_rule
def _ranked(skew: str | None, priorities: dict[str, int]) -> Iterator[Mistake]:
    """Two routers that compute the same place would both become MASTER."""
    if skew != "ranked" or is_ranking(priorities):
        return
    if len(priorities) < 2:
        rule = "needs the priority of every router: priority = { lb1 = 150, lb2 = 100 }"
    else:
        level = next(names for names in level_nodes(priorities) if len(names) > 1)
        rule = f"needs a priority for each router alone: {enumerate_words(level)} have {priorities[level[0]]}"
    yield "skew", f'= "ranked": {rule}; or leave skew out'


@_rule
def _interval(version: int, advertisement_interval: float) -> Iterator[Mistake]:
    shown = f'= "{format_duration(advertisement_interval)}": '
    if version == 2 and (not 1 <= advertisement_interval <= 255 or advertisement_interval % 1):
        yield "advertisement_interval", f"{shown}must be whole seconds, 1s to 255s, in version 2 (version 3: from 10ms)"
    centiseconds = advertisement_interval * 100
    if version == 3 and (not 1 <= round(centiseconds) <= 4095 or abs(centiseconds - round(centiseconds)) > 1e-6):
        yield "advertisement_interval", f"{shown}must be 10ms to 40.95s, in steps of 10ms"


@_rule
def _version_of_family(version: int, family: int) -> Iterator[Mistake]:
    if version == 2 and family == 6:
        yield "version", "= 2: has no IPv6, and the first virtual address is IPv6: set version = 3"


@_rule
def _first_is_link_local(vips: list[Vip], family: int, vrid: int) -> Iterator[Mistake]:
    """RFC 9568 section 5.2.9 (C-PKT-12)."""
    if family == 4 or vips[0].ip.is_link_local:
        return
    other = next((vip.ip for vip in vips if vip.ip.version == 6 and vip.ip.is_link_local), None)
    way_out = f'put "{other}" first' if other else f'add "{IPv6Address((0xFE80 << 112) + vrid)}" before it'
    rule = "the first IPv6 address must be link-local (RFC 9568 section 5.2.9)"
    yield vips[0].key, f'= "{vips[0].ip}": {rule}: {way_out}'


@_rule
def _address_twice(vips: list[Vip], excluded: list[Vip], interface: str) -> Iterator[Mistake]:
    yield from duplicates([*vips, *excluded], interface)


@_rule
def _address_count(advertised: list[Vip]) -> Iterator[Mistake]:
    if len(advertised) > 255:
        yield (
            "virtual_addresses",
            f"has {len(advertised)}: an advert carries 255: move the others to excluded_addresses",
        )


@_advice
def _advert_fits_mtu(
    advertised: list[Vip],
    family: int,
    version: int,
    auth: AuthTable | None,
    virtual_mac: bool,  # noqa: FBT001 - a key of the file
) -> Iterator[Mistake]:
    """C-PKT-19."""
    fitting = max_addresses(version, family, _MTU - (TRAILER_LENGTH if auth and auth.type == "hmac" else 0))
    if fitting < len(advertised) <= 255 and not virtual_mac:
        way_out = "move some to excluded_addresses"
        yield "virtual_addresses", f"has {len(advertised)}: more than {fitting} exceed an MTU of {_MTU}: {way_out}"


@_rule
def _advert_in_one_piece(
    virtual_mac: bool,  # noqa: FBT001 - a key of the file
    unicast_peers: tuple[str, ...] | None,
    advertised: list[Vip],
    auth: AuthTable | None,
) -> Iterator[Mistake]:
    """What leaves with another MAC than the interface's is no packet that the kernel would take apart."""
    fitting = max_addresses(3, 6, _MTU - (TRAILER_LENGTH if auth and auth.type == "hmac" else 0))
    is_ipv6 = any(vip.ip.version == 6 for vip in advertised)  # all addresses of IPv4 fit always
    if virtual_mac and is_ipv6 and unicast_peers is None and fitting < len(advertised) <= 255:
        rule = f"with virtual_mac an advert is one frame, and {fitting} addresses fit"
        yield "virtual_addresses", f"has {len(advertised)}: {rule}: move the others to excluded_addresses"


@_rule
def _owner_has_its_own_mac(virtual_mac: bool, owner: bool) -> Iterator[Mistake]:  # noqa: FBT001 - keys of the file
    if virtual_mac and owner:
        rule = "an owner's addresses are on its interface, which answers with its own MAC"
        yield "virtual_mac", f"= true: {rule}: leave one of virtual_mac and owner out"


@_rule
def _all_on_the_device(virtual_mac: bool, vips: list[Vip], excluded: list[Vip]) -> Iterator[Mistake]:  # noqa: FBT001
    for vip in [*vips, *excluded] if virtual_mac else ():
        for key, value in (("interface", vip.table.interface), ("label", vip.table.label)):
            if value:
                rule = "with virtual_mac every address is on the device that has that MAC"
                yield f"{vip.key}.{key}", f'= "{value}": {rule}: leave it out'


@_rule
def _accept(accept: bool) -> Iterator[Mistake]:  # noqa: FBT001 - a key of the file
    if not accept:
        rule = "hafw always answers on its addresses, for a service on one that drops every packet is none"
        yield "accept", f"= false: {rule}: leave it out, and let the firewall drop what must not come in"


@_rule
def _labels(vips: list[Vip], excluded: list[Vip], interface: str) -> Iterator[Mistake]:
    for vip in [*vips, *excluded]:
        label, on = vip.table.label, vip.bound_on(interface)
        if label and vip.ip.version == 6:
            yield f"{vip.key}.label", f'= "{label}": IPv6 addresses have none: leave it out'
        elif label and (len(label.encode()) > _INTERFACE_LENGTH or not (label == on or label.startswith(f"{on}:"))):
            rule = f"must be at most {_INTERFACE_LENGTH} characters and begin with the interface: {on}:name"
            yield f"{vip.key}.label", f'= "{label}": {rule}'


@_rule
def _interfaces_of_addresses(vips: list[Vip], excluded: list[Vip]) -> Iterator[Mistake]:
    for vip in [*vips, *excluded]:
        if vip.table.interface and (mistake := interface_mistake(vip.table.interface)):
            yield f"{vip.key}.interface", f'= "{vip.table.interface}": {mistake}'


@_rule
def _authentication(auth: AuthTable | None, version: int) -> Iterator[Mistake]:
    if auth is not None and auth.type == "pass" and version == 3:
        rule = "VRRPv3 has no authentication by password (RFC 9568 section 8)"
        yield "auth", f'{rule}: leave it out, set version = 2, or sign the adverts with type = "hmac"'


@_rule
def _password(auth: AuthTable | None) -> Iterator[Mistake]:
    if auth is None or auth.type != "pass":
        return
    if auth.password is None:
        yield "auth.password", 'is missing: a string is required with type = "pass"'
        return
    if not auth.password.known:
        return
    length = len(auth.password.reveal().encode())
    if not length:
        yield "auth.password", f"is empty: must be 1 to {DATA_LENGTH} octets, or leave auth out"
    if length > DATA_LENGTH:
        way_out = f"keepalived cuts it without a word, so give its first {DATA_LENGTH} to match one"
        yield "auth.password", f"has {length} octets: must be 1 to {DATA_LENGTH}; {way_out}"


@_rule
def _foreign_to_auth(auth: AuthTable | None) -> Iterator[Mistake]:
    if auth is None:
        return
    if auth.type == "hmac" and auth.password is not None:
        yield "auth.password", 'belongs to type = "pass": with type = "hmac" give keys = { 1 = "file:/path" }'
    for key in ("keys", "active", "window"):
        if auth.type == "pass" and getattr(auth, key):
            yield f"auth.{key}", 'belongs to type = "hmac": leave it out'


@_rule
def _keys(auth: AuthTable | None) -> Iterator[Mistake]:
    if auth is None or auth.type != "hmac":
        return
    if not auth.keys:
        yield "auth.keys", 'is missing: keys = { 1 = "file:/etc/hafw/vrrp.key" } is required with type = "hmac"'
    for word, secret in auth.keys.items():
        if not (word.isascii() and word.isdecimal() and word[0] != "0" and int(word) <= 255):
            yield f"auth.keys.{word}", "a key's id must be 1 to 255"
        elif not secret.source:
            way_out = f'{word} = "file:/etc/hafw/vrrp.key", env:NAME or credential:NAME'
            yield f"auth.keys.{word}", f"stands in the configuration itself, which more people read: {way_out}"
        elif secret.known and (mistake := _key_mistake(secret)):
            yield f"auth.keys.{word}", mistake
    ids = ", ".join(auth.keys)
    if len(auth.keys) > 1 and auth.active is None:
        yield "auth.active", f"is missing: which of the keys {ids} signs?"
    if auth.keys and auth.active is not None and str(auth.active) not in auth.keys:
        yield "auth.active", f"= {auth.active}: must be one of the keys: {ids}"


def _key_mistake(secret: Secret) -> str:
    try:
        key_octets(secret.reveal())
    except ValueError as error:
        return str(error)
    return ""


@_rule
def _peer_family(peers: list[tuple[str, IPAddress]], family: int) -> Iterator[Mistake]:
    for key, peer in peers:
        if peer.version != family:
            yield key, f'= "{peer}": must be IPv{family}, as the first virtual address'


@_rule
def _peer_twice(peers: list[tuple[str, IPAddress]]) -> Iterator[Mistake]:
    seen: dict[IPAddress, str] = {}
    for key, peer in peers:
        if seen.setdefault(peer, key) != key:
            yield key, f'= "{peer}": stands in {seen[peer]} already: remove one'


@_rule
def _peer_is_itself(peers: list[tuple[str, IPAddress]], source: IPAddress | None) -> Iterator[Mistake]:
    for key, peer in peers:
        if peer == source:
            yield key, f'= "{peer}": is this router\'s own source_address: name the others only, by node if need be'


@_rule
def _peer_is_virtual(peers: list[tuple[str, IPAddress]], vips: list[Vip], excluded: list[Vip]) -> Iterator[Mistake]:
    virtual = {vip.ip for vip in [*vips, *excluded]}
    for key, peer in peers:
        if peer in virtual:
            yield key, f'= "{peer}": is a virtual address: name the address that a router always has'


@_rule
def _goodbye_is_signed(goodbye: dict[str, str] | None, auth: AuthTable | None) -> Iterator[Mistake]:
    if goodbye is not None and (auth is None or auth.type != "hmac"):
        way_out = 'auth = { type = "hmac", ... }, or leave it out'
        yield "goodbye", f"needs signed adverts, or anybody could end a MASTER from afar: {way_out}"
    elif goodbye is not None and auth is not None and auth.mode == "receive-only":
        yield "goodbye", 'needs mode = "permissive" or "enforce": with "receive-only" nothing is signed'


@_rule
def _goodbye_elsewhere(
    goodbyes: dict[str, IPAddress], vips: list[Vip], excluded: list[Vip], peers: list[tuple[str, IPAddress]]
) -> Iterator[Mistake]:
    virtual, near = {vip.ip for vip in [*vips, *excluded]}, {peer for _, peer in peers}
    for node, address in goodbyes.items():
        key, shown = f"goodbye.{node}", f'= "{address}": '
        if address in virtual:
            yield key, f"{shown}is a virtual address: name the address that a router always has"
        elif address in near:
            yield key, f"{shown}is one of unicast_peers, by the network whose loss is to be told: name another one"
        elif address.version == 6 and address.is_link_local:
            yield key, f"{shown}is link-local, which does not say by which interface: name another one"


@_rule
def _ttl_of_unicast(min_ttl: int, unicast_peers: tuple[str, ...] | None) -> Iterator[Mistake]:
    if min_ttl != TTL and unicast_peers is None:
        yield "min_ttl", f"= {min_ttl}: belongs to unicast_peers: multicast adverts are never routed, and have {TTL}"


@_rule
def _no_goodbye(goodbye: dict[str, str] | None) -> Iterator[Mistake]:
    if goodbye == {}:
        yield "goodbye", '= {}: must name the other routers: { lb2 = "10.0.0.2" }, or leave it out'


@_rule
def _no_peer(unicast_peers: tuple[str, ...] | None) -> Iterator[Mistake]:
    if unicast_peers == ():
        yield "unicast_peers", "= []: must name the other routers; for multicast leave it out"


@_rule
def _unicast_or_multicast(unicast_peers: tuple[str, ...] | None, multicast_group: str | None) -> Iterator[Mistake]:
    if unicast_peers is not None and multicast_group is not None:
        yield "multicast_group", "has no meaning beside unicast_peers: leave one of them out"


@_rule
def _source_family(source: IPAddress | None, family: int) -> Iterator[Mistake]:
    if source is not None and source.version != family:
        yield "source_address", f'= "{source}": must be IPv{family}, as the first virtual address'


@_rule
def _source_is_link_local(
    source: IPAddress | None, family: int, unicast_peers: tuple[str, ...] | None
) -> Iterator[Mistake]:
    """RFC 9568 section 5.1.2.1 (C-PKT-17)."""
    if source is not None and source.version == family == 6 and unicast_peers is None and not source.is_link_local:
        yield "source_address", f'= "{source}": must be link-local for multicast (RFC 9568 section 5.1.2): leave it out'


@_rule
def _source_is_virtual(
    source: IPAddress | None,
    vips: list[Vip],
    excluded: list[Vip],
    owner: bool,  # noqa: FBT001 - a key of the file
) -> Iterator[Mistake]:
    if source is not None and not owner and source in {vip.ip for vip in [*vips, *excluded]}:
        yield "source_address", f'= "{source}": is a virtual address: name one that this router always has'


@_rule
def _group_address(group_address: IPAddress | None, family: int) -> Iterator[Mistake]:
    if group_address is None:
        return
    if not group_address.is_multicast:
        default = "224.0.0.18" if family == 4 else "ff02::12"
        yield "multicast_group", f'= "{group_address}": must be a multicast address (left out: {default})'
    elif group_address.version != family:
        yield "multicast_group", f'= "{group_address}": must be IPv{family}, as the first virtual address'


@_advice
def _checksum(checksum: str, version: int, family: int) -> Iterator[Mistake]:
    if checksum != "auto" and (version, family) != (3, 4):
        yield "checksum", f'= "{checksum}": has no effect: only version 3 over IPv4 knows two forms: leave it out'


@_advice
def _preempt_delay(preempt: bool, preempt_delay: Duration) -> Iterator[Mistake]:  # noqa: FBT001 - a key of the file
    if preempt_delay and not preempt:
        yield "preempt_delay", f'= "{preempt_delay}": has no effect with preempt = false: leave it out'
