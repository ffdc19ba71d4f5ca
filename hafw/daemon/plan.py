"""What a takeover and a release would do, in words: ``hafw plan``.

The plugins are asked exactly as the daemon asks them; nothing is bound or sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from hafw.config.values import format_duration
from hafw.daemon.addresses import AddressKeeper
from hafw.daemon.plugins import PlanRefused, Plugins, with_link
from hafw.daemon.sockets import socket_key
from hafw.vrrp.device import device_mac, device_of
from hafw.vrrp.listener import Listener
from hafw.vrrp.tenure import HOLD_AFTER_SUCCESSOR
from hafw.wire.macvlan import NAMES, ON_PARENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config import Config, InstanceConfig
    from hafw.daemon.plugins import Plan, PluginStatus

SHOWN = 8
"""Addresses listed by name; of more, the number is told."""
HOOKS_AFTER = ("became_master", "became_backup", "faulted", "stopped")


async def describe_takeovers(config: Config) -> str:
    """One paragraph per instance; a plan that a plugin refuses says why."""
    keeper = AddressKeeper(lambda _event: None)
    plugins = Plugins(config, verdict=lambda _verdict: None, notice=lambda _kind, _fields: None)
    paragraphs = []
    async with trio.open_nursery() as nursery:
        keeper.watch({each.router.interface for each in config.instances.values()}, config.instances.values())
        await nursery.start(keeper.run)
        await nursery.start(plugins.run)
        for name, instance in config.instances.items():
            link = keeper.links().get(instance.router.interface)
            router = with_link(instance, link)
            try:
                plan = await plugins.takeover(router)
            except PlanRefused as error:
                paragraphs.append(f"{name}: cannot take over: {error}")
                continue
            group = instance.router.group
            with_others = f"; group {group}, together with {_others(config, name)}" if group else ""
            missing = "" if link else f"; {router.interface} does not exist here: frames are made when it appears"
            paragraphs.append(
                f"{name} (VRID {router.vrid} on {router.interface}{with_others}{missing})\n"
                + "\n".join(
                    [
                        *_beforehand(instance),
                        *_on_master(instance, plan, plugins.snapshot()),
                        *_on_leaving(instance, plugins.snapshot()),
                    ]
                )
            )
        nursery.cancel_scope.cancel()
    return "\n\n".join(paragraphs)


def _others(config: Config, name: str) -> str:
    group = config.instances[name].router.group
    return ", ".join(each for each in config.groups[group] if each != name) or "nobody"


def _beforehand(instance: InstanceConfig) -> Iterator[str]:
    """What a device with a virtual MAC needs; all of it is undone when nobody needs it any more."""
    settings = instance.router
    if not settings.virtual_mac:
        return
    yield "  beforehand, until hafw ends"
    yield f"    device    {device_of(settings)} on {settings.interface}: made, down"
    if any(address.version == 4 for address in settings.all_addresses):
        for number, least in ON_PARENT.items():
            yield f"    sysctl    net.ipv4.conf.{settings.interface}.{NAMES[number]} = {least}, if it is less"


def _on_master(instance: InstanceConfig, plan: Plan, plugins: list[PluginStatus]) -> Iterator[str]:
    settings = instance.router
    target = socket_key(settings)[2] or ", ".join(map(str, settings.unicast_peers))
    interval = _shown(settings.advertisement_interval)
    yield "  on becoming MASTER (a live MASTER is preempted with bind first, then advert)"
    advert = f"    advert    VRRPv{settings.version} priority {settings.priority} to {target}, then every {interval}"
    if not settings.virtual_mac:
        yield advert
    if device := device_of(settings):
        yield f"    device    {device} on {settings.interface} with {device_mac(settings).hex(':')}: up"
    bound = list(plan.addresses.values())
    for address in bound[:SHOWN]:
        label = f" label {address.label}" if address.label else ""
        yield f"    bind      {address.address}/{address.prefixlen} on {address.interface}{label}"
    if len(bound) > SHOWN:
        yield f"    bind      and {len(bound) - SHOWN} more"
    if settings.virtual_mac:  # it moves the traffic
        yield advert
    times = ", ".join(map(_shown, settings.announce_repeat))
    refresh = f", then every {_shown(settings.announce_refresh)}" if settings.announce_refresh else ""
    yield f"    announce  {len(plan.frames)} frames at {times}{refresh}"
    yield from _hooks("became_master", plugins)


def _on_leaving(instance: InstanceConfig, plugins: list[PluginStatus]) -> Iterator[str]:
    settings = instance.router
    down = _shown(Listener(settings).master_down_interval)
    claim = _shown(min(settings.advertisement_interval, HOLD_AFTER_SUCCESSOR))
    yield "  on leaving (stop, failed critical check)"
    yield from _hooks("before_release", plugins)
    yield "    advert    priority 0, once"
    yield f"    hold      until claimed by another router: {claim} after its first advert, {down} at most"
    yield "    release   every address"
    if device := device_of(settings):
        yield f"    device    {device}: down"
    for hook in HOOKS_AFTER[1:]:
        yield from _hooks(hook, plugins)


def _shown(seconds: float) -> str:
    """As exact as a reader wants it."""
    return format_duration(round(seconds, 2 if seconds >= 1 else 3))


def _hooks(hook: str, plugins: list[PluginStatus]) -> Iterator[str]:
    names = [plugin.name for plugin in plugins if hook in plugin.hooks]
    if names:
        yield f"    hook      {hook}: {', '.join(names)}"
