"""A scenario as text: commands, and below each what came of it, in one file that can be written anew.

::

    # a comment
    kill lb1
    until lb2 is MASTER
    >  13.031s  lb2  BACKUP -> MASTER: no-response

Lines that begin with ``>`` are the output of the command above them. They are compared when the scenario runs, so
a scenario is a test; ``rewritten`` puts in what came out, so a change of behaviour is reviewed as a diff.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MARK = ">"


@dataclass(frozen=True, slots=True)
class Command:
    """One command, the line it stands on, and the output that the file has for it."""

    line: int
    words: tuple[str, ...]
    recorded: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it is shown to people: blanks collapsed, without a comment behind it."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Script:
    """A scenario that has been read, not understood yet."""

    file: str
    """Its name, for messages."""
    text: str
    commands: tuple[Command, ...]

    @property
    def title(self) -> str:
        """Its first comment, or its name."""
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return first.removeprefix("#").strip() if first.startswith("#") else self.file

    @property
    def is_recorded(self) -> bool:
        """Whether the file has any output at all; without, there is nothing to compare."""
        return any(command.recorded for command in self.commands)

    def difference(self, outputs: Sequence[Sequence[str]]) -> str:
        """Where output first differs from what the file says, in words; empty: nowhere."""
        for command, output in zip(self.commands, outputs, strict=False):
            for number, (said, came) in enumerate(zip_longest(command.recorded, output, fillvalue="nothing")):
                if said != came:
                    line = command.line + (1 + number if command.recorded else 0)
                    return (
                        f"{self.file}:{line}: after `{command.text}`\n  the file says  {said}\n  what came is   {came}"
                    )
        return ""

    def rewritten(self, outputs: Sequence[Sequence[str]]) -> str:
        """The text with this output in place of the recorded one."""
        by_line = {command.line: output for command, output in zip(self.commands, outputs, strict=False)}
        lines: list[str] = []
        for number, line in enumerate(self.text.splitlines(), 1):
            if not line.startswith(MARK):
                lines.append(line)
                lines += [f"{MARK} {came}".rstrip() for came in by_line.get(number, ())]
        return "\n".join(lines) + "\n"


def read(text: str, file: str) -> Script:
    """Split a scenario into commands. What the words mean is found out when it is played."""
    commands: list[Command] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(MARK):
            if commands:
                last = commands.pop()
                commands.append(Command(last.line, last.words, (*last.recorded, line.removeprefix(MARK)[1:])))
            continue
        if words := line.partition("#")[0].split():
            commands.append(Command(number, tuple(words), ()))
    return Script(file, text, tuple(commands))
