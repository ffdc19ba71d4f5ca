"""The values that TOML has no type for: durations and sizes. Plugins use durations in the types of their options."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_LONGEST = 366 * 24 * 3600.0
_OCTETS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(r"(\d{1,12})(KiB|MiB|GiB)", re.ASCII)


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


class Size(int):
    """Octets, written in the configuration with a unit: ``"64KiB"``, ``"512MiB"``, ``"2GiB"``."""

    __slots__ = ()

    def __str__(self) -> str:
        return format_size(self)


def parse_size(text: object) -> int:
    """Octets of ``"512MiB"``; anything else raises ``ValueError`` with the rule."""
    if type(text) is int and text >= 0:
        raise ValueError(f'a size needs a unit: "{text}MiB"')
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('must be a size such as "64KiB", "512MiB" or "2GiB"')
    return int(match[1]) * _OCTETS[match[2]]


def format_size(octets: int) -> str:
    """The shortest spelling that ``parse_size`` reads back as the same, or one that says about as much: ``23.4MiB``."""
    for unit in ("GiB", "MiB", "KiB"):
        if octets and octets % _OCTETS[unit] == 0:
            return f"{octets // _OCTETS[unit]}{unit}"
    unit = next((unit for unit in ("GiB", "MiB") if octets >= _OCTETS[unit]), "KiB")
    return f"{octets / _OCTETS[unit]:.1f}{unit}"


def _decimal(number: float, digits: int) -> str:
    """Never with an exponent, which no duration has."""
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
