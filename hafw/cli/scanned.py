"""What ``hafw listen --scan`` prints: the VRIDs in use, and a free one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hafw.cli.listened import some
from hafw.cli.words import table
from hafw.config.values import format_duration
from hafw.listen.scan import free_vrid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hafw.listen.ledger import Account
    from hafw.listen.session import Session
    from hafw.vrrp.settings import RouterSettings

    Record = dict[str, Any]


def scan_record(session: Session, routers: Iterable[RouterSettings]) -> Record:
    """One document."""
    free, used = _free(session, routers)
    return {
        "in_use": [
            {
                "family": each.segment[2],
                "vrid": each.vrid,
                "interface": each.segment[0],
                "vlans": list(each.segment[1]),
                "protocol": "carp" if each.message.carp else "vrrp",
                "router": str(each.source),
                "mac": each.mac.hex(":"),
                "version": each.message.version,
                "priority": each.message.priority,
                "interval": each.message.interval,
                "addresses": [str(address) for address in each.message.addresses],
                "instance": each.judgement.instance,
            }
            for each in session.ledger.accounts()
        ],
        "virtual_macs": [
            {"family": family, "vrid": vrid, "addresses": sorted(map(str, addresses))}
            for (family, vrid), addresses in sorted(session.claims.items())
        ],
        "used": sorted(used),
        "free": free,
    }


def scan_text(session: Session, routers: Sequence[RouterSettings], seconds: float) -> Iterator[str]:
    """A table of what is in use, and the proposal."""
    rows = [_scanned(each) for each in session.ledger.accounts()]
    heard = {(each.segment[2], each.vrid) for each in session.ledger.accounts()}
    rows += [
        [f"IPv{family}", str(vrid), "its virtual MAC only", "-", "-", "-", some(sorted(addresses, key=int)), "-"]
        for (family, vrid), addresses in sorted(session.claims.items())
        if (family, vrid) not in heard
    ]
    silent = [each for each in routers if (each.family, each.vrid) not in heard]
    rows += [
        [f"IPv{each.family}", str(each.vrid), "nobody heard", "-", "-", "-", some(each.virtual_addresses), each.name]
        for each in silent
    ]
    if rows:
        rows.sort(key=lambda row: (row[0], int(row[1])))
        yield table([["FAMILY", "VRID", "MASTER", "PRIORITY", "VERSION", "EVERY", "ADDRESSES", "OURS"], *rows])
        yield ""
    free, used = _free(session, routers)
    if not used:
        yield f"no VRID is in use here: nobody was heard for {format_duration(seconds)}"
    yield "all 255 VRIDs are in use" if free is None else f"free for IPv4 and IPv6: vrid = {free}"
    yield "a router that is off, that speaks unicast to others, or seldom, is not heard: --for 2m listens longer"


def _scanned(each: Account) -> list[str]:
    message = each.message
    kind = "CARP host " if message.carp else ""
    over = " (has said goodbye)" if each.last_live is None and not message.carp else ""
    where = "".join(f" VLAN {tag}" for tag in each.segment[1])
    return [
        f"IPv{each.segment[2]}",
        f"{each.vrid}",
        f"{kind}{each.source}{where}{over}",
        "-" if message.priority is None or message.carp else str(message.priority),
        "CARP" if message.carp else str(message.version),
        "-" if message.interval is None else format_duration(message.interval),
        some(message.addresses) or "-",
        each.judgement.instance or "-",
    ]


def _free(session: Session, routers: Iterable[RouterSettings]) -> tuple[int | None, set[int]]:
    """Free in both families: one number for an address pair is easier to remember."""
    used = {each.vrid for each in session.ledger.accounts()}
    used |= {vrid for _, vrid in session.claims} | {each.vrid for each in routers}
    return free_vrid(used), used
