"""``hafw run --dry-run``: what it has in place of the plugins, of which it starts none."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from hafw.daemon.plugins.takeover import Plan
from hafw.vrrp.events import VerdictReported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.daemon.run import Daemon
    from hafw.pipe import Address

NOT_RUN: Final = "dry run: not run, and taken for well"


def take_checks_for_well(daemon: Daemon, name: str) -> None:
    """Those of an instance, in a dry run only: without their verdicts it would never take part."""
    for check in daemon.config.instances[name].checks if daemon.dry_run else ():
        daemon.dispatch(VerdictReported(name, check.settings.name, healthy=True, detail=NOT_RUN))


def plan_of(addresses: Iterable[Address]) -> Plan:
    """A takeover of which no plugin was asked: all addresses, and no frame."""
    return Plan(addresses={ip_address(each.address): each for each in addresses})
