"""What is found about one advert: why it is refused, what differs from our configuration, what is odd."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.vrrp.packet import Advertisement


class Verdict(StrEnum):
    """What becomes of a packet."""

    ACCEPTED = "accepted"
    """A router of ours hears it."""
    REFUSED = "refused"
    """Discarded, with a reason."""
    FOREIGN = "foreign"
    """Well made, and no router of ours has this VRID."""
    VALID = "valid"
    """Well made; there is no configuration to compare it with."""
    SENT = "sent"
    """This machine sent it."""
    CUT = "cut"
    """The capture did not keep all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to say about an advert."""

    reason: str = ""
    """Why it is refused, as ``hafw.vrrp.packet`` names it; empty: it is not, for this."""
    detail: str
    key: str = ""
    """Of our configuration, below ``instance.NAME``, where it differs from the peer; empty: no key mends it."""
    ours: str = ""
    theirs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a router with our configuration makes of a packet."""

    verdict: Verdict
    instance: str = ""
    """Whose it is; empty: nobody's."""
    findings: tuple[Finding, ...] = ()
    """Refusals first: the first one is what the daemon says, the others would come when that is mended."""
    advert: Advertisement | None = None

    @property
    def reason(self) -> str:
        """The first refusal's."""
        return self.findings[0].reason if self.findings else ""
