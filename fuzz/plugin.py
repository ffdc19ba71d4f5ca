"""Target for the plugin pipe: what a process that nobody trusts says, and what the daemon makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fuzz.control import quiet_log
from fuzz.wire import VIP, VIP6
from hafw.config.model import CheckConfig
from hafw.daemon.plugins.health import Health
from hafw.daemon.plugins.hearing import Hearing, Pending
from hafw.daemon.plugins.introduce import explain, why_failed
from hafw.daemon.plugins.printed import Printed
from hafw.daemon.plugins.takeover import FRAMES_PER_ADDRESS, Draft, PlanRefused
from hafw.node import CheckSettings, InstanceSettings, Node
from hafw.pipe import Address, Reply, Router
from hafw.records import event_record, instance_record
from hafw.vrrp.actions import Notice
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from hafw.vrrp.events import VerdictReported

CHUNK = 1000
SETTINGS = RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=(VIP,), excluded_addresses=(VIP6,))
CHECK = CheckSettings(name="nginx", weight=-20, rise=1, fall=1)
ROUTER = Router(
    name="VI_1",
    vrid=51,
    version=3,
    priority=100,
    interface="eth0",
    addresses=tuple(Address(address=str(each), prefixlen=each.max_prefixlen, interface="eth0") for each in (VIP, VIP6)),
)


class _Daemon:
    """Everybody to whom the host passes an answer on."""

    def __init__(self) -> None:
        quiet_log()
        self.node = Node([InstanceSettings(router=SETTINGS, checks=(CHECK,))], 0.0)
        check = CheckConfig(settings=CHECK, plugin="nginx", interval=1.0, timeout=1.0)
        self.health = Health([("VI_1", check)], 10.0, self._verdict)
        self.printed = Printed("nginx")
        self.draft = Draft(ROUTER)

    def _verdict(self, event: VerdictReported) -> None:
        for action in self.node.handle(event, 0.0):
            assert isinstance(action, Notice)
            shown(event_record(action, SETTINGS))
        shown(instance_record(self.node.instances["VI_1"], 0.0))

    def part(self, reply: Reply) -> None:
        """Of a monitor."""
        if reply.verdict is not None:
            self.health.report(self.health.targets(), reply.verdict)

    def take(self, pending: Pending) -> None:
        """The end of an answer."""
        reply = pending.reply
        assert reply is not None
        if reply.failure is not None:
            shown(explain(reply.failure, pending.hook))
        if reply.verdict is not None:
            self.health.report(self.health.targets(), reply.verdict, reply.seconds)
        if reply.outcome is not None:
            self.printed.say(reply.outcome.output, 0.0)
            shown(why_failed(reply.outcome))

    def plan(self, pending: Pending) -> None:
        """Nothing but what is configured is ever bound or sent."""
        try:
            for part in pending.parts:
                self.draft.take("nginx", part)
        except PlanRefused as refusal:
            shown(str(refusal))
        plan = self.draft.plan
        assert plan.addresses.keys() <= {VIP, VIP6}
        assert all(frame.interface == "eth0" for frame in plan.frames)
        assert len(plan.frames) <= 2 * FRAMES_PER_ADDRESS


def shown(value: object) -> None:
    """As the control socket and the log say it."""
    json.dumps(value, ensure_ascii=False, default=str).encode()


def plugin(data: bytes) -> bool:
    """Lines to a daemon that waits for six calls; the last newline is followed by what the process printed."""
    daemon, hearing = _Daemon(), Hearing()
    pipe, newline, printed = data.rpartition(b"\n")
    waiting = [
        hearing.expect(hook, daemon.part if hook == "monitor" else None)
        for hook in ("start", "configure", "takeover", "check", "monitor", "became_master")
    ]
    offence, pipe = "", pipe + newline
    for at in range(0, len(pipe), CHUNK):
        offence = offence or hearing.feed_untrusted(pipe[at : at + CHUNK])
    daemon.printed.feed(printed, 0.0)
    if offence:
        assert offence.isprintable(), offence
        hearing.close()
        assert all(each.done.is_set() for each in waiting)
        answered = [each.reply for each in waiting]
        assert hearing.feed_untrusted(b'{"id": 3}\n') == ""
        assert answered == [each.reply for each in waiting]
    for each in waiting:
        if each.reply is not None:
            daemon.take(each)
    daemon.plan(waiting[2])
    return any(each.reply is not None for each in waiting)
