"""The ``serve`` hook: it runs for ever, asks the daemon, and can change nothing."""

from __future__ import annotations

import pwd
import queue
from typing import TYPE_CHECKING

import pytest
import trio

from hafw.config.tables import PluginTable
from hafw.config.types import keys_of
from hafw.daemon.control import CommandError
from hafw.plugin.asking import AT_ONCE, Asker, Questions
from hafw.plugin.serve import TAKEN

if TYPE_CHECKING:
    from hafw.pipe import Reply


class Daemon:
    """Commands as the daemon has them, and what was asked of them."""

    def __init__(self):
        self.asked = []
        self.thrice = trio.Event()

    async def status(self, request):
        self.asked.append(dict(request))
        if len(self.asked) == 3:
            self.thrice.set()
        return {"node": "lb1", "asked": len(self.asked), "request": dict(request)}

    async def refuse(self, _request):
        raise CommandError("bad-request", "since must be a whole number", "since")

    async def stall(self, _request):
        await trio.sleep_forever()

    @property
    def commands(self):
        return {"status": self.status, "events": self.refuse, "history": self.stall}


@pytest.fixture
def daemon():
    return Daemon()


def saying(source: str) -> str:
    """A plugin whose server says what it has learned, by failing with it."""
    return f"@hookimpl\ndef serve(ask):\n    {source}\n"


async def last_words(stage):
    await stage.until(stage.failures)
    return stage.failures()[0]


async def test_a_server_asks_the_daemon(write, play, daemon):
    plugin = write(saying("raise ValueError(ask('status', since=7)['request'])"))
    async with play(plugin, commands=daemon.commands) as stage:
        assert "ValueError: {'since': 7}" in await last_words(stage)
        assert daemon.asked == [{"since": 7}]


async def test_the_daemon_refuses_what_is_no_question_of_a_plugin(write, play, daemon):
    plugin = write(saying("ask('reload')"))
    async with play(plugin, commands=daemon.commands) as stage:
        assert "do = 'reload': a plugin may ask for events, history, status" in await last_words(stage)


async def test_a_bad_request_is_answered_with_the_rule(write, play, daemon):
    plugin = write(saying("ask('events', since='x')"))
    async with play(plugin, commands=daemon.commands) as stage:
        assert "ValueError: since must be a whole number" in await last_words(stage)


async def test_a_daemon_that_does_not_answer_is_waited_for_a_bounded_time(write, play, daemon):
    plugin = write(saying("ask('history', patience=0.05)"))
    async with play(plugin, commands=daemon.commands) as stage:
        assert "TimeoutError: the daemon did not answer within 0.05s" in await last_words(stage)


async def test_a_server_that_raises_is_called_again(write, play, daemon, monkeypatch):
    monkeypatch.setattr("hafw.daemon.plugins.beside.MONITOR_PAUSE", 0.01)
    plugin = write(saying("ask('status'); raise OSError('no such port')"))
    async with play(plugin, commands=daemon.commands) as stage:
        with trio.fail_after(10):
            await daemon.thrice.wait()
        assert stage.status().state == "running"
        assert "serve raised OSError: no such port" in stage.status().last_error
        assert len(stage.failures()) == 1, "what fails on and on is told once"


async def test_a_server_runs_as_nobody_without_capabilities(write, play, daemon):
    plugin = write(saying("raise ValueError(f'{os.geteuid()} {open(\"/proc/self/status\").read()}')"))
    async with play(plugin, commands=daemon.commands) as stage:
        said = await last_words(stage)
        if pwd.getpwuid(0) and stage.status().user == "nobody":
            assert f"ValueError: {pwd.getpwnam('nobody').pw_uid} " in said
        assert "CapEff: 0000000000000000" in said


async def test_questions_that_flood_end_the_process(write, play, daemon):
    source = """
    from hafw.pipe import Question, Reply
    @hookimpl
    def serve(ask):
        asker = ask.__self__
        for number in range(1000):
            asker._mouth.send(Reply(id=asker._call, more=True, question=Question(number=number, do="history")))
        time.sleep(600)
    """
    async with play(write(source), commands=daemon.commands) as stage:
        assert await last_words(stage) == "asked more than 16 questions at once"


async def test_a_server_that_reports_something_else_is_ended(write, play, daemon):
    source = """
    from hafw.pipe import Reply
    @hookimpl
    def serve(ask):
        ask.__self__._mouth.send(Reply(id=ask.__self__._call, more=True))
        time.sleep(600)
    """
    async with play(write(source), commands=daemon.commands) as stage:
        assert await last_words(stage) == "said in serve what is no question"


class Mouth:
    """The daemon's ear, in this process."""

    def __init__(self):
        self.heard = queue.SimpleQueue()

    def send(self, reply: Reply):
        self.heard.put(reply.question)


def test_more_questions_at_once_than_the_daemon_takes_wait_on_this_side():
    mouth, questions = Mouth(), Questions()
    asker = Asker(1, mouth, questions)
    for _ in range(AT_ONCE):
        with pytest.raises(TimeoutError, match=r"did not answer within 0\.01s"):
            asker.ask("status", patience=0.01)
    with pytest.raises(TimeoutError, match="8 questions wait for the daemon already"):
        asker.ask("status", patience=0.01)
    questions.answered(mouth.heard.get().number, {})
    questions.answered(4711, {})  # which nobody asked
    with pytest.raises(TimeoutError, match="did not answer"):
        asker.ask("status", patience=0.01)


def test_a_late_answer_is_no_answer_to_the_next_question():
    mouth, questions = Mouth(), Questions()
    asker = Asker(1, mouth, questions)
    with pytest.raises(TimeoutError):
        asker.ask("status", patience=0.01)
    late = mouth.heard.get()

    class Answers(Mouth):
        def send(self, reply: Reply):
            questions.answered(late.number, {"answer": "late"})
            questions.answered(reply.question.number, {"answer": "mine"})

    assert Asker(1, Answers(), questions).ask("status") == {"answer": "mine"}


def test_the_names_that_no_option_may_have_are_the_keys_that_every_plugin_has():
    assert {key.key for key in keys_of(PluginTable)} == TAKEN
