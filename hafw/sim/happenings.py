"""What can happen in a world of the swarm, by its word."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hafw.sim.forgery import likely, signed_wrongly, wrong
from hafw.sim.worlds import CHECK, TRACKER
from hafw.vrrp.events import Event, MaintenanceChanged, ReleaseAsked, VerdictReported

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.sim.swarm import WatchedLan
    from hafw.sim.worlds import Fault
    from hafw.vrrp.settings import IPAddress

    Happening = Callable[[WatchedLan, Fault], None]

FLAPS: Final = 9
"""Verdicts of a check that flaps, one bad, one good; the last one is bad."""
REPLAYED: Final = 5
"""Packets of the tape that are sent again at once."""


def _started(lan: WatchedLan, fault: Fault) -> None:
    if not lan.is_away(fault.host):
        lan.boot(fault.host)


def _gone(leave: Happening) -> Happening:
    def happen(lan: WatchedLan, fault: Fault) -> None:
        lan.watcher.reset(fault.host)
        leave(lan, fault)

    return happen


def _told(event: Callable[[str], Event]) -> Happening:
    return lambda lan, fault: lan.inject(fault.host, event(fault.router))


def _maintenance(lan: WatchedLan, fault: Fault, *, on: bool) -> None:
    """Of a host, as ``hafw maintenance``."""
    for router in lan.world.routers:
        lan.inject(fault.host, MaintenanceChanged(router, on))


def _flap(lan: WatchedLan, fault: Fault) -> None:
    for number in range(FLAPS):
        verdict = VerdictReported(fault.router, TRACKER, healthy=bool(number % 2))
        lan.later(fault.amount * number, partial(lan.inject, fault.host, verdict))


def _wrong(lan: WatchedLan, fault: Fault) -> None:
    """One in which something is wrong; the best that an advert can be otherwise."""
    host = lan.hosts[fault.host]
    settings = host.settings(lan.rng.choice(lan.world.routers))
    somebody, own = _somebody(lan, fault.host, settings.family), host.primary[settings.family]
    datagram = wrong(fault.other, settings, somebody, own, lan.rng)
    lan.hear_wrong(fault.host, datagram, fault.other)


def _forged(lan: WatchedLan, fault: Fault) -> None:
    """One in which nothing is wrong but its sender; where adverts are signed that is enough."""
    host = lan.hosts[fault.host]
    settings = host.settings(fault.router)
    datagram = likely(fault.other, settings, _somebody(lan, fault.host, settings.family), lan.rng)
    if settings.hmac is None:
        lan.hear(host, datagram)
    else:
        datagram = signed_wrongly(datagram, settings, lan.time_of_day(host), lan.rng)
        lan.hear_wrong(fault.host, datagram, f"{fault.other}, not signed by us")


def _replayed(lan: WatchedLan, fault: Fault) -> None:
    """What was sent before comes once more; where adverts are signed nobody takes it for new."""
    host = lan.hosts[fault.host]
    for datagram in lan.rng.sample(list(lan.tape), min(REPLAYED, len(lan.tape))):
        if lan.was_heard(host, datagram):
            lan.hear_wrong(fault.host, datagram, "a replay")
        else:
            lan.hear(host, datagram)


def _somebody(lan: WatchedLan, name: str, family: int) -> IPAddress:
    """Another router, or a stranger."""
    own = lan.hosts[name].primary[family]
    known = [host.primary[family] for host in lan.hosts.values() if host.primary[family] != own]
    return lan.rng.choice([*known, own + 100])


HAPPENING: Final[dict[str, Happening]] = {
    "start": _started,
    "stop": lambda lan, fault: lan.stop(fault.host),
    "kill": _gone(lambda lan, fault: lan.kill(fault.host)),
    "poweroff": _gone(lambda lan, fault: lan.power_off(fault.host)),
    "crash": _gone(lambda lan, fault: lan.crash(fault.host, fault.amount)),
    "pause": _gone(lambda lan, fault: lan.pause(fault.host, fault.amount)),
    "sleep": _gone(lambda lan, fault: lan.sleep(fault.host, fault.amount)),
    "cut": lambda lan, fault: lan.cut(fault.host, fault.other),
    "isolate": lambda lan, fault: lan.isolate(fault.host),
    "heal": lambda lan, _: lan.heal(),
    "loss": lambda lan, fault: setattr(lan, "loss", fault.amount),
    "double": lambda lan, fault: setattr(lan, "doubled", fault.amount),
    "reorder": lambda lan, fault: setattr(lan, "reordered", fault.amount),
    "claims lost": lambda lan, fault: setattr(lan, "claims_lost", fault.amount),
    "claims late": lambda lan, fault: setattr(lan, "claims_late", fault.amount),
    "link down": lambda lan, fault: lan.link(fault.host, up=False),
    "link up": lambda lan, fault: lan.link(fault.host, up=True),
    "fails": _told(lambda router: VerdictReported(router, CHECK, healthy=False, detail="it fails")),
    "passes": _told(lambda router: VerdictReported(router, CHECK, healthy=True)),
    "uplink fails": _told(lambda router: VerdictReported(router, TRACKER, healthy=False, immediate=True)),
    "uplink passes": _told(lambda router: VerdictReported(router, TRACKER, healthy=True, immediate=True)),
    "flap": _flap,
    "maintenance on": partial(_maintenance, on=True),
    "maintenance off": partial(_maintenance, on=False),
    "handover": _told(ReleaseAsked),
    "refuse": lambda lan, fault: lan.refuse(fault.host, "no room"),
    "slow": lambda lan, fault: lan.slow(fault.host, fault.amount),
    "steal": lambda lan, fault: lan.steal(fault.host, fault.router),
    "wrong": _wrong,
    "forge": _forged,
    "replay": _replayed,
}
