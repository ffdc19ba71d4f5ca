"""Secrets, and where they come from: a file, the environment, a systemd credential. Standard library only.

Apart from the configuration, because the guard signs in the name of a dead daemon: of a key it has the source alone.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_SIZE = 4096
_SOURCES = ("file:", "env:", "credential:")
KEY_LENGTH = range(32, 65)
"""Octets of an HMAC key."""


class Secret:
    """A text that no log, traceback or ``--print`` shows; ``reveal()`` is the only way to it."""

    __slots__ = ("_text", "known", "source")

    def __init__(self, text: str, source: str = "", *, known: bool = True) -> None:
        self._text = text
        self.source = source
        """``file:/path``, ``env:NAME`` or ``credential:NAME``; empty: it stood in the configuration itself."""
        self.known = known
        """False: it lies on another machine and was not read; ``reveal()`` is then empty."""

    def reveal(self) -> str:
        """The text itself; empty where no secret is read, as by ``hafw check --no-system``. Nothing is raised."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._text, self.known) == (other._text, other.known)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled: pass its source on instead")


def resolve_secret(source: str, *, machine: bool = True) -> Secret:
    """The secret behind ``file:/path``, ``env:NAME`` or ``credential:NAME``; any other text is the secret itself.

    ``machine=False`` leaves files and environment alone. Raises ``ValueError`` with the rule and the way out.
    """
    if not source.startswith(_SOURCES):
        return Secret(source)
    kind, _, place = source.partition(":")
    if not place:
        raise ValueError(f"{kind}: names nothing: file:/path, env:NAME or credential:NAME")
    if kind == "file" and not Path(place).is_absolute():
        raise ValueError(f"{place} must be an absolute path: file:/etc/hafw/{Path(place).name}")
    if not machine:
        return Secret("", source, known=False)
    if kind == "env":
        return Secret(_from_environment(place), source)
    if kind == "credential":
        return Secret(_read(_credential(place), private=False), source)
    return Secret(_read(Path(place), private=True), source)


def key_octets(text: str) -> bytes:
    """The key behind the text: after ``hex:`` its octets, otherwise the text itself; ``ValueError`` with the rule."""
    if text.startswith("hex:"):
        try:
            key = bytes.fromhex(text.removeprefix("hex:"))
        except ValueError:
            raise ValueError("must have hexadecimal digits only after hex:, two for each octet") from None
    else:
        key = text.encode()
    if len(key) not in KEY_LENGTH:
        rule = f"must be {KEY_LENGTH[0]} to {KEY_LENGTH[-1]} (openssl rand -hex 32 makes 64)"
        raise ValueError(f"has {len(key)} octets: {rule}")
    return key


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except (KeyError, ValueError):
        raise ValueError(f"the environment has no {name}: set it where hafw is started") from None


def _credential(name: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise ValueError(f"no systemd credentials here: LoadCredential={name}:/path in the unit")
    if "/" in name or name in {".", ".."}:
        raise ValueError(f"credential {name} must be a name, not a path")
    return Path(folder) / name


def _read(path: Path, *, private: bool) -> str:
    """The file's text without its last line end; ``private``: nobody else may read it (C-SEC-07)."""
    try:
        # Without O_NONBLOCK a FIFO would stop us here for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = (error.strerror or "") if isinstance(error, OSError) else str(error)
        raise ValueError(f"{path} cannot be read: {reason.lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path} must be a regular file")
        mode = stat.S_IMODE(found.st_mode)
        if private and mode & 0o027:
            what = "readable by everybody" if mode & 0o004 else "open to others"
            raise ValueError(f"{path} is {what} (mode {mode:04o}): chmod 600 {path}")
        content = file.read(_SIZE + 1)
    return _text(path, content)


def _text(path: Path, content: bytes) -> str:
    if len(content) > _SIZE:
        raise ValueError(f"{path} is longer than {_SIZE} octets: it must hold the secret alone")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} must be UTF-8 text") from None
    if not text:
        raise ValueError(f"{path} is empty: it must hold the secret")
    return text
