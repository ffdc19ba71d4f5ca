"""One command of a plugin: how it is written, why it may not run, and running it to its end.

Part of the API for plugins that run programs of the operator's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hafw import deprecation
from hafw.config.permissions import check_script, user_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
else:

    def __getattr__(name: str) -> object:
        """Names that will go; see ``hafw.api``."""
        return deprecation.name_of(__name__, name)


__all__ = ["MERCY", "Outcome", "die_with_parent", "environment", "mistakes", "run", "split"]

NOT_PASSED_ON = frozenset({"IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", "TMPDIR"})
"""keepalived keeps the first three from its scripts too; the last is the plugin's own folder and goes with it, while a
service that a script starts stays."""
MOST_OUTPUT = 4096
"""Octets of the output that are kept, the last ones."""
MERCY = 2.0
"""Seconds between SIGTERM and SIGKILL, as keepalived has it."""
PR_SET_PDEATHSIG = 1
SHEBANG_SIZE = 256

_libc = ctypes.CDLL(None)


def split(command: str | list[str]) -> list[str]:
    """Arguments as keepalived splits them, by blanks and quotes and without a shell; a bare name is sought on PATH.

    That of this process: the daemon's, under systemd not the one of a login; of ``hafw check`` its caller's. A list
    is taken as it is, for arguments with blanks in them.

    Raises ``ValueError`` for a quotation that does not end.
    """
    argv = shlex.split(command) if isinstance(command, str) else list(command)
    if argv and "/" not in argv[0]:
        argv[0] = shutil.which(argv[0]) or argv[0]
    return argv


def mistakes(command: str | list[str]) -> Iterator[str]:
    """Everything that would keep the command from running, or that makes it unsafe to run: for ``refuse``.

    A string is judged as it is split, a list as it stands: see ``split``, which has to be given the same one. Each says
    the way out. Nothing is run, and nothing is raised.
    """
    try:
        argv = split(command)
    except ValueError as error:
        yield f'= "{command}": cannot be split into arguments: {str(error).lower()}'
        return
    if not argv or not argv[0]:
        yield "names no command: begin it with the path of a program"
        return
    if "/" not in argv[0]:
        yield f"{argv[0]} is not on PATH: install it, or write its absolute path"
        return
    for word in ("|", ">", ">>", "<", "&&", "||", "&", ";"):
        if word in argv[1:]:
            yield f'{word} would be an argument, there is no shell: ["/bin/sh", "-c", "..."] runs one'
    unsafe = check_script(argv[0], os.geteuid() == 0)
    yield from unsafe or unrunnable(argv[0])


def unrunnable(path: str) -> Iterator[str]:
    """Why the kernel would refuse the file for the user that we are, though its permissions are safe."""
    if not os.access(path, os.X_OK):
        yield f"{path} may not be executed by {user_name()}: chmod a+rx {path}, or set user"
        return
    try:
        with Path(path).open("rb") as file:
            start = file.read(SHEBANG_SIZE)
    except OSError:
        return  # a program may be executable and not readable
    if start.startswith(b"\x7fELF"):
        return
    if not start.startswith(b"#!"):
        yield f"{path} is neither a program nor begins with #!: begin it with #!/bin/sh"
        return
    interpreter = start[2:].split(b"\n")[0].strip(b" \t").split(b" ")[0].decode(errors="replace")
    if interpreter.endswith("\r"):
        yield f"{path} has line ends of Windows, which become part of #!{interpreter.rstrip()}: dos2unix {path}"
    elif not os.access(interpreter, os.X_OK):
        yield f"{path} begins with #!{interpreter}, which does not exist or may not be executed: correct its first line"


def environment(**more: str) -> dict[str, str]:
    """Our own environment without what a script must not have, and ``more`` by name. Nothing is raised.

    Left out are ``TMPDIR``, which goes with the plugin, and ``LD_PRELOAD``, ``LD_LIBRARY_PATH`` and ``IFS``. Our own is
    not that of a login: it has no ``DBUS_SESSION_BUS_ADDRESS`` and no ``DISPLAY``; give those in ``more``.
    """
    return {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON} | more


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: not what a hook returns, which is the dictionary ``hafw.notification.Outcome``."""

    exit: int
    """As the shell counts: 128 + N when killed by signal N, 124 when it took too long, 127 when it could not start."""
    output: str
    """The last 4,096 octets of what it printed, and why it ended if not by itself. What is no UTF-8 is replaced."""


