"""The first words with a plugin process: it is loaded and configured, or says why not."""

from __future__ import annotations

import math
import os
import pwd
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hafw.daemon.plugins.child import Child, ChildGone
from hafw.pipe import DEADLINE_MAX, Failure, Hello, Offer, Outcome, Router, Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.config.model import PluginConfig


LINE_MAX = 300
"""Characters of a script's last words."""
TASKS_MIN, TASKS_EACH = 4096, 64
"""Of a plugin's user: others may be the same user, and threads count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, unless said otherwise."""

    load: float = 10.0
    """Until the plugin is imported."""
    call: float = 10.0
    """``configure`` and ``takeover``."""
    event: float = 30.0
    """An event hook, when the plugin declares no ``deadline``."""
    event_max: float = DEADLINE_MAX
    """What it may declare; more counts as nothing."""
    grace: float = 10.0
    """Without a process, until its checks have failed."""
    backoff: float = 0.1
    """Before the first restart; doubles."""
    backoff_max: float = 30.0
    deaths: int = 5
    """How many within ``deaths_within``, without a good answer, park the plugin."""
    deaths_within: float = 60.0
    park: float = 300.0
    """Between two attempts at a parked plugin."""


class RefusedError(Exception):
    """It could not be loaded or configured."""

    def __init__(self, failure: Failure, hook: str) -> None:
        super().__init__(explain(failure, hook))
        self.failure = failure
        self.hook = hook


def explain(failure: Failure, hook: str) -> str:
    """One line; mistakes in options speak for themselves."""
    if failure.problems:
        return "; ".join(f"{path}: {message}" for path, message in failure.problems)
    what = f"{hook} raised" if hook else "cannot be loaded:"
    said = ": ".join(filter(None, (failure.kind, " ".join(failure.message.split()))))
    place = f" ({failure.trace})" if failure.trace else ""
    return f"{what} {said}{place}"


def why_failed(outcome: Outcome) -> str:
    """``/etc/hafw/notify.sh: exit 3: no route to host``: what failed, how, and what it said last."""
    lines = outcome.output.split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ": ".join(filter(None, [outcome.command, f"exit {outcome.exit}", last[:LINE_MAX]]))


async def introduce(child: Child, routers: Sequence[Router], limits: Limits, *, configure: bool = True) -> Hello:
    """Load and configure the plugin; raises ``RefusedError`` or ``ChildGone``."""
    reply = await child.hello(limits.load)
    options = reply.hello.options if reply.hello else None
    if reply.failure is None and configure:
        reply = (await child.call("configure", "configure", limits.call, routers=routers)).reply
    if reply.failure is not None:
        raise RefusedError(reply.failure, "configure" if reply.id else "")
    if reply.hello is None:
        child.kill("did not say what it is")
        raise ChildGone(child.why)
    return replace(reply.hello, options=options)


def installed() -> dict[str, tuple[Offer, ...]]:
    """What the packages of this machine offer, by the plugin's name; 10 ms, and nothing of theirs is imported."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 25 ms that a one-file plugin need not pay

    found: dict[str, tuple[Offer, ...]] = {}
    for entry in entry_points(group="hafw"):
        package, version = (entry.dist.name, entry.dist.version) if entry.dist else (entry.value, "")
        offer = Offer(value=entry.value, package=package, version=version)
        found[entry.name] = (*found.get(entry.name, ()), offer)
    return found


def _user_here(user: str) -> str:
    """For a file of another machine: its user, or somebody as harmless where there is no such user."""
    try:
        pwd.getpwnam(user)
    except (KeyError, ValueError):
        return "nobody" if user and os.geteuid() == 0 else ""
    return user


def nice_of(weight: int) -> int:
    """The nice value of as large a share of a processor: each step is a quarter more or less."""
    return min(19, round(math.log(100 / weight) / math.log(1.25)))


def start_of(  # noqa: PLR0913 - each by name
    plugin: PluginConfig,
    offers: tuple[Offer, ...],
    *,
    node: str = "",
    machine: bool = True,
    run: str = "",
    weighed: bool = False,
) -> Start:
    """What a process of this plugin is told first. ``node``: the name of this router; empty: it is told none.

    ``weighed``: its cgroup sees to its share of the processor.
    """
    limits = plugin.limits
    return Start(
        name=plugin.name,
        options=plugin.options,
        file=plugin.file,
        offers=() if plugin.file else offers,
        user=plugin.user if machine else _user_here(plugin.user),
        parent=os.getpid(),
        memory=limits.memory,
        files=limits.files,
        tasks=max(TASKS_MIN, TASKS_EACH * limits.processes),
        nice=0 if weighed else nice_of(limits.cpu_weight),
        network=limits.network or not machine,
        machine=machine,
        run=run,
        node=node,
    )
