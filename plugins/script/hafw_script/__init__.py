"""A script decides: exit status 0 is healthy, anything else is not, as with keepalived's ``vrrp_script``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw.command import environment, mistakes, run, split

TIMEOUT = Duration(0.7)
MERCY = 0.02
"""Seconds between SIGTERM and SIGKILL: the check's own timeout, which ends this whole process, is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.script]``. A command is a string, split by blanks and quotes, or a list of arguments."""

    command: str | list[str]
    timeout: Annotated[Duration, Meta(ge=0.01, le=3600)] = TIMEOUT
    """Of the script; less than the check's own timeout, which kills this process."""


class Script:
    """One script of this machine, the same for every instance."""

    needs_privileges = True
    """It may run ping, sudo and other programs that have rights of their own."""

    def __init__(self) -> None:
        self._argv: list[str] = []
        self._timeout = 0.0

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.script]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse a command that could not run or must not."""
        refuse(("command", message) for message in mistakes(options.command))
        self._argv, self._timeout = split(options.command), float(options.timeout)

    @hookimpl
    def check(self) -> Verdict:
        """Run it once, to its end."""
        outcome = run(self._argv, environment(), self._timeout, MERCY)
        said = outcome.output.splitlines()[-1:] or [""]
        if outcome.exit == 0:
            return Verdict(True, said[0])
        return Verdict(False, ": ".join(filter(None, [f"exit {outcome.exit}", said[0]])))


plugin = Script()
