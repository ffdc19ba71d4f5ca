"""What plugins were not told outlives the daemon: written, read, and told by the next one under the old numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hafw.config.model import PluginConfig
from hafw.daemon.plugins import Plugins, router_of
from hafw.daemon.plugins.outbox import Kept, read_outbox
from hafw.pipe import GroupChange, StateChange, VipChange

if TYPE_CHECKING:
    from pathlib import Path

WATCHER = PluginConfig(name="local", file="/nonexistent.py")


class Daemon:
    """Plugins of one daemon whose processes have not come up; nothing runs."""

    def __init__(self, config: Any, path: Path, run: str) -> None:
        self.config = config
        self.notices: list[dict[str, Any]] = []
        self.plugins = Plugins(
            config,
            verdict=lambda _event: None,
            notice=lambda kind, fields: self.notices.append({"type": kind, **fields}),
            run=run,
            outbox=path,
        )

    def tell(self, new: str, name: str = "VI_1") -> None:
        change = StateChange(time="t", instance=name, old="x", new=new, reason="test", priority=100)
        self.plugins.deliver(router_of(self.config.instances[name]), change)

    def bind(self, address: str) -> None:
        change = VipChange(time="t", instance="VI_1", address=address, change="vip_bound")
        self.plugins.deliver(router_of(self.config.instances["VI_1"]), change)

    def tell_group(self, new: str) -> None:
        change = GroupChange(time="t", group="VG_1", members=("VI_1", "VI_2"), old="x", new=new, reason="test")
        self.plugins.deliver_group(change)

    def waiting(self, name: str = "local") -> list[tuple[Any, ...]]:
        """Lane, run, seq, hook and attempts of every letter, the oldest first."""
        _, letters = self.plugins._hosts[name].letters
        found = sorted(letters, key=lambda each: each[1].number)
        return [(lane, run_of(each), each.seq, each.hook, each.attempts) for lane, each in found]


def run_of(letter: Any) -> str:
    change = letter.change or letter.vip_change or letter.group_change
    return change.run if change else ""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.json"


@pytest.fixture
def daemon(config, instance, path):
    def daemon(run: str, *names: str, plugins: tuple[PluginConfig, ...] = (WATCHER,)) -> Daemon:
        return Daemon(config(*map(instance, names or ("VI_1", "VI_2")), plugins=plugins), path, run)

    return daemon


async def test_the_next_daemon_tells_it_in_order_under_the_old_numbers_and_counts_on(daemon, path):
    first = daemon("aaaa")
    first.tell("BACKUP")
    first.tell("BACKUP", "VI_2")
    first.tell("MASTER")
    first.bind("192.0.2.10")
    first.tell_group("MASTER")
    first.plugins.publish({"seq": 9, "type": "announced"})
    await first.plugins.telling.outbox.write()
    second = daemon("bbbb")
    second.plugins.restore(read_outbox(path))
    second.tell("FAULT")
    assert second.waiting() == [
        ("VI_1", "aaaa", 1, "became_backup", 0),
        ("VI_2", "aaaa", 2, "became_backup", 0),
        ("VI_1", "aaaa", 3, "became_master", 0),
        ("VI_1", "aaaa", 4, "vip_changed", 0),
        ("group VG_1", "aaaa", 5, "group_changed", 0),
        ("", "", 9, "event", 0),
        ("VI_1", "bbbb", 6, "faulted", 0),
    ]
    assert second.notices == []


async def test_what_a_process_may_have_begun_with_counts_as_an_attempt(daemon, path):
    first = daemon("aaaa")
    for name in ("VI_1", "VI_1", "VI_2"):
        first.tell("MASTER", name)
    first.plugins._hosts["local"]._deliveries._life = object()  # a process is there
    await first.plugins.telling.outbox.write()
    second = daemon("bbbb")
    second.plugins.restore(read_outbox(path))
    assert [(lane, seq, attempts) for lane, _, seq, _, attempts in second.waiting()] == [
        ("VI_1", 1, 1),
        ("VI_1", 2, 0),
        ("VI_2", 3, 1),
    ]


async def test_how_things_are_is_recalled_of_those_that_are_resumed_and_of_no_others(daemon, path):
    first = daemon("aaaa")
    first.tell("MASTER")
    first.bind("192.0.2.10")
    first.tell("MASTER", "VI_2")
    first.tell_group("MASTER")
    await first.plugins.telling.outbox.write()
    second = daemon("bbbb")
    routers = {"VI_1": router_of(second.config.instances["VI_1"])}
    second.plugins.telling.recall(read_outbox(path), {"VI_1", "group VG_1"}, routers)
    present = second.plugins.telling.present
    assert [present.state(lane) for lane in ("VI_1", "VI_2", "group VG_1")] == ["MASTER", "", "MASTER"]
    assert [(lane, letter.seq) for lane, letter in present.letters()] == [("VI_1", 1), ("VI_1", 2), ("group VG_1", 4)]


async def test_what_nobody_is_there_for_any_more_is_said(daemon, path):
    first = daemon("aaaa", plugins=(WATCHER, PluginConfig(name="other", file="/nonexistent.py")))
    first.tell("MASTER")
    first.tell("MASTER", "VI_2")
    first.tell("BACKUP", "VI_2")
    await first.plugins.telling.outbox.write()
    second = daemon("bbbb", "VI_1")
    second.plugins.restore(read_outbox(path))
    assert [seq for _, _, seq, _, _ in second.waiting()] == [1]
    assert second.notices == [
        {
            "type": "plugin_failed",
            "plugin": "local",
            "detail": "2 events (seq 2 to 3) not delivered: its instance is not configured any more",
        },
        {
            "type": "plugin_failed",
            "plugin": "other",
            "detail": "3 events (seq 1 to 3) not delivered: the plugin is not configured any more",
        },
    ]


async def test_what_was_written_once_is_not_encoded_again_and_an_empty_box_is_written_as_such(daemon, path):
    first = daemon("aaaa")
    first.tell("MASTER")
    await first.plugins.telling.outbox.write()
    (_, letter), *_ = first.plugins._hosts["local"].letters[1]
    before = letter.kept
    await first.plugins.telling.outbox.write()
    assert letter.kept is before
    assert path.stat().st_mode & 0o777 == 0o600
    first.plugins.abandon()
    await first.plugins.telling.outbox.write()
    assert read_outbox(path).queues["local"].letters == []
    first.plugins.telling.outbox.close()
    assert not path.exists()


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff", b'{"seq": "1"}', b'{"queues": {"x": {}}}', b"[" * 20_000])
def test_a_damaged_file_is_an_empty_one(path, damage):
    path.write_bytes(damage)
    assert read_outbox(path) == Kept()


async def test_a_full_disk_is_said_once_and_nothing_else_depends_on_it(daemon, path, capsys):
    path.mkdir()
    first = daemon("aaaa")
    first.tell("MASTER")
    for _ in range(2):
        await first.plugins.telling.outbox.write()
    assert capsys.readouterr().out.count("outbox_not_written") == 1
    assert len(first.waiting()) == 1
