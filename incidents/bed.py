"""Two routers, a gateway and a stranger, as an operator meets them; what a command printed, made fit for a page."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hafw.cli.standing import render
from hafw.lab import routers
from parity.machine import TREE, Machine

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from hafw.lab.network import Lab

LB1, LB2, GATEWAY, STRANGER = "lb1", "lb2", "gateway", "stranger"
ADDRESS: Final = {LB1: "10.77.0.1", LB2: "10.77.0.2", GATEWAY: "10.77.0.254", STRANGER: "10.77.0.50"}
VIP: Final = "10.77.0.250"
PATIENCE: Final = 60.0
"""Seconds after which something that should happen counts as not happening."""
_LOOK: Final = 0.1
STATUS: Final = "hafw status"
_CONFIG: Final = "/etc/hafw/config.toml"
_PROGRAM: Final = """\
#!/bin/sh
export PYTHONPATH={path} HAFW_STATE_DIR=/run/hafw-state
exec {python} -m hafw "$@"
"""


class NotSoError(Exception):
    """What should have come did not; the message has what was there instead."""


@dataclass(frozen=True, slots=True)
class Said:
    """One command, as it was typed and answered."""

    host: str
    command: str
    text: str

    @property
    def typed(self) -> str:
        """With its prompt."""
        return f"{self.host}# {self.command}"


class Bed:
    """The machines of one incident; everything ends with the lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab: Final = lab
        for host, address in ADDRESS.items():
            lab.add_host(host, f"{address}/24")
        for host in (LB1, LB2):
            lab.run(host, ["ip", "route", "add", "default", "via", ADDRESS[GATEWAY]])
        self.machines: Final[dict[str, Machine]] = {}
        self._daemons: dict[str, subprocess.Popen[Any]] = {}

    def machine(self, host: str) -> Machine:
        """Of this host, made when it is first asked for."""
        if host not in self.machines:
            self.machines[host] = Machine(self.lab, host)
            self.set_path(host, TREE)
        return self.machines[host]

    def set_path(self, host: str, path: str) -> None:
        """Where ``hafw`` of this host finds its modules."""
        program = self.machines[host].run_directory / "bin" / "hafw"
        program.write_text(_PROGRAM.format(path=path, python=sys.executable))
        program.chmod(0o755)

    def start(self, host: str, configuration: str) -> None:
        """``hafw run`` on this configuration; returns when it takes part."""
        machine = self.machine(host)
        (machine.etc / "hafw/config.toml").write_text(configuration)
        (machine.run_directory / "hafw").mkdir(exist_ok=True)
        with machine.log("hafw").open("ab") as log:
            argv = ["hafw", "run", _CONFIG]
            self._daemons[host] = machine.popen(argv, stdout=log, stderr=log, start_new_session=True)
        self.until(host, STATUS, r"BACKUP|MASTER|FAULT")

    def stop(self, host: str) -> None:
        """SIGTERM, as systemd does it."""
        daemon = self._daemons.pop(host)
        daemon.terminate()
        daemon.wait(PATIENCE)

    def reload(self, host: str, configuration: str) -> None:
        """Another file, and ``hafw reload``."""
        machine = self.machine(host)
        (machine.etc / "hafw/config.toml").write_text(configuration)
        machine.must("hafw reload")

    def say(self, host: str, command: str) -> Said:
        """Run it, and take both of its streams."""
        done = self.machine(host).shell(command)
        return Said(host, command, (done.stdout + done.stderr).rstrip())

    def until(self, host: str, command: str, pattern: str, *, absent: bool = False) -> Said:
        """Look again until the output has this, or has it no more."""
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self._look(host, command)
            if bool(re.search(pattern, said.text)) != absent:
                return said
            if time.monotonic() > deadline:
                raise NotSoError(f"{pattern!r} {'still' if absent else 'not'} in {said.typed}\n{said.text}")
            time.sleep(_LOOK)

    def _look(self, host: str, command: str) -> Said:
        """As ``say``; the status without a program for each look, which would keep the machine busy."""
        if command != STATUS:
            return self.say(host, command)
        answer = routers.ask(self.machine(host).run_directory / "hafw/control.sock")
        return Said(host, command, render(answer) if answer else "")

    def masters(self) -> set[str]:
        """The routers that have the address."""
        return {host for host in (LB1, LB2) if VIP in self.lab.addresses(host)}


def until(condition: Callable[[], Any], what: str) -> None:
    """Look again until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise NotSoError(f"{what}: not so after {PATIENCE:g} s")
        time.sleep(_LOOK)
