"""Target for the control socket: lines of any client, to the real commands of a MASTER and a BACKUP in virtual time."""

from __future__ import annotations

import io
import json
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast

import trio
from trio.testing import MockClock, memory_stream_pair

from hafw.daemon.clock import VirtualTimer
from hafw.daemon.control import LINE_MAX, ControlSocket
from hafw.daemon.handover import Handovers
from hafw.daemon.loop import Election
from hafw.daemon.maintenance import Maintenance
from hafw.daemon.observe import LogWriter, Observer, start_logging
from hafw.daemon.sockets import Wire
from hafw.node import InstanceSettings, Node
from hafw.records import instance_record
from hafw.vrrp.events import AddressesInstalled, LinkChanged, PlanReported, Startup
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafw.records import Record
    from hafw.vrrp.actions import SetAddresses

OWN = ip_address("192.0.2.1")
OWNER = RouterSettings(
    name="VI_1", interface="eth0", vrid=51, owner=True, priority=255, virtual_addresses=(ip_address("192.0.2.250"),)
)
STANDBY = RouterSettings(
    name="VI_2", interface="eth0", vrid=52, priority=1, virtual_addresses=(ip_address("192.0.2.251"),)
)
NOON = 1_700_000_000.0
LINES_MAX = 20
PATIENCE = 60.0
"""Seconds of virtual time."""
KINDS = {
    *("bad-json", "bad-request", "unknown-command", "unknown-instance", "too-long", "busy"),
    *("nobody-took-over", "state-file"),
}
"""Stable words; those of commands that need a whole daemon are not among them."""


@cache
def quiet_log() -> LogWriter:
    """Lines go through the real log, and nowhere after it."""
    return start_logging(io.StringIO(), "json")


class _Daemon:
    """Everything that a client can move; nothing is sent and nothing is on a disk."""

    def __init__(self) -> None:
        self.observer = Observer(quiet_log())
        self.node = Node([InstanceSettings(router=each) for each in (OWNER, STANDBY)], trio.current_time())
        routers = {name: instance.router for name, instance in self.node.instances.items()}
        self.election = Election(
            self.node,
            Wire(routers, lambda _event, _at: None, self.observer),
            self.observer,
            set_addresses=self._install,
            announce=lambda _name: None,
            changed=lambda _name, _change: None,
            timer=VirtualTimer(),
        )
        handovers = Handovers(self.election, self.observer, self._prepare)
        self.maintenance = Maintenance(handovers, None, lambda: NOON + trio.current_time())
        commands = {"status": self._status, "handover": handovers.command, "maintenance": self.maintenance.command}
        self.control = ControlSocket("/nowhere", "", commands, self.observer)
        for name in routers:
            self.election.dispatch(Startup(name))
            self.election.dispatch(PlanReported(name))
        self.election.dispatch(LinkChanged("eth0", up=True, primary={4: OWN}))

    def _install(self, action: SetAddresses) -> None:
        if action.bound:
            self.election.dispatch(AddressesInstalled(action.router))

    async def _prepare(self, _names: Iterable[str]) -> None:
        await trio.lowlevel.checkpoint()

    async def _status(self, _request: Mapping[str, Any]) -> Record:
        now = trio.current_time()
        return {"instances": [instance_record(each, now) for each in self.node.instances.values()]}


def control(data: bytes) -> bool:
    """What a client sends, in one piece. Every request is answered by one line, whatever it is."""
    lines = data.split(b"\n")[:LINES_MAX]
    replies: list[bytes] = []
    trio.run(_talk, b"\n".join(lines), replies, clock=MockClock(autojump_threshold=0))
    answered = False
    for reply in replies:
        said = json.loads(reply)
        assert isinstance(said, dict)
        if "error" in said:
            assert said["error"]["kind"] in KINDS, said
            assert said["error"]["message"].isprintable(), said
        answered = answered or "error" not in said
    if not any(b'"events"' in line for line in lines):
        complete = sum(len(line) <= LINE_MAX for line in lines[:-1])
        assert len(replies) >= complete, (complete, replies)
    return answered


async def _talk(data: bytes, replies: list[bytes]) -> None:
    daemon = _Daemon()
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.election.run)
        nursery.start_soon(daemon.maintenance.run)
        async with trio.open_nursery() as conversation:
            conversation.start_soon(_read, client, replies)
            await client.send_all(data)
            await client.send_eof()
            with trio.move_on_after(PATIENCE):  # of a client that follows the events for ever
                await daemon.control._serve(cast("trio.SocketStream", server))  # all that it uses of one
        nursery.cancel_scope.cancel()


async def _read(client: trio.StapledStream[Any, Any], replies: list[bytes]) -> None:
    buffer = b""
    while data := await client.receive_some():
        *lines, buffer = (buffer + data).split(b"\n")
        replies += lines
