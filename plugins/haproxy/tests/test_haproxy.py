"""Without HAProxy: what it might say, and what cannot work."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from hafw_haproxy import Haproxy, Options
from hafw_haproxy.stats import commands_for, is_up, read

from hafw.api import Duration, Verdict

INFO = "Name: HAProxy\nVersion: 3.2.1-1\nPid: 8\nStopping: {stopping}\nnode: lb1\n\n"
STAT = "# pxname,svname,status,type,\nweb,a,UP 1/2,2,\nweb,BACKEND,UP,1,\n\n"


@pytest.fixture
def answering(tmp_path):
    """A Unix socket where lines are answered so, the last answer first, and the first one for ever; gives its path."""
    path = tmp_path / "admin.sock"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve(answer, *before):
            left = [answer, *before]

            def run():
                with contextlib.suppress(OSError):
                    while True:
                        peer, _ = listener.accept()
                        with peer:
                            peer.recv(9999)
                            peer.sendall(left.pop() if len(left) > 1 else answer)

            threading.Thread(target=run, daemon=True).start()
            return str(path)

        yield serve


@pytest.mark.filterwarnings("ignore:socket")
@pytest.mark.parametrize(("answer", "said"), [
    (b"", 'no answer of HAProxy: "nothing"'),
    (b"Permission denied\n", 'no answer of HAProxy: "Permission denied"'),
    (b"HTTP/1.1 400 Bad request\r\n", 'no answer of HAProxy: "HTTP/1.1 400 Bad request"'),
    (b"\xff" * 5000, f'no answer of HAProxy: "{chr(0xFFFD) * 80}"'),
])  # fmt: skip
def test_an_answer_that_is_none_is_quoted(configured, answering, answer, said):
    plugin = configured(socket=answering(answer), timeout=Duration(20))
    assert plugin.check() == Verdict(False, said)


@pytest.mark.filterwarnings("ignore:socket")
def test_one_that_is_stopping_is_asked_again_until_the_timeout(configured, answering):
    plugin = configured(socket=answering(INFO.format(stopping=1).encode()), timeout=Duration(0.1))
    assert plugin.check() == Verdict(False, "HAProxy is stopping")


@pytest.mark.filterwarnings("ignore:socket")
def test_a_worker_that_leaves_is_not_believed_where_another_answers(configured, answering):
    leaves, stays = (INFO.format(stopping=each).encode() for each in (1, 0))
    plugin = configured(socket=answering(stays, leaves, leaves, stays), timeout=Duration(20))
    assert plugin.check() == Verdict(True, "HAProxy 3.2.1 answers")


@pytest.mark.filterwarnings("ignore:socket")
def test_a_pid_of_another_pid_namespace_is_nobody_to_follow(configured, answering):
    plugin = configured(socket=answering(INFO.format(stopping=0).encode()), timeout=Duration(20))
    assert plugin.check() == Verdict(True, "HAProxy 3.2.1 answers")
    assert plugin._worker._pidfd == -1


def test_a_socket_that_is_not_there_is_warned_of_and_a_failure(configured, tmp_path):
    said = f"no such file or directory on {tmp_path}/admin.sock"
    with pytest.warns(UserWarning, match="socket: no such file") as caught:
        plugin = configured(socket=f"{tmp_path}/admin.sock")
    assert str(caught[0].message) == f"socket: {said}; the check fails until then"
    assert plugin.check() == Verdict(False, said)


def test_both_answers_are_read_in_one():
    report = read(INFO.format(stopping=0) + "No such proxy.\n\n" + STAT)
    assert report.pid == 8
    assert (report.backends["web"].up, report.backends["web"].servers, report.frontends) == (1, 1, {})


@pytest.mark.parametrize(("status", "up"), [
    ("UP", True), ("UP 2/3", True), ("no check", True), ("DOWN", False), ("DOWN 1/2", False), ("MAINT", False),
    ("MAINT (via web/a)", False), ("DRAIN", False), ("NOLB", False), ("", False),
])  # fmt: skip
def test_a_server_is_up_that_takes_new_connections(status, up):
    assert is_up(status) is up


def test_only_what_is_named_is_asked_for():
    assert [*commands_for(("www",), ("web", "api"))] == [
        "show stat www 1 -1",
        "show stat web 6 -1",
        "show stat api 6 -1",
    ]


@pytest.mark.parametrize(("options", "said"), [
    ({"socket": "admin.sock"},
     ['socket: = "admin.sock": must be an absolute path, as of stats socket in haproxy.cfg']),
    ({"backends": ("a b", "web", "web")}, [
        'backends[0]: = "a b": must be a name of haproxy.cfg: letters, digits, - _ . :',
        'backends[2]: = "web": is there twice',
    ]),
    ({"frontends": ("x; disable frontend www",)},
     ['frontends[0]: = "x; disable frontend www": must be a name of haproxy.cfg: letters, digits, - _ . :']),
    ({"need": 2, "factor": "down"}, [
        "need: = 2: counts the servers of backends: name them, or leave it out",
        'factor: = "down": counts the servers of backends: name them, or leave it out',
    ]),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(options, said):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Haproxy().configure(Options(**options))
    assert str(caught.value).splitlines() == said
