"""What a plugin with the ``serve`` hook may ask, and how often: it reads, and cannot change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from hafw.daemon.control import CommandError
from hafw.pipe import Question

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hafw.daemon.plugins.child import Child
    from hafw.pipe import Reply

    Command = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

AT_ONCE = 16
"""Questions of one plugin that wait for an answer; its own side stops at half of them."""
PAUSE = 0.02
"""Seconds after an answer: a plugin that asks all the time takes little of the election's."""


class Answering:
    """Takes the questions of one process as they come, and answers them one by one."""

    def __init__(self, child: Child, commands: Mapping[str, Command]) -> None:
        self._child = child
        self._commands = commands
        self._asked, self._questions = trio.open_memory_channel[Question](AT_ONCE)

    def take(self, part: Reply) -> None:
        """One part of the endless answer; called by the reading task, must not wait."""
        if part.question is None:
            self._child.kill("said in serve what is no question")
            return
        try:
            self._asked.send_nowait(part.question)
        except trio.WouldBlock:
            self._child.kill(f"asked more than {AT_ONCE} questions at once")

    async def run(self) -> None:
        """For as long as the process lives."""
        async for question in self._questions:
            answer = await self._answer(question)
            await self._child.tell(question.number, answer)
            await trio.sleep(PAUSE)

    async def _answer(self, question: Question) -> Mapping[str, Any]:
        command = self._commands.get(question.do)
        if command is None:
            known = ", ".join(sorted(self._commands)) or "nothing"
            message = f"do = {question.do[:60]!r}: a plugin may ask for {known}"
            return {"error": {"kind": "unknown-command", "message": message, "path": "do"}}
        try:
            return await command(question.request)
        except CommandError as error:
            return error.record()
