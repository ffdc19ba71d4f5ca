"""What acts on nginx: bringing it back through its unit, and reloading it after a test of its configuration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from typing import TypedDict

from hafw_nginx.process import Alive, look

REVIVE_EVERY = 30.0
"""Seconds between two restarts: an nginx that cannot start must not be started in a loop."""
SYSTEMCTL_TIMEOUT = 25.0
"""Seconds; less than the above, so that two never run at once."""
SBIN = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
"""Where nginx lies when PATH does not say."""
MOST_OUTPUT = 4096
"""Characters of a command's output that are kept, the last ones."""


class Outcome(TypedDict):
    """What a hook hands back to be kept."""

    output: str
    exit: int


def nginx_program() -> str | None:
    """Where nginx is installed; None when it is not found."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), SBIN]))


def run(*argv: str, timeout: float = SYSTEMCTL_TIMEOUT) -> Outcome:
    """Run to the end or the timeout; a command that cannot run is an outcome too."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(output=f"{' '.join(argv)}: no end within {timeout:g}s", exit=124)
    except OSError as error:
        return Outcome(output=f"{argv[0]}: {(error.strerror or str(error)).lower()}", exit=127)
    return Outcome(output=done.stdout.decode(errors="replace").strip()[-MOST_OUTPUT:], exit=done.returncode)


class Revival:
    """``systemctl restart UNIT``, at most once per ``REVIVE_EVERY``, beside everything else."""

    def __init__(self, unit: str) -> None:
        self.failure = ""
        """Why the last attempt did not work; empty otherwise."""
        self._unit = unit
        self._not_before = float("-inf")

    def attempt(self) -> None:
        """Start an attempt unless one is not due yet; never waits."""
        now = time.monotonic()
        if not self._unit or now < self._not_before:
            return
        self._not_before = now + REVIVE_EVERY
        threading.Thread(target=self._restart, name="restart", daemon=True).start()

    def _restart(self) -> None:
        outcome = run("systemctl", "restart", self._unit)
        self.failure = (
            f"systemctl restart {self._unit} failed: {' '.join(outcome['output'].split())}" if outcome["exit"] else ""
        )


def reload(*, unit: str, pid_file: str, process: str, config_file: str) -> Outcome:
    """Reload nginx if its configuration is good: through its unit, else by SIGHUP to the process in the pid file.

    nginx survives a reload of a bad configuration, but the operator should hear of it as a failed test.
    """
    test = run(nginx_program() or "nginx", "-t", *(("-c", config_file) if config_file else ()))
    if test["exit"]:
        return Outcome(output=f"not reloaded, nginx -t failed: {test['output']}", exit=test["exit"])
    if unit:
        return run("systemctl", "reload", unit)
    seen = look(pid_file, process)
    if not isinstance(seen, Alive):
        return Outcome(output=f"not reloaded: {seen.why}", exit=1)
    try:
        signal.pidfd_send_signal(seen.pidfd, signal.SIGHUP)
    except OSError as error:
        return Outcome(output=f"not reloaded: SIGHUP to pid {seen.pid}: {(error.strerror or '').lower()}", exit=1)
    finally:
        os.close(seen.pidfd)
    return Outcome(output=f"sent SIGHUP to pid {seen.pid}", exit=0)
