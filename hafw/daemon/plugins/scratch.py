"""A folder of its own for the temporary files of every plugin process.

It is gone with the process. What a daemon leaves behind that was killed is swept by the next one: whoever lives holds a
lock on the folders of its plugins, whichever namespace it runs in, and the kernel gives the locks of the dead back. So
no process id is compared, which another process may have by now. A folder without a lock is no leftover yet: somebody
may have called theirs like ours, so only what has the name and the mode that we give is taken for one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "hafw-tmp-"
"""Not hafw-plugin-, as packages are called: their authors have folders of that name, in the temporary folder too."""
_OURS = re.compile(rf"{PREFIX}.+-[a-z0-9_]{{8}}")
"""As ``mkdtemp`` ends it."""
_UNNAMED = ".hafw-new-"
"""Until it is locked it has another name, so that nobody sweeps it in between."""


class Scratch:
    """The folder of one process; without a writable temporary folder there is none, and ``why`` says so."""

    def __init__(self, plugin: str) -> None:
        self.path = self.why = ""
        self._lock = -1
        try:
            self._make(plugin)
        except OSError as error:
            self.why = f"{tempfile.gettempdir()}: {(error.strerror or str(error)).lower()}"
            self.remove()

    def _make(self, plugin: str) -> None:
        self.path = tempfile.mkdtemp(prefix=_UNNAMED)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed = Path(self.path)
        named = unnamed.with_name(f"{PREFIX}{plugin}-{unnamed.name.removeprefix(_UNNAMED)}")
        unnamed.rename(named)
        self.path = str(named)

    def remove(self) -> None:
        """Everything in it, whoever it belongs to; blocks, for as long as there are files."""
        if self.path:
            _remove(self.path)
        if self._lock >= 0:
            os.close(self._lock)
        self.path, self._lock = "", -1


def sweep() -> list[str]:
    """Remove the folders whose daemon is gone; blocks. Returns them."""
    swept = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # another user's, no folder, or gone
        with contextlib.suppress(BlockingIOError):
            if _is_ours(folder.name, lock):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(str(folder))
                swept.append(str(folder))
        os.close(lock)
    return swept


def _is_ours(name: str, folder: int) -> bool:
    return bool(_OURS.fullmatch(name)) and stat.S_IMODE(os.fstat(folder).st_mode) == stat.S_IRWXU


def _remove(path: str) -> None:
    """As far as it goes: what is nested deeper than anybody wants to read stays for whoever cleans the disk."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(path)
