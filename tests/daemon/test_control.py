"""The control socket against real clients on a real Unix socket."""

import contextlib
import json
import socket
import stat

import pytest
import trio

from hafw.daemon.control import CommandError, ControlSocket
from hafw.daemon.observe import LogWriter, Observer


async def status(_request):
    return {"node": "lb1", "instances": []}


async def fail(_request):
    raise CommandError("nothing-there", "no instance 'VI_9'", "name")


@pytest.fixture
async def control(tmp_path, nursery):
    with (tmp_path / "log").open("w") as stream:
        writer = LogWriter(stream)
        observer = Observer(writer)
        served = ControlSocket(str(tmp_path / "run" / "c.sock"), "", {"status": status, "fail": fail}, observer)
        nursery.start_soon(served.run, served.bind())
        yield served, observer
        writer.close()


class Client:
    def __init__(self, stream):
        self.stream, self.buffer = stream, b""

    async def send(self, request):
        data = request if isinstance(request, bytes) else json.dumps(request).encode()
        await self.stream.send_all(data + b"\n")

    async def line(self):
        while b"\n" not in self.buffer:
            data = await self.stream.receive_some()
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    async def ask(self, request):
        await self.send(request)
        return await self.line()


@pytest.fixture
async def connect(control):
    async with contextlib.AsyncExitStack() as stack:

        async def connect():
            return Client(await stack.enter_async_context(await trio.open_unix_socket(str(control[0].path))))

        yield connect


async def test_requests_are_answered_one_line_each_on_one_connection(control, connect):
    client = await connect()
    assert (await client.ask({"do": "status"}))["node"] == "lb1"
    assert (await client.ask({"do": "status"}))["node"] == "lb1"


async def test_the_socket_is_born_for_owner_and_group_only(control):
    assert stat.S_IMODE(control[0].path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("request_line", "kind"),
    [
        (b"not json", "bad-json"),
        (b"[1]", "bad-request"),
        (b'{"do": 7}', "bad-request"),
        (b'{"do": "nonsense"}', "unknown-command"),
        (b'{"do": "fail"}', "nothing-there"),
        (b'{"do": "events", "since": "x"}', "bad-request"),
        (b"\xff\xfe", "bad-json"),
        (b"[" * 50_000, "bad-json"),
    ],
)
async def test_a_bad_request_is_named_and_the_connection_lives_on(control, connect, request_line, kind):
    client = await connect()
    answer = await client.ask(request_line)
    assert answer["error"]["kind"] == kind
    assert answer["error"]["message"]


async def test_an_endless_line_is_refused_and_the_client_dropped(control, connect):
    client = await connect()
    await client.stream.send_all(b"x" * 140_000)
    assert (await client.line())["error"]["kind"] == "too-long"
    await client.stream.send_eof()
    assert await client.line() is None


async def test_the_event_stream_begins_with_a_snapshot_then_what_was_missed_then_live(control, connect):
    _served, observer = control
    observer.event({"type": "announced"})
    observer.event({"type": "vip_lost"})
    client = await connect()
    head = await client.ask({"do": "events", "since": 1})
    assert head["seq"] == 2
    assert head["status"]["node"] == "lb1"
    assert (await client.line())["type"] == "vip_lost"
    observer.event({"type": "vip_restored"})
    assert (await client.line())["type"] == "vip_restored"


async def test_a_client_that_does_not_read_is_dropped_and_never_waited_for(control, connect):
    _served, observer = control
    client = await connect()
    assert (await client.ask({"do": "events"}))["seq"] == 0
    for _ in range(5000):  # far more than the socket's buffer and the queue hold
        observer.event({"type": "announced", "padding": "x" * 500})
    with trio.fail_after(20):
        received = 0
        while await client.line() is not None:
            received += 1
    assert received < 5000
    other = await connect()
    assert (await other.ask({"do": "status"}))["node"] == "lb1"


async def test_a_second_daemon_on_the_same_path_is_refused_and_a_dead_ones_path_is_taken(control, tmp_path):
    served, observer = control
    second = ControlSocket(str(served.path), "", {"status": status}, observer)
    with pytest.raises(OSError, match="another hafw daemon answers"):
        second.bind()
    await second.bind(inherited=True).aclose()  # that other one was ours, and is about to vanish
    stale = tmp_path / "stale.sock"
    first = ControlSocket(str(stale), "", {"status": status}, observer).bind()
    await first.aclose()
    await ControlSocket(str(stale), "", {"status": status}, observer).bind().aclose()


async def test_a_living_daemon_that_takes_no_calls_is_not_waited_for(control, tmp_path):
    path = tmp_path / "busy.sock"
    with socket.socket(socket.AF_UNIX) as busy, contextlib.ExitStack() as callers:
        busy.bind(str(path))
        busy.listen(0)
        waiting = 0
        while waiting == 0:
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            waiting = caller.connect_ex(str(path))
        with pytest.raises(OSError, match="another hafw daemon answers"):
            ControlSocket(str(path), "", {"status": status}, control[1]).bind()
