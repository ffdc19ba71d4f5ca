"""Watches nginx: what it answers, and whether its master process lives.

The HTTP check sees an nginx that answers wrongly or too late. The monitor sees the death of the process the moment it
happens and reports it past ``fall``. It never reports recovery: that takes answered requests, counted by ``rise``.
While the master process is dead the check fails too, because orphaned workers go on answering.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hafw_checks.drain import drained
from hafw_checks.request import Expect, Probe, parse_url, question_mistakes
from hafw_checks.tls import TlsOptions, context_of
from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw_nginx.control import Outcome, Revival, nginx_program, reload
from hafw_nginx.process import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hafw.api import Router

NOBODY = 65534
Seconds = Annotated[Duration, Meta(ge=0.01, le=60)]
TIMEOUT = Duration(0.7)
GRACE = Duration(3.0)
NO_TIME = Duration(0)
ENDING = 0.2
"""Seconds that a master process without open connections takes at most from closing its port to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.nginx]``."""

    url: str = "http://127.0.0.1/"
    host: str = ""
    """The ``Host`` header, and the name on the certificate; empty: the URL's."""
    expect: str = "200-399"
    """Status codes that count as healthy: ranges and single ones, separated by commas."""
    timeout: Seconds = TIMEOUT
    """For connecting, TLS and the whole answer; less than the check's own timeout, which kills this process."""
    insecure: bool = False
    """Accept any certificate."""
    pid_file: str = ""
    """Empty: the process is not watched."""
    process: str = "nginx"
    """The name that the process in the pid file must have."""
    grace: Seconds = GRACE
    """How long a master process that quit on purpose may be without a successor."""
    restart: str = ""
    """The systemd unit to restart after a crash; empty: none."""
    reload_on_master: bool = False
    """Reload nginx on becoming MASTER, if ``nginx -t`` accepts its configuration."""
    config_file: str = ""
    """For ``nginx -t``; empty: where nginx itself looks."""
    drain: Annotated[Duration, Meta(ge=0, le=4.5)] = NO_TIME
    """How long a planned handover waits for the connections to the virtual addresses to end; the budget is 5 s."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    yield from question_mistakes(url=options.url, expect=options.expect, host=options.host)
    for key in ("pid_file", "config_file"):
        path = getattr(options, key)
        if path and not Path(path).is_absolute():
            yield key, f'= "{path}": must be an absolute path'
    if not options.process:
        yield "process", '= "": must be the name in /proc/PID/comm, such as nginx'
    yield from mistakes_of_acting(options)


def mistakes_of_acting(options: Options) -> Iterator[tuple[str, str]]:
    """The rules for ``restart`` and ``reload_on_master``, which do more than look."""
    if options.restart and not re.fullmatch(r"[A-Za-z0-9:_.@\\-]+", options.restart):
        yield "restart", f'= "{options.restart}": must be a unit name such as nginx.service'
    if options.restart and not options.pid_file:
        yield "restart", 'needs pid_file, by which a crash is told from a planned stop: pid_file = "/run/nginx.pid"'
    if options.reload_on_master:
        if not (options.restart or options.pid_file):
            yield "reload_on_master", "needs restart (the unit to reload) or pid_file (the process to signal)"
        if nginx_program() is None:
            yield "reload_on_master", "nginx is not on PATH nor in /usr/sbin: nginx -t cannot run"
    for key in ("restart", "reload_on_master"):
        if getattr(options, key) and os.geteuid() == NOBODY:
            yield key, 'nobody may not act on nginx: user = "root", or a user whom a polkit rule allows it'


class Nginx:
    """One nginx of this machine, the same for every instance."""

    def __init__(self) -> None:
        self._apply(Options())

    def _apply(self, options: Options) -> None:
        url = parse_url(options.url)
        self._options = options
        self._probe = Probe(
            url=url,
            host=options.host,
            expect=Expect.parse(options.expect),
            timeout=options.timeout,
            tls=context_of(TlsOptions(insecure=options.insecure)) if url.scheme == "https" else None,
        )
        self._revival = Revival(options.restart)
        self._watch: Watch | None = None

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.nginx]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work, all of it at once."""
        refuse(mistakes(options))
        self._apply(options)

    @hookimpl
    def check(self) -> Verdict:
        """Ask once. Failing to answer during a planned restart is no failure, dying while answering is one."""
        deadline = time.monotonic() + self._options.timeout
        verdict = self._probe.run()
        if self._watch is None:
            return verdict
        restarting = "" if verdict.healthy else self._watch.settle(min(deadline, time.monotonic() + ENDING))
        if self._watch.problem:
            return Verdict(False, "; ".join(filter(None, [self._watch.problem, self._revival.failure])))
        return Verdict(True, f"restarting: {restarting}") if restarting else verdict

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> None:
        """Report the death of the master process at once."""
        if self._options.pid_file:
            self._watch = Watch(
                self._options.pid_file,
                self._options.process,
                self._options.grace,
                down=lambda why: report(Verdict(False, why, immediate=True)),
                revive=self._revival.attempt,
            )
            self._watch.run()

    @hookimpl
    def became_master(self) -> Outcome | None:
        """Reload, so that nginx binds what it could not bind as BACKUP."""
        if not self._options.reload_on_master:
            return None
        return reload(
            unit=self._options.restart,
            pid_file=self._options.pid_file,
            process=self._options.process,
            config_file=self._options.config_file,
        )

    @hookimpl
    def before_release(self, router: Router, budget: float) -> Mapping[str, Any] | None:
        """Let clients finish, while nginx goes on accepting: the addresses stay until another router claims them."""
        return drained(router, self._options.drain, budget) if self._options.drain else None


plugin = Nginx()
