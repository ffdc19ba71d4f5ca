"""The history that outlives a daemon, in a real file."""

import io
import json

import pytest
import trio

from hafw.daemon.chronicle import KEPT, Chronicle, read_untrusted
from hafw.daemon.observe import Observer, start_logging

MOVE = {"type": "state_changed", "instance": "VI_1", "from": "BACKUP", "to": "MASTER", "reason": "no-response"}


@pytest.fixture
def observer():
    writer = start_logging(io.StringIO(), "json")
    yield Observer(writer)
    writer.close()


async def told(path, observer, *events):
    """A daemon that lives for these events; what its history says at the end."""
    chronicle = Chronicle(path, observer)
    async with trio.open_nursery() as nursery:
        await nursery.start(chronicle.run)
        for event in events:
            observer.event(event)
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    chronicle.close()
    return chronicle.transitions()


async def test_a_daemon_tells_what_the_one_before_it_did(tmp_path, observer):
    path = tmp_path / "state" / "transitions.jsonl"
    await told(path, observer, {**MOVE, "to": "FAULT"}, {"type": "announced", "instance": "VI_1"})
    assert path.stat().st_mode & 0o777 == 0o600
    after = await told(path, Observer(observer._writer), MOVE)
    assert [each["to"] for each in after] == ["FAULT", "MASTER"]


async def test_what_a_resumed_daemon_was_told_is_not_told_twice(tmp_path, observer):
    path = tmp_path / "transitions.jsonl"
    await told(path, observer, MOVE)
    resumed = Observer(observer._writer)
    resumed.events.extend(observer.events)
    assert len(await told(path, resumed)) == 1


async def test_what_came_last_is_written_at_the_end(tmp_path, observer):
    chronicle = Chronicle(tmp_path / "transitions.jsonl", observer)
    observer.event(MOVE)
    chronicle.close()
    assert read_untrusted(tmp_path / "transitions.jsonl")[0][0]["to"] == "MASTER"


async def test_the_file_stays_small(tmp_path, observer):
    path = tmp_path / "transitions.jsonl"
    line = json.dumps({**MOVE, "seq": 1, "time": "t"}) + "\n"
    path.write_text(line * 2 * KEPT)
    await told(path, observer, {**MOVE, "to": "FAULT"})
    kept, lines = read_untrusted(path)
    assert (lines, kept[-1]["to"]) == (KEPT, "FAULT")


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe", b"[" * 20_000, b"null", b'{"type": "state_changed"}', b'{"type": "state_changed", "seq": "x"}'],
)
async def test_damaged_lines_are_left_out(tmp_path, observer, damage):
    path = tmp_path / "transitions.jsonl"
    path.write_bytes(damage + b"\n" + json.dumps({**MOVE, "seq": 1, "time": "t"}).encode() + b"\n")
    assert [each["to"] for each in await told(path, observer)] == ["MASTER"]


async def test_a_file_that_cannot_be_written_costs_the_history_only(tmp_path, observer):
    (tmp_path / "transitions.jsonl").mkdir()
    assert [each["to"] for each in await told(tmp_path / "transitions.jsonl", observer, MOVE, MOVE)] == ["MASTER"] * 2


async def test_a_dry_run_remembers_nothing(tmp_path, observer):
    assert len(await told(None, observer, MOVE)) == 1
    assert list(tmp_path.iterdir()) == []
