"""What a plugin process sends, taken apart and laid to the calls that it answers. Nothing of it is believed.

Apart from the process, so that whatever octets somebody thinks of can be tried without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import trio

from hafw.pipe import LINE_MAX, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_MAX = 16 << 20
"""Octets of all parts of one answer: 4,000 addresses with four frames each need 4 MiB."""


@dataclass(slots=True)
class Pending:
    """A call that waits for its answer."""

    id: int
    hook: str
    on_part: Callable[[Reply], None] | None = None
    done: trio.Event = field(default_factory=trio.Event)
    reply: Reply | None = None
    parts: list[Reply] = field(default_factory=list)
    octets: int = 0


class Hearing:
    """The calls that were made to one process, and the answers as they come in."""

    def __init__(self) -> None:
        self._waiting: dict[int, Pending] = {}
        self._next_id = 0
        self._rest = bytearray()
        self._closed = False
        self._decoder = msgspec.json.Decoder(Reply)

    def expect(self, hook: str, on_part: Callable[[Reply], None] | None = None) -> Pending:
        """A call that is about to be made; the first of a process is its start.

        ``on_part`` takes the parts of the answer as they come, and must not wait; otherwise they are kept.
        """
        pending = self._waiting[self._next_id] = Pending(self._next_id, hook, on_part)
        self._next_id += 1
        return pending

    def forget(self, answered: Pending) -> None:
        """Nothing more is to come for this one."""
        del self._waiting[answered.id]

    def close(self) -> None:
        """The process is dead to us: whoever waits is woken, and what it still says is not heard."""
        self._closed = True
        for pending in self._waiting.values():
            pending.done.set()

    def feed_untrusted(self, data: bytes) -> str:
        """Take what was read. Returns the offence for which the process has to die; empty: there is none."""
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            offence = "" if self._closed else self._take(line)
            if offence:
                return offence
        return f"sent a line of more than {LINE_MAX} octets" if len(self._rest) > LINE_MAX else ""

    def _take(self, line: bytearray) -> str:
        """One line of its own making."""
        if len(line) > LINE_MAX:
            return f"sent a line of more than {LINE_MAX} octets"
        try:
            reply = self._decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return f"sent what is no answer: {bytes(line[:60])!r}"
        pending = self._waiting.get(reply.id)
        if pending is None or pending.reply is not None:
            return f"answered call {reply.id}, which nobody made"
        if not reply.more:
            pending.reply = reply
            pending.done.set()
        elif pending.on_part:
            pending.on_part(reply)
        else:
            pending.parts.append(reply)
            pending.octets += len(line)
            if pending.octets > ANSWER_MAX:
                return f"answered {pending.hook} with more than {ANSWER_MAX} octets"
        return ""
