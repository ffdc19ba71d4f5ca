"""Clients of the control socket that let time pass: each is dropped in its own time, in virtual time here."""

import contextlib
import json

import pytest
import trio
import trio.testing
from trio.testing import lockstep_stream_pair, memory_stream_pair

from hafw.daemon.control import ControlSocket
from hafw.daemon.observe import LogWriter, Observer


async def status(_request):
    return {"node": "lb1"}


@pytest.fixture
def served(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        writer = LogWriter(stream)
        yield ControlSocket("/nowhere", "", {"status": status}, Observer(writer))
        writer.close()


async def said(client):
    told = b""
    while data := await client.receive_some():
        told += data
    return [json.loads(line) for line in told.splitlines()]


@pytest.mark.parametrize("sent", [b"", b"x", b'{"do": "stat'])
async def test_a_client_that_never_asks_is_told_and_dropped(served, nursery, autojump_clock, sent):
    client, server = memory_stream_pair()
    began = trio.current_time()
    nursery.start_soon(served._serve, server)
    await client.send_all(sent)
    assert await said(client) == [{"error": {"kind": "dropped", "message": "no request within 10s", "path": ""}}]
    assert trio.current_time() - began == pytest.approx(10)


async def test_a_client_that_sends_a_byte_now_and_then_is_dropped_as_well(served, nursery, autojump_clock):
    client, server = memory_stream_pair()
    began = trio.current_time()
    nursery.start_soon(served._serve, server)

    async def drip():
        with contextlib.suppress(trio.BrokenResourceError):
            while True:
                await client.send_all(b"x")
                await trio.sleep(1)

    nursery.start_soon(drip)
    await said(client)
    assert trio.current_time() - began == pytest.approx(10)


async def test_a_client_that_has_asked_may_ask_again_for_minutes(served, nursery, autojump_clock):
    client, server = memory_stream_pair()
    nursery.start_soon(served._serve, server)
    for _ in range(3):
        await client.send_all(b'{"do": "status"}\n')
        assert json.loads(await client.receive_some())["node"] == "lb1"
        await trio.sleep(290)
    assert [each["error"]["message"] for each in await said(client)] == ["no request within 300s"]


class Deaf(trio.abc.SendStream):
    """Takes what it is sent until it is told not to."""

    def __init__(self, stream):
        self.stream, self.deaf = stream, False

    async def send_all(self, data):
        if self.deaf:
            await trio.sleep_forever()
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self):
        await trio.lowlevel.checkpoint()

    async def aclose(self):
        await self.stream.aclose()


async def test_a_follower_that_takes_nothing_for_half_a_minute_is_dropped(served, nursery, autojump_clock):
    client, server = memory_stream_pair()
    deaf = Deaf(server.send_stream)
    nursery.start_soon(served._audience.run)
    nursery.start_soon(served._serve, trio.StapledStream(deaf, server.receive_stream))
    await client.send_all(b'{"do": "events"}\n')
    assert json.loads(await client.receive_some())["seq"] == 0
    await trio.testing.wait_all_tasks_blocked()
    deaf.deaf = True
    served._observer.event({"type": "announced"})
    await trio.sleep(34)
    assert served._audience.size == 1
    await trio.sleep(2)
    assert served._audience.size == 0
    assert served._observer.counters["", "clients-dropped"] == 1


async def test_a_client_that_does_not_read_its_reply_is_dropped(served, nursery, autojump_clock):
    client, server = lockstep_stream_pair()
    nursery.start_soon(served._serve, server)
    await client.send_all(b'{"do": "status"}\n')
    await trio.sleep(6)
    assert served._clients == 0
