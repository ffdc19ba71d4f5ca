"""The paper of the journal: two files of bounded size, written by a thread that may fail or stall as it likes."""

import os
import threading
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest

from hafw.daemon import journal
from hafw.daemon.journal import Recorder
from hafw.journal import RecordedNode
from hafw.node import InstanceSettings
from hafw.sim.replay import replay
from hafw.vrrp.actions import SetAddresses
from hafw.vrrp.events import AddressesInstalled, LinkChanged, PlanReported, Startup, Tick
from hafw.vrrp.settings import RouterSettings

MAX_SIZE = 100_000
QUEUE = 500
PATIENCE = 10.0


class Log:
    """What the recorder complains of."""

    def __init__(self):
        self.reasons = []

    def warning(self, event, *, path, reason):
        assert (event, Path(path).is_absolute()) == ("journal_not_written", True)
        self.reasons.append(reason)


class Journal:
    """A recorder and a Node of several routers, all MASTER after four seconds; time passes as it is told to."""

    def __init__(self, path, routers=3, max_size=MAX_SIZE):
        self.path, self.log = path, Log()
        self.recorder = Recorder(str(path), max_size, self.log)
        settings = [self.router(number) for number in range(1, routers + 1)]
        self.node = RecordedNode(settings, 0.0, self.recorder, "lb1")
        self.node.handle(LinkChanged("eth0", up=True, primary={4: ip_address("192.0.2.1")}), 0.0)
        for each in settings:
            self.node.handle(PlanReported(each.router.name), 0.0)
            self.node.handle(Startup(each.router.name), 0.0)

    @staticmethod
    def router(number):
        name, address = f"VI_{number}", ip_address("198.18.0.0") + number
        settings = RouterSettings(name=name, interface="eth0", vrid=number, virtual_addresses=(address,), priority=100)
        return InstanceSettings(router=settings)

    def live(self, steps):
        """So many deadlines pass, and are carried out."""
        for _ in range(steps):
            now = self.node.deadline
            for action in self.node.handle(Tick(), now):
                if isinstance(action, SetAddresses):
                    self.node.handle(AddressesInstalled(action.router), now)

    def written(self):
        """Until the thread has nothing left to do."""
        self.recorder.close()
        assert not self.recorder._thread.is_alive()
        return self.pages()

    def pages(self):
        """The files that there are, the older one first."""
        return [each for each in (self.path.with_name(f"{self.path.name}.1"), self.path) if each.is_file()]


def lived_through(pages):
    account = replay(line for page in pages for line in page.read_text("utf-8").splitlines())
    assert account.difference is None
    return account


@pytest.fixture
def made(tmp_path):
    journals = []

    def make(path=None, **more):
        journals.append(Journal(path or tmp_path / "journal.jsonl", **more))
        return journals[-1]

    yield make
    for each in journals:
        each.recorder.close()


# -- bounded ------------------------------------------------------------------------------------------------------


def test_two_files_of_the_configured_size_and_each_can_be_read_alone(made, until):
    ours = made()
    for _ in range(200):
        ours.live(10)  # more that waits than the reserve of a full file would be lost, and told
        until(ours.recorder._queue.empty)
        assert all(page.stat().st_size <= MAX_SIZE for page in ours.pages())
    pages = ours.written()
    assert [page.name for page in pages] == ["journal.jsonl.1", "journal.jsonl"]
    assert pages[0].stat().st_size > MAX_SIZE // 2
    account = lived_through(pages)
    assert account.lost == 0
    assert account.events > 100
    assert all(lived_through([page]).lost == 0 for page in pages)
    assert ours.log.reasons == []


@pytest.mark.parametrize("queued", [1, 30])
def test_a_line_that_is_larger_than_the_rest_of_the_file_turns_it(made, queued, until):
    ours = made()
    until(ours.recorder._queue.empty)
    ours.recorder.write(lambda: "x" * MAX_SIZE)
    ours.live(queued)
    until(ours.recorder._queue.empty)
    ours.live(20)
    assert max(page.stat().st_size for page in ours.written()) <= MAX_SIZE
    assert lived_through(ours.pages()).lost >= 1


def test_a_size_that_even_a_beginning_does_not_fit_is_refused_with_the_size_that_it_needs(made, until):
    ours = made(routers=20)
    until(lambda: ours.log.reasons)
    ours.live(10)
    assert ours.written()[0].stat().st_size == 0
    (reason,) = ours.log.reasons
    assert reason.startswith("a beginning takes ")
    assert int(reason.rpartition(" ")[2]) > MAX_SIZE


# -- a disk that refuses ------------------------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch):
    """What was refused is tried again at once."""
    monkeypatch.setattr(journal, "RETRY", 0.0)


def test_a_full_disk_costs_a_warning_and_nothing_else(made, until):
    ours = made(Path("/dev/full"))
    until(lambda: ours.log.reasons)
    ours.live(100)
    assert {each.router.state for each in ours.node.instances.values()} == {"MASTER"}
    ours.recorder.close()
    assert ours.log.reasons == ["no space left on device"]


