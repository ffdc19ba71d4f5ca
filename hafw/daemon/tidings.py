"""What the event hooks are told beside the transitions: what became of addresses, and that the daemon ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.daemon.observe import timestamp
from hafw.pipe import GroupChange, StateChange, VipChange
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hafw.daemon.run import Daemon
    from hafw.node import Group
    from hafw.pipe import Router
    from hafw.records import Record
    from hafw.vrrp.events import AddressesLost

VIP_CHANGES = {
    "takeover_complete": "vip_bound",
    "vip_lost": "vip_lost",
    "vip_restored": "vip_restored",
    "vip_released": "vip_released",
}
"""What an event of the stream is to the ``vip_changed`` hook."""


class Tidings:
    """From the event stream, and from the end of a daemon, to its plugins."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._lost: dict[str, list[str]] = {}

    def lost(self, event: AddressesLost) -> None:
        """Remember which addresses the next ``vip_lost`` is about."""
        self._lost[event.router] = [str(address) for address in event.addresses]

    def vip_changed(self, event: Record) -> None:
        """Tell the ``vip_changed`` hooks of every address that an event is about."""
        change = VIP_CHANGES.get(event["type"])
        name = event.get("instance", "")
        if change is None or name not in self._daemon.plans:
            return
        if event["type"] == "vip_restored":
            addresses = self._lost.pop(name, [])
        elif event["type"] == "vip_lost":
            addresses = self._lost.get(name, [])
        else:
            addresses = [str(address) for address in self._daemon.plans[name].addresses]
        router = self._describe(name)
        for address in addresses:
            told = VipChange(
                time=event["time"],
                instance=name,
                address=address,
                change=change,
                culprit=event.get("culprit", ""),
            )
            self._daemon.plugins.deliver(router, told)

    def stopped(self, masters: Collection[str]) -> None:
        """The daemon ends; ``masters`` were MASTER until then. Groups hear of it after their members."""
        daemon = self._daemon
        for name, instance in daemon.node.instances.items():
            old = "MASTER" if name in masters else str(instance.router.state)
            self._ended(name, old, "STOP", "shutdown")
        for group in daemon.node.groups.values():
            everybody = all(each.name in masters for each in group.members)
            old = str(State.MASTER if everybody else group.state)
            daemon.plugins.deliver_group(self.of_group(group, old, "STOP", "shutdown"))

    def deleted(self, states: Mapping[str, str]) -> None:
        """A reload has removed these instances; ``states``: what each was until then."""
        for name, old in states.items():
            self._ended(name, old, "DELETED", "removed")

    def _ended(self, name: str, old: str, new: str, reason: str) -> None:
        daemon = self._daemon
        change = StateChange(
            time=timestamp(),
            instance=name,
            old=old,
            new=new,
            reason=reason,
            priority=daemon.node.instances[name].router.priority,
        )
        daemon.plugins.deliver(self._describe(name), change)

    def of_group(self, group: Group, old: str, new: str, reason: str) -> GroupChange:
        """What a hook is told of a group that did not change by an election."""
        return GroupChange(
            time=timestamp(),
            group=group.name,
            members=tuple(each.name for each in group.members),
            old=old,
            new=new,
            reason=reason,
        )

    def _describe(self, name: str) -> Router:
        return self._daemon.describe(self._daemon.config.instances[name])
