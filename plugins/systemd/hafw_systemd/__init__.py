"""A systemd unit must be active. Its crash is heard over D-Bus the moment systemd knows of it.

A crash counts past ``fall``; a unit that somebody stops or restarts is seen by the check, so that ``fall`` gives a
planned restart its time.
"""

from __future__ import annotations

import re
import time
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

from hafw_checks.reach import Deadline
from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw_systemd.bus import Bus, BusError, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = Literal["active", "reloading", "refreshing", "activating", "deactivating", "inactive", "maintenance", "failed"]
WELL: tuple[State, ...] = ("active", "reloading", "refreshing")
TIMEOUT = Duration(0.7)
PATIENCE: Final = 5.0
"""Seconds that the monitor gives the bus; it keeps nobody waiting."""
REVIEW: Final = 30.0
"""Seconds between two looks of the monitor although systemd said nothing."""
RETRY: Final = 1.0
"""Seconds until it connects again."""
_TYPES: Final = (
    "service",
    "socket",
    "target",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
    "device",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.systemd]``."""

    unit: Annotated[str, Meta(min_length=1, max_length=255)]
    """Its name; without a type, ``.service``."""
    states: Annotated[tuple[State, ...], Meta(min_length=1)] = WELL
    """Those of ``ActiveState`` that are healthy."""
    socket: str = "/run/dbus/system_bus_socket"
    """Of the system bus."""
    timeout: Annotated[Duration, Meta(ge=0.01, le=60)] = TIMEOUT
    """For one answer; less than the check's own timeout, which kills this process."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    name = full_name(options.unit)
    if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", options.unit):
        yield "unit", f'= "{options.unit}": must be the name of a unit, such as nginx.service'
    elif "@." in name:
        example = name.replace("@.", "@NAME.")
        yield "unit", f'= "{options.unit}": is a template, of which no unit runs: name an instance, "{example}"'
    if not re.fullmatch(r"/[A-Za-z0-9_./-]+", options.socket):
        yield "socket", f'= "{options.socket}": must be an absolute path of letters, digits, _ . / -'


def full_name(unit: str) -> str:
    """As systemctl completes it."""
    return unit if unit.rpartition(".")[2] in _TYPES else f"{unit}.service"


class Systemd:
    """One unit, the same for every instance."""

    def __init__(self) -> None:
        self._apply(Options(unit="hafw"))

    def _apply(self, options: Options) -> None:
        self._options = options
        self._unit = full_name(options.unit)
        self._bus: Bus | None = None
        """The check's own connection, as long as it works."""
        self._told = True
        """Whether the monitor has reported the crash that lasts."""

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.systemd]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work; warn of a unit that is not there now."""
        refuse(mistakes(options))
        self._apply(options)
        try:
            deadline = Deadline(options.timeout)
            with Bus(options.socket, deadline) as bus:
                unit = bus.unit(self._unit, deadline)
        except BusError as error:
            warnings.warn(f"socket: {error}; the check fails until then", stacklevel=1)
            return
        if unit.load != "loaded":
            warnings.warn(f'unit: = "{options.unit}": {unit.name} is {unit.load} on this machine now', stacklevel=1)

    @hookimpl
    def check(self) -> Verdict:
        """Ask once, over a connection that is kept."""
        deadline = Deadline(self._options.timeout)
        try:
            if self._bus is None:
                self._bus = Bus(self._options.socket, deadline)
            return self._judge(self._bus.unit(self._unit, deadline))
        except BusError as error:
            if self._bus is not None:
                self._bus.close()
                self._bus = None
            return Verdict(False, str(error))

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> NoReturn:
        """Report each crash once. That it is well again is for the check, and ``rise``, to say."""
        while True:
            try:
                with Bus(self._options.socket, Deadline(PATIENCE)) as bus:
                    self._follow(bus, report)
            except BusError:
                time.sleep(RETRY)  # of which the check speaks

    def _follow(self, bus: Bus, report: Callable[[Verdict], None]) -> NoReturn:
        with bus.listen(bus.unit(self._unit, Deadline(PATIENCE)), Deadline(PATIENCE)) as news:
            while True:
                unit = bus.unit(self._unit, Deadline(PATIENCE))
                verdict = self._judge(unit)
                if unit.crashed and not verdict.healthy and not self._told:
                    self._told = True
                    report(replace(verdict, immediate=True))
                bus.wait(news, REVIEW)

    def _judge(self, unit: Unit) -> Verdict:
        healthy = unit.active in self._options.states
        if healthy:
            self._told = False
        if unit.load != "loaded" and not healthy:
            return Verdict(False, f"{unit.name} is {unit.load}")
        job = f", {unit.job} under way" if unit.job else ""
        return Verdict(healthy, f"{unit.name} is {unit.active} ({unit.sub}){job}")


plugin = Systemd()
