"""The command line's end of the control socket."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_SOCKET = "/run/hafw/control.sock"
FAILED = 1
UNREACHABLE = 6
"""Exit code: the daemon is not reachable."""
ANSWER_TIMEOUT = 5.0
"""Seconds; a daemon that does not answer in this time counts as unreachable."""
CALL_AGAIN = 0.05
GONE = (
    "the daemon is gone; its state is unknown: "
    "start it again (systemctl start hafw), or release what it left (hafw cleanup)"
)


class Unreachable(click.ClickException):
    """Nobody answers on the socket: whatever the daemon was, nothing is known of it now."""

    exit_code = UNREACHABLE

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"daemon not reachable on {path}: {why}")
        self.path = path
        self.why = why

    def show(self, file: IO[Any] | None = None) -> None:
        """As every other message of hafw."""
        click.echo(f"hafw: {self.message}", file=file, err=file is None)


class Refused(click.ClickException):
    """The daemon's own words; ``kind`` is a stable one."""

    exit_code = FAILED

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.kind = error["kind"]

    def show(self, file: IO[Any] | None = None) -> None:
        """As every other message of hafw."""
        click.echo(f"hafw: {self.message}", file=file, err=file is None)


def ask(path: str, request: dict[str, Any], timeout: float = ANSWER_TIMEOUT) -> dict[str, Any]:
    """One request, one reply; raises ``Unreachable``, which ends the program with a clear message."""
    for reply in stream(path, request, timeout=timeout):
        return reply
    raise Unreachable(path or DEFAULT_SOCKET, "it closed the connection without an answer")


def attempt(path: str, request: dict[str, Any], timeout: float = 1.0) -> dict[str, Any] | None:
    """The same for those who can do without: ``None`` when there is no answer, or when it is an error."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(path or DEFAULT_SOCKET)
            with contextlib.suppress(BrokenPipeError):  # refused before it was asked: it has said why
                connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) and "error" not in answer else None


def stream(path: str, request: dict[str, Any], timeout: float | None = None) -> Iterator[dict[str, Any]]:
    """One request, every line of the reply as it comes; raises ``Unreachable`` or ``Refused``.

    ``timeout``: seconds between two lines.
    """
    path = path or DEFAULT_SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_TIMEOUT)
            _connect(connection, path)
            with contextlib.suppress(BrokenPipeError):  # refused before it was asked: it has said why
                connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(timeout)
            with connection.makefile("rb") as lines:
                for line in lines:
                    reply = json.loads(line)
                    if "error" in reply:
                        raise Refused(reply["error"])
                    yield reply
    except FileNotFoundError:
        why = "there is no such socket: is the daemon running (hafw run CONFIG)?"
        raise Unreachable(path, why) from None
    except PermissionError:
        why = "permission denied: run as root, or as a member of the group that [control] group names"
        raise Unreachable(path, why) from None
    except TimeoutError:
        waited = f"{ANSWER_TIMEOUT if timeout is None else timeout:g}s"
        raise Unreachable(path, f"no answer within {waited}: the daemon hangs; its state is unknown") from None
    except OSError as error:
        raise Unreachable(path, f"{(error.strerror or str(error)).lower()}: {GONE}") from None
    except ValueError:
        raise Unreachable(path, f"its answer was cut off: {GONE}") from None


def _connect(connection: socket.socket, path: str) -> None:
    """Wait for our turn where many call: of a full queue the kernel says at once that it is full."""
    until = time.monotonic() + ANSWER_TIMEOUT
    while True:
        try:
            connection.connect(path)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError from None
            time.sleep(CALL_AGAIN)
        else:
            return
