"""Writes the last will: after every change of what this host holds, in a thread, the newest state only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from hafw import will as last_will
from hafw.vrrp.packet import MULTICAST_GROUP, encode
from hafw.vrrp.settings import Checksum, State
from hafw.will import Bequest, BoundAddress, Will

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.node import Instance
    from hafw.pipe import Address


def bequest(instance: Instance, addresses: tuple[Address, ...]) -> Bequest | None:
    """What this router leaves behind now; ``None``: nothing."""
    router = instance.router
    settings = router.settings
    if not (router.tenure.bound or router.tenure.held):
        return None
    goodbyes = {}
    if router.state is State.MASTER and router.primary is not None:
        form = Checksum.PSEUDO_HEADER if settings.checksum is Checksum.AUTO else settings.checksum
        targets = settings.unicast_peers or (settings.multicast_group or MULTICAST_GROUP[settings.family],)
        goodbyes = {str(to): encode(settings, 0, router.primary, to, form).hex() for to in targets}
    return Bequest(
        name=settings.name,
        interface=settings.interface,
        family=settings.family,
        source=str(router.primary or ""),
        goodbyes=goodbyes,
        hold=settings.down_timer_adverts * settings.advertisement_interval,
        addresses=tuple(BoundAddress(each.address, each.prefixlen, each.interface) for each in addresses),
    )


class Testament:
    """Keeps the record in the run directory true."""

    def __init__(self, compose: Callable[[], Will]) -> None:
        self._compose = compose
        self._stale = trio.Event()

    def changed(self) -> None:
        """What we hold has changed; plain and quick, called from the election."""
        self._stale.set()

    async def run(self) -> None:
        """Write the newest will whenever it changed; never in the way of an advert."""
        while True:
            with trio.move_on_after(last_will.BEAT) as beat:
                await self._stale.wait()
            if beat.cancelled_caught:
                last_will.touch()
                continue
            self._stale = trio.Event()
            await trio.to_thread.run_sync(last_will.write, self._compose())
