"""What a plugin is told of an instance, and which checks it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hafw.pipe import Router
from hafw.vrrp.device import device_mac

if TYPE_CHECKING:
    from hafw.config.model import CheckConfig, Config, InstanceConfig
    from hafw.daemon.addresses.kernelview import LinkInfo


def router_of(instance: InstanceConfig) -> Router:
    """What can be said of an instance before anybody has looked at its interface."""
    settings = instance.router
    return Router(
        name=settings.name,
        vrid=settings.vrid,
        version=settings.version,
        priority=settings.priority,
        interface=settings.interface,
        virtual_mac=device_mac(settings).hex(":"),
        addresses=instance.addresses,
        group=settings.group,
    )


def with_link(instance: InstanceConfig, link: LinkInfo | None) -> Router:
    """What a plugin is told of an instance whose interface is known."""
    router = router_of(instance)
    if link is None:
        return router
    primary = str(link.primary.get(instance.router.family, ""))
    return replace(router, ifindex=link.ifindex, mac=link.mac, primary_address=primary)


def checks_of(config: Config, plugin: str) -> list[tuple[str, CheckConfig]]:
    """The checks that this plugin runs, each with the name of its instance; of a group, with its first one."""
    leading = {group: members[0] for group, members in config.groups.items()}
    return [
        (name, check)
        for name, each in config.instances.items()
        for check in each.checks
        if check.plugin == plugin and leading.get(check.group, name) == name
    ]
