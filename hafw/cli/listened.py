"""What ``hafw listen`` prints: lines for people, one object per packet for programs, and the account at the end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hafw.cli.words import brief, counted, table
from hafw.config.values import format_duration
from hafw.listen.finding import Verdict
from hafw.listen.place import place
from hafw.vrrp.packet import MULTICAST_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.config.lines import Lines
    from hafw.listen.finding import Finding, Judgement
    from hafw.listen.ledger import Account
    from hafw.listen.message import Message
    from hafw.listen.packet import Packet
    from hafw.listen.session import Heard, Session
    from hafw.vrrp.settings import IPAddress

    Record = dict[str, Any]

LISTED = 4
SENDERS = 1024
"""Whose explanation is remembered, so that it is not said again."""
_AUTH = {0: "none", 1: "pass"}


class Where:
    """The file that our side of every difference stands in."""

    def __init__(self, file: str, node: str, lines: Lines) -> None:
        self.file = file
        self._node = node
        self._lines = lines

    def record(self, instance: str, finding: Finding) -> Record:
        """For programs."""
        at = place(self._lines, self._node, instance, finding.key)
        return {
            "file": self.file,
            "line": at.line or None,
            "key": at.path,
            "ours": finding.ours,
            "default": not at.written,
            "theirs": finding.theirs,
        }

    def line(self, instance: str, finding: Finding) -> str:
        """For people: ``config.toml:4: instance.VI_1.version = 3; the peer has 2``."""
        at = place(self._lines, self._node, instance, finding.key)
        number = f"{at.line}: " if at.line else " "
        default = "" if at.written else " (the default)"
        return f"{self.file}:{number}{at.path} = {finding.ours}{default}; the peer has {finding.theirs}"


# -- for programs ---------------------------------------------------------------------------------------------------


def record(heard: Heard, where: Where | None) -> Record:
    """One packet; the keys are stable."""
    packet, message, judgement = heard.packet, heard.message, heard.judgement
    return {
        "time": stamp(packet.time),
        "interface": packet.interface,
        "source_mac": packet.link.source.hex(":"),
        "destination_mac": packet.link.destination.hex(":"),
        "vlans": list(packet.link.vlans),
        "source": str(packet.source),
        "destination": str(packet.destination),
        "ttl": packet.ttl,
        **_fields(packet, message),
        "verdict": str(judgement.verdict),
        "instance": judgement.instance,
        "reason": judgement.reason,
        "detail": judgement.findings[0].detail if judgement.reason else "",
        "findings": [_finding(judgement.instance, each, where) for each in judgement.findings],
        "remarks": list(heard.remarks),
    }


def _fields(packet: Packet, message: Message | None) -> Record:
    if message is None:
        return {"protocol": "vrrp", "octets": 0}
    return {
        "protocol": "carp" if message.carp else "vrrp",
        "octets": len(packet.payload),
        "version": message.version,
        "type": message.type,
        "vrid": message.vrid,
        "priority": message.priority,
        "interval": message.interval,
        "addresses": [str(each) for each in message.addresses],
        "auth": _auth(packet, message),
        "key": message.signature.key_id if message.signature else None,
        "checksum": None if message.checksum is None else f"0x{message.checksum:04x}",
    }


def _finding(instance: str, finding: Finding, where: Where | None) -> Record:
    shown: Record = {"reason": finding.reason, "detail": finding.detail}
    if finding.key and where is not None and instance:
        shown |= where.record(instance, finding)
    return shown


def _auth(packet: Packet, message: Message) -> str:
    if packet.authentication_header:
        return "ah"
    if message.signature is not None:
        return "hmac"
    return "none" if message.auth_type is None else _AUTH.get(message.auth_type, str(message.auth_type))


def stamp(moment: float) -> str:
    """UTC, ISO 8601, in microseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# -- for people -----------------------------------------------------------------------------------------------------


class Teller:
    """Says what each packet is, and the reasons once for each sender until they change."""

    def __init__(self, where: Where | None, *, dated: bool, interfaces: bool) -> None:
        self._where = where
        self._format = "%Y-%m-%d %H:%M:%S.%f" if dated else "%H:%M:%S.%f"
        self._interfaces = interfaces
        self._said: dict[tuple[object, ...], list[tuple[str, ...]]] = {}

    def tell(self, heard: Heard) -> Iterator[str]:
        """The line, and beneath it what was not said of this sender's last one."""
        packet, message = heard.packet, heard.message
        yield self._line(heard)
        about = message and (message.vrid, message.priority == 0)
        sender = (packet.interface, packet.link.vlans, packet.source, about)
        reasons = list(self._reasons(heard))
        known = self._said.get(sender, [])
        if len(self._said) >= SENDERS:
            self._said.clear()
        self._said[sender] = reasons
        for each in reasons:
            if each not in known:
                yield from each

    def _line(self, heard: Heard) -> str:
        packet, message = heard.packet, heard.message
        moment = datetime.fromtimestamp(packet.time).astimezone().strftime(self._format)[:-3]
        mac = f" ({packet.link.source.hex(':')})" if packet.link.source else ""
        tags = [f"VLAN {tag}" for tag in packet.link.vlans]
        on = [packet.interface] if self._interfaces and packet.interface else []
        usual = MULTICAST_GROUP[packet.source.version]
        to = "" if packet.destination == usual else f" to {packet.destination}"
        parts = [moment, *on, *tags, f"{packet.source}{mac}{to}", *_told(packet, message), _verdict(heard.judgement)]
        return "  ".join(part for part in parts if part)

    def _reasons(self, heard: Heard) -> Iterator[tuple[str, ...]]:
        """Each with the line of the file that it is about, if there is one."""
        judgement = heard.judgement
        refused, word = judgement.verdict is Verdict.REFUSED, "why"
        for finding in judgement.findings:
            if finding.reason and refused:
                said = f"    {word}: {finding.reason}: {finding.detail}"
                word = "after that"
            elif finding.reason and not finding.key:
                continue  # not ours: the line says so
            else:
                said = f"    note: {finding.detail}"
            at = judgement.instance and finding.theirs and self._where
            yield (said, f"        {at.line(judgement.instance, finding)}") if at else (said,)
        yield from ((f"    note: {each}",) for each in heard.remarks)


