"""One machine of a simulated LAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, nextafter
from typing import TYPE_CHECKING

from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.node import InstanceSettings, Node
    from hafw.vrrp.actions import SetAddresses
    from hafw.vrrp.packet import Advertisement
    from hafw.vrrp.settings import IPAddress, RouterSettings


@dataclass(slots=True)
class Host:
    """One machine: its Node while the daemon runs, and what its kernel holds whether it runs or not."""

    name: str
    mac: str
    instances: Sequence[InstanceSettings]
    primary: dict[int, IPAddress]
    node: Node | None = None
    life: int = 0
    """Grows with every start and death; what was under way for an earlier life is lost."""
    refusal: str = ""
    """What its kernel says instead of adding an address; empty: it adds them."""
    install_delay: float | None = None
    """Seconds that its kernel takes to add addresses; ``None``: as long as everybody's."""
    kernel: dict[str, set[IPAddress]] = field(default_factory=dict)
    wanted: dict[str, SetAddresses] = field(default_factory=dict)
    rate: float = 1.0
    """Seconds that its clock counts while one second passes."""
    slept: float = 0.0
    """Seconds by which its clock is behind, since it stood still."""
    deadline: float = inf
    """When its Node wants to be called next, by the clock of the LAN: looked at after each call, for many ask."""

    def run(self, node: Node | None) -> None:
        """Go on with this daemon; ``None``: with none."""
        self.node = node
        self.look()

    def look(self) -> None:
        """See when its Node wants to be called next."""
        reading = inf if self.node is None else self.node.deadline
        self.deadline = reading if self.rate == 1.0 and not self.slept else self.moment(reading)

    def clock(self, now: float) -> float:
        """What its own clock shows at this moment: the only time that its Node knows."""
        return now * self.rate - self.slept

    def moment(self, reading: float) -> float:
        """The first moment at which its own clock shows this; not one rounding error earlier."""
        moment = (reading + self.slept) / self.rate
        while self.clock(moment) < reading:
            moment = nextafter(moment, inf)
        return moment

    def settings(self, router: str) -> RouterSettings:
        """The settings of one of its routers."""
        for each in self.instances:
            if each.router.name == router:
                return each.router
        raise KeyError(router)

    def source(self, settings: RouterSettings) -> IPAddress:
        """Where the adverts of one of its routers come from."""
        return settings.source_address or self.primary[settings.family]

    def masters(self) -> set[str]:
        """The routers of which it is MASTER."""
        if self.node is None:
            return set()
        return {name for name, each in self.node.instances.items() if each.router.state is State.MASTER}

    def addresses(self) -> set[IPAddress]:
        """Every virtual address in its kernel."""
        return set().union(*self.kernel.values())


def concerns(settings: RouterSettings, advert: Advertisement) -> bool:
    """What the receive checks leave over: C-RX-03, C-RX-08, C-RX-21, and in version 2 C-RX-14."""
    if (settings.version, settings.vrid) != (advert.version, advert.vrid):
        return False
    if settings.family != advert.addresses[0].version:
        return False
    return settings.version == 3 or settings.advertisement_interval == advert.interval
