"""Watches HAProxy: what it says of itself and of its backends over its statistics socket, and whether it lives.

The check sees an HAProxy that hangs, that has closed a frontend, or has no server left. The monitor sees its death the
moment it happens, and reports it past ``fall``; recovery takes answers, counted by ``rise``.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

from hafw_checks.drain import drained
from hafw_checks.reach import Deadline, ReachError
from hafw_checks.settle import Settled
from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw_haproxy.stats import Report, ask, commands_for
from hafw_haproxy.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hafw.api import Router

TIMEOUT = Duration(0.7)
AT_ONCE = Duration(0)
SOCKET: Final = "/run/haproxy/admin.sock"
_NAMES = Annotated[tuple[str, ...], Meta(max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.haproxy]``."""

    socket: str = SOCKET
    """``stats socket`` of haproxy.cfg."""
    frontends: _NAMES = ()
    """Those that must be open."""
    backends: _NAMES = ()
    """Those that must have servers that are up."""
    need: Annotated[int, Meta(ge=1, le=10000)] = 1
    """How many servers of each of them."""
    factor: Literal["none", "down", "up"] = "none"
    """The check's weight counts once for each server of the backends that is not up, or that is."""
    timeout: Annotated[Duration, Meta(ge=0.01, le=60)] = TIMEOUT
    """For the whole answer; less than the check's own timeout, which kills this process."""
    process: Annotated[str, Meta(min_length=1)] = "haproxy"
    """The name of its processes in /proc/PID/comm; one of another name is not followed."""
    down_delay: Annotated[Duration, Meta(ge=0, le=3600)] = AT_ONCE
    """How long it must be unwell until that counts: the time of a planned restart."""
    drain: Annotated[Duration, Meta(ge=0, le=4.5)] = AT_ONCE
    """How long a planned handover waits for the connections to the virtual addresses to end; the budget is 5 s."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    if not Path(options.socket).is_absolute():
        yield "socket", f'= "{options.socket}": must be an absolute path, as of stats socket in haproxy.cfg'
    for key in ("frontends", "backends"):
        names = getattr(options, key)
        for number, name in enumerate(names):
            if not re.fullmatch(r"[A-Za-z0-9_.:-]+", name):
                yield f"{key}[{number}]", f'= "{name}": must be a name of haproxy.cfg: letters, digits, - _ . :'
            elif name in names[:number]:
                yield f"{key}[{number}]", f'= "{name}": is there twice'
    if not options.backends:
        if options.need > 1:
            yield "need", f"= {options.need}: counts the servers of backends: name them, or leave it out"
        if options.factor != "none":
            yield "factor", f'= "{options.factor}": counts the servers of backends: name them, or leave it out'


def oddities(options: Options, report: Report) -> Iterator[str]:
    """What is not in the configuration that HAProxy runs now."""
    for key, found in (("frontends", report.frontends), ("backends", report.backends)):
        there = ", ".join(sorted(found)[:10]) or "none"
        for number, name in enumerate(getattr(options, key)):
            if name not in found:
                yield f'{key}[{number}]: = "{name}": HAProxy has no such {key[:-1]} now: it has {there}'
    for number, name in enumerate(options.backends):
        if name in report.backends and (servers := report.backends[name].servers) < options.need:
            yield f'backends[{number}]: = "{name}": has {servers} servers, and need is {options.need}'


class Haproxy:
    """One HAProxy of this machine, the same for every instance."""

    def __init__(self) -> None:
        self._apply(Options())

    def _apply(self, options: Options) -> None:
        self._options = options
        self._worker = Worker(options.process)
        self._settled = Settled(self._look, down=options.down_delay, up=0.0)
        self._servers: int | None = None
        """Of the backends, when HAProxy said so last."""

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.haproxy]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work; warn of what HAProxy does not know."""
        refuse(mistakes(options))
        self._apply(options)
        try:
            report = ask(options.socket, ["show stat -1 7 -1"], Deadline(options.timeout))
        except ReachError as error:
            warnings.warn(f"socket: {error}; the check fails until then", stacklevel=1)
            return
        for each in oddities(options, report):
            warnings.warn(each, stacklevel=1)

    @hookimpl
    def check(self) -> Verdict:
        """Ask once."""
        return self._settled.now()

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> NoReturn:
        """Report the end of the process that answered, unless another one answers by then: that was a reload."""
        while True:
            ended = self._worker.wait(self._settled.left)
            if not ended and self._settled.left is None:
                continue
            if (failure := self._settled.failure()) is not None:
                report(failure)

    @hookimpl
    def before_release(self, router: Router, budget: float) -> Mapping[str, Any] | None:
        """Let clients finish, while HAProxy goes on accepting: the addresses stay until another router claims them."""
        return drained(router, self._options.drain, budget) if self._options.drain else None

    def _look(self) -> Verdict:
        options = self._options
        try:
            commands = commands_for(options.frontends, options.backends)
            report = ask(options.socket, commands, Deadline(options.timeout))
        except ReachError as error:
            return Verdict(False, str(error), factor=self._factor(0, self._servers))
        self._worker.follow(report.pid)
        backends = {name: report.backends[name] for name in options.backends if name in report.backends}
        self._servers = sum(each.servers for each in backends.values())
        up = sum(each.up for each in backends.values())
        said = [*self._problems(report)]
        healthy = not said
        if healthy:
            said = [f"HAProxy {report.info['Version'].partition('-')[0]} answers"]
            said += [f"{name} {each.up} of {each.servers} up" for name, each in backends.items()]
        return Verdict(healthy, "; ".join(said), factor=self._factor(up, self._servers))

    def _problems(self, report: Report) -> Iterator[str]:
        if report.is_stopping:
            yield "HAProxy is stopping"
        for name in self._options.frontends:
            status = report.frontends.get(name)
            if status is None:
                yield f"no frontend {name}"
            elif status != "OPEN":
                yield f"frontend {name} is {status}"
        for name in self._options.backends:
            if name not in report.backends:
                yield f"no backend {name}"
            elif (backend := report.backends[name]).up < self._options.need:
                yield f"backend {name}: {backend.up} of {backend.servers} servers up, {self._options.need} needed"

    def _factor(self, up: int, servers: int | None) -> int | None:
        """An HAProxy that does not answer has no server up; of one that never did, nothing is known."""
        if self._options.factor == "none" or servers is None:
            return None
        return up if self._options.factor == "up" else servers - up


plugin = Haproxy()
