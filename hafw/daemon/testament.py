"""Writes the last will: after every change of what this host holds, in a thread, the newest state only.

Beside it lie the takeover plans, which the next daemon needs before its plugins are there, and the transitions, which
it can still tell of. The plans are written before the will that names them; so a will never trusts older ones.
"""

from __future__ import annotations

import os
import time
from ipaddress import ip_address
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from hafw import will as last_will
from hafw.daemon.plugins import Plan
from hafw.pipe import Address, Frame  # noqa: TC001 - read when a record is decoded
from hafw.seal import seal_of
from hafw.vrrp.device import advert_mac
from hafw.vrrp.packet import MULTICAST_GROUP, encode
from hafw.vrrp.settings import State
from hafw.will import Bequest, BoundAddress, Will

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafw.daemon.addresses.kernelview import Place
    from hafw.daemon.run import Daemon
    from hafw.node import Instance
    from hafw.records import Record
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import Checksum

TOLD = {"state_changed", "group_changed"}
"""The events that outlive a daemon."""
TRANSITIONS_KEPT = 100
"""Transitions that outlive a daemon."""


class KeptPlan(msgspec.Struct):
    """One takeover plan, as it lies in the run directory."""

    ifindex: int
    mac: str
    """The link that it was made for: its frames carry the MAC."""
    addresses: list[Address]
    frames: list[Frame]

    def plan(self, ifindex: int, mac: str) -> Plan:
        """For the link as it is now; without the frames when they are of another."""
        same = (self.ifindex, self.mac) == (ifindex, mac)
        addresses = {ip_address(each.address): each for each in self.addresses}
        return Plan(addresses=addresses, frames=self.frames if same else [])


class KeptHistory(msgspec.Struct):
    """What was told so far, as it lies in the run directory."""

    seq: int
    node_seq: int
    transitions: list[dict[str, Any]]
    deferring: list[str] = []
    """Routers that do not preempt the successor that they handed over to."""


def bequest(
    instance: Instance, addresses: tuple[BoundAddress, ...], links: dict[str, int], form: Checksum, slot: int
) -> Bequest:
    """What this router, which holds addresses, leaves behind now."""
    router = instance.router
    settings = router.settings
    prepares = router.tenure.bound and router.state is not State.MASTER
    group = settings.multicast_group or MULTICAST_GROUP[settings.family]
    speaks = router.state is State.MASTER and router.speaker.adver_at < inf
    healthy = {name: check.healthy for name, check in instance.checks.items() if check.healthy is not None}
    return Bequest(
        name=settings.name,
        interface=settings.interface,
        family=settings.family,
        source=str(router.primary or ""),
        goodbyes=_messages(router, 0, form) if speaks else {},
        # What is bound before a live MASTER is preempted, it still has: nobody will claim it.
        hold=0.0 if prepares else settings.down_timer_adverts * settings.advertisement_interval,
        addresses=addresses,
        group="" if settings.unicast_peers else str(group),
        slot=slot,
        interval=settings.advertisement_interval,
        # Degraded it serves because nobody else would: that is for the next daemon to find out again.
        adverts=_messages(router, router.priority, form) if speaks and not router.degraded else {},
        since=time.monotonic() - (trio.current_time() - router.since),
        verdicts=healthy,
        links=links,
        mac=advert_mac(settings).hex(),
        seal=seal_of(settings),
        sync_group=settings.group,
    )


def _messages(router: VirtualRouter, priority: int, form: Checksum) -> dict[str, str]:
    settings = router.settings
    if router.primary is None:
        return {}
    targets = settings.unicast_peers or (settings.multicast_group or MULTICAST_GROUP[settings.family],)
    return {str(to): encode(settings, priority, router.primary, to, form).hex() for to in targets}


