"""The promises of a whole cluster: while one planned change or one death comes at a time, and when all is mended.

``during`` says what holds in such worlds, ``at_rest`` what every world has to come to. Where routers do not accept each
other's adverts (two versions, two intervals in version 2, one address twice) there may be several MASTERs: never two
that hear each other, and nobody without a MASTER.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from hafw.sim.watcher import EPSILON, Violation
from hafw.sim.worlds import CALM, DEATHS
from hafw.vrrp.actions import SendAdvertisement, Transition
from hafw.vrrp.speaker import REPLIES_PER_INTERVAL

if TYPE_CHECKING:
    from hafw.sim.seen import Span
    from hafw.sim.troubles import TroubledLan
    from hafw.sim.worlds import World


def during(world: World, lan: TroubledLan) -> None:
    """What holds of the troubles that are over, by the kind of the world."""
    if world.kind not in {CALM, DEATHS}:
        return
    for router in world.routers:
        for span in lan.rivalled(router, world.settle):
            if span.seconds > _rivalry(world, lan, router, span):
                raise Violation("rivals", f"two are MASTER of {router} for {span.seconds:.4f}s", span.end)
        if world.kind == CALM:
            _during_changes(world, lan, router)
        else:
            _during_deaths(world, lan, router)


def _rivalry(world: World, lan: TroubledLan, router: str, span: Span) -> float:
    """Seconds for which two may be MASTER in this span (C-SIM-04).

    Longer by a quarter of an interval, if who stays MASTER had spoken so short a time before it began: of several
    rivals one is answered at once, and the next only as soon as the bound on answers allows (C-SEC-05).
    """
    longest = world.rivalry(router) + EPSILON
    if span.seconds <= longest:
        return longest
    stays = next((masters for at, masters in lan.changes(router) if at == span.end), lan.masters(router))
    slowest = min(each.rate for each in world.machines)
    pause = (
        max(each.advertisement_interval for each in world.settings(router).values()) / slowest / REPLIES_PER_INTERVAL
    )
    near = [each for each in lan.log if span.start - pause <= each.time <= span.start + world.reach]
    mine = [each for each in near if each.host in stays and each.action.router == router]
    spoke = {each.time for each in mine if isinstance(each.action, SendAdvertisement)}
    began = {each.time for each in mine if isinstance(each.action, Transition)}
    return longest + pause if spoke - began else longest


def _during_changes(world: World, lan: TroubledLan, router: str) -> None:
    for vip in world.addresses(router):
        for span in lan.unheld(vip, world.settle):
            raise Violation("gap", f"{vip} is on nobody for {span.seconds:.4f}s, with planned changes only", span.end)
    for span in lan.vacant(router, world.settle):
        longest = _second(world, lan, router, span, 0) + world.reach + EPSILON
        if span.seconds > longest:
            raise Violation("skew", f"{router} has no MASTER for {span.seconds:.4f}s, at most {longest:.4f}s", span.end)


def _during_deaths(world: World, lan: TroubledLan, router: str) -> None:
    for vip in world.addresses(router):
        for span in lan.unheld(vip, world.settle):
            longest = _second(world, lan, router, span, 3) + world.install + world.reach + EPSILON
            if span.seconds > longest:
                said = f"{vip} is on nobody for {span.seconds:.4f}s, at most {longest:.4f}s"
                raise Violation("death", said, span.end)


def _second(world: World, lan: TroubledLan, router: str, span: Span, adverts: int) -> float:
    """Seconds that the best one of those waits that were not MASTER before: so many adverts, and its skew.

    By the definitions, not by what the Nodes make of them: C-TMR-02, C-TMR-03, C-TMR-04, and ranked skew.
    """
    earlier = (masters for at, masters in reversed(lan.changes(router)) if at < span.start and masters)
    before = next(earlier, frozenset[str]())
    waits = []
    for machine in world.machines:
        settings, priority = world.settings(router)[machine.name], world.priority(router, machine.name)
        scale = 1.0 if settings.version == 2 else settings.advertisement_interval
        skew = (256 - priority) * scale / 256
        if settings.rank is not None and priority == settings.priority:
            skew = min(skew, (settings.rank + 1) * max(scale / 64, 0.003))
        if machine.name not in before:
            waits.append((adverts * settings.advertisement_interval + skew) / machine.rate)
    return min(waits)


def at_rest(world: World, lan: TroubledLan, mended: float, since: float) -> None:
    """After everything was mended and time has passed: one MASTER, the right one, with the addresses, and peace."""
    for router in world.routers:
        masters = sorted(lan.masters(router))
        _one_master(world, lan, router, masters)
        _holders(world, lan, router, masters)
        if world.is_plain:
            _best(world, lan.now, router, masters)
        if world.is_whole(router):
            _soon(world, lan, router, mended)
        _peace(world, lan, router, masters, since)


def _one_master(world: World, lan: TroubledLan, router: str, masters: list[str]) -> None:
    for each in world.names:
        heard = [other for other in masters if other != each and world.hears(router, each, other)]
        if (each in masters) == bool(heard):
            said = f"{each} is MASTER too" if heard else f"{each} hears none and is none"
            raise Violation("one MASTER", f"of {router} are {masters or 'none'}, {said}: {lan.summary()}", lan.now)


def _holders(world: World, lan: TroubledLan, router: str, masters: list[str]) -> None:
    for address in world.addresses(router):
        if sorted(lan.holders(address)) != masters:
            raise Violation("holder", f"{address} is on {sorted(lan.holders(address))}, MASTER is {masters}", lan.now)


def _best(world: World, now: float, router: str, masters: list[str]) -> None:
    ranked = {name: world.priority(router, name) for name in world.names}
    for each in set(world.names) - set(masters):
        if ranked[each] > max(ranked[other] for other in masters if world.hears(router, each, other)):
            raise Violation("best", f"{masters} is MASTER of {router}, {each} is better", now)


def _soon(world: World, lan: TroubledLan, router: str, mended: float) -> None:
    """C-SIM-01: after the last event, within a master_down_interval and a delay; and from then on without a break."""
    since = mended + world.patience + world.reach
    for span in lan.vacant(router, since):
        raise Violation("soon", f"{router} has no MASTER for {span.seconds:.4f}s, all is mended", span.end)
    for span in lan.rivalled(router, since):
        if span.seconds > _rivalry(world, lan, router, span):
            raise Violation("soon", f"two are MASTER of {router} for {span.seconds:.4f}s, all is mended", span.end)


def _peace(world: World, lan: TroubledLan, router: str, masters: list[str], since: float) -> None:
    late = list(takewhile(lambda entry: entry.time > since, reversed(lan.log)))
    counts = dict.fromkeys(masters, 0)
    for entry in late:
        if entry.action.router != router:
            continue
        if isinstance(entry.action, Transition):
            raise Violation("peace", f"{entry.host}: {entry.action}", entry.time)
        if isinstance(entry.action, SendAdvertisement):
            if entry.host not in masters:
                raise Violation("peace", f"{entry.host} advertises beside {masters}", entry.time)
            counts[entry.host] += 1
    for host, count in counts.items():
        seconds = (lan.now - since) * lan.hosts[host].rate
        interval = world.settings(router)[host].advertisement_interval
        if abs(count - seconds / interval) > 1 + EPSILON:
            raise Violation("peace", f"{host}: {count} adverts in {seconds:.3f}s at one every {interval}s", lan.now)
