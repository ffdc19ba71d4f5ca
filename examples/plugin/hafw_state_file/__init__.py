"""Keeps the state of each instance in a file of its own, for jobs that must run only where the router is MASTER.

A complete plugin to start from: options with a type, a refusal in words, ordered events, and a check.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.api import Router, StateChange, Verdict, hookimpl, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.state_file]``; hafw converts the table to this type and reports every mistake in it."""

    folder: str = "/run/hafw/state"
    """Where the files are; made at start if its parent lets us."""
    drained: str = ""
    """A file that, while it exists, makes the check fail; empty: the check always passes."""


class StateFile:
    """One file per instance, named like it, that holds ``MASTER``, ``BACKUP``, ``FAULT`` or ``STOP``."""

    def __init__(self) -> None:
        self._options = Options()

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of our table in the configuration."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Raise to refuse: a line per mistake, each with its key, what is wrong and the way out."""
        found = [
            (key, f'= "{value}": must be an absolute path')
            for key, value in (("folder", options.folder), ("drained", options.drained))
            if value and not Path(value).is_absolute()
        ]
        found += [("folder", f"a file cannot be named like instance {r.name}") for r in routers if "/" in r.name]
        if not found:
            try:
                Path(options.folder).mkdir(exist_ok=True)
                writable = os.access(options.folder, os.W_OK | os.X_OK)
            except OSError:
                writable = False
            if not writable:
                found.append(("folder", f'= "{options.folder}": cannot be written to: set user to one who may'))
        refuse(found)
        self._options = options

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> None:
        """Called after the addresses are bound and announced, in order with the three below."""
        self._write(router, change, "MASTER")

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> None:
        """Another router is MASTER."""
        self._write(router, change, "BACKUP")

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> None:
        """This router cannot serve."""
        self._write(router, change, "FAULT")

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> None:
        """The daemon ends: nobody keeps the file true any more, and it says so."""
        self._write(router, change, "STOP")

    @hookimpl
    def check(self) -> Verdict:
        """Leave out ``router``, as here, and the check runs once for all instances that use it."""
        drained = self._options.drained
        if drained and Path(drained).exists():
            return Verdict(False, f"{drained} exists")
        return Verdict(True, "not drained")

    def _write(self, router: Router, change: StateChange, state: str) -> None:
        """Replace the file in one step: a reader sees the old state or the new one, never half of either.

        A change may be delivered twice (``change.seq`` is then the same): writing it again does no harm.
        """
        path = Path(self._options.folder, router.name)
        new = path.with_name(f".{router.name}.new")
        new.write_text(f"{state}\nsince {change.time}\nbecause {change.reason}\n")
        new.replace(path)


plugin = StateFile()
