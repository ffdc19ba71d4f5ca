"""The values that TOML has no type for: durations and secrets. Plugins use both in the types of their options."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_LONGEST = 366 * 24 * 3600.0
_SECRET_SIZE = 4096
_SOURCES = ("file:", "env:", "credential:")


class Duration(float):
    """Seconds, written in the configuration with a unit: ``"100ms"``, ``"1.5s"``, ``"10m"``, ``"1h"``."""

    __slots__ = ()

    def __str__(self) -> str:
        return format_duration(self)


def parse_duration(text: object) -> float:
    """Seconds of ``"1.5s"``; anything else raises ``ValueError`` with the rule."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        example = f"{text:g}" if 0 < text < 1e6 else "1"
        raise ValueError(f'a duration needs a unit: "{example}s" or "{example}ms"')  # noqa: TRY004 - one error for all
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('must be a duration such as "100ms", "1.5s", "10m" or "1h"')
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST:
        raise ValueError(f"must be at most {format_duration(_LONGEST)}, a year")
    return round(seconds, 9)


def format_duration(seconds: float) -> str:
    """The shortest spelling that ``parse_duration`` reads back as the same: ``"40.95s"``, ``"10m"``."""
    if 0 < seconds < 1:
        return f"{_decimal(seconds * 1000, 6)}ms"
    for unit in ("h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{_decimal(seconds / _UNITS[unit], 0)}{unit}"
    return f"{_decimal(seconds, 9)}s"


def _decimal(number: float, digits: int) -> str:
    """Never with an exponent, which no duration has."""
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


class Secret:
    """A text that no log, traceback or ``--print`` shows; ``reveal()`` is the only way to it."""

    __slots__ = ("_text", "known")

    def __init__(self, text: str, *, known: bool = True) -> None:
        self._text = text
        self.known = known
        """False: it lies on another machine and was not read; ``reveal()`` is then empty."""

    def reveal(self) -> str:
        """The text itself."""
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
        return Secret("", known=False)
    if kind == "env":
        return Secret(_from_environment(place))
    if kind == "credential":
        return Secret(_read(_credential(place), private=False))
    return Secret(_read(Path(place), private=True))


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
        content = file.read(_SECRET_SIZE + 1)
    return _text(path, content)


def _text(path: Path, content: bytes) -> str:
    if len(content) > _SECRET_SIZE:
        raise ValueError(f"{path} is longer than {_SECRET_SIZE} octets: it must hold the secret alone")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} must be UTF-8 text") from None
    if not text:
        raise ValueError(f"{path} is empty: it must hold the secret")
    return text
