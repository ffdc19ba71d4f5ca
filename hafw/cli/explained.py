"""What ``hafw explain`` prints: a table for people, a document for programs."""

from __future__ import annotations

import textwrap
from math import inf
from typing import TYPE_CHECKING, Any

from hafw.cli.words import brief, span, table
from hafw.config.problem import enumerate_words
from hafw.sim.failures import judged
from hafw.sim.folding import Timing, fold, is_anything
from hafw.sim.life import Failure, Kind
from hafw.sim.story import DEGRADED
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.cli.explain import Part
    from hafw.node import InstanceSettings
    from hafw.sim.failures import Outcome
    from hafw.sim.folding import Case, Choice, Masters, Row, Verdict
    from hafw.sim.life import Rest
    from hafw.vrrp.settings import RouterSettings

NARROW = 80
_LOST = "power: the machine is gone. link: its interface is down. Any other word: that check fails."
_DARK = "DARK: how long the addresses are on nobody, at most. What a check needs to notice comes on top."
_MENDED = "MENDED: who is MASTER once all is well again, and after how long, at most."
_GROUP = "Of a sync group it is the address that is on nobody for longest."
_DEGRADED = "degraded: MASTER although a critical check fails there, since nobody relieved it (last_resort)."
_NOBODY = "nobody: a router that is in FAULT by a critical check, and not MASTER, does not take over."


def text(path: str, parts: Sequence[Part], width: int) -> str:
    """Every instance in its turn, then how to read it."""
    rows = {part.name: fold(part.cluster, part.cases, part.depth) for part in parts}
    blocks = [block for part in parts for block in _blocks(path, part, rows[part.name], max(width, NARROW))]
    degraded = any(row.verdict.degraded for some in rows.values() for row in some)
    nobody = any(_is_fault_of_checks(case) for part in parts for case in part.cases)
    group = any(part.is_group for part in parts)
    last = [(_DEGRADED, degraded), (_NOBODY, nobody)]
    legend = [(_LOST, True), (_DARK, True), (_GROUP, group), (_MENDED, True), *last]
    return "\n\n".join([*blocks, "\n".join(line for line, applies in legend if applies)])


def _is_fault_of_checks(case: Case) -> bool:
    """Whether nobody is MASTER although a router with power and link is there."""
    gone = {each.router for each in case.failures if each.kind is not Kind.CHECK}
    rest = case.outcome.failed
    return not any(rest.masters) and any(states.keys() - gone for states in rest.states.values())


def _blocks(path: str, part: Part, rows: Sequence[Row], width: int) -> Iterator[str]:
    yield _head(part, width)
    yield _order(part)
    if len(part.settings) == 1:
        yield _alone(path, part)
    yield _wrapped(("WHAT FAILS", "MASTER", "DARK", "MENDED"), [_cells(part, row) for row in rows], width)
    yield _counted(part)
    if notes := [*_ties(part), *_numbers(part)]:
        yield "\n".join(notes)
    if part.findings:
        yield "\n".join(each.render(path) for each in part.findings)


def _head(part: Part, width: int) -> str:
    """What it is about: the addresses, and of which instance each is."""
    if not part.is_group:
        (router,) = part.members.values()
        return f"{part.name}: {_addresses(router)}, VRID {router.vrid}"
    rows = [f"{each.name} {_addresses(each)}" for each in part.members.values()]
    return textwrap.fill(f"{part.name}, a sync group: {', '.join(rows)}", width, subsequent_indent="  ")


def _addresses(router: RouterSettings) -> str:
    first, *others = router.all_addresses
    return f"{first} and {len(others)} more" if others else str(first)


def _order(part: Part) -> str:
    """The routers side by side: what they are while all is well, and what each check makes of them."""
    rows = [("", *part.settings), ("all is well", *part.cluster.start.joint.values())]
    rows.append(("priority", *map(_priority, part.settings.values())))
    checks = dict.fromkeys(check.name for some in part.settings.values() for each in some for check in each.checks)
    rows += [(f"{check} fails", *(_weighed(part, node, check) for node in part.settings)) for check in checks]
    return table(rows)


def _priority(members: Sequence[InstanceSettings]) -> str:
    """The effective one, and the configured one where checks that are well have added to it."""
    well, configured = (_numbers_of(some) for some in (_well(members), [each.router.priority for each in members]))
    return well if well == configured else f"{well} ({configured})"


