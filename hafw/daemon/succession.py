"""From one daemon to the next: what was resumed comes into the election, and ``hafw reexec``."""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from subprocess import STDOUT
from typing import TYPE_CHECKING, Any

import trio

from hafw import lifeline
from hafw import will as last_will
from hafw.daemon.control import CommandError
from hafw.daemon.observe import timestamp
from hafw.daemon.plugins.outbox import Kept, read_outbox
from hafw.daemon.testament import read_plans
from hafw.pipe import StateChange
from hafw.vrrp.events import ReleaseAsked, Resumed
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.daemon.run import Daemon
    from hafw.daemon.testament import KeptPlan
    from hafw.records import Record
    from hafw.will import Bequest

OTHER_GUARD = 90
REHEARSAL = f"""
import sys
import hafw.guard, hafw.cli.run, hafw.daemon.run, hafw.daemon.resume, hafw.lifeline, hafw.will
from hafw.cli import main
if sys.argv[1] != f"{{hafw.lifeline.VERSION}} {{hafw.will.VERSION}}":
    sys.exit({OTHER_GUARD})
main(["check", "--no-system", "--node", *sys.argv[2:]])
"""
"""What the installed code has to be able to do before the running code makes way for it.

The guard stays as it is, so the installed code has to speak its language: otherwise it would resume nothing.
"""
REHEARSAL_TIMEOUT = 60.0
DRAIN = 5.0
"""Seconds that plugins have for the events that they were not told yet."""


