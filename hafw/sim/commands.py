"""The commands of a scenario: one table, of which the parser, the error messages and the documentation are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hafw.sim.conditions import Unmet, question
from hafw.sim.grammar import Form, Mistake, duration
from hafw.sim.lan import Runaway
from hafw.sim.stage import OWNER, Stage
from hafw.sim.story import Story
from hafw.sim.troubles import START
from hafw.vrrp.events import AdvertReceived, MaintenanceChanged, ReleaseAsked, Suspended, VerdictReported
from hafw.vrrp.packet import Advertisement

if TYPE_CHECKING:
    from hafw.sim.stage import Configurations
    from hafw.sim.troubles import TroubledLan
    from hafw.vrrp.settings import IPAddress, RouterSettings

PATIENCE = 60.0
"""Seconds that ``until`` waits when it does not say ``within``."""
SETTING: list[Form] = []
"""What describes the routers and the network, above everything else."""
HAPPENING: list[Form] = []
"""What happens to them."""
TIMING: list[Form] = []
"""What lets time pass, looks and expects."""


class Actor:
    """Does what the commands say: sets the stage, then lets things happen and time pass."""

    def __init__(self, configurations: Callable[[str], Configurations] | None = None) -> None:
        self.stage = Stage()
        self.configurations = configurations
        self.failing: set[tuple[str, str]] = set()
        """By router and check, what fails now: it is found again when the daemon starts."""
        self._story: Story | None = None

    @property
    def lan(self) -> TroubledLan:
        """From the first look at it on, no router can be added."""
        return self.stage.lan

    @property
    def story(self) -> Story:
        """What has happened."""
        if self._story is None:
            self._story = Story(self.lan, self.stage.vips)
        return self._story

    def instances(self, host: str) -> list[str]:
        """The instances of one router."""
        return [each.router.name for each in self.lan.hosts[host].instances]

    def judge(self, host: str, check: str) -> None:
        """Let every instance of this router that has the check hear of it."""
        healthy = (host, check) not in self.failing
        detail = "" if healthy else "it fails"
        for each in self.lan.hosts[host].instances:
            if check in {one.name for one in each.checks}:
                self.lan.inject(host, VerdictReported(each.router.name, check, healthy, detail, immediate=True))


Run = TypeVar("Run", bound=Callable[..., Any])


def _command(table: list[Form], usage: str, summary: str) -> Callable[[Run], Run]:
    def note(run: Run) -> Run:
        table.append(Form(usage, summary, run, happens=table is HAPPENING))
        return run

    return note


# -- the routers and the network --------------------------------------------------------------------------------


@_command(SETTING, "router NAME [OPTIONS]", "a router; its daemon does not run yet")
def _router(actor: Actor, name: str, words: list[str]) -> None:
    actor.stage.describe(name, words)


@_command(SETTING, "defaults OPTIONS...", "the same keys, for every `router` line below")
def _defaults(actor: Actor, words: list[str]) -> None:
    actor.stage.common(words)


@_command(SETTING, "lan OPTIONS...", "the network between them")
def _wire(actor: Actor, words: list[str]) -> None:
    actor.stage.wire(words)


@_command(SETTING, "config PATH", "the routers of a config.toml, seen from the scenario's directory")
def _config(actor: Actor, path: str) -> None:
    if actor.configurations is None:
        raise Mistake("config: configurations are read by `hafw sim` only: describe the routers with `router` lines")
    actor.stage.configure(actor.configurations(path))


# -- what happens -----------------------------------------------------------------------------------------------


@_command(HAPPENING, "start ROUTERS", "start the daemon, which removes what a dead one left behind")
def _start(actor: Actor, hosts: list[str]) -> None:
    for host in hosts:
        actor.lan.start(host)
        for check in actor.stage.checks:
            actor.judge(host, check)


@_command(HAPPENING, "stop ROUTERS", "the planned end of the daemon, as `systemctl stop hafw`")
def _stop(actor: Actor, hosts: list[str]) -> None:
    for host in hosts:
        actor.lan.stop(host)


@_command(HAPPENING, "kill ROUTERS", "daemon and guard die at once: nothing is sent, the addresses stay and answer")
def _kill(actor: Actor, hosts: list[str]) -> None:
    for host in hosts:
        actor.lan.kill(host)
        actor.story.gone(host)


@_command(HAPPENING, "poweroff ROUTERS", "the machine is gone, and its addresses with it")
def _poweroff(actor: Actor, hosts: list[str]) -> None:
    for host in hosts:
        actor.lan.power_off(host)
        actor.story.gone(host)


@_command(HAPPENING, "crash ROUTERS", "the daemon dies, its guard does not: the next one could speak after 300ms")
def _crash(actor: Actor, hosts: list[str]) -> None:
    _crash_for(actor, hosts, START)


@_command(HAPPENING, "crash ROUTERS DURATION", "the same, and the next one needs so long to start")
def _crash_for(actor: Actor, hosts: list[str], start: float) -> None:
    for host in hosts:
        actor.lan.crash(host, start)
        actor.story.gone(host)


@_command(HAPPENING, "pause ROUTERS DURATION", "the daemon is frozen for so long; its kernel goes on answering")
def _pause(actor: Actor, hosts: list[str], length: float) -> None:
    for host in hosts:
        actor.lan.pause(host, length)


@_command(HAPPENING, "link ROUTER UPDOWN", "unplug its cable: `down`; plug it in again: `up`")
def _link(actor: Actor, host: str, up: bool) -> None:  # noqa: FBT001 - a place of the form
    actor.lan.link(host, up=up)


@_command(HAPPENING, "link ROUTER NAME UPDOWN", "the same of one interface of several")
def _one_link(actor: Actor, host: str, interface: str, up: bool) -> None:  # noqa: FBT001 - a place of the form
    if interface not in (there := sorted({each.router.interface for each in actor.lan.hosts[host].instances})):
        raise Mistake(f"link {host} {interface}: no such interface: there is {', '.join(there)}")
    actor.lan.link(host, interface, up=up)


@_command(HAPPENING, "cut ROUTER -> ROUTER", "lose every frame in this direction")
def _cut(actor: Actor, sender: str, receiver: str) -> None:
    actor.lan.cut(sender, receiver)


@_command(HAPPENING, "cut ROUTER <-> ROUTER", "lose every frame between the two")
def _part(actor: Actor, one: str, other: str) -> None:
    actor.lan.cut(one, other)
    actor.lan.cut(other, one)


@_command(HAPPENING, "isolate ROUTERS", "lose every frame to and from it; its link stays up")
def _isolate(actor: Actor, hosts: list[str]) -> None:
    for host in hosts:
        actor.lan.isolate(host)


@_command(HAPPENING, "heal", "undo every `cut`, `isolate` and `loss`")
def _heal(actor: Actor) -> None:
    actor.lan.heal()
    actor.lan.loss = 0.0


@_command(HAPPENING, "loss SHARE", "lose this share of all frames from now on")
def _loss(actor: Actor, lost: float) -> None:
    actor.lan.loss = lost


@_command(HAPPENING, "duplicate SHARE", "deliver this share of all frames twice from now on")
def _duplicate(actor: Actor, doubled: float) -> None:
    actor.lan.doubled = doubled


@_command(HAPPENING, "suspend ROUTER DURATION", "the machine sleeps: its clock stood still for so long")
def _suspend(actor: Actor, host: str, length: float) -> None:
    actor.lan.inject(host, Suspended(length))


@_command(
    HAPPENING, "forge NUMBER from ADDRESS to ROUTERS", "an advert with this priority arrives there, and nowhere else"
)
def _forge(actor: Actor, priority: int, source: IPAddress, hosts: list[str]) -> None:
    for host in hosts:
        for each in actor.lan.hosts[host].instances:
            actor.lan.inject(host, AdvertReceived(each.router.name, _advert(each.router, priority), source))


@_command(
    HAPPENING, "flood NUMBER from ADDRESS to ROUTERS every DURATION for DURATION", "one after the other; time passes"
)
def _flood(actor: Actor, priority: int, source: IPAddress, hosts: list[str], every: float, length: float) -> None:  # noqa: PLR0913, PLR0917 - its form has them
    if every <= 0:
        raise Mistake("every 0: must be a duration above 0")
    end = actor.lan.now + length
    while actor.lan.now < end:
        _forge(actor, priority, source, hosts)
        actor.lan.run_until(min(actor.lan.now + every, end))


def _advert(settings: RouterSettings, priority: int) -> Advertisement:
    """What a router with these settings would send."""
    if priority > OWNER:
        raise Mistake(f"{priority}: must be 0 to {OWNER}")
    addresses, interval = settings.virtual_addresses, settings.advertisement_interval
    return Advertisement(
        version=settings.version, vrid=settings.vrid, priority=priority, interval=interval, addresses=addresses
    )


@_command(HAPPENING, "refuse ROUTER WORDS...", "its kernel refuses to add addresses, with this error")
def _refuse(actor: Actor, host: str, words: list[str]) -> None:
    actor.lan.refuse(host, " ".join(words))


@_command(HAPPENING, "slow ROUTER DURATION", "its kernel takes so long to add addresses")
def _slow(actor: Actor, host: str, delay: float) -> None:
    actor.lan.slow(host, delay)


@_command(HAPPENING, "accept ROUTER", "its kernel adds addresses again")
def _accept(actor: Actor, host: str) -> None:
    actor.lan.refuse(host, "")


@_command(HAPPENING, "check CHECK fails on ROUTERS", "the check has failed as often as it takes")
def _fails(actor: Actor, check: str, hosts: list[str]) -> None:
    for host in hosts:
        actor.failing.add((host, check))
        actor.judge(host, check)


@_command(HAPPENING, "check CHECK passes on ROUTERS", "the check has succeeded as often as it takes")
def _passes(actor: Actor, check: str, hosts: list[str]) -> None:
    for host in hosts:
        actor.failing.discard((host, check))
        actor.judge(host, check)


@_command(HAPPENING, "handover ROUTER", "as `hafw handover`: stays MASTER if nobody takes over")
def _handover(actor: Actor, host: str) -> None:
    for name in actor.instances(host):
        actor.lan.inject(host, ReleaseAsked(name))


@_command(HAPPENING, "handover ROUTER force", "as `hafw handover --force`: releases in any case")
def _handover_force(actor: Actor, host: str) -> None:
    for name in actor.instances(host):
        actor.lan.inject(host, ReleaseAsked(name, force=True))


@_command(HAPPENING, "maintenance ROUTER SWITCH", "`on`: stays BACKUP whatever happens; `off`")
def _maintenance(actor: Actor, host: str, on: bool) -> None:  # noqa: FBT001 - a place of the form
    for name in actor.instances(host):
        actor.lan.inject(host, MaintenanceChanged(name, on))


# -- time, and looking ------------------------------------------------------------------------------------------


@_command(TIMING, "run DURATION", "let time pass")
def _run(actor: Actor, length: float) -> None:
    actor.lan.run_until(actor.lan.now + length)


@_command(TIMING, "at TIME", "let time pass until so long after the beginning")
def _at(actor: Actor, time: float) -> None:
    if time < actor.lan.now:
        raise Mistake(f"at {time:g}s: is past: it is {actor.lan.now:.3f}s already")
    actor.lan.run_until(time)


@_command(TIMING, "until CONDITION...", "let time pass until it holds: within 60s, or a last `within DURATION`")
def _until(actor: Actor, words: list[str]) -> None:
    limit = PATIENCE
    if len(words) > 2 and words[-2] == "within":
        words, limit = words[:-2], duration(words[-1])
    asked = question(words, actor.stage, actor.story, limits=False)
    end = actor.lan.now + limit
    try:
        actor.lan.drive_bounded(lambda: not asked(), limit)
    except Runaway:
        actor.lan.run_until(end)  # one that stands still says so again
        raise Unmet(f"not within {limit:g}s: {asked()}") from None


@_command(TIMING, "expect CONDITION...", "fail unless it holds now; of limits, a last `since TIME` says from when on")
def _expect(actor: Actor, words: list[str]) -> None:
    if instead := question(words, actor.stage, actor.story, limits=True)():
        raise Unmet(instead)


@_command(TIMING, "status", "show what every router is, and who has which address")
def _status(actor: Actor) -> list[str]:
    return actor.story.status()


@_command(TIMING, "traffic", "show how many adverts each router has sent since this was last asked")
def _traffic(actor: Actor) -> list[str]:
    return actor.story.traffic()


@_command(TIMING, "verbose SWITCH", "`on`: show every advert and announcement")
def _verbose(actor: Actor, on: bool) -> None:  # noqa: FBT001 - a place of the form
    actor.story.verbose = on


COMMANDS = (*SETTING, *HAPPENING, *TIMING)