def _well(members: Sequence[InstanceSettings]) -> list[int]:
    return [judged(each, frozenset())[0] for each in members]


def _numbers_of(priorities: Sequence[int]) -> str:
    """One number, or one for each member of a group where they differ."""
    return "/".join(map(str, priorities if len(set(priorities)) > 1 else priorities[:1]))


def _weighed(part: Part, node: str, check: str) -> str:
    members = part.settings[node]
    if check not in {one.name for each in members for one in each.checks}:
        return "-"
    verdicts = [judged(each, frozenset({check})) for each in members]
    return State.FAULT if any(fault for _, fault in verdicts) else _numbers_of([number for number, _ in verdicts])


def _counted(part: Part) -> str:
    number = sum(1 for _ in part.cluster.combinations(part.depth))
    if part.depth == 1:
        return f"{number} failures, one at a time; with pairs (--depth 2) {part.cluster.count(2)} orders of them."
    return f"{number} combinations of up to {part.depth} failures, in every order: {part.cluster.plays} plays."


def _alone(path: str, part: Part) -> str:
    """What cannot be said of a router whose companions are unknown."""
    ((node, members),) = part.settings.items()
    known = dict.fromkeys(str(peer) for each in members for peer in each.router.unicast_peers)
    nobody = "no other router of this group" if part.is_group else "no other router of this VRID"
    others = f"nothing of {enumerate_words(known)}" if known else nobody
    weights = list(dict.fromkeys(one.name for each in members for one in each.checks if not one.critical))
    weighed = f" Nor whether the weight of {enumerate_words(weights)} is enough." if weights else ""
    return "\n".join(
        [
            f"{path} names {others}: who takes over from {node} cannot be said.{weighed}",
            f"Below it is alone. With the others: --peer NAME=PRIORITY, or priority = {{ {node} = ..., NAME = ... }}",
        ]
    )


def _ties(part: Part) -> Iterator[str]:
    """Where the address decides, and the file does not say which is higher."""
    levels: dict[tuple[str, int], list[str]] = {}
    for node, each in ((node, each) for node, some in part.settings.items() for each in some):
        if each.router.source_address is None:
            levels.setdefault((each.router.name, judged(each, frozenset())[0]), []).append(node)
    for nodes in dict.fromkeys(map(tuple, levels.values())):
        if len(nodes) > 1:
            who = enumerate_words(nodes)
            yield f"{who} are level, so the higher address wins: here {nodes[-1]}'s is taken to be the highest."


def _numbers(part: Part) -> Iterator[str]:
    if part.numbered:
        are = "is" if len(part.numbered) == 1 else "are"
        yield f"{enumerate_words(part.numbered)} {are} left out: the number in a file decides, and it may be any."


# -- rows -------------------------------------------------------------------------------------------------------


def _cells(part: Part, row: Row) -> tuple[str, str, str, str]:
    end = row.verdict
    if not end.rests:
        return _what(part, row), "moves on and on", "?", "?"
    is_start = end.masters == part.cluster.start.masters
    master = f"{_who(part, end.masters)}{' degraded' if end.degraded else '' if end.moved else ' stays'}"
    dark = "until mended" if end.dark == inf else _time(end.dark) if end.dark else "-"
    return _what(part, row), master, dark, _mended(part, end, is_start=is_start)


def _who(part: Part, masters: Masters) -> str:
    """Of a group that is MASTER as one: where; else of each member."""
    names = [" + ".join(each) or "nobody" for each in masters]
    if len(set(names)) == 1:
        return names[0]
    return ", ".join(f"{member} {name}" for member, name in zip(part.members, names, strict=True))


def _mended(part: Part, end: Verdict, *, is_start: bool) -> str:
    """Who is MASTER after the repair, where that is news."""
    who = _who(part, end.mended)
    if end.mended != end.masters:
        dark = f", dark {_time(end.mended_dark)}" if end.mended_dark else ""
        return f"{who} in {_time(end.mended_after)}{dark}"
    if end.degraded:
        return f"{who} recovers"
    return "" if is_start else f"{who} stays"


def _time(seconds: float) -> str:
    """``34 ms``, ``3.1 s``, ``31 s``, ``5m 4s``."""
    if seconds < 10:
        return brief(seconds)
    return f"{seconds:.0f} s" if seconds < 60 else span(seconds)