def run(argv: list[str], environment: Mapping[str, str], timeout: float, mercy: float = MERCY) -> Outcome:
    """Run in a process group of its own to its end, or for ``timeout`` seconds: then SIGTERM, and SIGKILL.

    Between the two it has ``mercy`` seconds; what SIGKILL does not end within as many more is given up. The end is
    that of the process and not of its output: a daemon that a script starts may keep that open for ever. Nothing is
    raised: what could not start, or was killed, is an exit status.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environment,
            process_group=0,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl of an already loaded library: takes no lock
        )
    except OSError as error:
        return Outcome(127, f"cannot start: {(error.strerror or str(error)).lower()}")
    with contextlib.closing(Tail(process)) as tail:
        if tail.read_until(time.monotonic() + timeout):
            code = process.wait()
            if code >= 0:
                return Outcome(code, tail.text())
            return Outcome(128 - code, f"{tail.text()}\nkilled by {signal_name(-code)}".lstrip())
        signal_group(process, signal.SIGTERM)
        tail.read_until(time.monotonic() + mercy)
        # Also when it obeyed: what it started and left behind in its group may not have.
        signal_group(process, signal.SIGKILL)
        if not tail.read_until(time.monotonic() + mercy):
            return Outcome(124, f"{tail.text()}\nstill runs after {timeout:g}s and cannot be killed".lstrip())
        process.wait()
        return Outcome(124, f"{tail.text()}\nkilled after {timeout:g}s".lstrip())


def die_with_parent() -> None:
    """End with the plugin process, as keepalived's scripts end with keepalived.

    An event that was cut short is delivered again: its first run must not still be going on beside the second. For
    ``preexec_fn`` of ``subprocess.Popen``; nothing is raised.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def signal_name(number: int) -> str:
    """``SIGSEGV``; a real-time signal has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the command and everything that it started, as far as that stayed in its group.

    A script that has become another user may be out of reach: we have no capability to signal it.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class Tail:
    """The last ``MOST_OUTPUT`` octets of a process's output, read until the process ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._stdout = process.stdout
        self._pipe = self._stdout.fileno()
        self._kept = b""
        os.set_blocking(self._pipe, False)

    def read_until(self, deadline: float) -> bool:
        """Read till the process ends (True) or the deadline passes (False)."""
        pidfd = os.pidfd_open(self._process.pid)
        try:
            poll = select.poll()
            poll.register(self._pipe, select.POLLIN)
            poll.register(pidfd, select.POLLIN)
            while (remaining := deadline - time.monotonic()) > 0:
                ready = {descriptor for descriptor, _ in poll.poll(remaining * 1000)}
                if self._pipe in ready and not self._read():
                    poll.unregister(self._pipe)
                if pidfd in ready:
                    self._read()
                    return True
            return False
        finally:
            os.close(pidfd)

    def _read(self) -> bool:
        """Read what is there, bounded per call by a full pipe; False when there will be no more."""
        try:
            for _ in range(64):
                octets = os.read(self._pipe, 65536)
                if not octets:
                    return False
                self._kept = (self._kept + octets)[-MOST_OUTPUT:]
        except BlockingIOError:
            pass
        return True

    def close(self) -> None:
        """Stop listening; whoever still writes gets SIGPIPE."""
        self._stdout.close()

    def text(self) -> str:
        """What was kept; octets that are no UTF-8 are replaced."""
        return self._kept.decode(errors="replace").strip()
