"""Everything that the probes want to know of this machine. Nothing here judges, and nothing changes anything."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.doctor.collect import files, filters, kernel, links, processes, segment
from hafw.doctor.facts import Facts
from hafw.doctor.need import bound_on, virtual_addresses

if TYPE_CHECKING:
    from hafw.config.model import Config
    from hafw.doctor.finding import Unseen

ROOT = Path("/")


def collect(config: Config, *, listen: bool, root: Path = ROOT) -> Facts:
    """Look at this machine for this configuration; ``listen``: at the wire too, for a few seconds."""
    unseen: list[Unseen] = []
    there = links.interfaces(unseen)
    every = (name for each in config.instances.values() for name in (each.router.interface, *bound_on(each).values()))
    names = list(dict.fromkeys(every))
    heard, answers = segment.observe(config, there, unseen) if listen else ((), {})
    return Facts(
        interfaces=there,
        settings=kernel.settings(dict.fromkeys([*names, *there])),
        routes=links.routes(config, there),
        filters=filters.tables(unseen),
        firewalld=filters.firewalld(root, names),
        nftables_file=filters.nftables_file(root),
        conntrack=kernel.conntrack(),
        clock=kernel.clock(unseen),
        services=files.services(root, unseen),
        speakers=processes.speakers(unseen),
        heard=heard,
        answers=answers,
        mentions=files.mentions(root, virtual_addresses(config).keys(), unseen),
        managed=files.managed(root, _indices(names)),
        units=files.units(root),
        scripts=files.scripts(config),
        cloud=kernel.cloud(root),
        unseen=tuple(unseen),
    )


def _indices(names: list[str]) -> dict[str, int]:
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = socket.if_nametoindex(name)
    return found
