"""BIRD's control socket: a command a line, a reply of lines with codes. What ``birdc`` speaks; 2.0 and later."""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Self

from hafw.api import user_name

MOST_REPLY: Final = 1 << 18
"""Octets; more routes than that are none of ours."""
_OUT_OF_REACH: Final = 8000
"""Codes from here on are refusals."""

Network = IPv4Network | IPv6Network


class BirdError(Exception):
    """What it refuses, or that it does not answer, in words for an operator."""


class BirdMissingError(BirdError):
    """Nobody listens: it does not run, or not there."""


class Bird:
    """One BIRD; each ``with`` is a conversation, of at most ``timeout`` seconds."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._deadline = 0.0
        self._socket: socket.socket | None = None
        self._lines: deque[bytes] = deque()
        """Whole ones that nobody has looked at."""
        self._begun = b""
        """Of the next line."""

    def __enter__(self) -> Self:
        self._deadline, self._begun = time.monotonic() + self._timeout, b""
        self._lines.clear()
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(self._timeout)
            self._socket.connect(self._path)
            self._reply()
        except OSError as error:
            self._socket.close()
            raise self._explained(error) from None
        except BirdError:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def enable(self, protocol: str) -> None:
        """Have it up; no harm when it is."""
        self._ask(f"enable {protocol}")

    def disable(self, protocol: str) -> None:
        """Have it down; no harm when it is."""
        self._ask(f"disable {protocol}")

    def protocols(self) -> dict[str, tuple[str, str]]:
        """Kind (``Direct``, ``BGP``) and state (``up``) of each, by name."""
        rows = [line.split() for code, line in self._ask("show protocols") if code == 1002]
        return {row[0]: (row[1], row[3]) for row in rows if len(row) > 3}

    def routes(self, protocol: str) -> list[Network]:
        """What it has brought into BIRD's tables."""
        found: list[Network] = []
        for _, line in self._ask(f"show route protocol {protocol}"):
            word = line.split()[0] if line.split() and not line.startswith("\t") else ""
            try:
                found.append(ip_network(word))
            except ValueError:
                continue
        return found

    def what_is_wrong_with_its_file(self) -> str:
        """Empty when it would take its file as it lies there now."""
        try:
            self._ask("configure check")
        except BirdError as error:
            return str(error)
        return ""

    def _ask(self, command: str) -> list[tuple[int, str]]:
        assert self._socket is not None
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(command.encode() + b"\n")
            lines = self._reply()
        except OSError as error:
            raise self._explained(error) from None
        refused = [text for code, text in lines if code >= _OUT_OF_REACH]
        if refused:
            hint = ": is it there? birdc show protocols" if "CF_SYM_UNDEFINED" in refused[0] else ""
            raise BirdError(f"BIRD refuses {command}: {refused[0]}{hint}")
        return lines

    def _reply(self) -> list[tuple[int, str]]:
        """Lines with their codes, up to the one whose code is followed by a blank; one without a code has the last."""
        lines: list[tuple[int, str]] = []
        size, code = 0, 0
        while True:
            line = self._line()
            size += len(line) + 1
            if size > MOST_REPLY:
                raise BirdError(f"{self._path}: the answer is longer than {MOST_REPLY} octets")
            text = line.decode(errors="replace").rstrip("\r\n")
            if text[:4].isdecimal() and text[4:5] in (" ", "-"):
                code = int(text[:4])
                lines.append((code, text[5:]))
                if text[4] == " ":
                    return lines
            else:
                lines.append((code, text[1:]))

    def _line(self) -> bytes:
        assert self._socket is not None
        while not self._lines:
            self._socket.settimeout(self._left())
            octets = self._socket.recv(65536)
            if not octets:
                raise BirdMissingError(f"{self._path}: BIRD hung up: does it stop?")
            *whole, self._begun = (self._begun + octets).split(b"\n")
            self._lines.extend(whole)
            if len(self._begun) > MOST_REPLY:
                raise BirdError(f"{self._path}: the answer is longer than {MOST_REPLY} octets")
        return self._lines.popleft()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _explained(self, error: OSError) -> BirdError:
        if isinstance(error, PermissionError):
            return BirdError(f'{self._path} may not be used by {who()}: user = "bird"')
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return BirdMissingError(f"nobody listens at {self._path}: does BIRD run (systemctl status bird)?")
        if isinstance(error, TimeoutError):
            return BirdError(f"{self._path}: BIRD did not answer within {self._timeout:g}s")
        return BirdError(f"{self._path}: {(error.strerror or str(error)).lower()}")


def who() -> str:
    """Whom this process runs as; root may use any socket, unless it has given that up."""
    return user_name() if os.geteuid() else "root without capabilities"
