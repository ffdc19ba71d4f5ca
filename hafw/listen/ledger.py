"""Who was heard, how often and how regularly; and what shows over several adverts only.

Bounded, since sources can be forged: a router beyond the limit is counted and no more.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hafw.listen.finding import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.listen.finding import Judgement
    from hafw.listen.message import Message
    from hafw.listen.packet import Packet
    from hafw.vrrp.settings import IPAddress

    Segment = tuple[str, tuple[int, ...], int, int]
    """Interface, VLANs, family and VRID."""

ROUTERS_MAX: Final = 1024
PATIENCE: Final = 3
"""Intervals of silence after which others take over (RFC 9568 section 6.1)."""
_TURNS: Final = 5
"""Adverts of two senders by turns: a takeover has two, and one reminder more makes four."""
_RECENT: Final = 16
_STILL: Final = 1.25
"""Intervals since it last spoke for which a MASTER is surely one."""


@dataclass(slots=True)
class Account:
    """One sender on one virtual router; in unicast, to one of the others."""

    segment: Segment
    source: IPAddress
    mac: bytes
    first: float
    last: float
    message: Message
    """The latest one."""
    judgement: Judgement
    count: int = 0
    verdicts: Counter[tuple[Verdict, str]] = field(default_factory=Counter)
    """By verdict and reason."""
    goodbyes: int = 0
    priority: int | None = None
    """The latest one that was no goodbye."""
    last_live: float | None = None
    """When it last said that it is MASTER; ``None``: it has ended that."""
    off: float = 0.0
    """The sum of the deviations from its interval, in seconds."""
    off_most: float = 0.0
    steps: int = 0
    """How many deviations there are."""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """When a silence of more than three intervals began, and how long it was; the first hundred."""
    gap_count: int = 0

    @property
    def jitter(self) -> float:
        """The mean deviation from its interval, in seconds."""
        return self.off / self.steps if self.steps else 0.0

    @property
    def vrid(self) -> int:
        """Of its virtual router."""
        return self.segment[3]


class Ledger:
    """Accounts by virtual router and sender."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[Segment, IPAddress, IPAddress], Account] = {}
        self._turns: dict[Segment, deque[tuple[float, Account]]] = {}
        self.packets = 0
        self.beyond = 0
        """Packets of routers that found no place."""
        self.first = 0.0
        self.last = 0.0
        self.rivals: dict[Segment, str] = {}
        """Of virtual routers that had two MASTERs at a time: who, in words."""

    def note(self, packet: Packet, message: Message | None, judgement: Judgement) -> list[str]:
        """Take it in; answers what is odd about it in the light of those before it."""
        self.first = min(self.first, packet.time) if self.packets else packet.time
        self.last = max(self.last, packet.time)
        self.packets += 1
        if message is None or message.vrid is None:
            return []
        segment = (packet.interface, packet.link.vlans, packet.source.version, message.vrid)
        account = self._account(segment, packet, message, judgement)
        if account is None:
            return []
        remarks = [*self._mac(account, packet), *self._gap(account, packet.time, message)]
        account.count += 1
        account.last, account.message, account.judgement = packet.time, message, judgement
        account.mac = packet.link.source or account.mac
        account.verdicts[judgement.verdict, judgement.reason] += 1
        account.goodbyes += message.priority == 0
        account.priority = message.priority or account.priority
        account.last_live = packet.time if message.priority else None
        return [*remarks, *self._rivals(account, packet.time)]

    def accounts(self) -> list[Account]:
        """All of them, by family, VRID and address."""
        return sorted(
            self._accounts.values(),
            key=lambda each: (*each.segment[2:], each.segment[:2], each.source.packed),
        )

    def masters(self, now: float) -> Iterator[Account]:
        """Those that had not ended being MASTER, nor been silent for long, at this time."""
        for each in self.accounts():
            if each.last_live is not None and now - each.last_live <= PATIENCE * (each.message.interval or 1.0):
                yield each

    def _account(self, segment: Segment, packet: Packet, message: Message, judgement: Judgement) -> Account | None:
        key = (segment, packet.source, packet.destination)
        if key not in self._accounts:
            if len(self._accounts) >= ROUTERS_MAX:
                self.beyond += 1
                return None
            now = packet.time
            self._accounts[key] = Account(segment, packet.source, packet.link.source, now, now, message, judgement)
        return self._accounts[key]

    def _mac(self, account: Account, packet: Packet) -> Iterator[str]:
        before, mac = account.mac, packet.link.source
        if before and mac and before != mac:
            yield f"{account.source} came from {before.hex(':')} before: two machines with one address?"

    def _gap(self, account: Account, now: float, message: Message) -> Iterator[str]:
        """How regular it is, against the interval that it had promised before."""
        promised = account.message.interval
        if account.last_live is None or not promised or account.count == 0 or message.priority == 0:
            return
        gap = max(0.0, now - account.last_live)
        if gap <= PATIENCE * promised:
            off = abs(gap - promised)
            account.off, account.off_most, account.steps = (
                account.off + off,
                max(account.off_most, off),
                account.steps + 1,
            )
            return
        account.gap_count += 1
        if len(account.gaps) < 100:
            account.gaps.append((account.last_live, gap))
        yield f"the first for {round(gap, 2):g}s, which is more than {PATIENCE} of its intervals of {promised:g}s"

    def _rivals(self, account: Account, now: float) -> Iterator[str]:
        """Two that are MASTER at the same time: they speak by turns, and neither gives way."""
        turns = self._turns.setdefault(account.segment, deque(maxlen=_RECENT))
        if account.last_live is None:
            turns.clear()
            return
        if turns and turns[-1][1].source == account.source:
            turns.pop()
        turns.append((now, account))
        interval = account.message.interval or 1.0
        if len([at for at, _ in turns if now - at <= 2 * PATIENCE * interval]) < _TURNS:
            return
        last, rival = turns[-2]
        if now - last > _STILL * (rival.message.interval or 1.0):
            return
        said = _two_masters(account, rival)
        self.rivals[account.segment] = said
        yield said


def _two_masters(one: Account, other: Account) -> str:
    """Who, and on whose side the fault is, as far as it shows from here: the lower one ought to give way."""
    lower, higher = sorted((one, other), key=lambda each: (each.priority or 0, each.source.packed))
    told = f"two MASTERs: {higher.source} ({higher.priority}) and {lower.source} ({lower.priority})"
    if lower.judgement.verdict is Verdict.SENT:
        reason = higher.judgement.reason
        why = (
            f"this machine refuses the better one ({reason})" if reason else "a firewall here keeps it from the daemon?"
        )
    elif higher.judgement.verdict is Verdict.SENT:
        why = f"{lower.source} does not hear this machine, or refuses it: look at its firewall, and hafw listen there"
    else:
        why = "the lower one does not hear the other, or refuses it: look at its firewall, and hafw listen there"
    return f"{told}: {why}"