class Testament:
    """Keeps the records in the run directory true, and reads those of the daemon before."""

    def __init__(self, daemon: Daemon) -> None:
        self.identity = last_will.identify_file(daemon.config.path)
        """Of the file that runs."""
        self._daemon = daemon
        self._stale = trio.Event()
        self._written: dict[str, Plan] = {}
        self._bound: dict[str, tuple[Plan, frozenset[Place], tuple[BoundAddress, ...]]] = {}
        self._one_writer = trio.Lock()
        self._failure = ""
        """Why the records could not be written last; empty when they were."""
        self._plans = ""
        self._told = 0

    def changed(self) -> None:
        """What we hold has changed; plain and quick, called from the election."""
        self._stale.set()

    async def run(self) -> None:
        """Write the newest will whenever it changed; never in the way of an advert."""
        self._daemon.observer.subscribe(self._heard)
        while True:
            with trio.move_on_after(last_will.BEAT) as beat:
                await self._stale.wait()
            if beat.cancelled_caught:
                last_will.touch()
                if not self._failure:
                    continue
            self._stale = trio.Event()
            await self.write()

    async def write(self) -> None:
        """Everything, as it is now; what fails is told once, and tried again at every beat.

        A run directory that is full or read-only is no reason to end a MASTER.
        """
        async with self._one_writer:
            try:
                await self._write()
                failure = ""
            except OSError as error:
                failure = str(error)
        if failure and not self._failure:
            path = str(last_will.will_path())
            self._daemon.observer.event({"type": "will_not_written", "path": path, "error": failure})
        self._failure = failure

    async def _write(self) -> None:
        plans = dict(self._daemon.plans)
        if plans.keys() != self._written.keys() or any(self._written[name] is not plan for name, plan in plans.items()):
            # Of links as they are when it is written: a plan that is older than its link is replaced soon.
            links = {name: self._daemon.keeper.links().get(each.router.interface) for name, each in self._instances()}
            kept = {name: (link.ifindex, link.mac, plan) for name, plan in plans.items() if (link := links.get(name))}
            self._plans = await trio.to_thread.run_sync(_write_plans, kept)
            self._written = plans
        if self._told < self._daemon.observer.seq:
            history = self._history()
            await trio.to_thread.run_sync(_write_history, history)
            self._told = history.seq
        await trio.to_thread.run_sync(last_will.write, self._compose())

    def _heard(self, event: Record) -> None:
        """A verdict changes what is said; a transition is to be told."""
        if event["type"] in {"check_changed", *TOLD}:
            self.changed()

    def _instances(self) -> Iterator[tuple[str, Any]]:
        yield from self._daemon.config.instances.items()

    def _history(self) -> KeptHistory:
        observer = self._daemon.observer
        transitions = [event for event in observer.events if event["type"] in TOLD]
        instances = self._daemon.node.instances
        deferring = [name for name, each in instances.items() if each.router.listener.deferring]
        return KeptHistory(observer.seq, self._daemon.node.seq, transitions[-TRANSITIONS_KEPT:], deferring)

    def _compose(self) -> Will:
        daemon = self._daemon
        links = {name: link.ifindex for name, link in daemon.keeper.links().items()}
        left = []
        for name, instance in daemon.node.instances.items():
            router = instance.router
            if name in daemon.plans and (router.tenure.bound or router.tenure.held):
                every, form = self._addresses(name), daemon.wire.form(router.settings)
                there = {each: links[each] for each in {each.interface for each in every} if each in links}
                left.append(bequest(instance, every, there, form, daemon.life.slot_of(name)))
        # If the guard is gone before it has handed these over, nobody else knows of their addresses.
        left += [each.mute() for each in daemon.life.will.bequests if each.name in daemon.life.withheld]
        return Will(
            pid=os.getpid(),
            bequests=tuple(left),
            config=daemon.config.path,
            node=daemon.config.node_name,
            identity=self.identity,
            plans=self._plans,
        )

    def _addresses(self, name: str) -> tuple[BoundAddress, ...]:
        """Ours; made when plan or owners change only, since thousands take milliseconds."""
        plan, foreign = self._daemon.plans[name], self._daemon.keeper.foreign(name)
        known = self._bound.get(name)
        if known is None or known[0] is not plan or known[1] != foreign:
            ours = tuple(
                BoundAddress(each.address, each.prefixlen, each.interface)
                for address, each in plan.addresses.items()
                if not foreign or (each.interface, address.packed) not in foreign
            )
            known = self._bound[name] = plan, foreign, ours
        return known[2]


def _write_plans(kept: Mapping[str, tuple[int, str, Plan]]) -> str:
    """In a thread, and in pieces: encoding thousands of frames at once would hold up an advert. Tells its identity."""
    parts = [b"{"]
    for number, (name, (ifindex, mac, plan)) in enumerate(kept.items()):
        head = msgspec.json.encode({"ifindex": ifindex, "mac": mac})[:-1]
        addresses = b",".join([msgspec.json.encode(each) for each in plan.addresses.values()])
        frames = b",".join([msgspec.json.encode(each) for each in plan.frames])
        parts += [b"," if number else b"", msgspec.json.encode(name), b":", head]
        parts += [b',"addresses":[', addresses, b'],"frames":[', frames, b"]}"]
    content = b"".join([*parts, b"}"])
    last_will.replace_file(last_will.plans_path(), content)
    return last_will.identify(content)


def read_plans() -> dict[str, KeptPlan]:
    """What the daemon before us was to do on becoming MASTER; nothing when that cannot be read."""
    try:
        return msgspec.json.decode(last_will.plans_path().read_bytes(), type=dict[str, KeptPlan])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _write_history(history: KeptHistory) -> None:
    last_will.replace_file(last_will.history_path(), msgspec.json.encode(history, enc_hook=str))


def read_history() -> KeptHistory | None:
    """What the daemon before us told; ``None`` when that cannot be read."""
    try:
        history = msgspec.json.decode(last_will.history_path().read_bytes(), type=KeptHistory)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    kinds = [(each.get("type"), each.get("seq")) for each in history.transitions]
    return (
        history if all(isinstance(kind, str) and kind in TOLD and isinstance(seq, int) for kind, seq in kinds) else None
    )
