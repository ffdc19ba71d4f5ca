"""Program: ``python -m hafw.testing.stage`` holds a lab for a test, and obeys one JSON line after the other.

It is a process of its own because a lab without root needs a user namespace, which a process can only enter while it
has one thread, and never leaves. When its input ends, everything ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from hafw.lab import namespaces, routers
from hafw.lab.network import Lab

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS = "events.jsonl"
"""Of a host, in its directory."""


class Stage:
    """What a test may want done; every method takes and returns plain values."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._daemons: dict[str, subprocess.Popen[Any]] = {}
        self._followers: dict[str, subprocess.Popen[Any]] = {}

    def add(self, host: str, address: str) -> str:
        """A host on the switch, with this address and length; returns its directory."""
        self._lab.add_host(host, address)
        return str(self._lab.path(host, ""))

    def start(self, host: str, text: str) -> None:
        """Start guard and daemon with this configuration, and follow the events."""
        self._daemons[host] = routers.start_hafw(self._lab, host, text, start_new_session=True)

    def follow(self, host: str) -> None:
        """Write its events to a file; its daemon has to answer."""
        if host in self._followers:
            self._lab.kill(self._followers[host])
        environment = routers.hafw_environment(self._lab, host)
        with self._lab.path(host, EVENTS).open("ab") as sink:
            options = {"env": environment, "stdin": subprocess.DEVNULL, "stdout": sink, "stderr": subprocess.DEVNULL}
            self._followers[host] = self._lab.python(host, "hafw", "events", "--json", "--since", "0", **options)

    def end(self, host: str, number: int) -> None:
        """Signal guard and daemon as one; after SIGTERM wait until they have handed over and ended."""
        process = self._daemons.pop(host)
        if number == signal.SIGTERM:
            process.send_signal(number)
            process.wait(60)
        else:
            self._lab.kill(process, number)

    def crash(self, host: str) -> None:
        """Kill the daemon alone: its guard is there."""
        os.kill(self.status(host)["pid"], signal.SIGKILL)

    def cut(self, host: str) -> None:
        """Take its cable away."""
        self._lab.cut(host)

    def mend(self, host: str) -> None:
        """Put its cable back."""
        self._lab.mend(host)

    def addresses(self, host: str) -> list[str]:
        """What is bound on it."""
        return sorted(self._lab.addresses(host))

    def status(self, host: str) -> Mapping[str, Any]:
        """What its daemon says; empty when it does not answer."""
        return routers.hafw_status(self._lab, host)

    def state(self, host: str) -> str:
        """Of its instance; empty when its daemon does not answer."""
        return routers.hafw_state(self._lab, host)

    def plugins(self, host: str) -> Mapping[str, Any]:
        """What its daemon says of its plugins; empty when it does not answer."""
        return routers.ask(routers.control_socket(self._lab, host), "plugins")

    def run(self, host: str, argv: list[str]) -> str:
        """A short command on it."""
        return self._lab.run(host, argv)


def main() -> None:
    """Obey until the input ends."""
    try:
        one_user = namespaces.enter()
        with Lab() as lab:
            stage = Stage(lab)
            _say({"one_user": one_user})
            for line in sys.stdin:
                what, *arguments = json.loads(line)
                _say(_done(stage, what, arguments))
    except namespaces.LabRefused as refused:
        _say({"refused": str(refused)})


def _done(stage: Stage, what: str, arguments: list[Any]) -> dict[str, Any]:
    try:
        return {"value": getattr(stage, what)(*arguments)}
    except subprocess.CalledProcessError as error:
        return {"error": f"{' '.join(error.cmd)}: exit {error.returncode}: {error.stderr.strip()}"}
    except Exception as error:  # noqa: BLE001 - it is the test's to know
        return {"error": f"{type(error).__name__}: {error}"}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - it is how it answers


if __name__ == "__main__":
    main()
