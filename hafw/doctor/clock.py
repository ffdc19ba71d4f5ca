"""Whether the clock is good enough for signed adverts: one that is off refuses those of the others as too old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.doctor.finding import Finding
from hafw.vrrp.settings import AntiReplay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import Config
    from hafw.doctor.facts import Facts

SYNCHRONISE = ("timedatectl set-ntp true",)
KEEP = "the command keeps it (systemd-timesyncd); or install chrony on all routers"


def probe(config: Config, facts: Facts) -> Iterator[Finding]:
    """Without signatures that carry the time, clocks do not matter."""
    timed = {
        name: each.router.hmac.window
        for name, each in config.instances.items()
        if each.router.hmac is not None and each.router.hmac.anti_replay is AntiReplay.TIME
    }
    if facts.clock is None or not timed:
        return
    window = min(timed.values())
    if facts.clock.synchronised and facts.clock.error <= window:
        return
    said = "is not synchronised" if not facts.clock.synchronised else f"may be off by {facts.clock.error:.1f} s"
    yield Finding(
        id="clock-unsynchronised",
        where=", ".join(timed),
        what=f"the clock of this machine {said}, as the kernel says",
        why=f"adverts are signed with the time: when clocks differ by more than {window:g} s (auth.window) routers"
        " refuse each other, and both become MASTER",
        fix=SYNCHRONISE,
        keep=f'{KEEP}; where no clock can be trusted: auth = {{ ..., anti_replay = "monotonic" }}',
    )
