"""``hafw events`` over the end of its daemon: a server that plays one daemon after the other."""

import contextlib
import json
import socket
import threading

import pytest
from click.testing import CliRunner

from hafw.cli import client
from hafw.cli import events as module
from hafw.cli.events import events

FIRST = {"seq": 7, "stream": "one", "status": {}}


def event(seq):
    return {"seq": seq, "time": "2026-11-22T21:14:02.118Z", "type": "announced", "instance": "VI_1"}


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    """Answers each connection with the next list of lines, and then is gone; returns what it was asked."""
    monkeypatch.setattr(module, "AGAIN_FOR", 0.3)
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.01)
    path = tmp_path / "control.sock"
    asked, threads = [], []

    def serve(listening, answers):
        with listening:
            for lines in answers:
                caller, _ = listening.accept()
                with caller, caller.makefile("rwb") as stream:
                    asked.append(json.loads(stream.readline()))
                    stream.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        path.unlink()

    def start(*answers):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
        threads.append(threading.Thread(target=serve, args=(listening, answers)))
        threads[-1].start()
        return str(path), asked

    yield start
    for thread in threads:
        thread.join(10)


def run(path, *words):
    return CliRunner().invoke(events, ["--json", *words], obj=path)


def numbers(done):
    return [json.loads(line)["seq"] for line in done.stdout.splitlines()]


def test_the_next_daemon_is_asked_for_what_comes_after_the_last_event(daemon):
    path, asked = daemon([FIRST, event(8), event(9)], [{**FIRST, "stream": "two"}, event(10)], [FIRST])
    done = run(path)
    assert numbers(done) == [8, 9, 10]
    begun = [(each["since"], each["n"], each.get("stream")) for each in asked]
    assert begun == [(None, None, None), (9, None, "one"), (10, None, "two")]
    assert done.exit_code == 6
    assert done.stderr.count("waiting for the next one") == 3
    assert "daemon not reachable" in done.stderr


def test_one_that_saw_nothing_yet_asks_for_what_came_after_it_began(daemon):
    path, asked = daemon([FIRST], [{**FIRST, "seq": 9}, event(8), event(9)])
    assert numbers(run(path)) == [8, 9]
    assert asked[1]["since"] == 7


def test_whoever_was_dropped_asks_again_and_misses_nothing(daemon):
    error = {"error": {"kind": "dropped", "message": "too slow: read on", "path": ""}}
    path, asked = daemon([FIRST, event(8), error], [FIRST, event(9)])
    done = run(path)
    assert numbers(done) == [8, 9]
    assert asked[1]["since"] == 8
    assert "hafw: too slow: read on" in done.stderr


def test_a_refusal_ends_it(daemon):
    path, _ = daemon([{"error": {"kind": "too-many-clients", "message": "1024 clients follow", "path": ""}}])
    done = run(path)
    assert (done.exit_code, done.stderr) == (1, "hafw: 1024 clients follow\n")


def test_a_gap_is_no_event_to_count_from(daemon):
    gap = {"type": "gap", "time": "now", "after": 1, "next": 8, "missed": 6, "detail": "6 events are no longer kept"}
    path, asked = daemon([FIRST, gap, event(8)], [FIRST])
    shown = run(path, "--since", "1").stdout.splitlines()
    assert [json.loads(line)["type"] for line in shown] == ["gap", "announced"]
    assert asked[1]["since"] == 8


def test_without_a_daemon_nobody_waits(tmp_path, daemon, monkeypatch):
    monkeypatch.setattr(module, "AGAIN_FOR", 3600)
    done = run(str(tmp_path / "nothing"))
    assert done.exit_code == 6
    assert "there is no such socket" in done.stderr


def test_no_follow_asks_once_for_all_that_is_there(daemon):
    path, asked = daemon([FIRST, event(7)])
    done = run(path, "--no-follow")
    assert (done.exit_code, numbers(done), done.stderr) == (0, [7], "")
    assert (asked[0]["follow"], asked[0]["n"], len(asked)) == (False, 1000, 1)


def test_a_daemon_that_many_call_is_waited_for(tmp_path, daemon, monkeypatch):
    path = tmp_path / "busy.sock"
    with socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as callers:
        listening.bind(str(path))
        listening.listen(0)
        waiting = 0
        while waiting == 0:
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            waiting = caller.connect_ex(str(path))
        monkeypatch.setattr(client, "ANSWER_TIMEOUT", 0.2)
        done = run(str(path), "--no-follow")
    assert (done.exit_code, "no answer within 0.2s: the daemon hangs" in done.stderr) == (6, True)


def test_a_caller_that_is_refused_before_it_asks_is_told_why(tmp_path):
    path = tmp_path / "full.sock"
    refusal = {"error": {"kind": "too-many-clients", "message": "1280 clients are connected", "path": ""}}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def refuse():
            caller, _ = listening.accept()
            caller.sendall(json.dumps(refusal).encode() + b"\n")
            caller.close()

        def connect(self, where):
            thread = threading.Thread(target=refuse)
            thread.start()
            original(self, where)
            thread.join()

        original = client._connect
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "_connect", connect)
            done = run(str(path), "--no-follow")
    assert (done.exit_code, done.stderr) == (1, "hafw: 1280 clients are connected\n")
