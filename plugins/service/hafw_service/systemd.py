"""systemd, through its own ``systemctl``: how a unit is, and an action on it, waited for as long as it makes sense."""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hafw.command import die_with_parent, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw_service.options import Action

LOOK_TIMEOUT: Final = 5.0
GLANCE: Final = 0.05
"""Seconds between two looks whether systemctl has ended."""
MOST_OUTPUT: Final = 1000
PROPERTIES: Final = "LoadState,ActiveState,SubState,Type,Result,UnitFileState"
RUNS: Final = {"active", "reloading"}
DENIED: Final = ("authentication required", "access denied", "not authorized", "permission denied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What systemd says of one."""

    load: str = ""
    """``loaded``, ``not-found``, ``masked``, ``bad-setting``, ``error``."""
    active: str = ""
    sub: str = ""
    kind: str = ""
    result: str = ""
    at_boot: bool = False
    problem: str = ""
    """Why nothing is known of it."""

    @property
    def has_started(self) -> bool:
        """A ``oneshot`` that has ended well has done what it is for."""
        return self.active in RUNS or (
            self.kind == "oneshot" and self.active == "inactive" and self.result == "success"
        )

    @property
    def words(self) -> str:
        """For an operator: ``failed (exit-code)``."""
        more = self.result if self.result not in ("", "success") else self.sub
        return f"{self.active} ({more})" if more and more != self.active else self.active


class Systemd:
    """The manager of this machine."""

    def __init__(self, mode: str, superseded: Callable[[float], bool] | None = None) -> None:
        """``superseded`` waits so many seconds, and says whether what is done has become pointless."""
        self._mode = mode
        self._superseded = superseded or no_news

    def look(self, unit: str) -> Unit:
        """How it is; never raises."""
        argv = ["systemctl", "show", f"--property={PROPERTIES}", "--", unit]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LOOK_TIMEOUT
            )
        except subprocess.TimeoutExpired:
            return Unit(problem=f"systemd does not answer within {LOOK_TIMEOUT:g}s: systemctl status")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return Unit(problem=f"systemctl: {reason}: without systemd, notify_script runs what your init system has")
        if done.returncode:
            return Unit(problem=f"systemctl: {first_line(done.stderr or done.stdout)}")
        told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        return Unit(
            load=told.get("LoadState", ""),
            active=told.get("ActiveState", ""),
            sub=told.get("SubState", ""),
            kind=told.get("Type", ""),
            result=told.get("Result", ""),
            at_boot=told.get("UnitFileState", "").startswith("enabled"),
        )

    def act(self, action: Action, timeout: float, settle: float) -> str:
        """Do it, and see whether it is so; empty when it is, otherwise why not and what to do."""
        before = self.look(action.unit)
        if before.problem:
            return before.problem
        if (action.verb == "start" and before.active == "active") or (
            action.verb == "stop" and before.active in ("inactive", "failed")
        ):
            return ""
        argv = ["systemctl", "--no-ask-password", f"--job-mode={self._mode}", action.verb, "--", action.unit]
        problem = self._run(argv, timeout)
        return problem or self._verified(action, settle)

    def _verified(self, action: Action, settle: float) -> str:
        """A program that dies right after its start has started as far as systemctl knows."""
        if action.verb == "stop":
            after = self.look(action.unit)
            return "" if after.active in ("inactive", "failed") else f"it is {after.words} all the same"
        if action.verb.startswith("try-") and not self.look(action.unit).has_started:
            return ""
        if self._superseded(settle):
            return ""
        after = self.look(action.unit)
        if after.problem or after.has_started:
            return after.problem
        return f"it is {after.words}: journalctl -u {action.unit}"

    def _run(self, argv: list[str], timeout: float) -> str:
        """Empty when it ended well, or when there is no point in waiting; systemd goes on with the job either way."""
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=environment(),
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl of an already loaded library: takes no lock
                )
            except OSError as error:
                return f"systemctl: {(error.strerror or str(error)).lower()}"
            deadline = time.monotonic() + timeout
            while process.poll() is None:
                superseded = self._superseded(GLANCE)
                if superseded or time.monotonic() >= deadline:
                    process.kill()
                    process.wait()
                    return (
                        ""
                        if superseded
                        else f"not done after {timeout:g}s, systemd goes on with it: systemctl list-jobs"
                    )
            output.seek(0)
            said = output.read(65536).decode(errors="replace")
        return explained(said, process.returncode) if process.returncode else ""


def no_news(seconds: float) -> bool:
    """Nothing else happens."""
    time.sleep(seconds)
    return False


def explained(said: str, status: int) -> str:
    """The words of systemctl, and what to do where they do not say it."""
    words = " ".join(said.split())[:MOST_OUTPUT] or f"exit status {status}"
    if any(each in words.lower() for each in DENIED):
        return f'{words}: run as root (user = "root") or give this user a polkit rule: see the README'
    return words


def first_line(text: str) -> str:
    """Of an error."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no answer")
