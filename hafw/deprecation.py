"""What of the plugin API will go, since when, and what to write instead: each use is told, none is refused.

A use is noticed in the plugin's own process. ``docs/plugins/versions.md`` has the policy, and a test refuses an entry
of ``DEPRECATIONS`` that breaks it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from types import FrameType

_NOT_THE_AUTHOR = ("hafw", "dataclasses", "copy", "pluggy", "msgspec", "reprlib", "functools")
"""Packages whose code reads fields of any value, and whose reading says nothing of the plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """One thing that plugins should no longer use. It goes on working until it is gone."""

    kind: Literal["hook", "argument", "field", "name"]
    subject: str
    """``group_changed``; ``check.router``; ``Router.group``; ``hafw.api.Frame``."""
    since: str
    """The first version that warns: ``0.2``."""
    removed_in: str
    """The first version without it: two minor releases after ``since``, or later."""
    instead: str
    """What the author should do, in the imperative: ``implement vip_changed``."""
    now_at: str = ""
    """Of a name: where its value has gone, ``hafw.pipe:Frame``."""

    def told(self, use: str, place: str) -> str:
        """One line for the operator and for the author."""
        where = f" ({place})" if place else ""
        return (
            f"{use} {self.kind} {self.subject}{where}, which is deprecated since hafw {self.since} and gone in "
            f"{self.removed_in}: {self.instead}, or ask for a newer version of this plugin"
        )


DEPRECATIONS: tuple[Deprecation, ...] = ()
"""An entry stays until the release after that which is without its subject: it is what allows the removal."""

_noticed: dict[Deprecation, str] = {}
_untold: list[str] = []


def notice(deprecation: Deprecation, use: str, place: str = "") -> None:
    """Remember the first use of it in this process."""
    if deprecation not in _noticed:
        _noticed[deprecation] = deprecation.told(use, place)
        _untold.append(_noticed[deprecation])


def noticed() -> tuple[str, ...]:
    """A line for everything that this process has used so far."""
    return tuple(_noticed.values())


def untold() -> tuple[str, ...]:
    """Those that no reply has carried yet. They count as told from now on."""
    found = tuple(_untold)
    del _untold[: len(found)]
    return found


def look_at_hooks(implementations: Mapping[str, AbstractSet[str]]) -> None:
    """Notice the deprecated among the hooks that a plugin implements and the arguments that it takes."""
    for each in DEPRECATIONS:
        if each.kind == "hook" and each.subject in implementations:
            notice(each, "implements the")
        hook, _, argument = each.subject.partition(".")
        if each.kind == "argument" and argument in implementations.get(hook, ()):
            notice(each, "takes the")


def name_of(module: str, name: str) -> Any:  # noqa: ANN401 - whatever had the name
    """For a module's ``__getattr__``: what a deprecated name stands for. Raises ``AttributeError`` for any other."""
    for each in DEPRECATIONS:
        if each.kind == "name" and each.subject == f"{module}.{name}":
            notice(each, "uses the", _place(_authors(sys._getframe(2))))  # noqa: SLF001 - of the caller of __getattr__
            home, _, attribute = each.now_at.partition(":")
            return getattr(import_module(home), attribute)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def watch_fields(owner: object) -> None:
    """From now on every use of a deprecated field of these values is noticed; ``owner`` has their classes."""
    for each in DEPRECATIONS:
        value, _, field = each.subject.partition(".")
        if each.kind == "field":
            kind = getattr(owner, value)
            slot = next(vars(base)[field] for base in kind.__mro__ if field in vars(base))
            if not isinstance(slot, _Watched):
                setattr(kind, field, _Watched(each, slot, kind.__dataclass_fields__[field].default))


class _Watched:
    """In the place of a slot: passes everything on, and notices who uses it."""

    def __init__(self, deprecation: Deprecation, slot: Any, default: object) -> None:  # noqa: ANN401 - a member descriptor
        self._deprecation = deprecation
        self._slot = slot
        self._default = default

    def __get__(self, owner: object, kind: type | None = None) -> Any:  # noqa: ANN401
        if owner is None:
            return self
        if (frame := _authors(sys._getframe(1), deep=False)) is not None:  # noqa: SLF001
            notice(self._deprecation, "reads the", _place(frame))
        return self._slot.__get__(owner, kind)

    def __set__(self, owner: object, value: object) -> None:
        """Of frozen values, by their own ``__init__``: its caller is the author, unless that is hafw or a library."""
        init = sys._getframe(1)  # noqa: SLF001
        made = init.f_code.co_name == "__init__" and value != self._default
        if made and (frame := _authors(init.f_back, deep=False)) is not None:
            notice(self._deprecation, "sets the", _place(frame))
        self._slot.__set__(owner, value)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _authors(frame: FrameType | None, *, deep: bool = True) -> FrameType | None:
    """The frame, or the nearest around it, that runs the plugin's own code; ``deep=False``: this one or none."""
    for each in _frames(frame):
        module = str(each.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _NOT_THE_AUTHOR and not module.startswith("importlib"):
            return each
        if not deep:
            return None
    return None


def _place(frame: FrameType | None) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
