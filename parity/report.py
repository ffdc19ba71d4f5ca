"""docs/parity.md: what was played, who won, every difference with its reason, and what a migration cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parity.compare import seen
from parity.pair import GROUP, OUT, SOLO
from parity.play import REFERENCE
from parity.reasons import JUSTIFIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from parity.live import Chapter
    from parity.play import Cast, Rest
    from parity.reasons import Reason

PAGE = """\
# In keepalived's place

Written by `sudo make parity`, which plays all of it with Debian's keepalived {version} in network namespaces and fails
when something differs that is not listed here.

## A live pair moves, and moves back

The commands of [Moving a live pair](from-keepalived.md#moving-a-live-pair), as they stand there, on a pair of version 2
with an advert a second. A client sends a ping every millisecond and fetches a page every 20 ms, over a new connection.

{live}

## Thirty failures

{failures} failures and what mends them, {rests} rests. Two routers: {group} is a sync group of VI_OUT and VI_IN on two
networks, with the check `web` that has no weight; VI_SOLO is an instance of its own with the weights of `db` (-60),
`bonus` (+60), a file and the interface eth2 (-60). keepalived.conf is in [parity/pair.py](../parity/pair.py); hafw's
configuration is what `hafw import` makes of it. Version 3, an advert every 100 ms. Four casts: {casts}.

At each rest: who advertises, who has the addresses, and what the notify scripts were told since the rest before.
{calls} calls of these scripts were compared, word for word and in their order.

{winners}

## What differs, and why

{differences}
"""


def page(version: str, failures: int, rests: Mapping[Cast, list[Rest]], chapters: Sequence[Chapter]) -> str:
    """The whole of it."""
    return PAGE.format(
        version=version,
        live=live(chapters),
        failures=failures,
        rests=len(rests[REFERENCE]),
        group=GROUP,
        casts=", ".join(name(cast) for cast in rests),
        calls=sum(len(told) for each in rests.values() for rest in each for told in rest.told.values()),
        winners=winners(rests),
        differences=differences(rests),
    )


def live(chapters: Sequence[Chapter]) -> str:
    """Chapter by chapter what the client saw."""
    rows = [
        [
            each.title,
            f"{each.ping.lost} of {each.ping.sent}",
            f"{each.ping.longest * 1000:.0f} ms",
            f"{each.pages.lost} of {each.pages.sent}",
            each.holder,
        ]
        for each in chapters
    ]
    return table(["step", "pings lost", "longest outage", "pages lost", "then served by"], rows)


def winners(rests: Mapping[Cast, list[Rest]]) -> str:
    """Step by step, who is MASTER of the group and of the instance outside it; a cast that differs is named."""
    rows = []
    for number, rest in enumerate(rests[REFERENCE]):
        row = [rest.step]
        for instance in (OUT, SOLO):
            others = {cast: each[number].masters[instance] for cast, each in rests.items() if cast != REFERENCE}
            told = [f"{name(cast)}: {who}" for cast, who in others.items() if who != rest.masters[instance]]
            row.append("; ".join([rest.masters[instance], *told]))
        rows.append(row)
    return table(["what happens", f"MASTER of {GROUP}", f"MASTER of {SOLO}"], rows)


def differences(rests: Mapping[Cast, list[Rest]]) -> str:
    """One row for each reason."""
    rows = [
        ["<br>".join(map(name, each.casts)), "<br>".join(each.steps), "<br>".join(each.what), _reason(each)]
        for each in JUSTIFIED
        if seen(each, rests)
    ]
    return table(["lb1 + lb2", "when", "what", "why"], rows)


def _reason(each: Reason) -> str:
    return f"{each.why} (by chance: not in every run)" if each.chance else each.why


def name(cast: Cast) -> str:
    """As it stands in tables: who is lb1, then who is lb2."""
    return " + ".join(cast)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
