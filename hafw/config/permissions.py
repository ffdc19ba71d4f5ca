"""Who could change a file that hafw is about to trust. Standard library only: plugin processes use it too."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINKS_MAX = 40
"""As the kernel's own limit."""
_LESS = 'set user to one that is not root, such as "nobody"'
"""No way out for what everybody or a group can write: that is refused whoever runs it."""


def check_script(path: str, runs_as_root: bool) -> list[str]:  # noqa: FBT001 - a plugin author names it
    """Why this script must not run, each with the way out; empty: it may.

    It must be an executable regular file, and nobody but its owner may be able to change it or a folder on its way;
    when it runs as root, nobody but root. Nothing is raised: what cannot be looked at is such a reason.
    """
    mistakes = list(_unfit(path, executable=True))
    return mistakes or list(_insecure(path, f"{path} would run as root", as_root=runs_as_root))


def check_trusted(path: str, runs_as_root: bool) -> list[str]:  # noqa: FBT001 - as ``check_script``
    """The same for a file that is read and obeyed, such as a plugin's code: it need not be executable."""
    mistakes = list(_unfit(path, executable=False))
    return mistakes or list(_insecure(path, f"{path} would be obeyed as root", as_root=runs_as_root))


def user_name() -> str:
    """Whom this process runs as, for messages: ``nobody``, or ``user 4711`` without a name. Nothing is raised."""
    return _user(os.geteuid())


def is_security_message(message: str) -> bool:
    """Whether a message is about permissions. From a plugin process a message is all that comes, so its words count."""
    return " is writable by " in message or " belongs to " in message


def _unfit(path: str, *, executable: bool) -> Iterator[str]:
    if not Path(path).is_absolute():
        yield f"{path} must be an absolute path"
        return
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path with a NUL raises here, not earlier
    except FileNotFoundError:
        yield f"{path} does not exist: correct the path, or put it there"
        return
    except OSError as error:
        yield f"{path}: {(error.strerror or '').lower()}"
        return
    except ValueError:
        yield f"{path}: a path has no NUL in it"
        return
    if not stat.S_ISREG(mode):
        yield f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}"
    elif executable and not mode & 0o111:
        yield f"{path} is not executable: chmod +x {path}"


def _insecure(path: str, offence: str, *, as_root: bool) -> Iterator[str]:
    prefix = f"{offence}, but " if as_root else ""
    for place, found in _way_to(path):
        for complaint in _complaints(place, found, as_root=as_root):
            yield f"{prefix}{complaint}"


def _way_to(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every folder, symbolic link and file that decides what this path is, each once."""
    todo, seen = [path], set[str]()
    for _ in range(_LINKS_MAX):
        if not todo:
            return
        # Not normpath, which would take "link/.." for nothing.
        here = Path("/")
        for part in Path(todo.pop()).parts:
            here = Path(os.path.realpath(here)) / part
            if str(here) in seen:
                continue
            seen.add(str(here))
            found = os.lstat(here)
            yield str(here), found
            if stat.S_ISLNK(found.st_mode):
                todo.append(str(here.parent / os.readlink(here)))  # noqa: PTH115 - a text to join


def _complaints(place: str, found: os.stat_result, *, as_root: bool) -> Iterator[str]:
    mode = stat.S_IMODE(found.st_mode)
    sticky = stat.S_ISDIR(found.st_mode) and mode & stat.S_ISVTX
    if not sticky and not stat.S_ISLNK(found.st_mode):
        if mode & stat.S_IWOTH:
            yield f"{place} is writable by everybody (mode {mode:04o}): chmod o-w {place}"
        elif mode & stat.S_IWGRP and found.st_gid != 0:
            yield f"{place} is writable by group {_group(found.st_gid)} (mode {mode:04o}): chmod g-w {place}"
    if as_root and found.st_uid not in _roots():
        option = "-h " if stat.S_ISLNK(found.st_mode) else ""
        yield f"{place} belongs to {_user(found.st_uid)}: chown {option}root {place}, or {_LESS}"


@cache
def _roots() -> frozenset[int]:
    """Root; inside a user namespace also whoever is not mapped: nobody in there can become the real root."""
    try:
        whole = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return frozenset({0})
    return frozenset({0}) if whole else frozenset({0, overflow})


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
