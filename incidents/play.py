"""One incident from its staging to its mending."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hafw.lab.network import Lab
from incidents.bed import STATUS, Bed, NotSoError, Said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from incidents.cases import Incident

AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Played:
    """What an operator saw, and what of it does not say what it has to."""

    incident: Incident
    said: tuple[Said, ...]
    complaints: tuple[str, ...]


def play_all(incidents: Sequence[Incident]) -> Iterator[Played]:
    """Some at the same time, for most of it is waiting; in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(play, incidents)


def play(incident: Incident) -> Played:
    """In a lab of its own; a status that has to name the cause is waited for, and so is the mending."""
    with Lab() as lab:
        bed = Bed(lab)
        try:
            incident.stage(bed)
            for (host, command), pattern in incident.named.items():
                if command == STATUS:
                    bed.until(host, command, pattern)
        except (NotSoError, RuntimeError) as error:
            return Played(incident, (), (f"while it was staged: {error}",))
        said = tuple(bed.say(host, command) for host, command in incident.asked)
        answers = {(each.host, each.command): each.text for each in said}
        complaints = [
            f"{host}# {command}: nothing like {pattern!r}\n{answers[host, command]}"
            for (host, command), pattern in incident.named.items()
            if not re.search(pattern, answers[host, command])
        ]
        try:
            incident.mend(bed)
            host, command, pattern = incident.clears
            bed.until(host, command, pattern, absent=True)
        except (NotSoError, RuntimeError) as error:
            complaints.append(f"after the mending: {error}")
        return Played(incident, said, tuple(complaints))
