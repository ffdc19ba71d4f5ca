"""One machine of a small world: a real Node, its kernel, and what it has promised; and a table of all that it can be.

Times are whole ticks of 2**-10 s, which a float holds exactly, as it does every interval and skew of these worlds. So
two states are the same or are not, and nothing has to be rounded.
"""

from __future__ import annotations

from ipaddress import ip_address
from math import inf
from typing import TYPE_CHECKING, Any, Final

from hafw.node import CheckSettings, InstanceSettings, Node
from hafw.sim.image import copy, image
from hafw.vrrp.actions import Action, Announce, SendAdvertisement, SetAddresses, Transition
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AdvertReceived,
    Event,
    LinkChanged,
    MaintenanceChanged,
    PlanReported,
    ReleaseAsked,
    Shutdown,
    Startup,
    Tick,
    VerdictReported,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from hafw.node import Instance
    from hafw.vrrp.settings import IPAddress, RouterSettings

TICK: Final = 2.0**-10
"""Seconds."""
ROUTER: Final = "VI_1"
CHECK: Final = "nginx"
INTERFACE: Final = "eth0"
VIPS: Final = (ip_address("192.0.2.100"), ip_address("192.0.2.101"))
ADVERT, CLAIM = "advert", "claim"
ADVERTS_MAX: Final = 6
"""Of one machine within one moment: one that is due, one answer, one goodbye, and what checks and operators cause."""

Message = tuple[str, int, Any]
"""``ADVERT``, whose, its priority; or ``CLAIM``, whose, the addresses."""
Deed = tuple[str, Message | None]
"""What happens to one machine: a word, and with ``hears`` the message."""


