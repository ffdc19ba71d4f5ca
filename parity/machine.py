"""A host of the lab as an operator meets it: with /etc, /run and a name of its own, ``hafw`` and ``systemctl``.

So the same paths stand in the configuration of both routers, and a command that is written for an operator runs here as
it stands. Mounts and the name are those of a namespace that ends with the lab.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.lab.network import Lab

TREE: Final = str(Path(__file__).parents[1])

_SETUP: Final = """
set -e
cp -a /etc {etc}
mkdir -p {etc}/hafw {etc}/keepalived {run}
mount --bind {etc} /etc
mount --bind {run} /run
mkdir /run/bin /run/checks
hostname {name}
echo ready
exec sleep infinity
"""
_PROGRAM: Final = '#!/bin/sh\nPYTHONPATH={tree} exec {python} -m {module} "$@"\n'


class Machine:
    """One router."""

    def __init__(self, lab: Lab, host: str) -> None:
        """Make it of a host that the lab has."""
        self.lab: Final = lab
        self.host: Final = host
        self.etc: Final = lab.path(host, "etc")
        self.run_directory: Final = lab.path(host, "run")
        setup = _SETUP.format(etc=self.etc, run=self.run_directory, name=host)
        argv = ["unshare", "--mount", "--uts", "sh", "-c", setup]
        self._root = lab.popen(host, argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._root.stdout is not None
        assert self._root.stderr is not None
        for pipe in (self._root.stdout, self._root.stderr):
            lab.resources.callback(pipe.close)
        if self._root.stdout.readline() != "ready\n":
            raise OSError(f"{host}: {self._root.stderr.read().strip()}")
        for name, module in (("hafw", "hafw"), ("systemctl", "parity.systemctl")):
            program = self.run_directory / "bin" / name
            program.write_text(_PROGRAM.format(tree=TREE, python=sys.executable, module=module))
            program.chmod(0o755)

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401
        """Start a program on it, with its own files in sight; it is the child, not one that waits for it."""
        inside = ["nsenter", "--target", str(self._root.pid), "--mount", "--uts", "--", *argv]
        environment = {**os.environ, "PATH": f"/run/bin:{os.environ['PATH']}:/usr/sbin:/sbin", "NO_COLOR": "1"}
        return self.lab.popen(self.host, inside, env=environment, stdin=subprocess.DEVNULL, **options)

    def shell(self, command: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a line as an operator types it, to its end."""
        process = self.popen(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def must(self, command: str) -> str:
        """Run it and return what it printed; raise when it fails."""
        done = self.shell(command)
        if done.returncode:
            raise RuntimeError(f"{self.host}# {command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def log(self, service: str) -> Path:
        """Where what a service says goes."""
        return self.run_directory / f"{service}.log"

    def script(self, path: str, text: str) -> None:
        """Write an executable file under /etc."""
        file = self.etc / path.removeprefix("/etc/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
