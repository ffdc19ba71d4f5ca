"""What guard and daemon share: the beat, the line, the inheritance; and what the guard concludes from them."""

import os
import socket
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafw.guard import cleanup, guard
from hafw.guard.judgement import amended, fence_at, hold_until, is_resumable
from hafw.guard.lock import STOPPING, Lock, LockError
from hafw.guard.words import describe_status
from hafw.lifeline import SLOTS, VARIABLE, VERSION, Beat, Inheritance, Line, SharedSocket, Sign
from hafw.will import Bequest, BoundAddress

SIGN = Sign(spoke_at=100.0, promised_at=101.0, patience=3.0)
BEQUEST = Bequest(
    name="VI_1",
    interface="eth0",
    family=4,
    source="192.0.2.1",
    goodbyes={"224.0.0.18": "3133000100010000"},
    hold=3.0,
    addresses=(BoundAddress("192.0.2.250", 32, "eth0"),),
    slot=4,
    interval=1.0,
    adverts={"224.0.0.18": "3133c80100010000"},
)


def sign_of(interval, spoke_at=100.0):
    return Sign(spoke_at, spoke_at + interval, 3 * interval)


# -- beat -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def beat():
    created = Beat.create()
    yield created
    os.close(created.descriptor)


def test_a_beat_is_read_through_another_mapping_of_the_same_memory(beat):
    other = Beat(beat.descriptor)
    beat.mark(4, SIGN)
    assert other.sign(4) == SIGN
    assert other.signs() == [SIGN]
    other.silence(4)
    assert beat.sign(4) is None
    assert beat.signs() == []


def test_slots_that_there_are_not_hold_nothing(beat):
    for slot in (-1, SLOTS):
        beat.mark(slot, SIGN)
        beat.silence(slot)
        assert beat.sign(slot) is None
    assert beat.signs() == []


def test_only_those_who_are_resumed_keep_their_sign(beat):
    for slot in range(3):
        beat.mark(slot, SIGN)
    beat.keep_only([1])
    assert [beat.sign(slot) is not None for slot in range(3)] == [False, True, False]


# -- line -----------------------------------------------------------------------------------------------------------


def test_a_message_takes_a_descriptor_along():
    ours, theirs = Line.pair()
    other = Line(theirs)
    read, write = os.pipe()
    assert other.say({"opened": 1}, write)
    os.close(write)
    message, descriptor = ours.hear()
    assert message == {"opened": 1}
    os.write(descriptor, b"x")
    assert os.read(read, 1) == b"x"
    for each in (read, descriptor):
        os.close(each)
    assert ours.hear() is None
    assert not ours.ended
    other.close()
    assert ours.hear() is None
    assert ours.ended
    assert not ours.say({"done": []})
    ours.close()


@pytest.mark.parametrize("octets", [b"awake", b'{"awake": tr', b"[" * 9999, b"\xff", b"[1]", b"7"])
def test_what_is_no_message_is_one_that_says_nothing(octets):
    ours, theirs = Line.pair()
    theirs.send(octets)
    assert ours.hear() == ({}, None)
    assert ours.hear() is None
    assert not ours.ended
    theirs.close()
    ours.close()


def test_the_end_of_a_line_under_a_high_number_is_the_same_line():
    ours, theirs = Line.pair()
    raised = Line.raised(theirs.detach())
    assert raised.fileno() >= 1000
    assert raised.say({"replace": True})
    assert ours.hear() == ({"replace": True}, None)
    raised.close()
    ours.close()


# -- inheritance ----------------------------------------------------------------------------------------------------


def test_an_inheritance_is_taken_once(monkeypatch):
    given_on = Inheritance(
        line=5,
        beat=6,
        sockets=(SharedSocket("eth0", 2, 4, "224.0.0.18", 7),),
        resume=("VI_1",),
        withheld=("VI_2",),
        cause="killed by SIGKILL",
        died_at=12.5,
    )
    monkeypatch.setenv(VARIABLE, given_on.dumps())
    assert Inheritance.take() == given_on
    assert Inheritance.take() is None


@pytest.mark.parametrize("text", ['{"version": 99, "line": 5}', f'{{"version": {VERSION}, "line": 5}}', "{", "[]"])
def test_an_inheritance_that_is_not_understood_is_left_alone(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    assert Inheritance.take() is None


# -- rivals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "source", "rival"),
    [
        ("31336401", "192.0.2.2", True),
        ("31330001", "192.0.2.2", False),  # a goodbye: that one is going
        ("31336401", "192.0.2.1", False),  # our own
        ("31346401", "192.0.2.2", False),  # another VRID
        ("21336401", "192.0.2.2", False),  # another version
        ("3133", "192.0.2.2", False),
        ("", "192.0.2.2", False),
    ],
)
def test_who_counts_as_another_master(message, source, rival):
    assert BEQUEST.is_rival(bytes.fromhex(message), source) is rival
    assert replace(BEQUEST, adverts={}).is_rival(bytes.fromhex(message), source) is rival
    assert not replace(BEQUEST, adverts={}, goodbyes={}).is_rival(bytes.fromhex(message), source)


