"""As much of ``systemctl`` as a migration needs: it reads the real units, waits for READY and for the end.

The process of a unit is found again by its number in /run, which ends with the lab.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

UNITS: Final = ("/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
PATIENCE: Final = 30.0
RUN: Final = Path("/run")


def main(verb: str, unit: str = "") -> int:
    """``start``, ``stop``, ``restart``, ``reload``, ``enable``, ``disable``, ``is-active``, ``daemon-reload``.

    Exit codes are systemctl's.
    """
    if verb == "daemon-reload":
        return 0  # the unit is read at each start
    if verb == "restart":
        return main("stop", unit) or main("start", unit)
    unit = unit.removesuffix(".service")
    if verb in ("enable", "disable"):
        wanted = RUN / f"{unit}.enabled"
        wanted.touch() if verb == "enable" else wanted.unlink(missing_ok=True)
        return 0
    pid = running(unit)
    if verb == "start":
        return 0 if pid else start(unit)
    if verb == "is-active":
        sys.stdout.write("active\n" if pid else "inactive\n")
        return 0 if pid else 3
    if verb == "stop":
        return stop(unit, pid) if pid else 0
    if verb == "reload" and pid:
        os.kill(pid, signal.SIGHUP)
        return 0
    sys.stderr.write(f"systemctl {verb} {unit}: not possible here\n")
    return 1


def start(unit: str) -> int:
    """Start what ExecStart says, and wait until it is ready."""
    argv = command(unit)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ready:
        address = RUN / f"{unit}.notify"
        address.unlink(missing_ok=True)
        ready.bind(str(address))
        (RUN / unit).mkdir(exist_ok=True)  # RuntimeDirectory=
        with (RUN / f"{unit}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                env={**os.environ, "NOTIFY_SOCKET": str(address)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (RUN / f"unit-{unit}.pid").write_text(str(process.pid))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            if select.select([ready], [], [], 0.05)[0] and b"READY=1" in ready.recv(4096):
                return 0
            if unit == "keepalived" and hears_vrrp():
                return 0
    sys.stderr.write(f"Job for {unit}.service failed: see /run/{unit}.log\n")
    return 1


def hears_vrrp() -> bool:
    """How keepalived shows that it is ready: it says READY to a parent that is process 1, and to no other."""
    return any(":0070 " in Path(f"/proc/net/{name}").read_text(encoding="utf-8") for name in ("raw", "raw6"))


def stop(unit: str, pid: int) -> int:
    """SIGTERM to the main process, and wait until it is gone."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while running(unit):
        if time.monotonic() > deadline:
            sys.stderr.write(f"{unit}.service does not end\n")
            return 1
        time.sleep(0.01)
    return 0


def command(unit: str) -> list[str]:
    """The ExecStart of the first unit file that there is, with the variables of its EnvironmentFile."""
    path = next(path for folder in UNITS if (path := Path(folder) / f"{unit}.service").exists())
    said = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
    environment = Path(said.get("EnvironmentFile", "-").removeprefix("-"))
    lines = environment.read_text(encoding="utf-8").splitlines() if environment.is_file() else []
    known = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return [
        each
        for word in shlex.split(said["ExecStart"])
        for each in (known.get(word[1:], "").strip('"').split() if word.startswith("$") else [word])
    ]


def running(unit: str) -> int:
    """The number of its main process; 0 when it does not run."""
    try:
        pid = int((RUN / f"unit-{unit}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else pid


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
