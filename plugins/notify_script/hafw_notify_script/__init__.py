"""Runs scripts on state changes, with keepalived's arguments, one at a time and in order.

The order of an instance's changes is kept by the host, which waits for each call. A script of keepalived's runs
unchanged: ``notify_master`` and its like get the arguments that are configured and no more, ``notify`` gets
``INSTANCE NAME STATE PRIORITY`` after its own. What keepalived does not tell is in the environment.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, TypedDict

from msgspec import Meta

from hafw.api import Duration, Router, StateChange, hookimpl
from hafw.command import MERCY, environment, mistakes, run, split

if TYPE_CHECKING:
    from collections.abc import Iterator

Command = str | list[str]
TIMEOUT = Duration(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.notify_script]``. A command is a string, split by blanks and quotes, or a list of arguments."""

    notify: Command = ""
    """On every change; gets ``INSTANCE NAME MASTER|BACKUP|FAULT|STOP PRIORITY`` appended."""
    notify_master: Command = ""
    notify_backup: Command = ""
    notify_fault: Command = ""
    notify_stop: Command = ""
    timeout: Annotated[Duration, Meta(ge=0.01, le=3600)] = TIMEOUT
    """Of each command."""


COMMANDS = tuple(field.name for field in fields(Options) if field.name != "timeout")


class Outcome(TypedDict):
    """What is kept of the scripts of one change."""

    output: str
    exit: int
    command: str
    """The first that failed."""


class NotifyScript:
    """The scripts of one machine."""

    needs_privileges = True
    """Scripts may run sudo, sendmail and other setuid programs."""

    def __init__(self) -> None:
        self._options = Options()

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one event: two commands, each with its timeout and its time to die."""
        return float(2 * (self._options.timeout + 2 * MERCY) + 1)

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.notify_script]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse every command that could not run or must not, all of them at once."""
        if found := [*mistakes_of(options)]:
            raise ValueError("\n".join(f"{key}: {message}" for key, message in found))
        if not any(getattr(options, key) for key in COMMANDS):
            warnings.warn(f"does nothing: {', '.join(COMMANDS)} are all empty", stacklevel=1)
        self._options = options

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_master``, then ``notify``."""
        return self._notify(router, change, self._options.notify_master, "MASTER")

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_backup``, then ``notify``."""
        return self._notify(router, change, self._options.notify_backup, "BACKUP")

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_fault``, then ``notify``."""
        return self._notify(router, change, self._options.notify_fault, "FAULT")

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_stop``, then ``notify``."""
        return self._notify(router, change, self._options.notify_stop, "STOP")

    def _notify(self, router: Router, change: StateChange, own: Command, state: str) -> Outcome | None:
        """Run both, the second also when the first failed; None when neither is configured."""
        general = split(self._options.notify)
        if general:
            general += ["INSTANCE", router.name, state, str(change.priority)]
        told = environment_of(change, state)
        outcomes = [(argv[0], run(argv, told, self._options.timeout, MERCY)) for argv in (split(own), general) if argv]
        if not outcomes:
            return None
        lines = [f"{script}: {outcome.output or 'exit ' + str(outcome.exit)}" for script, outcome in outcomes]
        failed = next(((script, outcome.exit) for script, outcome in outcomes if outcome.exit), ("", 0))
        return Outcome(output="\n".join(lines), exit=failed[1], command=failed[0])


def mistakes_of(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    for key in COMMANDS:
        command = getattr(options, key)
        for message in mistakes(command) if command not in ("", []) else ():
            yield key, message


def environment_of(change: StateChange, state: str) -> dict[str, str]:
    """Our own environment, and what the arguments do not tell."""
    return environment(
        HAFW_INSTANCE=change.instance,
        HAFW_STATE=state,
        HAFW_OLD_STATE=change.old,
        HAFW_REASON=change.reason,
        HAFW_PRIORITY=str(change.priority),
        HAFW_SEQ=str(change.seq),
        HAFW_PEER=change.peer,
    )


plugin = NotifyScript()
