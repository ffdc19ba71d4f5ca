"""The control socket against real clients on a real Unix socket."""

import contextlib
import json
import os
import resource
import socket
import stat
from pathlib import Path

import pytest
import trio
import trio.testing

from hafw.daemon import control as control_module
from hafw.daemon.control import CommandError, ControlSocket
from hafw.daemon.observe import EVENTS_KEPT, LogWriter, Observer


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


async def until(condition):
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)


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


async def test_a_client_that_does_not_read_is_dropped_with_the_reason_and_never_waited_for(control, connect):
    _served, observer = control
    client, reader = await connect(), await connect()
    assert (await client.ask({"do": "events"}))["seq"] == 0
    assert (await reader.ask({"do": "events"}))["seq"] == 0
    for number in range(1, 3001):  # far more than its socket and the ring hold
        observer.event({"type": "announced", "padding": "x" * 500})
        assert (await reader.line())["seq"] == number
    lines = []
    with trio.fail_after(20):
        while (line := await client.line()) is not None:
            lines.append(line)
    assert [line["seq"] for line in lines[:-1]] == list(range(1, len(lines))), "no event is left out, nor told twice"
    error = lines[-1]["error"]
    assert error["kind"] == "dropped"
    assert f"since = {len(lines) - 1}" in error["message"]
    assert observer.counters["", "clients-dropped"] == 1


async def test_events_that_are_no_longer_kept_are_told_as_a_gap(control, connect):
    _served, observer = control
    for _ in range(EVENTS_KEPT + 5):
        observer.event({"type": "announced"})
    client = await connect()
    await client.ask({"do": "events", "since": 2})
    gap = await client.line()
    assert (gap["type"], gap["after"], gap["next"], gap["missed"]) == ("gap", 2, 6, 3)
    assert (await client.line())["seq"] == 6


async def test_what_a_daemon_before_left_of_its_events_is_told_with_its_gaps(control, connect):
    _served, observer = control
    observer.go_on(9, [{"seq": 3, "type": "state_changed"}, {"seq": 7, "type": "state_changed"}])
    observer.event({"type": "resumed"})
    client = await connect()
    await client.ask({"do": "events", "since": 2, "follow": False})
    shown = [await client.line() for _ in range(5)]
    assert [each.get("seq", f"{each.get('missed')} missed") for each in shown] == [3, "3 missed", 7, "2 missed", 10]


@pytest.mark.parametrize(
    ("request_keys", "shown"),
    [
        ({"since": 4711}, ["another daemon", 1, 2]),
        ({"since": 1, "stream": "of another"}, ["another daemon", 1, 2]),
        ({"since": 4711, "stream": "of another"}, ["another daemon", 1, 2]),
        ({"since": 1}, [2]),
        ({"since": 2}, []),
        ({"since": 0, "n": 1}, [2]),
        ({"n": 0}, []),
        ({"n": 1}, [2]),
        ({"n": 5}, [1, 2]),
        ({}, []),
    ],
)
async def test_a_client_begins_where_it_asks_and_is_told_when_its_numbers_were_another_daemons(
    control, connect, request_keys, shown
):
    _served, observer = control
    observer.event({"type": "announced"})
    observer.event({"type": "announced"})
    client = await connect()
    head = await client.ask({"do": "events", **request_keys, "follow": False})
    assert (head["seq"], head["stream"]) == (2, observer.stream)
    got = []
    while (line := await client.line()) is not None:
        got.append(line["seq"] if "seq" in line else line["detail"].partition(" counts")[0])
    assert got == shown


async def test_a_client_that_has_closed_is_found_out_although_nothing_happens(control, connect):
    served, _observer = control
    client = await connect()
    await client.ask({"do": "events"})
    assert served._audience.size == 1
    await client.stream.aclose()
    await until(lambda: served._audience.size == 0)


async def test_a_client_that_only_sends_no_more_is_told_every_event(control, connect):
    served, observer = control
    client = await connect()
    await client.send({"do": "events"})
    await client.stream.send_eof()
    assert (await client.line())["seq"] == 0
    await trio.testing.wait_all_tasks_blocked(0.02)
    observer.event({"type": "announced"})
    assert (await client.line())["seq"] == 1
    assert served._audience.size == 1


async def test_an_event_stream_takes_no_further_requests(control, connect):
    client = await connect()
    await client.ask({"do": "events"})
    await client.send({"do": "status"})
    assert "takes no further requests" in (await client.line())["error"]["message"]
    assert await client.line() is None


async def test_one_follower_too_many_is_refused_and_others_are_still_answered(control, connect, monkeypatch):
    monkeypatch.setattr(control_module, "FOLLOWERS_MAX", 2)
    clients = [await connect() for _ in range(3)]
    answers = [await client.ask({"do": "events"}) for client in clients]
    assert [answer.get("seq") for answer in answers] == [0, 0, None]
    assert answers[2]["error"]["kind"] == "too-many-clients"
    assert "2 clients follow the events" in answers[2]["error"]["message"]
    assert await clients[2].line() is None, "it would keep the place of one who only asks"
    other = await connect()
    assert (await other.ask({"do": "status"}))["node"] == "lb1"
    assert (await other.ask({"do": "events", "follow": False}))["seq"] == 0


async def test_one_client_too_many_is_refused_by_name_until_another_ends(control, connect, monkeypatch):
    monkeypatch.setattr(control_module, "CLIENTS_MAX", 1)
    first, second = await connect(), await connect()
    assert (await second.line())["error"]["kind"] == "too-many-clients"
    await first.stream.aclose()
    await until(lambda: control[0]._clients == 0)
    assert (await (await connect()).ask({"do": "status"}))["node"] == "lb1"
    assert control[1].counters["", "clients-refused"] == 1


@pytest.fixture
def few_descriptors():
    """So many are left to this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillings = []

    def leave(number):
        highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
        while not fillings or fillings[-1] < highest:
            fillings.append(os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (fillings[-1] + 1 + number, before[1]))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for filling in fillings:
        os.close(filling)


async def test_the_last_descriptors_are_kept_for_the_daemon_itself(control, connect, few_descriptors):
    client = await connect()
    await client.ask({"do": "status"})  # it has been let in
    few_descriptors(8)  # a quarter of a small limit is kept: every new one is among those
    refused = await connect()
    said = (await refused.line())["error"]
    assert said["kind"] == "no-room"
    assert "open files (systemd: LimitNOFILE" in said["message"]
    assert (await client.ask({"do": "status"}))["node"] == "lb1"


async def test_without_any_descriptor_a_caller_is_told_and_the_next_one_is_served(
    control, connect, few_descriptors, monkeypatch
):
    monkeypatch.setattr(control_module, "DESCRIPTORS_KEPT", 0)
    callers = [trio.socket.socket(socket.AF_UNIX) for _ in range(4)]
    try:
        few_descriptors(2)
        for caller in callers:
            await caller.connect(str(control[0].path))
        with trio.fail_after(20):
            said = [json.loads(await caller.recv(4096))["error"]["kind"] for caller in callers[2:]]
        assert said == ["no-room", "no-room"]
    finally:
        for caller in callers:
            caller.close()
    await until(lambda: control[0]._clients == 0)
    assert (await (await connect()).ask({"do": "status"}))["node"] == "lb1"


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
