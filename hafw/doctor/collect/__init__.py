"""Everything that the probes want to know of this machine. Nothing here judges, and nothing changes anything."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hafw.doctor.collect import files, filters, kernel, links, processes, segment
from hafw.doctor.facts import Facts
from hafw.doctor.finding import Unseen
from hafw.doctor.need import bound_on, virtual_addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.config.model import Config
    from hafw.doctor.facts import Heard, Interface

ROOT = Path("/")


def collect(config: Config, *, listen: bool, root: Path = ROOT) -> Facts:
    """Look at this machine for this configuration; ``listen``: at the wire too, for a few seconds."""
    unseen: list[Unseen] = []
    tried = partial(_tried, unseen)
    there: dict[str, Interface] = tried({}, links.interfaces, unseen)
    every = (name for each in config.instances.values() for name in (each.router.interface, *bound_on(each).values()))
    names = list(dict.fromkeys(every))
    nothing: tuple[tuple[Heard, ...], segment.Answers] = ((), {})
    heard, answers = tried(nothing, segment.observe, config, there, unseen) if listen else nothing
    return Facts(
        interfaces=there,
        settings=tried({}, kernel.settings, dict.fromkeys([*names, *there])),
        routes=tried({}, links.routes, config, there),
        refused=tried({}, segment.refused, config, there),
        filters=tried((), filters.tables, unseen),
        firewalld=tried({}, filters.firewalld, root, names),
        nftables_file=filters.nftables_file(root),
        conntrack=kernel.conntrack(),
        clock=tried(None, kernel.clock, unseen),
        services=tried((), files.services, root, unseen),
        speakers=tried((), processes.speakers, unseen),
        heard=heard,
        answers=answers,
        mentions=tried((), files.mentions, root, virtual_addresses(config).keys(), unseen),
        managed=tried((), files.managed, root, _indices(names)),
        units=tried((), files.units, root),
        scripts=tried((), files.scripts, config),
        cloud=kernel.cloud(root),
        unseen=tuple(unseen),
    )


def _tried(unseen: list[Unseen], default: Any, look: Callable[..., Any], *about: Any) -> Any:  # noqa: ANN401
    """What it found; one look that fails must not take the others with it."""
    try:
        return look(*about)
    except Exception as error:  # noqa: BLE001 - whatever a machine may be like
        subject = f"{look.__module__.rpartition('.')[2]}.{look.__name__}"
        unseen.append(
            Unseen(f"what hafw/doctor/collect {subject} looks for", f"it failed: {error!r}", "please report it")
        )
        return default


def _indices(names: list[str]) -> dict[str, int]:
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = socket.if_nametoindex(name)
    return found
