"""Yes or no for load balancers and probes, from one status. Pure.

Of several instances every one has to be what is asked for: a router that is MASTER of one of two would otherwise be
taken for the MASTER of both. Whoever shares the load between routers asks for one by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVING = {"MASTER", "BACKUP"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict and why, a line per instance."""

    code: int
    lines: tuple[str, ...]


def live() -> Answer:
    """The daemon answers, or this would not have been asked."""
    return Answer(200, ("ok: the daemon answers",))


def ready(status: Mapping[str, Any]) -> Answer:
    """Whether every instance takes part: MASTER or BACKUP."""
    instances = status["instances"]
    found = [line_of(each) for each in instances if each["state"] not in SERVING]
    return Answer(503, tuple(found)) if found else Answer(200, tuple(map(line_of, instances)))


def role(status: Mapping[str, Any], state: str, name: str = "") -> Answer:
    """Whether this state is that of every instance, or of the one, or of the sync group, of that name."""
    asked = chosen(status, name)
    if not asked:
        known = ", ".join([each["name"] for each in (*status["instances"], *status["groups"])]) or "none"
        return Answer(404, (f"no instance or sync group has this name; there are: {known}",))
    return Answer(200 if all(each["state"] == state for each in asked) else 503, tuple(map(line_of, asked)))


def chosen(status: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """An instance before a group of the same name."""
    if not name:
        return list(status["instances"])
    return [each for each in (*status["instances"], *status["groups"]) if each["name"] == name][:1]


def line_of(each: Mapping[str, Any]) -> str:
    """``VI_1 FAULT: check nginx: connection refused``."""
    detail = each.get("detail") or each.get("reason")
    why = f": {' '.join(str(detail).split())}" if detail and each["state"] not in SERVING else ""
    return f"{each['name']} {each['state']}{why}"


def unknown(why: str) -> Answer:
    """Nobody knows: then the answer is no, whatever was asked."""
    return Answer(503, (f"unknown: {why}",))
