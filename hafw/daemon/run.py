"""The daemon: puts the rooms together, starts them in order and ends them in order."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import trio

from hafw import will as last_will
from hafw.daemon.addresses import AddressKeeper
from hafw.daemon.announcer import Announcer
from hafw.daemon.answers import Answers
from hafw.daemon.chronicle import Chronicle
from hafw.daemon.clock import SleepWatch, TimerFd
from hafw.daemon.control import CommandError, ControlSocket
from hafw.daemon.figures import Figures
from hafw.daemon.handover import RELEASE_BUDGET, Handovers
from hafw.daemon.journal import node_of
from hafw.daemon.loop import Election
from hafw.daemon.maintenance import Maintenance, state_path
from hafw.daemon.observe import Observer
from hafw.daemon.plugins import Plan, PlanRefused, Plugins, with_link
from hafw.daemon.process import apply, look_after
from hafw.daemon.rehearsal import plan_of, take_checks_for_well
from hafw.daemon.reload import Reloads
from hafw.daemon.resume import Life
from hafw.daemon.rivals import Rivals
from hafw.daemon.segment import Segment
from hafw.daemon.sockets import Wire
from hafw.daemon.succession import Succession
from hafw.daemon.testament import Testament, read_history
from hafw.daemon.tidings import Tidings
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AddressesLost,
    Event,
    LinkChanged,
    PlanReported,
    Shutdown,
    Startup,
)
from hafw.vrrp.settings import State
from hafw.wire.systemd import watchdog_interval

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from hafw.config import Config, InstanceConfig
    from hafw.daemon.observe import LogWriter
    from hafw.node import ConfigurationReplaced
    from hafw.pipe import GroupChange, Router, StateChange
    from hafw.records import Record
    from hafw.vrrp.actions import SetAddresses
    from hafw.vrrp.settings import IPAddress

PLAN_RETRY = 5.0
"""Seconds until the plugins are asked again when they could not say what to bind."""
STOP_BUDGET = 10.0
"""Seconds that ``stopped`` hooks have at the end."""


class Daemon:
    """One running configuration."""

    def __init__(self, config: Config, writer: LogWriter, *, dry_run: bool = False, life: Life | None = None) -> None:
        """``life``: what this daemon has of its guard, if there is one."""
        self.config = config
        self.life = life or Life(None)
        self.dry_run = dry_run
        self.started_at = trio.current_time()
        self.observer = Observer(writer)
        self.figures = Figures()
        self.observer.subscribe(self.figures.take)
        self.history = read_history() if self.life.inheritance.cause and not dry_run else None
        self.node, self._end_journal = node_of(config, self.started_at, self.history, self.observer.log)
        routers = {name: instance.router for name, instance in self.node.instances.items()}
        self.wire = Wire(routers, self.dispatch, self.observer, mute=dry_run, life=self.life)
        self.announcer = Announcer(self.observer)
        self.keeper = AddressKeeper(self._address_event, self._partly_bound, makes_devices=not dry_run)
        self.answers = Answers(self)
        self.segment, self.rivals = Segment(self), Rivals(self)
        self.plugins = Plugins(
            config,
            verdict=self.dispatch,
            notice=self._plugin_notice,
            commands=self.answers.for_plugins,
            run=self.observer.stream,
            adopts=True,
            outbox=None if dry_run else last_will.outbox_path(),
        )
        self.election = Election(
            self.node,
            self.wire,
            self.observer,
            set_addresses=self._set_addresses,
            announce=self._announce,
            changed=self._changed,
            group_changed=self._group_changed,
            reminded=self.rivals.reminded,
            timer=TimerFd(),
            sleep_watch=SleepWatch(),
        )
        self.handovers = Handovers(self.election, self.observer, self.before_release)
        self.maintenance = Maintenance(self.handovers, None if dry_run else state_path())
        self.testament = Testament(self)
        self.succession = Succession(self)
        self.tidings = Tidings(self)
        self.chronicle = Chronicle(None if dry_run else state_path("transitions.jsonl"), self.observer)
        self.plans: dict[str, Plan] = {}
        self.adopted: dict[str, frozenset[IPAddress]] = {}
        """By router: the addresses that a daemon before us left bound, and that are resumed."""
        self._planned_for: dict[str, tuple[int, str]] = {}
        self._reloads = Reloads(self)
        self._nursery: trio.Nursery
        self._plugins_scope, self._plugins_gone = trio.CancelScope(), trio.Event()
        self._stopping = trio.Event()

    # -- life ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; returns when everything is released."""
        apply(self.config.process, self.observer.log)
        commands = {
            "status": self.answers.status,
            "history": self.answers.history,
            "plugins": self.answers.plugins,
            "reload": self._reload,
            "reexec": self.succession.command,
            "handover": self.handovers.command,
            "maintenance": self.maintenance.command,
        }
        control = ControlSocket(self.config.control_socket, self.config.control_group, commands, self.observer)
        listener = control.bind(inherited=bool(self.life.inheritance.cause))
        self.maintenance.restore()
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._signals)
            await self._nursery.start(self.wire.run, self.election.hear)
            self._nursery.start_soon(self.announcer.run)
            self._nursery.start_soon(self.election.run)
            self._nursery.start_soon(control.run, listener)
            self._nursery.start_soon(self.maintenance.run)
            self._nursery.start_soon(self.chronicle.run)
            if not self.dry_run:
                self.succession.read_outbox()
                self.observer.subscribe(self.plugins.publish)
                self.observer.subscribe(self.tidings.vip_changed)
                self.observer.subscribe(self.segment.heed)
                self.succession.resume()
                self._nursery.start_soon(self.succession.hear_guard)
                self._nursery.start_soon(self.testament.run)
            self.watch()
            await self._nursery.start(self.keeper.run)
            if not self.dry_run:
                await self._nursery.start(self._run_plugins)
                self.succession.tell_plugins()
            for name in self.node.instances.keys() - self.life.withheld - self.life.resumed.keys():
                self._start(name, self._startup_delay())
            self._nursery.start_soon(look_after, self.config.process)
            self.life.notify("READY=1")
            self.observer.log.info("ready", node=self.config.node_name, config=self.config.path, pid=os.getpid())
            self._nursery.start_soon(self._watchdog)
            await self._stopping.wait()
            if not self.succession.leaving:
                await self._stop()
            self._nursery.cancel_scope.cancel()
        if not self.succession.leaving:
            self.wire.close()
        self.announcer.close()
        self.chronicle.close()
        self._end_journal()

    def watch(self) -> None:
        """Follow the interfaces of the configuration; their state is reported at once when the keeper runs."""
        interfaces = {each.router.interface for each in self.config.instances.values()}
        self.keeper.watch(interfaces, self.config.instances.values())

    def forget(self, name: str) -> None:
        """An instance has left: nothing of it is wanted or planned."""
        self.keeper.want(name, {}, (), ())
        self.plans.pop(name, None)
        self.life.forget(name)

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self._stopping.is_set()

    def end(self) -> None:
        """Begin the end: a planned stop, unless a successor is to go on."""
        self._stopping.set()

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run it beside everything else."""
        self._nursery.start_soon(task)

    async def _run_plugins(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._plugins_scope:
            await self.plugins.run(task_status=task_status)
        self._plugins_gone.set()

    async def stop_plugins(self) -> None:
        """End every plugin process for good; adverts go on."""
        self._plugins_scope.cancel()
        await self._plugins_gone.wait()

    def release(self, name: str) -> None:
        """The guard has handed this router over, to the end: it may take part in the election."""
        if name in self.plans:
            self._planned(name)
        if name in self.node.instances:
            self._start(name)

    def _startup_delay(self) -> float:
        """Seconds until the routers may take part. A daemon whose predecessor was here a moment ago does not wait."""
        if self.life.inheritance.cause:
            return 0.0
        booted = time.clock_gettime(time.CLOCK_BOOTTIME)
        return max(self.config.startup_delay, self.config.delay_after_boot - booted, 0.0)

    def _start(self, name: str, delay: float = 0.0) -> None:
        self.dispatch(Startup(name, name in self.succession.deferring, delay))
        take_checks_for_well(self, name)

    async def _signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
            async for number in received:
                if number == signal.SIGHUP:
                    self._nursery.start_soon(self._reload_on_signal)
                    continue
                self.observer.log.info("stopping", signal=signal.Signals(number).name)
                self._stopping.set()

    async def _reload_on_signal(self) -> None:
        try:
            await self._reloads.reload()
        except CommandError as error:
            self.observer.log.warning("reload_refused", reason=str(error))

    async def _watchdog(self) -> None:
        interval = watchdog_interval()
        while interval:
            self.life.notify("WATCHDOG=1")
            await trio.sleep(interval / 3)

    async def _stop(self) -> None:
        """The planned stop: hooks before, one goodbye, hold until claimed, hooks after."""
        self.life.notify("STOPPING=1")
        masters = await self.before_release(self.node.instances)
        for name in self.node.instances:
            self.dispatch(Shutdown(name))
        await self.election.until(lambda: self.node.done)
        if self.dry_run:
            return
        await self.keeper.leave()
        last_will.clear()  # nothing is left: there is no will
        self.tidings.stopped(masters)
        await self.plugins.drain(STOP_BUDGET)
        self.plugins.abandon()
        self.plugins.telling.outbox.close()

    async def before_release(self, names: Iterable[str]) -> list[str]:
        """Let the plugins prepare for the release of those that are MASTER, within the budget; returns them."""
        masters = [name for name in names if self.node.instances[name].router.state is State.MASTER]
        if masters and not self.dry_run:
            await self.plugins.before_release([self._describe(name) for name in masters], RELEASE_BUDGET)
        return masters

    # -- events into the election -------------------------------------------------------------------------------

    def dispatch(self, event: Event | ConfigurationReplaced, at: float | None = None) -> None:
        """Hand an event to the election; its actions are performed before this returns."""
        self.election.dispatch(event, at)

    def _address_event(self, event: Event) -> None:
        if isinstance(event, LinkChanged):
            self._link_changed(event.interface)
        elif isinstance(event, AddressesLost):
            self.tidings.lost(event)
        elif isinstance(event, AddressesClaimed):
            self.segment.claimed(event)
        self.dispatch(event)

    def _link_changed(self, interface: str) -> None:
        """Follow an interface: sockets, frames and plans belong to an index and a MAC."""
        link = self.keeper.links().get(interface)
        identity = (link.ifindex, link.mac) if link else (0, "")
        self.wire.link(interface, identity[0])
        if self._planned_for.get(interface) == identity:
            return
        self._planned_for[interface] = identity
        self.succession.link_changed(interface, identity)
        self.announcer.link(interface, identity[0])
        if link:
            self._nursery.start_soon(self._plan, interface, identity)

    async def _plan(self, interface: str, identity: tuple[int, str]) -> None:
        """Ask the plugins what a takeover is, before one is needed; again until they can say."""
        names = [name for name, each in self.config.instances.items() if each.router.interface == interface]
        while names and self._planned_for.get(interface) == identity:
            names = [name for name in names if not await self._plan_one(name)]
            if names:
                await trio.sleep(PLAN_RETRY)

    async def _plan_one(self, name: str) -> bool:
        try:
            plan = await self._ask_plan(name)
        except PlanRefused as error:
            self.dispatch(PlanReported(name, str(error)))
            return False
        self.plans[name] = plan
        if name not in self.life.withheld:
            self._planned(name)
        return True

    def _planned(self, name: str) -> None:
        tenure = self.node.instances[name].router.tenure
        every = tenure.settings.all_addresses if tenure.bound else ()
        if not self.dry_run:  # the first call also removes what an earlier daemon left behind
            self.keeper.want(name, self.plans[name].addresses, every, tenure.held)
        self.testament.changed()
        self.dispatch(PlanReported(name))
        if tenure.serving and tenure.installed:
            self._announce(name)

    async def _ask_plan(self, name: str) -> Plan:
        each = self.config.instances[name]
        if trouble := self.keeper.devices.trouble_of(each.router):
            raise PlanRefused(trouble)
        if self.dry_run:
            return plan_of(each.addresses)
        return await self.plugins.takeover(self._describe(name))

    # -- actions out of the election ----------------------------------------------------------------------------

    def _set_addresses(self, action: SetAddresses) -> None:
        self.wire.turned()
        if self.dry_run:
            addresses = ", ".join(str(address) for address in action.bound) or "none"
            self.observer.log.info("would_bind", instance=action.router, addresses=addresses)
            if action.bound:
                self.dispatch(AddressesInstalled(action.router))
            return
        self.announcer.silence(action.router)
        plan = self.plans.get(action.router)
        adopt = self.adopted.get(action.router, ())
        self.keeper.want(action.router, plan.addresses if plan else {}, action.bound, action.held, adopt)
        self.wire.beat(self.node.instances[action.router].router)
        self.testament.changed()

    def _announce(self, name: str) -> None:
        plan = self.plans.get(name)
        if plan is None:
            return
        self.announcer.announce(name, plan.frames, self.config.instances[name].announce_rate)

    def _partly_bound(self, name: str, addresses: list[IPAddress]) -> None:
        """Announce the first of thousands of addresses while the others are being installed."""
        plan, instance = self.plans.get(name), self.node.instances.get(name)
        if plan is not None and instance is not None and instance.router.tenure.serving:
            frames = [plan.first[each] for each in addresses if each in plan.first]
            self.announcer.begin(name, frames, self.config.instances[name].announce_rate)

    def _changed(self, name: str, change: StateChange) -> None:
        self.wire.turned()
        if self.dry_run:
            return
        self.wire.beat(self.node.instances[name].router)
        self.testament.changed()
        self.rivals.changed(change)
        self.plugins.deliver(self._describe(name), change)

    def _group_changed(self, change: GroupChange) -> None:
        if not self.dry_run:
            self.plugins.deliver_group(change)

    def _plugin_notice(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.observer.event({"type": kind, **fields})

    def _describe(self, name: str) -> Router:
        return self.describe(self.config.instances[name])

    def describe(self, instance: InstanceConfig) -> Router:
        """What a plugin is told of an instance now."""
        return with_link(instance, self.keeper.links().get(instance.router.interface))

    # -- answers ------------------------------------------------------------------------------------------------

    async def _reload(self, request: Mapping[str, Any]) -> Record:
        return {"changes": await self._reloads.reload(dry_run=request.get("dry_run") is True)}
