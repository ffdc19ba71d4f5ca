"""The plugin's side of ``serve``: questions go out as parts of its answer, and are answered in any thread."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import TYPE_CHECKING, Any, Protocol

from hafw.pipe import Question, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE = 5.0
"""Seconds that the daemon has for an answer, when the plugin names no other."""
AT_ONCE = 8
"""Questions on their way; more wait here, for the daemon would take them for a flood."""


class Mouth(Protocol):
    """What a reply is sent by."""

    def send(self, reply: Reply) -> None:
        """Send one line."""


class Questions:
    """Those that wait for their answer, by number."""

    def __init__(self) -> None:
        self._waiting: dict[int, queue.SimpleQueue[Mapping[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def open(self, patience: float) -> tuple[int, queue.SimpleQueue[Mapping[str, Any]]]:
        """Take one of the places; raises ``TimeoutError`` when none gets free in time."""
        if not self._room.acquire(timeout=patience):
            raise TimeoutError(f"{AT_ONCE} questions wait for the daemon already")
        number, box = next(self._numbers), queue.SimpleQueue[Any]()
        self._waiting[number] = box
        return number, box

    def answered(self, number: int, answer: Mapping[str, Any]) -> None:
        """What the daemon says; only now the place is free, for only now the daemon has forgotten the question."""
        if box := self._waiting.pop(number, None):
            self._room.release()
            box.put(answer)


class Asker:
    """What ``serve`` is given as ``ask``."""

    def __init__(self, call: int, mouth: Mouth, questions: Questions) -> None:
        self._call = call
        self._mouth = mouth
        self._questions = questions

    def ask(self, do: str, /, *, patience: float = PATIENCE, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """``status``, ``events`` (``since=SEQ``), ``history`` or ``plugins``: what the control socket would answer.

        Blocks, from any thread, for at most ``patience`` seconds: ``TimeoutError``. ``ValueError``: the daemon refuses
        the question, and says why.
        """
        number, box = self._questions.open(patience)
        question = Question(number=number, do=do, request=request)
        self._mouth.send(Reply(id=self._call, more=True, question=question))
        try:
            answer = box.get(timeout=patience)
        except queue.Empty:
            raise TimeoutError(f"the daemon did not answer within {patience:g}s") from None
        if error := answer.get("error"):
            raise ValueError(error["message"])
        return answer