# -- judgement ------------------------------------------------------------------------------------------------------


def test_a_stuck_daemon_is_ended_while_there_is_time_to_resume():
    assert fence_at([]) == inf
    assert fence_at([sign_of(1.0)]) == 102.0
    assert fence_at([sign_of(1.0), sign_of(0.25)]) == 100.5
    # down_timer_adverts = 1: an advert that is not yet due is no sign of anything
    assert fence_at([Sign(100.0, 101.0, 1.0)]) == 101.5


def test_a_daemon_with_short_intervals_is_not_ended_for_being_late():
    assert fence_at([sign_of(0.01)]) == 101.0
    assert fence_at([sign_of(0.09)]) == 101.0
    assert fence_at([sign_of(0.1)]) == pytest.approx(100.2)


@given(st.floats(0.01, 40.95), st.integers(1, 10))
def test_nobody_is_ended_before_its_next_advert_is_half_an_interval_late(interval, adverts):
    assert fence_at([Sign(100.0, 100.0 + interval, adverts * interval)]) >= 100.0 + 1.49 * interval


def test_one_that_keeps_addresses_for_longer_than_it_promised_is_stuck_too():
    assert fence_at([], [103.0, 108.0]) == 104.0
    assert fence_at([sign_of(1.0)], [103.0]) == 102.0


def test_what_is_resumed_speaks_before_the_peers_lose_patience():
    assert is_resumable(BEQUEST, SIGN, 102.0, 0.15)
    assert not is_resumable(BEQUEST, SIGN, 102.8, 0.15)
    assert not is_resumable(BEQUEST, sign_of(0.01), 100.005, 0.15)
    assert not is_resumable(BEQUEST, None, 100.0, 0.15)
    assert not is_resumable(replace(BEQUEST, adverts={}), SIGN, 100.0, 0.15)


def test_a_router_that_fell_silent_after_the_record_says_no_goodbye():
    assert amended(BEQUEST, SIGN) == BEQUEST
    assert amended(BEQUEST, None).goodbyes == amended(BEQUEST, None).adverts == {}
    untold = replace(BEQUEST, slot=-1)
    assert amended(untold, None) == untold


def test_addresses_are_held_until_the_successor_can_have_claimed_them():
    assert hold_until(BEQUEST, SIGN, 100.5, rival=False) == 103.0
    assert hold_until(BEQUEST, SIGN, 102.5, rival=False) == 103.5  # the goodbye leaves now
    assert hold_until(BEQUEST, SIGN, 102.5, rival=True) == 103.0
    assert hold_until(BEQUEST, None, 102.5, rival=False) == 105.5
    assert hold_until(BEQUEST, None, 102.5, rival=False, release_at=101.0) == 101.0  # had it lived, they would be gone


def test_a_shared_socket_is_adopted_with_its_group():
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    adopted = SharedSocket("eth0", 2, 4, "224.0.0.18", opened.detach()).adopt()
    assert (adopted.ifindex, adopted.family, str(adopted.group)) == (2, 4, "224.0.0.18")
    adopted.close()


# -- lock -----------------------------------------------------------------------------------------------------------


def test_whoever_comes_second_is_told_who_is_first_and_what_it_does(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path))
    lock = Lock.take()
    with pytest.raises(LockError, match=f"a live hafw of pid {os.getpid()} holds .*: stop it, or set HAFW_RUN_DIR"):
        Lock.take()
    lock.note(f"{os.getpid()} {STOPPING}")
    with pytest.raises(LockError, match=f"pid {os.getpid()} holds .* and is stopping: try again when it is gone"):
        Lock.take()
    os.close(lock.descriptor)
    os.close(Lock.take().descriptor)


def test_a_run_directory_that_may_not_be_made_is_one_sentence(tmp_path, monkeypatch, capfd):
    def refuse(*_args, **_keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert guard(["run", "config.toml"]) == 7
    assert cleanup() == 1
    sentence = f"{tmp_path}/run/lock: permission denied: run as root, or set HAFW_RUN_DIR"
    assert capfd.readouterr().err.splitlines() == [
        f'level=warning event=refused process=guard reason="{sentence}"',
        f"hafw: {sentence}",
    ]


def test_cleanup_says_when_there_is_nothing_to_do(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path))
    assert cleanup() == 0
    assert capfd.readouterr().out == f"hafw: nothing to clean up: no will in {tmp_path}\n"


def test_how_a_process_ended_is_told_of_signals_without_a_name_too():
    assert [describe_status(code) for code in (3, -9, -35)] == [
        "exit status 3",
        "killed by SIGKILL",
        "killed by signal 35",
    ]
