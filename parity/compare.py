"""Where a cast with hafw in it differs from two keepalived routers; ``JUSTIFIED`` has why it may.

A difference that is not listed there is a complaint; so is one that is listed and was not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.pair import HOSTS, INSTANCES, SUBJECTS
from parity.play import BEGIN, END, REFERENCE
from parity.reasons import JUSTIFIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from parity.play import Cast, Rest
    from parity.reasons import Key, Reason
    from parity.steps import Step


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as with two keepalived routers."""

    cast: Cast
    step: str
    what: str
    """``MASTER of VI_1``, ``address of VI_1`` or ``lb1 is told of VI_1``."""
    keepalived: str
    seen: str

    @property
    def key(self) -> Key:
        """How ``JUSTIFIED`` names it."""
        return self.cast, self.step, self.what


def differences(rests: Mapping[Cast, Sequence[Rest]]) -> list[Difference]:
    """Every one, of every cast but the reference."""
    return [
        Difference(cast, before.step, what, expected, seen)
        for cast, after in rests.items()
        for before, rest in zip(rests[REFERENCE], after, strict=True)
        for what, expected, seen in _pairs(before, rest)
        if expected != seen
    ]


def complaints(rests: Mapping[Cast, Sequence[Rest]], steps: Sequence[Step]) -> list[str]:
    """What differs and is not listed, and what is listed for what was played and was not seen."""
    played = {*BEGIN, *(step.name for step in steps), END}
    listed = {key: reason for reason in JUSTIFIED for key in reason.keys if key[0] in rests and key[1] in played}
    found = differences(rests)
    told = [
        f"{' + '.join(each.cast)}: {each.step}: {each.what}: "
        f"not as with keepalived: {each.keepalived or 'nothing'}, here {each.seen or 'nothing'}"
        for each in found
        if each.key not in listed
    ]
    missing = [key for key, reason in listed.items() if not reason.chance and key not in {each.key for each in found}]
    return told + [f"{' + '.join(cast)}: {step}: {what}: is listed, and was not seen" for cast, step, what in missing]


def seen(reason: Reason, rests: Mapping[Cast, Sequence[Rest]]) -> bool:
    """Whether anything of it happened."""
    return any(each.key in reason.keys for each in differences(rests))


def _pairs(one: Rest, other: Rest) -> Iterable[tuple[str, str, str]]:
    yield "rest", one.step, other.step
    for instance in INSTANCES:
        yield f"MASTER of {instance}", one.masters[instance], other.masters[instance]
        yield f"address of {instance}", one.holders[instance], other.holders[instance]
    for host in HOSTS:
        for subject in SUBJECTS:
            told = [", ".join(" ".join(words) for words in rest.told.get((host, subject), ())) for rest in (one, other)]
            yield f"{host} is told of {subject}", told[0], told[1]
