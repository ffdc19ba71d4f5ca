"""``[journal]`` in the running daemon: what it writes can be lived through again, and it never gets in the way."""

import pytest

from hafw.journal import Pages, RecordedNode
from hafw.sim.replay import replay
from tests.replay.test_journal import instances, run, started

pytestmark = pytest.mark.wire

MAX_SIZE = 100_000
PAST = 80_000
"""Octets that a journal has from earlier days, so that it is soon full."""
OTHERS = {f"VI_{number}": number for number in range(61, 64)}
"""More instances, and their VRIDs."""


def past():
    """What an earlier daemon of lb1 wrote, before the machine was started anew."""
    node = RecordedNode(instances("VI_1"), 0.0, pages := Pages(), "lb1")
    started(node, "VI_1")
    while sum(map(len, pages.lines)) < PAST:
        run(node, node.deadline)
    return "".join(f"{line}\n" for line in pages.lines)


def others(tools):
    return [tools.instance(name, vrid=vrid, virtual_addresses=[f"10.77.0.{vrid}"]) for name, vrid in OTHERS.items()]


def journal(path):
    return f'[journal]\npath = "{path}"\nmax_size = {MAX_SIZE}\n'


def test_what_a_daemon_lived_through_is_lived_through_again_and_a_full_disk_is_none_of_its_business(pair, tools):
    """lb1: several instances, full pages, a reload, a death that is resumed, a link that goes and comes, a new start.

    The disk of lb2 is full, and it serves when its turn has come.
    """
    lb1, lb2 = pair
    path = lb1.lab.path(lb1.host, "journal.jsonl")
    pages = [path.with_name("journal.jsonl.1"), path]

    def turned():
        assert max(page.stat().st_size for page in pages if page.exists()) <= MAX_SIZE
        return pages[0].exists()

    slow = tools.instance(advertisement_interval="400ms")
    path.write_text(past(), "utf-8")
    lb1.start(slow, *others(tools), journal(path))
    lb2.start(slow, journal("/dev/full"))
    lb1.wait_until_it_serves()
    tools.until(turned, "a second page")
    account = lived_through(pages)
    assert (account.lost, account.lives) == (0, 3)
    assert account.events > 200

    lb1.write(slow, tools.instance("VI_2", vrid=52, virtual_addresses=["10.77.0.52"]), journal(path))
    assert lb1.hafw("reload").returncode == 0
    lb1.wait_until_it_serves("VI_2")
    lb1.kill_daemon()
    lb1.wait_until_ready()
    tools.until(lambda: lb1.instance()["state"] == "MASTER", "resumed, or elected again by a machine that was too slow")
    with lb1.news() as news:
        lb1.lab.cut(lb1.host)
        news.state("FAULT")
        lb2.wait_until_it_serves()
        lb1.lab.mend(lb1.host)
        news.state("MASTER")
    assert "no space left on device" in lb2.log()
    lb1.stop()
    lb1.start()
    lb1.wait_for("BACKUP")
    lb1.stop()
    account = lived_through(pages)
    moves = [f"{each.old} {each.new}" for _, _, each in account.transitions if each.router == "VI_1"]
    assert moves[-6:] == [
        "MASTER FAULT",
        "FAULT BACKUP",
        "BACKUP MASTER",
        "MASTER INITIALIZE",
        "INITIALIZE BACKUP",
        "BACKUP INITIALIZE",
    ]
    assert lb1.hafw("replay", str(path)).returncode == 0


def lived_through(pages):
    account = replay(line for page in pages for line in page.read_text("utf-8").splitlines())
    assert account.difference is None
    return account
