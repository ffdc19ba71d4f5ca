"""One router of a cast: its program, whichever it is, started, stopped, crashed and reloaded as an operator would."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hafw.lab import routers
from parity.machine import Machine
from parity.pair import CHECK, CHECKED, CHECKS, HANDICAP, HOSTS, NOTIFIED, NOTIFY, keepalived_conf

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from hafw.lab.network import Lab

KEEPALIVED, HAFW = "keepalived", "hafw"
PATIENCE: Final = 60.0
_LOOK: Final = 0.02
_ARGV: Final = {
    KEEPALIVED: ["keepalived", "--dont-fork", "--log-console", "--log-detail", "--no-syslog"],
    HAFW: ["hafw", "run", "/etc/hafw/config.toml"],
}


def until(condition: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - what was seen
    """Look again until it is so, and return what was seen."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not so after {PATIENCE:g} s")
        time.sleep(_LOOK)
    return seen


class Router:
    """A machine with one of the two programs, and the scripts of both."""

    def __init__(self, lab: Lab, host: str, program: str) -> None:
        """Nothing is started; every check is well."""
        self.host: Final = host
        self.program: Final = program
        self.machine: Final = Machine(lab, host)
        self._process: subprocess.Popen[Any] | None = None
        self.machine.script("/etc/keepalived/notify.sh", NOTIFY)
        self.machine.script("/etc/keepalived/check.sh", CHECK)
        for name in (NOTIFIED, CHECKED):
            self._log(name).touch()
        for check in CHECKS:
            self.set_check(check, 0)
        self.write(HANDICAP, "0\n")

    @property
    def running(self) -> bool:
        """Whether its daemon was started and not ended since."""
        return self._process is not None

    # -- what befalls it ----------------------------------------------------------------------------------------

    def configure(self, priorities: dict[str, dict[str, int]]) -> None:
        """Write keepalived's file, and hafw's, which is imported from those of both."""
        for host in HOSTS:
            text = keepalived_conf(host, priorities[host])
            (self.machine.etc / f"keepalived/{host}.conf").write_text(text)
        (self.machine.etc / "keepalived/keepalived.conf").write_text(keepalived_conf(self.host, priorities[self.host]))
        if self.program == HAFW:
            files = " ".join(f"/etc/keepalived/{host}.conf" for host in HOSTS)
            self.machine.must(f"hafw import {files} --output /etc/hafw/config.toml --force")

    def start(self) -> None:
        """Start the daemon; ready when each check has run."""
        since = self.runs()
        for left in ("keepalived.pid", "vrrp.pid", "checkers.pid"):  # one that was killed leaves it
            (self.machine.run_directory / left).unlink(missing_ok=True)
        (self.machine.run_directory / "hafw").mkdir(exist_ok=True)
        with self.machine.log(self.program).open("ab") as log:
            self._process = self.machine.popen(  # as systemd does it
                _ARGV[self.program], stdout=log, stderr=log, start_new_session=True
            )
        self.wait_for_runs(since)
        self._wait_until_it_takes_part()

    def stop(self) -> None:
        """SIGTERM to the main process, as systemd does it."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)
        self._process.wait(PATIENCE)
        self._process = None

    def kill(self) -> None:
        """SIGKILL to every process, as when the machine's memory ends."""
        assert self._process is not None
        self.machine.lab.kill(self._process)
        self._process = None

    def crash(self) -> None:
        """SIGKILL to the process that elects; its parent has to cope."""
        since = self.runs()
        worker = self._worker()
        os.kill(worker, signal.SIGKILL)
        until(lambda: self._worker() not in (0, worker), f"{self.host}: another worker")
        self.wait_for_runs(since)
        self._wait_until_it_takes_part()

    def reload(self) -> None:
        """Take the files that were written since."""
        assert self._process is not None
        since = self.runs()
        if self.program == HAFW:
            self.machine.must("hafw reload")
        else:
            os.kill(self._process.pid, signal.SIGHUP)
        self.wait_for_runs(since)

    def set_check(self, check: str, status: int) -> None:
        """What the script will say from now on."""
        self.write(f"/run/checks/{check}", f"{status}\n")

    def write(self, path: str, text: str) -> None:
        """Replace a file under /run at once, as an editor does."""
        file = self.machine.run_directory / path.removeprefix("/run/")
        new = file.with_name(f".{file.name}")
        new.write_text(text)
        new.replace(file)

    # -- what can be seen of it ---------------------------------------------------------------------------------

    def runs(self) -> list[str]:
        """Every run of a check so far: its name and exit status."""
        return self._log(CHECKED).read_text().splitlines()

    def wait_for_runs(self, since: list[str], *wanted: str) -> None:
        """Until each check has run since then, or each of these has run with this status."""
        names = set(wanted or CHECKS)
        until(
            lambda: names <= {line if wanted else line.split()[0] for line in self.runs()[len(since) :]},
            f"{self.host}: {', '.join(sorted(names))} in {self._log(CHECKED)}",
        )

    def told(self) -> list[list[str]]:
        """The words of every call of a notify script so far."""
        return [line.split("|")[:-1] for line in self._log(NOTIFIED).read_text().splitlines()]

    def events(self) -> int:
        """How many events hafw has told; 0 of keepalived, which tells none."""
        return int(self._ask("events").get("seq", 0))

    def _wait_until_it_takes_part(self) -> None:
        if self.program == HAFW:
            until(lambda: self._states() - {"INITIALIZE"} == self._states() != set(), f"{self.host}: hafw takes part")
        else:
            until(lambda: routers.hears_vrrp(self.machine.lab, self.host), f"{self.host}: keepalived takes part")

    def _states(self) -> set[str]:
        return {each["state"] for each in self._ask().get("instances", [])}

    def _ask(self, do: str = "status") -> dict[str, Any]:
        if self.program == KEEPALIVED or self._process is None:
            return {}
        return routers.ask(self.machine.run_directory / "hafw/control.sock", do)

    def _worker(self) -> int:
        """The process that elects: the only child of the main one that is of its own program."""
        if self.program == HAFW:
            return int(self._ask().get("pid", 0))
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def _log(self, name: str) -> Path:
        return self.machine.run_directory / name
