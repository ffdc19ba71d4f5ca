"""``[plugin.service]``: which units, when, and every mistake in it."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from hafw.api import Duration
from hafw.role import subject_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.api import Router
    from hafw_service.systemd import Systemd

TIMEOUT: Final = Duration(30)
SETTLE: Final = Duration(1)
VERBS: Final = ("start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart")
SUFFIXES: Final = (".service", ".socket", ".target", ".timer", ".mount", ".path", ".slice", ".automount", ".swap")
OURS: Final = {"hafw.service", "hafw-hardened.service"}
MOST: Final = 100
"""Actions of a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.service]``."""

    on_master: tuple[str, ...] = ()
    """In this order, each ``VERB UNIT``: ``start postgresql``, ``reload nginx``."""
    on_backup: tuple[str, ...] = ()
    on_fault: tuple[str, ...] = ()
    on_stop: tuple[str, ...] = ()
    """When hafw stops, or a reload has removed the instance."""
    instance: str = ""
    """Whose role; needed where there are several."""
    group: str = ""
    """The sync group whose role it is."""
    timeout: Annotated[Duration, Meta(ge=0.1, le=600)] = TIMEOUT
    """For each action; systemd goes on with it, and it counts as failed."""
    settle: Annotated[Duration, Meta(ge=0, le=60)] = SETTLE
    """After a start, until the unit is looked at: one that dies at once has not started."""
    mode: Literal["replace", "fail"] = "replace"
    """What becomes of a job of systemd's that contradicts: replaced, or this one fails."""


ROLES: Final = {
    "MASTER": "on_master",
    "BACKUP": "on_backup",
    "FAULT": "on_fault",
    **dict.fromkeys(("STOP", "DELETED"), "on_stop"),
}
"""By state, the key of its actions."""
KEYS: Final = tuple(dict.fromkeys(ROLES.values()))


@dataclass(frozen=True, slots=True)
class Action:
    """One of them."""

    verb: str
    unit: str

    def __str__(self) -> str:
        return f"{self.verb} {self.unit}"

    @property
    def states_what_is(self) -> bool:
        """Whether it says how the unit shall be, and not that something be done to it."""
        return self.verb in ("start", "stop")


def action_of(text: str) -> Action:
    """Read ``start postgresql``; ``ValueError`` says what is wrong."""
    verb, _, unit = text.strip().partition(" ")
    unit = unit.strip()
    if verb not in VERBS:
        raise ValueError(f'= "{text}": must begin with {", ".join(VERBS[:-1])} or {VERBS[-1]}')
    if not re.fullmatch(r"[A-Za-z0-9_:.@\\][A-Za-z0-9_:.@\\-]{0,254}", unit):
        raise ValueError(f'= "{text}": must name one unit after {verb}, such as "{verb} postgresql.service"')
    return Action(verb, unit if unit.endswith(SUFFIXES) else f"{unit}.service")


def actions(texts: Sequence[str]) -> tuple[Action, ...]:
    """All of a role, in order."""
    return tuple(map(action_of, texts))


def mistakes(options: Options, routers: Sequence[Router], systemd: Systemd) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    yield from subject_mistakes(options.instance, options.group, routers)
    places: dict[str, list[tuple[str, Action]]] = {}
    for role in KEYS:
        texts: tuple[str, ...] = getattr(options, role)
        if len(texts) > MOST:
            yield role, f"has {len(texts)} actions: must be at most {MOST}"
        for number, text in enumerate(texts[:MOST]):
            try:
                action = action_of(text)
            except ValueError as error:
                yield f"{role}[{number}]", str(error)
                continue
            if action.unit in OURS and action.verb != "start":
                yield f"{role}[{number}]", f'= "{text}": would end hafw itself: hafw handover gives the role away'
            places.setdefault(action.unit, []).append((f"{role}[{number}]", action))
    if not any(getattr(options, role) for role in KEYS):
        yield "on_master", 'is missing: nothing is started or stopped: on_master = ["start postgresql"]'
    yield from mistakes_of_units(places, systemd)


def mistakes_of_units(places: dict[str, list[tuple[str, Action]]], systemd: Systemd) -> Iterator[tuple[str, str]]:
    """As systemd knows them, now."""
    for unit, named in places.items():
        state = systemd.look(unit)
        for place, action in named:
            if state.problem:
                yield place, f'= "{action}": {state.problem}'
                return  # systemd itself does not answer: once is enough
            if state.load == "not-found":
                yield place, f'= "{action}": there is no unit {unit} on this machine: systemctl list-unit-files'
            elif state.load == "masked":
                yield place, f'= "{action}": {unit} is masked: systemctl unmask {unit}'
            elif state.load not in ("loaded", ""):
                yield place, f'= "{action}": {unit} cannot be loaded ({state.load}): systemctl status {unit}'
        verbs = {action.verb for _, action in named}
        if state.at_boot and {"start", "stop"} <= verbs:
            place = next(place for place, action in named if action.verb == "start")
            warnings.warn(
                f"{place}: {unit} also starts at boot, whatever the role: systemctl disable {unit}", stacklevel=2
            )
    if os.geteuid() != 0 and places:
        warnings.warn(
            "on_master: whoever is not root needs a polkit rule for these units: see the README", stacklevel=2
        )