class Succession:
    """The daemon's ties to the one before it and to the one after it."""

    def __init__(self, daemon: Daemon) -> None:
        self.leaving = False
        """A successor goes on: nothing is to be released."""
        self.deferring: frozenset[str] = frozenset()
        """Routers that the daemon before this one handed over, and did not want back yet."""
        self._daemon = daemon
        self._kept: dict[str, KeptPlan] = {}
        self._outbox = Kept()
        self._asked = False

    # -- from the one before ------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Put the resumed routers into the election, as MASTER; before any plugin, and before the kernel is asked."""
        daemon, life = self._daemon, self._daemon.life
        if not life.inheritance.cause:
            return
        if history := daemon.history:
            daemon.observer.go_on(history.seq, history.transitions)
            self.deferring = frozenset(history.deferring)
        daemon.wire.adopt()
        spoken = life.take_over()
        self._kept = read_plans() if spoken else {}
        self._tell(list(spoken))
        bequests = [life.resumed[name] for name in spoken]
        together = last_will.whole_groups([each.name for each in bequests if self._fits(each)], bequests)
        life.give_up([name for name in spoken if name not in together])
        resumed = [each for each in bequests if each.name in together]
        refused = [
            each for each in resumed if not self._resume(each, trio.current_time() - (life.now() - spoken[each.name]))
        ]
        life.give_up([each.name for each in refused])
        for group in {each.sync_group for each in refused} - {""}:  # what the election has of it goes, too
            for member in daemon.node.groups[group].members:
                daemon.dispatch(ReleaseAsked(member.name))

    def _tell(self, resumed: list[str]) -> None:
        """Of the death; what was resumed is told router by router."""
        inheritance = self._daemon.life.inheritance
        silence = max(self._daemon.life.silence.values(), default=0.0)
        if inheritance.fenced:
            fields = {"cause": inheritance.cause, "silence": round(silence, 3), "resumed": ", ".join(resumed)}
            self._daemon.observer.event({"type": "fenced", **fields})
        elif not resumed:
            self._daemon.observer.event({"type": "restarted", "cause": inheritance.cause})

    def _fits(self, bequest: Bequest) -> bool:
        """Whether it fits the configuration, sync group included."""
        daemon, name = self._daemon, bequest.name
        instance, kept = daemon.node.instances.get(name), self._kept.get(name)
        if instance is None or kept is None or daemon.life.will.node != daemon.config.node_name:
            return False
        settings = instance.settings.router
        same = {each.address for each in kept.addresses} == {str(each) for each in settings.all_addresses}
        return same and bequest.sync_group == settings.group

    def _resume(self, bequest: Bequest, spoke_at: float) -> bool:
        """False: the election would not have it."""
        daemon, name = self._daemon, bequest.name
        instance, kept = daemon.node.instances[name], self._kept[name]
        daemon.plans[name] = kept.plan(kept.ifindex, kept.mac)
        daemon.adopted[name] = frozenset(ip_address(each.address) for each in bequest.addresses)
        daemon.dispatch(
            Resumed(
                router=name,
                since=trio.current_time() - (daemon.life.now() - bequest.since),
                last_advert_at=spoke_at,
                primary=ip_address(bequest.source),
                verdicts=bequest.verdicts,
                silence=daemon.life.silence[name],
                cause=daemon.life.inheritance.cause,
            )
        )
        if instance.router.state is State.MASTER:
            return True
        del daemon.plans[name]
        return False

    def link_changed(self, interface: str, identity: tuple[int, str]) -> None:
        """Frames that were prepared for another link are not sent; those for this one are about to come."""
        plans, instances = self._daemon.plans, self._daemon.config.instances
        for name in tuple(self._kept):
            if name in plans and instances[name].router.interface == interface:
                plans[name] = self._kept.pop(name).plan(*identity)

    def read_outbox(self) -> None:
        """Let the plugins be told what the daemon before this one did not get to; of an older one it is lost."""
        plugins = self._daemon.plugins
        kept = read_outbox(last_will.outbox_path())
        plugins.restore(kept)
        if self._daemon.life.inheritance.cause:
            self._outbox = kept
        else:
            plugins.abandon("not delivered: the daemon that had them was killed, and its guard with it")

    def tell_plugins(self) -> None:
        """They are new. Who was told that a router is MASTER, or will be, is not told again; otherwise it is told now.

        Nobody can know what was told in the last moment before a death; but whatever it was, this is how things are.
        """
        daemon = self._daemon
        groups = {f"group {name}": each for name, each in daemon.node.groups.items() if each.state is State.MASTER}
        routers = {name: daemon.describe(daemon.config.instances[name]) for name in daemon.life.resumed}
        daemon.plugins.telling.recall(self._outbox, {*routers, *groups}, routers)
        for name, router in routers.items():
            if daemon.plugins.telling.present.state(name) == "MASTER":
                continue
            change = StateChange(
                time=timestamp(),
                instance=name,
                old="MASTER",
                new="MASTER",
                reason="resumed",
                priority=daemon.node.instances[name].router.priority,
            )
            daemon.plugins.deliver(router, change)
        for lane, group in groups.items():
            if daemon.plugins.telling.present.state(lane) != "MASTER":
                daemon.plugins.deliver_group(daemon.tidings.of_group(group, "MASTER", "MASTER", "resumed"))

    async def hear_guard(self) -> None:
        """Start the routers that the guard was still handing over when we began."""
        life = self._daemon.life
        while life.line is not None and not life.line.ended:
            await trio.lowlevel.wait_readable(life.line.fileno())
            for name in life.heed_guard():
                self._daemon.release(name)

    # -- to the one after ---------------------------------------------------------------------------------------

    async def command(self, _request: Mapping[str, Any]) -> Record:
        """``reexec``: make way for a daemon of the installed code, which resumes; the answer comes before that."""
        daemon = self._daemon
        if daemon.life.line is None or daemon.dry_run:
            raise CommandError("no-guard", "this daemon has no guard that could start another: stop it and start it")
        if self._asked or daemon.stopping:
            raise CommandError("busy", "the daemon is about to end already")
        self._asked = True
        try:
            await self._rehearse()
        except CommandError:
            self._asked = False
            raise
        daemon.start_soon(self._leave)
        return {"pid": os.getpid()}

    async def _rehearse(self) -> None:
        config = self._daemon.config
        ours = f"{lifeline.VERSION} {last_will.VERSION}"
        words = [sys.executable, "-P", "-c", REHEARSAL, ours, config.node_name, config.path]
        with trio.move_on_after(REHEARSAL_TIMEOUT):
            done = await trio.run_process(words, capture_stdout=True, stderr=STDOUT, check=False)
            if done.returncode == 0:
                return
            if done.returncode == OTHER_GUARD:
                way_out = "restart the service, which hands over without a gap"
                raise CommandError("other-guard", f"nothing was changed: the guard is of another version: {way_out}")
            said = done.stdout.decode(errors="replace").strip()
            raise CommandError("not-startable", f"nothing was changed: the installed code does not start:\n{said}")
        raise CommandError("not-startable", f"nothing was changed: hafw check took longer than {REHEARSAL_TIMEOUT:g}s")

    async def _leave(self) -> None:
        """Plugins are ended cleanly, adverts go on meanwhile; then nothing is left to do but to be gone."""
        daemon = self._daemon
        daemon.observer.log.info("making_way", pid=os.getpid())
        await daemon.plugins.drain(DRAIN)
        await daemon.stop_plugins()
        await daemon.plugins.telling.outbox.write()
        await daemon.testament.write()
        if daemon.stopping or not daemon.life.ask_for_successor():
            return
        self.leaving = True
        daemon.end()