def test_a_disk_with_room_again_is_gone_on_with_and_what_is_missing_is_told(made, hurried, monkeypatch, until):
    ours = made()
    ours.live(30)
    until(ours.recorder._queue.empty)
    room = [40]

    def write(file, data):
        """The disk has room for so many octets more, and the last line is cut off."""
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = os.write(file, data[: room[0]])
        room[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr(journal, "os", Disk(write))
        ours.live(30)
        until(ours.recorder._queue.empty)
    ours.live(30)
    account = lived_through(ours.written())
    assert account.lost >= 30
    assert len(account.cut_off) == 1
    assert account.events + account.lost >= 90
    assert set(ours.log.reasons) == {"no space left on device"}


class Disk:
    """``os``, with another ``write``."""

    def __init__(self, write):
        self.write = write

    def __getattr__(self, name):
        return getattr(os, name)


def test_a_folder_that_appears_later_is_written_to_then(made, hurried, tmp_path, until):
    folder = tmp_path / "later"
    ours = made(folder / "journal.jsonl")
    until(lambda: ours.log.reasons)
    ours.live(11)
    until(ours.recorder._queue.empty)  # the thread may be at work on the last one still
    folder.mkdir()
    ours.live(10)
    assert lived_through(ours.written()).lost >= 10
    assert set(ours.log.reasons) == {"no such file or directory"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "is a directory"),
        (lambda path: path.symlink_to("/etc/passwd"), "too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_not_written_to(made, tmp_path, make, reason, until):
    make(tmp_path / "journal.jsonl")
    ours = made()
    until(lambda: ours.log.reasons)
    ours.live(10)
    ours.recorder.close()
    assert ours.log.reasons == [reason]


# -- a disk that stalls -------------------------------------------------------------------------------------------


@pytest.fixture
def stalled(monkeypatch):
    """Whoever writes waits until it is told to go on; set when somebody waits."""
    disk = SimpleNamespace(waits=threading.Event(), goes_on=threading.Event())

    def write(file, data):
        disk.waits.set()
        assert disk.goes_on.wait(60)
        return os.write(file, data)

    monkeypatch.setattr(journal, "os", Disk(write))
    yield disk
    disk.goes_on.set()


def test_a_stalled_disk_holds_up_nobody_and_takes_a_bounded_queue(made, stalled, monkeypatch, until):
    """Ten times as many steps as the queue holds, while not one line can be written."""
    monkeypatch.setattr(journal, "QUEUE", QUEUE)
    ours = made()
    assert stalled.waits.wait(PATIENCE)
    ours.live(10 * QUEUE)
    assert ours.recorder._queue.qsize() == QUEUE
    assert not stalled.goes_on.is_set()
    stalled.goes_on.set()
    until(ours.recorder._queue.empty)
    ours.live(100)
    account = lived_through(ours.written())
    assert account.lost >= 9 * QUEUE
    assert account.events > 50
    assert max(page.stat().st_size for page in ours.pages()) <= MAX_SIZE
    assert ours.log.reasons == []


def test_an_end_does_not_wait_for_a_stalled_disk(made, stalled, monkeypatch):
    monkeypatch.setattr(journal, "CLOSE_WITHIN", 0.01)
    ours = made()
    assert stalled.waits.wait(PATIENCE)
    ours.recorder.close()
    assert ours.recorder._thread.is_alive()
    assert ours.recorder._thread.daemon


def test_a_pipe_that_nobody_reads_is_no_stall(made, tmp_path, until):
    os.mkfifo(tmp_path / "journal.jsonl")
    ours = made()
    ours.live(1000)
    until(lambda: ours.log.reasons)
    assert ours.log.reasons[0] == "resource temporarily unavailable"


# -- one daemon after the other -----------------------------------------------------------------------------------


def test_the_next_daemon_appends_and_ends_the_line_that_the_last_one_could_not(made):
    first = made()
    first.live(20)
    (page,) = first.written()
    with page.open("a") as torn:
        torn.write('{"host":"lb1","at":99.0,"ev')
    second = made()
    second.live(20)
    account = lived_through(second.written())
    assert account.lives == 2
    assert len(account.cut_off) == 1
    assert [each.new for _, _, each in account.transitions] == ["BACKUP"] * 3 + ["MASTER"] * 3 + ["BACKUP"] * 3 + [
        "MASTER"
    ] * 3


def test_a_full_file_of_the_last_daemon_is_turned_by_the_next_one(made, tmp_path):
    (tmp_path / "journal.jsonl").write_text("x" * MAX_SIZE)
    ours = made()
    ours.live(20)
    older, newer = ours.written()
    assert older.read_text() == "x" * MAX_SIZE
    assert lived_through([newer]).lives == 1
