"""``[plugin.bird]``: which protocols, when, and every mistake in it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta

from hafw.api import Duration
from hafw.role import subject_mistakes
from hafw_bird.control import Bird, BirdError, BirdMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.api import Router

SOCKET: Final = "/run/bird/bird.ctl"
TIMEOUT: Final = Duration(5)
REFRESH: Final = Duration(5)
_KEYS: Final = {"MASTER": "master", "BACKUP": "backup", "FAULT": "fault"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.bird]``."""

    master: tuple[str, ...] = ("hafw",)
    """Protocols of BIRD's that are up while MASTER; all that are named here are down otherwise."""
    backup: tuple[str, ...] = ()
    """Up while BACKUP, such as one whose routes have a worse MED."""
    fault: tuple[str, ...] = ()
    instance: str = ""
    """Whose role; needed where there are several."""
    group: str = ""
    """The sync group whose role it is."""
    socket: str = SOCKET
    timeout: Annotated[Duration, Meta(ge=0.1, le=60)] = TIMEOUT
    """For a conversation with BIRD, and for the routes to be there after an address was bound."""
    refresh: Annotated[Duration, Meta(ge=0, le=3600)] = REFRESH
    """How often it is made so again, since BIRD may have been restarted; 0s: never."""
    verify: bool = True
    """Whether each address of a MASTER must have a route of these protocols."""


def protocols_of(options: Options, state: str = "") -> tuple[str, ...]:
    """Those of a state; without one all, each once."""
    if state:
        return tuple(getattr(options, _KEYS[state])) if state in _KEYS else ()
    return tuple(dict.fromkeys((*options.master, *options.backup, *options.fault)))


def routers_of(options: Options, routers: Sequence[Router]) -> list[Router]:
    """Those whose addresses are announced; which one is meant where none is named, ``mistakes`` sees to."""
    subject = options.group or options.instance
    return [router for router in routers if not subject or subject in (router.name, router.group)]


def mistakes(options: Options, routers: Sequence[Router], bird: Bird) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    yield from subject_mistakes(options.instance, options.group, routers)
    if not protocols_of(options):
        yield "master", 'is empty: nothing is announced: master = ["hafw"]'
    well_named = True
    for key in _KEYS.values():
        for number, name in enumerate(getattr(options, key)):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
                well_named = False
                yield f"{key}[{number}]", f'= "{name}": must be the name of a protocol: letters, digits and _'
    if not Path(options.socket).is_absolute():
        yield "socket", f'= "{options.socket}": must be an absolute path'
    elif well_named and protocols_of(options):
        yield from mistakes_of_bird(options, routers, bird)


def mistakes_of_bird(options: Options, routers: Sequence[Router], bird: Bird) -> Iterator[tuple[str, str]]:
    """As the running BIRD has it. One that does not run is only odd: it may start later than we."""
    try:
        with bird:
            known = bird.protocols()
            wrong = bird.what_is_wrong_with_its_file()
    except BirdMissingError as error:
        warnings.warn(f"socket: {error}", stacklevel=2)
        return
    except BirdError as error:
        yield "socket", str(error)
        return
    if wrong:
        yield "socket", f"BIRD would refuse its own configuration at the next start: {wrong}"
    for key in _KEYS.values():
        for number, name in enumerate(getattr(options, key)):
            if name not in known:
                there = ", ".join(sorted(known)) or "none"
                yield f"{key}[{number}]", f'= "{name}": BIRD has no such protocol: it has {there}'
    warn(options, routers, known)


def warn(options: Options, routers: Sequence[Router], known: dict[str, tuple[str, str]]) -> None:
    """Say what works and may not be meant."""
    for name in options.master:
        kind = known.get(name, ("Direct", ""))[0]
        if kind != "Direct":
            what = f"master: {name} is {kind}: when hafw dies, it stays up without the address"
            warnings.warn(f"{what}: a protocol direct goes with it", stacklevel=2)
    for router in routers_of(options, routers):
        for each in router.addresses:
            if each.prefixlen < (128 if ":" in each.address else 32):
                whole = f"{each.address}/{each.prefixlen} of {router.name}"
                warnings.warn(
                    f"master: {whole}: direct announces the whole network: write it without a length", stacklevel=2
                )
