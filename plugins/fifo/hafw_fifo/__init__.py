"""State changes as lines in a named pipe, as keepalived's ``notify_fifo`` writes them: ``INSTANCE "VI_1" MASTER 150``.

Where keepalived loses a line when nobody reads, this waits for a while, and then says that it is lost.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import select
import stat
import struct
import subprocess
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

from msgspec import Meta

from hafw.api import Duration, Group, GroupChange, Router, StateChange, hookimpl, refuse
from hafw.command import die_with_parent, environment, mistakes, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT = Duration(1)
GLANCE: Final = 0.01
"""Seconds between two looks whether the last lines were read."""
FAREWELL: Final = 1.0
"""Seconds that a reader has for the last lines, when hafw ends."""
Command = str | list[str]
GROUP_STATES: Final = {"MASTER", "BACKUP", "FAULT", "STOP"}
"""What keepalived tells of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.fifo]``."""

    path: Annotated[str, Meta(min_length=1)]
    """Made if it is not there."""
    mode: Annotated[str, Meta(pattern="^0?[0-7]{3}$", extra={"rule": 'must be octal digits such as "0640"'})] = "0640"
    """Of a pipe that is made."""
    group: str = ""
    """Of a pipe that is made; the plugin's own when empty."""
    script: Command = ""
    """Reads the pipe, whose path is its last argument; started with the first line, and again when it ends."""
    timeout: Annotated[Duration, Meta(ge=0, le=60)] = TIMEOUT
    """How long a line waits for a reader when the pipe is full; then it is lost, and that is told."""


class Outcome(TypedDict):
    """What the host keeps of a line that was not written."""

    output: str
    exit: int


def mistakes_of(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    path = Path(options.path)
    if not path.is_absolute():
        yield "path", f'= "{path}": must be an absolute path'
    elif not path.parent.is_dir():
        yield "path", f'= "{path}": there is no folder {path.parent}'
    elif problem := problem_of(path):
        yield "path", f'= "{path}": {problem}'
    if options.group:
        try:
            grp.getgrnam(options.group)
        except KeyError:
            yield "group", f'= "{options.group}": no such group on this machine'
    for message in mistakes(options.script) if options.script not in ("", []) else ():
        yield "script", message


def problem_of(path: Path) -> str:
    """Why what is there must not be written to; empty: it may, or nothing is there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if not stat.S_ISFIFO(found.st_mode):
        return "is there and no named pipe: remove it, or choose another path"
    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to user {found.st_uid}, who could read or replace it: remove it"
    return ""


class Fifo:
    """One pipe for all instances of this machine."""

    needs_privileges = True
    """Its script may run what it likes, as keepalived's does."""

    def __init__(self) -> None:
        self._options = Options(path="/")
        self._lock = threading.Lock()
        self._pipe: int | None = None
        self._script: subprocess.Popen[bytes] | None = None
        self._lost = 0
        self._priorities: dict[str, int] = {}
        """By instance, as of its last change."""

    @property
    def deadline(self) -> float:
        """Seconds that one event may take: two lines that wait, behind those of others."""
        return float(2 * self._options.timeout + FAREWELL + 5)

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.fifo]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work; nothing is made yet."""
        refuse(mistakes_of(options))
        self._options = options

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Outcome | None:
        """``MASTER``."""
        self._priorities[router.name] = change.priority
        return self._tell("INSTANCE", router.name, "MASTER", change.priority)

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Outcome | None:
        """``BACKUP``."""
        return self._tell("INSTANCE", router.name, "BACKUP", change.priority)

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Outcome | None:
        """``FAULT``."""
        return self._tell("INSTANCE", router.name, "FAULT", change.priority)

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Outcome | None:
        """``STOP``; the process ends soon, so the reader is given time for what is left in the pipe."""
        said = self._tell("INSTANCE", router.name, "STOP", change.priority)
        self._wait_until_read()
        return said

    @hookimpl
    def group_changed(self, group: Group, change: GroupChange) -> Outcome | None:
        """``GROUP``, with a priority of 0, after the lines of its members."""
        return self._tell("GROUP", group.name, change.new, change.priority) if change.new in GROUP_STATES else None

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> Outcome | None:
        """``MASTER_RX_LOWER_PRI``: a MASTER heard another one that ought to give way."""
        name = str(event.get("instance", ""))
        if event.get("type") != "split_brain" or "peer_priority" not in event or name not in self._priorities:
            return None
        return self._tell("INSTANCE", name, "MASTER_RX_LOWER_PRI", self._priorities[name])

    def _tell(self, kind: str, name: str, state: str, priority: int) -> Outcome | None:
        line = f'{kind} "{name}" {state} {priority}\n'.encode()
        with self._lock:
            try:
                pipe = self._open()
                self._look_after_script()
                self._write(pipe, line)
            except OSError as error:
                self._lost += 1
                lines = "this line is lost" if self._lost == 1 else f"{self._lost} lines are lost by now"
                return Outcome(output=f"{self._options.path}: {reason_of(error)}: {lines}", exit=1)
        return None

    def _open(self) -> int:
        """The pipe, made if need be. Open for reading too, so that it lasts while readers come and go."""
        path = Path(self._options.path)
        if self._pipe is not None and is_still(path, self._pipe):
            return self._pipe
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if not os.path.lexists(path):
            make(path, int(self._options.mode, 8), self._options.group)
        if problem := problem_of(path):
            raise OSError(errno.EINVAL, problem)
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        return self._pipe

    def _look_after_script(self) -> None:
        command = split(self._options.script)
        if not command or (self._script is not None and self._script.poll() is None):
            return
        self._script = subprocess.Popen(
            [*command, self._options.path],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=environment(),
            process_group=0,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl of an already loaded library: takes no lock
        )

    def _write(self, pipe: int, line: bytes) -> None:
        """All of it or nothing: a line is shorter than what a pipe takes at once."""
        deadline = time.monotonic() + self._options.timeout
        poll = select.poll()
        poll.register(pipe, select.POLLOUT)
        while True:
            try:
                os.write(pipe, line)
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                poll.poll(1000 * min(left, GLANCE))
            else:
                return

    def _wait_until_read(self) -> None:
        deadline = time.monotonic() + FAREWELL
        while self._pipe is not None and unread(self._pipe) and time.monotonic() < deadline:
            time.sleep(GLANCE)


def make(path: Path, mode: int, group: str) -> None:
    """Make the pipe, whatever the umask says."""
    os.mkfifo(path, 0o600)
    if group:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    path.chmod(mode)


def is_still(path: Path, pipe: int) -> bool:
    """Whether the path still leads to this pipe: somebody may have removed it, and readers look for a new one."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(pipe))
    except OSError:
        return False


def unread(pipe: int) -> int:
    """Octets in the pipe."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0])


def reason_of(error: OSError) -> str:
    """In words for an operator."""
    if isinstance(error, BlockingIOError):
        return "is full: nobody reads it"
    return (error.strerror or str(error)).lower()


plugin = Fifo()
