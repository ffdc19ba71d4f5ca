"""A file decides: a number in it, or that it is there. keepalived's ``track_file``, and the switch of an operator.

With ``expect = "zero"`` the number counts: the check's weight is added so many times. Whoever writes -40 into the file,
with ``weight = 1``, lowers the priority by 40.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

from msgspec import Meta

from hafw.api import Verdict, hookimpl, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GLANCE: Final = 0.1
"""Seconds between two looks of the monitor."""
_MOST: Final = 64
"""Octets that a number may have, blanks included."""
_LIMIT: Final = 2**31

_Text = Annotated[str, Meta(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.file]``."""

    path: _Text
    expect: Literal["zero", "absent", "present"] = "zero"
    """What is healthy."""
    missing: Annotated[int, Meta(ge=-254, le=254)] = 0
    """With ``zero``: the number that a file which is not there stands for."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    if not Path(options.path).is_absolute():
        yield "path", f'= "{options.path}": must be an absolute path'
    if options.missing and options.expect != "zero":
        yield "missing", f'= {options.missing}: has a meaning with expect = "zero" only: leave it out'


def number_in(path: str) -> int | None:
    """The whole number in the file; ``None``: there is no file.

    Raises ``ValueError`` for any other content and ``OSError`` where it cannot be read. Never waits: a pipe is no file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no regular file")
        text = os.read(descriptor, _MOST + 1).strip()
    finally:
        os.close(descriptor)
    sign, digits = (-1, text[1:]) if text[:1] == b"-" else (1, text)
    if not digits.isdigit() or len(text) > _MOST or int(digits) >= _LIMIT:
        raise ValueError(f"{path} holds {text[:20].decode('utf-8', 'replace')!r}: must be a whole number")
    return sign * int(digits)


class File:
    """One file, the same for every instance."""

    def __init__(self) -> None:
        self._options = Options(path="/dev/null")

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.file]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work."""
        refuse(mistakes(options))
        self._options = options

    @hookimpl
    def check(self) -> Verdict:
        """Look once."""
        path, expect = self._options.path, self._options.expect
        try:
            if expect != "zero":
                there = _is_there(path)
                return Verdict(there == (expect == "present"), f"{path} is {'' if there else 'not '}there")
            number = number_in(path)
        except ValueError as error:
            return Verdict(False, str(error))
        except OSError as error:
            way_out = f": let {_who()} read it, or set user" if isinstance(error, PermissionError) else ""
            return Verdict(False, f"{path} cannot be read: {(error.strerror or str(error)).lower()}{way_out}")
        if number is None:
            number = self._options.missing
            return Verdict(number == 0, f"{path} is not there, which means {number}", factor=number)
        return Verdict(number == 0, f"{path} says {number}", factor=number)

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> NoReturn:
        """Report what is there, and each change within a tenth of a second, past rise and fall: somebody meant it."""
        report(before := self.check())
        while True:
            time.sleep(GLANCE)
            seen = self.check()
            if (seen.healthy, seen.factor) != (before.healthy, before.factor):
                before = seen
                report(replace(seen, immediate=True))


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _who() -> str:
    return "nobody" if os.geteuid() == 65534 else f"uid {os.geteuid()}"


plugin = File()