class Broken(Exception):  # noqa: N818 - it names what happened
    """A promise that was not kept."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


def host(number: int) -> str:
    """Its name."""
    return f"lb{number + 1}"


def primary(number: int) -> IPAddress:
    """Its own address."""
    return ip_address(f"192.0.2.{number + 1}")


class Machine:
    """One machine at one moment; whoever changes it has copied it before."""

    __slots__ = (
        *("goodbye", "heard", "installing", "kernel", "maker", "node", "now", "number", "sent", "settings", "spoke"),
    )

    def __init__(self, number: int, settings: RouterSettings, maker: Callable[..., Node] = Node) -> None:
        self.number, self.settings, self.maker = number, settings, maker
        self.now = 0.0
        self.node: Node | None = None
        """``None``: it is off."""
        self.kernel: frozenset[IPAddress] = frozenset()
        self._forget()

    def _forget(self) -> None:
        self.installing: int | None = None
        """Ticks since its kernel was asked to add the addresses."""
        self.goodbye = False
        """Whether a goodbye was the last that it said; what a degraded one offers is none, it may leave after all."""
        self.heard: int | None = None
        """Ticks since a MASTER was heard that may live; known of those only that are not to preempt one."""
        self.spoke: int | None = None
        """Ticks since it advertised as MASTER; ``None``: it has no word to keep."""
        self.sent = 0
        """Adverts within this moment."""

    def copied(self) -> Machine:
        """One that may change."""
        other = Machine.__new__(Machine)
        for name in Machine.__slots__:
            setattr(other, name, getattr(self, name))
        if self.node is not None:
            other.node = copy(self.node)
        return other

    def image(self) -> Hashable:
        """What it is; the same for two that will behave alike."""
        inside = None if self.node is None else image(self.node, self.now)
        promised = (self.goodbye, self.heard, self.spoke, self.sent)
        return self.number, inside, self.kernel, self.installing, promised

    @property
    def instance(self) -> Instance | None:
        """The one that it has; ``None``: it is off."""
        return None if self.node is None else self.node.instances[ROUTER]

    @property
    def interval(self) -> int:
        """Ticks."""
        return int(self.settings.advertisement_interval / TICK)

    @property
    def deadline(self) -> float:
        """Ticks until its Node wants to be called."""
        return inf if self.node is None else (self.node.deadline - self.now) / TICK

    # -- what happens to it -------------------------------------------------------------------------------------

    def wait(self, ticks: int) -> None:
        """Nothing happens for so long."""
        self.now += ticks * TICK
        self.sent = 0
        self.installing = None if self.installing is None else self.installing + ticks
        self.spoke = None if self.spoke is None else self.spoke + ticks
        if self.spoke is not None and self.spoke > self.interval:
            raise Broken("silence", f"{host(self.number)} is MASTER without an advert for {self.spoke * TICK:.3f}s")
        if self.heard is not None:
            self.heard = self.heard + ticks if self.heard + ticks < 3 * self.interval else None

    def live(self, deed: Deed) -> list[Message]:
        """Let this happen to it; return what it says to all others. Raises ``Broken``."""
        word, message = deed
        if word == "starts":
            return self._start()
        if word == "loses power":
            self._end()
            return []
        if word == "has installed":
            self.installing, self.kernel = None, frozenset(self.settings.all_addresses)
        said = self._feed(_EVENTS[word]) if message is None else self._hear(message)
        if self.node is not None and self.node.done:
            self._end()
        return said

    def _end(self) -> None:
        """Its process is gone, and what it left in the kernel too."""
        self.node, self.kernel = None, frozenset()
        self._forget()

    def _start(self) -> list[Message]:
        settings = (InstanceSettings(router=self.settings, checks=(CheckSettings(name=CHECK, critical=True),)),)
        self.node, self.kernel = self.maker(settings, self.now), frozenset()
        self._forget()
        events: list[Event] = [
            LinkChanged(INTERFACE, up=True, primary={4: primary(self.number)}),
            PlanReported(ROUTER),
            VerdictReported(ROUTER, CHECK, healthy=True),
            Startup(ROUTER),
        ]
        return [message for event in events for message in self._feed(event)]

    def _hear(self, message: Message) -> list[Message]:
        kind, sender, value = message
        if kind == CLAIM:
            claimed = tuple(each for each in self.settings.all_addresses if each in value & self.kernel)
            mac = f"02:00:00:00:00:{sender + 1:02x}"
            return self._feed(AddressesClaimed(ROUTER, claimed, mac)) if claimed else []
        settings = self.settings
        if not (settings.preempt or settings.owner):
            self.heard = 0 if value else None
        advert = Advertisement(
            version=settings.version,
            vrid=settings.vrid,
            priority=value,
            interval=settings.advertisement_interval,
            addresses=settings.virtual_addresses,
        )
        return self._feed(AdvertReceived(ROUTER, advert, primary(sender)))

    def _feed(self, event: Event) -> list[Message]:
        node, instance = self.node, self.instance
        if node is None or instance is None:
            raise Broken("exception", f"{event} for a machine that is off")
        before = instance.router.state
        try:
            actions = node.handle(event, self.now)
        except Exception as error:
            raise Broken("exception", f"{host(self.number)}: {type(error).__name__}: {error}") from error
        said = [message for action in actions for message in self._perform(action, before)]
        self._judge(instance, event, before, actions)
        return said

    def _perform(self, action: Action, before: State) -> list[Message]:
        match action:
            case SendAdvertisement(priority=priority):
                self._promise(priority, before)
                return [(ADVERT, self.number, priority)]
            case SetAddresses(bound=bound, held=held):  # removal is at once; a newer set makes an older one void
                self.kernel &= {*bound, *held}
                self.installing = 0 if bound else None
            case Announce():
                return [(CLAIM, self.number, self.kernel)]
            case Transition(old=State.BACKUP, new=State.MASTER, reason=reason):
                self._displaces(reason)
            case _:
                pass
        return []

    # -- what it has promised -----------------------------------------------------------------------------------

    def _promise(self, priority: int, before: State) -> None:
        name = host(self.number)
        if priority == 0 and before is not State.MASTER:
            raise Broken("goodbye", f"{name} says goodbye as {before}")
        if priority == 0 and self.goodbye:
            raise Broken("goodbye", f"{name} says goodbye twice")
        instance = self.instance
        self.goodbye = priority == 0 and not (instance is not None and instance.router.degraded)
        self.sent += 1
        if self.sent > ADVERTS_MAX:
            raise Broken("traffic", f"{name} sends {self.sent} adverts within one moment")

    def _displaces(self, reason: str) -> None:
        if self.settings.preempt or self.settings.owner:
            return
        if reason == "preempted" or self.heard is not None:
            ago = "" if self.heard is None else f", {self.heard * TICK:.3f}s after an advert"
            raise Broken("nopreempt", f"{host(self.number)} takes over ({reason}){ago}, though it is not to preempt")

    def _judge(self, instance: Instance, event: Event, before: State, actions: list[Action]) -> None:
        """What one event made of it; all of it is of one moment."""
        router, name = instance.router, host(self.number)
        adverts = [each.priority for each in actions if isinstance(each, SendAdvertisement)]
        if State.MASTER not in {before, router.state} and set(adverts) - {1}:
            raise Broken("voice", f"{name} advertises as {router.state}")
        if router.state is not State.MASTER or 0 in adverts:
            self.spoke = None  # silent until somebody takes over, or a degraded one's offer
        elif adverts:
            self.spoke = 0
        allowed = frozenset(router.settings.all_addresses if router.tenure.bound else router.tenure.held)
        if not self.kernel <= allowed:
            raise Broken("addresses", f"{name} keeps addresses as {router.state} that it is not to have")
        if router.state is State.MASTER and router.tenure.installed and self.kernel != allowed:
            raise Broken("addresses", f"{name} is MASTER and has not what it takes for bound")
        if router.state is State.MASTER and router.listener.maintenance and not router.handing_over:
            raise Broken("maintenance", f"{name} is MASTER in maintenance")
        if self.node is not None and self.node.deadline != instance.deadline:
            raise Broken("deadline", f"{name} is not called when its router wants to be")
        if self.deadline < 0 or (isinstance(event, Tick) and self.deadline == 0):
            raise Broken("deadline", f"{name} wants to be called {-self.deadline * TICK:.3f}s ago")


_EVENTS: dict[str, Event] = {
    "looks at its timers": Tick(),
    "has installed": AddressesInstalled(ROUTER),
    "fails its check": VerdictReported(ROUTER, CHECK, healthy=False, detail="it fails", immediate=True),
    "passes its check": VerdictReported(ROUTER, CHECK, healthy=True, immediate=True),
    "is asked to hand over": ReleaseAsked(ROUTER),
    "is asked to stop": Shutdown(ROUTER),
    "begins maintenance": MaintenanceChanged(ROUTER, on=True),
    "ends maintenance": MaintenanceChanged(ROUTER, on=False),
}
