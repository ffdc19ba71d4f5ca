"""The command line's end of the control socket."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_SOCKET = "/run/hafw/control.sock"
FAILED = 1
UNREACHABLE = 6
"""Exit code: the daemon is not reachable."""
ANSWER_TIMEOUT = 5.0
"""Seconds; a daemon that does not answer in this time counts as unreachable."""


def ask(path: str, request: dict[str, Any], timeout: float = ANSWER_TIMEOUT) -> dict[str, Any]:
    """One request, one reply; ends the program with a clear message when there is none."""
    for reply in stream(path, request, timeout=timeout):
        return reply
    return _unreachable(path or DEFAULT_SOCKET, "it closed the connection without an answer")


def stream(path: str, request: dict[str, Any], timeout: float | None = None) -> Iterator[dict[str, Any]]:
    """One request, every line of the reply as it comes. ``timeout``: seconds between two lines."""
    path = path or DEFAULT_SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_TIMEOUT)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(timeout)
            with connection.makefile("rb") as lines:
                for line in lines:
                    reply = json.loads(line)
                    if "error" in reply:
                        click.echo(f"hafw: {reply['error']['message']}", err=True)
                        sys.exit(FAILED)
                    yield reply
    except FileNotFoundError:
        _unreachable(path, "there is no such socket: is the daemon running (hafw run CONFIG)?")
    except PermissionError:
        _unreachable(path, "permission denied: run as root, or join the group of [control] group")
    except TimeoutError:
        waited = f"{ANSWER_TIMEOUT if timeout is None else timeout:g}s"
        _unreachable(path, f"no answer within {waited}: the daemon hangs; its state is unknown")
    except OSError as error:
        _unreachable(path, f"{error.strerror or error}: the daemon is gone; its state is unknown")


def _unreachable(path: str, why: str) -> dict[str, Any]:
    click.echo(f"hafw: daemon not reachable on {path}: {why}", err=True)
    sys.exit(UNREACHABLE)
