"""What the daemon answers when it is asked how it is: status, history, plugins."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import trio

import hafw
from hafw.daemon.control import CommandError
from hafw.daemon.lately import lately
from hafw.records import group_record, instance_record, restart_record
from hafw.vrrp.device import device_mac, device_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.daemon.control import Command
    from hafw.daemon.run import Daemon
    from hafw.records import Record


class Answers:
    """Commands of the control socket that change nothing."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    @property
    def for_plugins(self) -> dict[str, Command]:
        """What a plugin may ask: it hears of events by being called, so it asks only for those that it has missed."""
        return {"status": self.status, "history": self.history, "plugins": self.plugins, "events": self.events}

    async def status(self, _request: Mapping[str, Any]) -> Record:
        """Everything of this moment."""
        daemon = self._daemon
        daemon.election.hear()
        instances = await self._instances()
        now = trio.current_time()
        return {
            "node": daemon.config.node_name,
            "version": hafw.__version__,
            "pid": os.getpid(),
            "dry_run": daemon.dry_run,
            "config": daemon.config.path,
            "uptime_seconds": round(now - daemon.started_at, 3),
            "restart": restart_record(daemon.observer.events),
            "maintenance": daemon.maintenance.record(),
            "instances": instances,
            "groups": [group_record(group, now) for group in daemon.node.groups.values()],
            "plugins": self._plugins(),
            "lately": lately(daemon.observer.events, datetime.now(UTC)),
            "kernel_error": daemon.keeper.check_error,
            "counters": self._counters()[""],
            "log_lines_dropped": daemon.observer.log_lines_dropped,
            "events": dict(daemon.figures.events),
            "timer_lateness_max": round(daemon.election.lateness_max, 6),
            "timer_lateness": daemon.election.lateness.record(),
        }

    async def _instances(self) -> list[Record]:
        """One after another: all of 255 at once would hold up an advert."""
        found, counters = [], self._counters()
        for name in tuple(self._daemon.node.instances):
            if name in self._daemon.node.instances:  # a reload may have removed it meanwhile
                found.append(self._instance(name, trio.current_time(), counters[name]))
            await trio.lowlevel.checkpoint()
        return found

    def _instance(self, name: str, now: float, counters: Mapping[str, int]) -> Record:
        wire, segment = self._daemon.wire, self._daemon.segment
        refused = wire.refused.get(name)
        record = instance_record(self._daemon.node.instances[name], now, self._daemon.keeper.seen(name))
        for address in record["addresses"]:
            address.update(segment.said_of(name, ip_address(address["address"]), address["kernel"], now))
        return {
            **record,
            "announced": segment.announced(name, now),
            "peer_alive": self._daemon.rivals.is_alive(name),
            "device": self._device(name),
            "counters": counters,
            "takeover_seconds": self._daemon.figures.takeovers(name),
            "peers_differ": wire.mismatches.words(name, now),
            "differences": wire.mismatches.records(name, now),
            "last_refused": {**refused, "at": round(now - float(refused["at"]), 3)} if refused else None,
        }

    def _device(self, name: str) -> Record | None:
        """Where its addresses are, with which MAC; ``None``: on its interface, with that one's."""
        settings = self._daemon.config.instances[name].router
        device = device_of(settings)
        link = self._daemon.keeper.links().get(device)
        up = link is not None and not link.problem
        return {"name": device, "mac": device_mac(settings).hex(":"), "up": up} if device else None

    def _counters(self) -> defaultdict[str, dict[str, int]]:
        """By instance, and then by name."""
        found = defaultdict[str, dict[str, int]](dict)
        for (owner, name), value in self._daemon.observer.counters.items():
            found[owner][name] = value
        return found

    async def history(self, _request: Mapping[str, Any]) -> Record:
        """Transitions of instances and groups, the oldest first; those of earlier daemons too."""
        return {"transitions": self._daemon.chronicle.transitions()}

    async def events(self, request: Mapping[str, Any]) -> Record:
        """Kept events after ``since``, oldest first, and the ``seq`` of the newest one."""
        since = request.get("since", 0)
        if not isinstance(since, int):
            raise CommandError("bad-request", "since must be a whole number", "since")
        return {"seq": self._daemon.observer.seq, "events": self._daemon.observer.since(since)}

    async def plugins(self, _request: Mapping[str, Any]) -> Record:
        """Each with its failures."""
        return {"dry_run": self._daemon.dry_run, "plugins": self._plugins(closely=True)}

    def _plugins(self, *, closely: bool = False) -> list[Record]:
        """A dry run starts none of them, so that they would be ``starting`` for ever."""
        state = {"state": "not-run"} if self._daemon.dry_run else {}
        return [asdict(plugin) | state for plugin in self._daemon.plugins.snapshot(closely=closely)]