def _told(packet: Packet, message: Message | None) -> Iterator[str]:
    """What the message says of itself."""
    if message is None:
        yield "empty"
    elif message.carp:
        yield f"CARP, not VRRP: VHID {message.vrid}  advskew {message.priority}"
    elif message.priority is None:
        yield f"VRID {message.vrid}  v{message.version}  {len(packet.payload)} octets"
    else:
        yield f"VRID {message.vrid}"
        yield f"v{message.version}"
        yield f"priority {message.priority}"
        if message.interval is not None:
            yield f"every {format_duration(message.interval)}"
        yield some(message.addresses) or "no addresses"
        auth = _auth(packet, message)
        if message.signature is not None:
            yield f"hmac key {message.signature.key_id}"
        elif auth != "none":
            yield f"auth {auth}"


def _verdict(judgement: Judgement) -> str:
    name = judgement.instance
    match judgement.verdict:
        case Verdict.ACCEPTED:
            return f"-> {name} accepts"
        case Verdict.REFUSED:
            return f"-> {name} REFUSES ({judgement.reason})" if name else f"-> BAD ({judgement.reason})"
        case Verdict.FOREIGN:
            return f"-> not ours, beside {name}" if name else "-> not ours"
        case Verdict.SENT:
            return f"-> sent from here by {name}" if name else "-> sent from here"
        case Verdict.CUT:
            return "-> cut off by the capture"
    return ""


def some(addresses: Sequence[IPAddress]) -> str:
    """A few of them."""
    more = len(addresses) - LISTED
    return ", ".join(map(str, addresses[:LISTED])) + (f" and {more} more" if more > 0 else "")


# -- the account ----------------------------------------------------------------------------------------------------


def account(session: Session, *, dated: bool) -> Iterator[str]:
    """Who was heard, how regularly, and what became of it."""
    ledger = session.ledger
    accounts = ledger.accounts()
    if accounts:
        yield ""
        rows = [["VRID", "ROUTER", "MAC", "PRIORITY", "EVERY", "ADVERTS", "JITTER", "SILENCES", "RESULT"]]
        yield table([*rows, *(_row(each, dated=dated) for each in accounts)])
    packets, routers = counted(ledger.packets, "packet"), counted(len(accounts), "router")
    yield f"{packets} of {routers} in {ledger.last - ledger.first:.1f} s"
    for segment, said in ledger.rivals.items():
        yield f"VRID {segment[3]}: {said}"
    if ledger.beyond:
        yield f"{ledger.beyond} packets of still more routers are in no row: is somebody flooding?"
    incomplete = session.fragments.waiting + session.fragments.lost
    if incomplete:
        yield f"{incomplete} packets came in fragments of which some are missing"


def _row(each: Account, *, dated: bool) -> list[str]:
    message = each.message
    where = "".join(f" VLAN {tag}" for tag in each.segment[1])
    return [
        f"{each.vrid}{where}",
        str(each.source),
        each.mac.hex(":") or "-",
        "-" if each.priority is None else str(each.priority),
        "-" if message.interval is None else format_duration(message.interval),
        str(each.count),
        f"{brief(each.jitter)}, at most {brief(each.off_most)}" if each.steps else "-",
        _silences(each, dated=dated),
        ", ".join(_result(each)),
    ]


def _silences(each: Account, *, dated: bool) -> str:
    if not each.gap_count:
        return "none"
    begun, longest = max(each.gaps, key=lambda gap: gap[1])
    moment = datetime.fromtimestamp(begun).astimezone().strftime("%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S")
    return f"{each.gap_count}, {brief(longest)} from {moment}"


def _result(each: Account) -> Iterator[str]:
    for (verdict, reason), count in each.verdicts.items():
        shown = f" ({reason})" if verdict is Verdict.REFUSED else ""
        yield f"{count} {verdict}{shown}"
    if each.goodbyes:
        yield f"{each.goodbyes} goodbye{'s' * (each.goodbyes > 1)}"
