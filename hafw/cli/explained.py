"""What ``hafw explain`` prints: a table for people, a document for programs."""

from __future__ import annotations

import textwrap
from math import inf
from typing import TYPE_CHECKING, Any

from hafw.cli.words import brief, span, table
from hafw.config.problem import enumerate_words
from hafw.sim.failures import Failure, Kind, judged
from hafw.sim.folding import Timing, fold, is_anything
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.cli.explain import Part
    from hafw.node import InstanceSettings
    from hafw.sim.failures import Rest
    from hafw.sim.folding import Case, Choice, Masters, Row, Verdict

NARROW = 80
_READ = (
    "power: the machine is gone. link: its interface is down. Any other word: that check fails.",
    "DARK: how long the addresses are on nobody, at most. What a check needs to notice comes on top.",
    "MENDED: who is MASTER once all is well again, and after how long, at most.",
)
_DEGRADED = "degraded: MASTER although a critical check fails there, since nobody relieved it (last_resort)."
_NOBODY = "nobody: a router that is in FAULT by a critical check, and not MASTER, does not take over."


def text(path: str, parts: Sequence[Part], width: int) -> str:
    """Every instance in its turn, then how to read it."""
    rows = {part.name: fold(part.cluster, part.cases, part.depth) for part in parts}
    blocks = [block for part in parts for block in _blocks(path, part, rows[part.name], max(width, NARROW))]
    degraded = any(row.verdict.degraded for some in rows.values() for row in some)
    nobody = any(_is_fault_of_checks(case) for part in parts for case in part.cases)
    legend = [*_READ, *([_DEGRADED] if degraded else []), *([_NOBODY] if nobody else [])]
    return "\n\n".join([*blocks, "\n".join(legend)])


def _is_fault_of_checks(case: Case) -> bool:
    """Whether nobody is MASTER although a router with power and link is there."""
    gone = {each.router for each in case.failures if each.kind is not Kind.CHECK}
    rest = case.outcome.failed
    return not any(rest.masters) and any(states.keys() - gone for states in rest.states.values())


def _blocks(path: str, part: Part, rows: Sequence[Row], width: int) -> Iterator[str]:
    yield _head(part)
    yield _order(part)
    if len(part.settings) == 1:
        yield _alone(path, part)
    yield _wrapped(("WHAT FAILS", "MASTER", "DARK", "MENDED"), [_cells(part, row) for row in rows], width)
    yield _counted(part)
    if notes := [*_ties(part), *_numbers(part)]:
        yield "\n".join(notes)
    if part.findings:
        yield "\n".join(each.render(path) for each in part.findings)


def _head(part: Part) -> str:
    router = next(iter(part.settings.values())).router
    addresses = router.all_addresses
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return f"{part.name}: {addresses[0]}{more}, VRID {router.vrid}"


def _order(part: Part) -> str:
    """The routers side by side: what they are while all is well, and what each check makes of them."""
    (states,) = part.cluster.start.states.values()
    rows = [("", *part.settings), ("all is well", *states.values())]
    rows.append(("priority", *map(_priority, part.settings.values())))
    checks = dict.fromkeys(check.name for each in part.settings.values() for check in each.checks)
    rows += [(f"{check} fails", *(_weighed(part, node, check) for node in part.settings)) for check in checks]
    return table(rows)


def _priority(settings: InstanceSettings) -> str:
    """The effective one, and the configured one where checks that are well have added to it."""
    well, configured = judged(settings, frozenset())[0], settings.router.priority
    return str(well) if well == configured else f"{well} ({configured})"


def _weighed(part: Part, node: str, check: str) -> str:
    if check not in {each.name for each in part.settings[node].checks}:
        return "-"
    priority, is_fault = judged(part.settings[node], frozenset({check}))
    return State.FAULT if is_fault else str(priority)


