"""The effective configuration of one node, for ``hafw check --print``: TOML, defaults filled in, secrets hidden."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hafw.config.hiding import HIDDEN, untyped
from hafw.config.toml import key as _key
from hafw.config.toml import value as _value
from hafw.config.values import format_duration, format_size
from hafw.config.weights import OWNER_PRIORITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafw.config.model import Config, InstanceConfig, PluginConfig
    from hafw.pipe import Address
    from hafw.vrrp.settings import RouterSettings


def effective(config: Config, options: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> str:
    """The whole of it. It reads back as TOML.

    ``options``: what each plugin says of its own, with defaults; of one that says nothing no value is shown.
    """
    return "\n".join(_lines(config, options))


def _lines(config: Config, options: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    delays = {"startup_delay": config.startup_delay, "delay_after_boot": config.delay_after_boot}
    shown = {key: format_duration(value) for key, value in delays.items() if value}
    yield from _table("node", {"name": config.node_name, **shown})
    yield from _table("control", {"socket": config.control_socket, "group": config.control_group})
    process = config.process
    values = {"realtime": process.realtime or False, "cpus": process.cpus or None, "lock_memory": process.lock_memory}
    yield from _table("process", values)
    if config.journal.path:
        yield from _table("journal", {"path": config.journal.path, "max_size": config.journal.max_size})
    for instance in config.instances.values():
        yield from _instance(instance)
    for group, members in config.groups.items():
        yield from _group(group, config.instances[members[0]])
    for plugin in config.plugins.values():
        yield from _plugin(plugin, options.get(plugin.name))


def _table(path: str, values: Mapping[str, Any], options: Mapping[str, Any] = MappingProxyType({})) -> Iterator[str]:
    """Of ``values`` what is empty is not set; among a plugin's ``options`` it may be the value that counts."""
    yield f"[{path}]"
    for key, value in values.items():
        if value is not None and value != "":
            yield f"{_key(key)} = {_value(value)}"
    for key, value in options.items():
        if value is not None:
            yield f"{_key(key)} = {_value(value)}"
    yield ""


def _instance(instance: InstanceConfig) -> Iterator[str]:
    router = instance.router
    path = f"instance.{_key(router.name)}"
    values: dict[str, Any] = {
        "interface": router.interface,
        "version": router.version,
        "vrid": router.vrid,
        **_priority(instance),
        "advertisement_interval": format_duration(router.advertisement_interval),
        "virtual_addresses": [_address(each, router) for each in instance.addresses if each.advertised],
        "excluded_addresses": [_address(each, router) for each in instance.addresses if not each.advertised],
        "preempt": router.preempt,
        "preempt_delay": format_duration(router.preempt_delay),
        "flap_hold": format_duration(router.flap_hold),
        "flap_hold_max": format_duration(router.flap_hold_max),
        "down_timer_adverts": router.down_timer_adverts,
        "auth": _auth(router),
        "track_primary": None if router.track_primary else False,
        "min_ttl": router.min_ttl if router.unicast_peers else None,
        "unicast_peers": [str(each) for each in router.unicast_peers] or None,
        "goodbye": [str(each) for each in router.goodbye] or None,
        "source_address": _text(router.source_address),
        "multicast_group": _text(router.multicast_group),
        "checksum": str(router.checksum),
        "virtual_mac": router.virtual_mac,
        "skew": "rfc" if router.rank is None else "ranked",
        "last_resort": router.last_resort,
        "group": router.group,
    }
    yield from _table(path, values)
    repeat = [format_duration(each) for each in router.announce_repeat]
    refresh = format_duration(router.announce_refresh)
    announce = {"repeat": repeat, "refresh": refresh, "rate": instance.announce_rate, "verify": str(instance.verify)}
    yield from _table(f"{path}.announce", announce)
    yield from _checks(path, instance, "")


def _group(name: str, member: InstanceConfig) -> Iterator[str]:
    path = f"group.{_key(name)}"
    yield from _table(path, {})
    yield from _checks(path, member, name)


def _checks(path: str, instance: InstanceConfig, group: str) -> Iterator[str]:
    for check in instance.checks:
        if check.group != group:
            continue
        settings = check.settings
        consequence = {"critical": True} if settings.critical else {"weight": settings.weight}
        timing = {"interval": format_duration(check.interval), "timeout": format_duration(check.timeout)}
        counts = {"rise": settings.rise, "fall": settings.fall, **({"reverse": True} if check.reverse else {})}
        table = f"{path}.check.{_key(settings.name)}"
        yield from _table(table, {"plugin": check.plugin, **consequence, **timing, **counts})


def _priority(instance: InstanceConfig) -> dict[str, Any]:
    """With ranked skew those of all routers: the place among them counts."""
    router = instance.router
    if router.rank is None:
        return {"priority": router.priority, "owner": router.owner}
    owners = {node: priority == OWNER_PRIORITY for node, priority in instance.priorities.items()}
    return {"priority": dict(instance.priorities), "owner": owners if any(owners.values()) else False}


def _auth(router: RouterSettings) -> dict[str, Any] | None:
    hmac = router.hmac
    if hmac is None:
        return None if router.password is None else {"type": "pass", "password": HIDDEN}
    return {
        "type": "hmac",
        "keys": {str(each): HIDDEN for each in hmac.keys},
        "active": hmac.active,
        "mode": str(hmac.mode),
        "anti_replay": str(hmac.anti_replay),
        "window": format_duration(hmac.window),
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _address(address: Address, router: RouterSettings) -> dict[str, str]:
    found = {"address": f"{address.address}/{address.prefixlen}"}
    if not router.virtual_mac:
        found["interface"] = address.interface
    label = {"label": address.label} if address.label else {}
    return {**found, **label, "scope": address.scope}


def _plugin(plugin: PluginConfig, options: Mapping[str, Any] | None) -> Iterator[str]:
    own = untyped("", plugin.options) if options is None else options
    common = {"plugin": plugin.plugin, "file": plugin.file, "user": plugin.user, "delivery": plugin.delivery}
    replay = {} if plugin.replay is None else {"replay": plugin.replay}
    path = f"plugin.{_key(plugin.name)}"
    yield from _table(path, {**common, **replay}, own)
    yield from _table(f"{path}.limits", {**asdict(plugin.limits), "memory": format_size(plugin.limits.memory)})