def _what(part: Part, row: Row) -> str:
    whatever = enumerate_words(row.whatever) if row.whatever else ""
    if not row.routers:
        return f"anything on {whatever}"
    pieces = [_piece(part, *each) for each in zip(row.routers, row.choices, strict=True)]
    beside = f", whatever happens on {whatever}" if whatever else ""
    match row.timing:
        case Timing.ANY:
            return " + ".join(pieces) + beside
        case Timing.ONCE:
            return f"{' + '.join(pieces)} at the same moment"
        case Timing.ORDER:
            return ", then ".join(pieces)
        case _:
            return f"{', then '.join(pieces)} (or at once)"


def _piece(part: Part, router: str, choices: frozenset[Choice]) -> str:
    if is_anything(part.cluster, choices):
        return f"anything on {router}"
    order = part.cluster.failures.index
    ordered = sorted(sorted(each, key=order) for each in choices)
    ordered.sort(key=lambda each: (len(each), list(map(order, each))))
    return f"{router} {enumerate_words((enumerate_words(map(str, each)) for each in ordered), 'or')}"


def _wrapped(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], width: int) -> str:
    """A table whose first column takes the room that the others leave."""
    others = sum(max(len(row[column]) for row in [head, *rows]) + 2 for column in range(1, len(head)))
    lines: list[tuple[str, ...]] = [head]
    for what, *rest in rows:
        first, *more = textwrap.wrap(what, max(width - others, 20), subsequent_indent="  ")
        lines += [(first, *rest), *((each, *("" for _ in rest)) for each in more)]
    return table(lines)


# -- for programs -----------------------------------------------------------------------------------------------


def document(path: str, parts: Sequence[Part]) -> dict[str, Any]:
    """Every combination with its whole end. Durations are seconds; ``null``: until it is mended."""
    return {
        "config": path,
        "instances": [_part(part) for part in parts if not part.is_group],
        "groups": [_part(part) for part in parts if part.is_group],
    }


def _part(part: Part) -> dict[str, Any]:
    members = [_member(each) for each in part.members.values()]
    return {
        **({"group": part.name, "members": members} if part.is_group else members[0]),
        "depth": part.depth,
        "routers": [
            {"router": node, **_priorities(part, some), "state": part.cluster.start.joint[node]}
            for node, some in part.settings.items()
        ],
        "outcomes": [_case(part, each) for each in part.cases],
        "left_out": part.numbered,
        "findings": [
            {"path": each.path, "line": each.line, "severity": each.severity, "message": each.message}
            for each in part.findings
        ],
    }


def _member(router: RouterSettings) -> dict[str, Any]:
    return {"instance": router.name, "vrid": router.vrid, "addresses": [str(each) for each in router.all_addresses]}


def _priorities(part: Part, members: Sequence[InstanceSettings]) -> dict[str, Any]:
    well = _well(members)
    if not part.is_group:
        return {"priority": well[0]}
    return {"priorities": {each.router.name: number for each, number in zip(members, well, strict=True)}}


def _case(part: Part, case: Case) -> dict[str, Any]:
    outcome = case.outcome
    mended = {"after_seconds": _seconds(outcome.mended.after), **_dark(part, outcome.mended)}
    return {
        "failures": [_failure(each) for each in case.failures],
        "timing": case.timing,
        **_rest(outcome.failed),
        **_dark(part, outcome),
        "mended": {**_rest(outcome.mended), **mended},
    }


def _dark(part: Part, end: Outcome | Rest) -> dict[str, Any]:
    """Of a group: for longest, and how long each member."""
    members = {name: _seconds(seconds) for name, seconds in end.darkness.items()}
    return {"dark_seconds": _seconds(end.dark), **({"dark_seconds_by_member": members} if part.is_group else {})}


def _failure(failure: Failure) -> dict[str, str]:
    which = {"check": failure.check, "interface": failure.interface}
    return {"router": failure.router, "fails": failure.kind, **{key: each for key, each in which.items() if each}}


def _rest(rest: Rest) -> dict[str, Any]:
    serving = {State.MASTER, DEGRADED}
    masters = [name for name, state in rest.joint.items() if state in serving]
    return {"masters": masters, "states": rest.joint, "settled": rest.rests}


def _seconds(seconds: float) -> float | None:
    return None if seconds == inf else round(seconds, 6)
