"""A scenario, played: every command in its turn, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hafw.sim.commands import COMMANDS, Actor
from hafw.sim.conditions import Unmet
from hafw.sim.grammar import Mistake, choose
from hafw.sim.lan import Runaway
from hafw.sim.story import Mark, Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.sim.script import Command, Script
    from hafw.sim.stage import Configurations


class BadScript(Exception):  # noqa: N818 - it names what happened
    """A command that makes no sense: file, line and what is allowed."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a scenario went."""

    script: Script
    outputs: tuple[tuple[str, ...], ...]
    """The output of each command that was reached."""
    story: Story
    failure: str
    """The expectation that did not hold, with its file and line; empty: all held."""


def play(script: Script, configurations: Callable[[str], Configurations] | None = None) -> Played:
    """Run a scenario to its end or to the first expectation that fails; raises ``BadScript``.

    ``configurations`` reads what a ``config`` line names. The same script always takes the same course.
    """
    actor = Actor(configurations)
    outputs: list[tuple[str, ...]] = []
    failure = ""
    for command in script.commands:
        try:
            lines = _perform(command, actor)
        except (Unmet, Runaway) as unmet:
            failure = f"{script.file}:{command.line}: {command.text}: {unmet}"
            lines = []
        except Mistake as mistake:
            raise BadScript(f"{script.file}:{command.line}: {mistake}") from None
        outputs.append((*(actor.story.news() if actor.stage.is_set else ()), *lines))
        if failure:
            break
    if not actor.stage.names:
        raise BadScript(f"{script.file}: there is no router in it: begin with `router NAME`")
    return Played(script, tuple(outputs), actor.story, failure)


def _perform(command: Command, actor: Actor) -> list[str]:
    form, values = choose(COMMANDS, command.words, actor.stage)
    if form.happens:
        actor.story.marks.append(Mark(actor.lan.now, command.text))
    return form.run(actor, *values) or []
