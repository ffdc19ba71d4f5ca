"""Who watches plugins at work: every call with what came of it, and every line that they print.

A daemon has nobody who does. ``hafw.testing`` has: the author of a plugin wants to see what an operator need not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.pipe import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """One call of one hook, when it has ended."""

    plugin: str
    hook: str
    arguments: Mapping[str, Any]
    """As they crossed the pipe: ``router`` (its name), ``change``, ``event``, ``budget`` and so on."""
    seconds: float
    """Between the question and its end, as the daemon counts them."""
    reply: Reply | None
    """``None``: the process ended before it answered."""
    error: str = ""
    """What the daemon says of it; empty: it worked."""


class Witness:
    """Hears nothing; whoever wants to hear overrides. Called in the trio thread, must not wait."""

    def called(self, call: Called) -> None:
        """A call has ended."""

    def printed(self, plugin: str, line: str, *, logged: bool) -> None:
        """A line came out of its process. ``logged``: it was not one too many for the log."""


NOBODY = Witness()