def _counted(part: Part) -> str:
    number = sum(1 for _ in part.cluster.combinations(part.depth))
    if part.depth == 1:
        return f"{number} failures, one at a time; with pairs (--depth 2) {part.cluster.count(2)} orders of them."
    return f"{number} combinations of up to {part.depth} failures, in every order: {part.cluster.plays} plays."


def _alone(path: str, part: Part) -> str:
    """What cannot be said of a router whose companions are unknown."""
    node, settings = next(iter(part.settings.items()))
    peers = enumerate_words(map(str, settings.router.unicast_peers)) if settings.router.unicast_peers else ""
    others = f"nothing of {peers}" if peers else "no other router of this VRID"
    weights = [each.name for each in settings.checks if not each.critical]
    weighed = f" Nor whether the weight of {enumerate_words(weights)} is enough." if weights else ""
    return "\n".join(
        [
            f"{path} names {others}: who takes over from {node} cannot be said.{weighed}",
            f"Below it is alone. With the others: --peer NAME=PRIORITY, or priority = {{ {node} = ..., NAME = ... }}",
        ]
    )


def _ties(part: Part) -> Iterator[str]:
    """Where the address decides, and the file does not say which is higher."""
    levels: dict[int, list[str]] = {}
    for node, each in part.settings.items():
        if each.router.source_address is None:
            levels.setdefault(judged(each, frozenset())[0], []).append(node)
    for nodes in levels.values():
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
    master = f"{_who(end.masters)}{' degraded' if end.degraded else '' if end.moved else ' stays'}"
    dark = "until mended" if end.dark == inf else _time(end.dark) if end.dark else "-"
    return _what(part, row), master, dark, _mended(end, is_start=is_start)


def _who(masters: Masters) -> str:
    (names,) = masters
    return " + ".join(names) or "nobody"


def _mended(end: Verdict, *, is_start: bool) -> str:
    """Who is MASTER after the repair, where that is news."""
    if end.mended != end.masters:
        dark = f", dark {_time(end.mended_dark)}" if end.mended_dark else ""
        return f"{_who(end.mended)} in {_time(end.mended_after)}{dark}"
    if end.degraded:
        return f"{_who(end.mended)} recovers"
    return "" if is_start else f"{_who(end.mended)} stays"


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
    return {"config": path, "instances": [_instance(part) for part in parts]}


def _instance(part: Part) -> dict[str, Any]:
    (states,) = part.cluster.start.states.values()
    router = next(iter(part.settings.values())).router
    return {
        "instance": part.name,
        "vrid": router.vrid,
        "addresses": [str(each) for each in router.all_addresses],
        "depth": part.depth,
        "routers": [
            {"router": node, "priority": judged(each, frozenset())[0], "state": states[node]}
            for node, each in part.settings.items()
        ],
        "outcomes": [_case(each) for each in part.cases],
        "left_out": part.numbered,
        "findings": [
            {"path": each.path, "line": each.line, "severity": each.severity, "message": each.message}
            for each in part.findings
        ],
    }


def _case(case: Case) -> dict[str, Any]:
    failed, mended = case.outcome.failed, case.outcome.mended
    return {
        "failures": [_failure(each) for each in case.failures],
        "timing": case.timing,
        **_rest(failed),
        "dark_seconds": _seconds(case.outcome.dark),
        "mended": {**_rest(mended), "after_seconds": _seconds(mended.after), "dark_seconds": _seconds(mended.dark)},
    }


def _failure(failure: Failure) -> dict[str, str]:
    check = {"check": failure.check} if failure.kind is Kind.CHECK else {}
    return {"router": failure.router, "fails": failure.kind, **check}


def _rest(rest: Rest) -> dict[str, Any]:
    (states,), (masters,) = rest.states.values(), rest.masters
    return {"masters": masters, "states": states, "settled": rest.rests}


def _seconds(seconds: float) -> float | None:
    return None if seconds == inf else round(seconds, 6)
