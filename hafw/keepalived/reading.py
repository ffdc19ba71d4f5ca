"""What every block has in common: its keywords found, misspelt ones mended, numbers and switches read."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from hafw.keepalived.draft import Draft
from hafw.keepalived.language import Statement
from hafw.keepalived.words import WORDS, homes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.keepalived.language import Files
    from hafw.keepalived.report import Kind, Report

_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,9})?", re.ASCII)
_NEAR = 0.82
"""How alike two words are when one can only be a misspelling of the other."""
_TRUE, _FALSE = ("on", "true", "yes"), ("off", "false", "no")
FLAGS = frozenset(
    {
        *("nopreempt", "preempt", "accept", "no_accept", "native_ipv6", "dont_track_primary", "enable_script_security"),
        *("smtp_alert", "track_src_ip", "init_fail", "promote_secondaries", "vrrp_strict", "dynamic_interfaces"),
        *("enable_traps", "no_email_faults", "process_names", "full_command", "vmac_xmit_base"),
    }
)
"""Keywords that may stand without a value."""


_INNER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("virtual_ipaddress", "virtual_ipaddress_excluded", "unicast_peer", "notification_email"), ()),
    **dict.fromkeys(("track_script", "track_interface", "track_file", "track_process", "group", "interfaces"), ()),
    **dict.fromkeys(("virtual_routes", "virtual_rules"), ()),
    "authentication": ("auth_type", "auth_pass", "auth_hmac"),
    "auth_hmac": ("key", "active_key", "time_window", "anti_replay", "mode"),
}
"""Blocks that hold no blocks, and the keywords that they have of their own."""


@dataclass
class Router:
    """One router's configuration on its way: what is read, what is made of it, and what is said about it."""

    node: str
    tree: list[Statement]
    files: Files
    report: Report
    draft: Draft = field(default_factory=Draft)
    strays: list[tuple[str, Statement]] = field(default_factory=list)
    """Statements that stand in a block that does not know them, by the block that does."""
    masters: dict[str, Statement] = field(default_factory=dict)
    """``state MASTER`` of each instance that says so."""

    def note(self, statement: Statement, kind: Kind, why: str) -> None:
        """Say what became of a statement, and of all that stands in it."""
        told(statement)
        self.report.add(statement.place, statement.text, kind, why)

    def advise(self, statement: Statement, why: str) -> None:
        """Say something about a statement that was carried over as it stands."""
        statement.told = True
        self.report.add(statement.place, statement.text, "advice", why)

    def block(self, statement: Statement, context: str) -> Iterator[Statement]:
        """The statements of a block that are to be carried over; of all others the report says what became of them."""
        statement.told = True
        for each in statement.body or ():
            lifted = [each]
            while lifted:
                one = lifted.pop(0)
                lifted = [*self._never_closed(one, context), *lifted]
                yield from self.known(one, context)

    def _never_closed(self, statement: Statement, context: str) -> list[Statement]:
        """What stands in an inner block and can only belong to this one: a brace is missing before it."""
        inner, body = _INNER.get(statement.word), statement.body or []
        if inner is None:
            return []
        at = next((n for n, each in enumerate(body) if each.word in WORDS[context] and each.word not in inner), None)
        if at is None:
            return []
        why = f"the block `{statement.text}` was never closed: it ends before this"
        self.report.add(body[at].place, body[at].text, "changed", why)
        lifted = body[at:]
        del body[at:]
        return lifted

    def known(self, statement: Statement, context: str) -> Iterator[Statement]:
        """The statements that stand in one line, by keywords of this block."""
        for each in self._apart(statement, context):
            word = WORDS[context].get(each.word)
            if word is None:
                yield from self._unknown(each, context)
            elif word.fate == "kept":
                each.told = True
                yield each
            else:
                self.note(each, word.kind, word.text)

    def _apart(self, statement: Statement, context: str) -> Iterator[Statement]:
        """``auth_type PASS auth_pass 1234`` in one line: keepalived reads the first keyword only."""
        words, known = statement.words, WORDS[context]
        starts = [0]
        for n in range(1, len(words) if context and statement.word in known else 0):
            least = starts[-1] + (1 if words[starts[-1]] in FLAGS else 2)
            if n >= least and words[n] in known and not statement.quoted[n]:
                starts.append(n)
        if len(starts) == 1:
            yield statement
            return
        statement.told = True
        ignored = ", ".join(f"`{words[n]}`" for n in starts[1:])
        why = f"keepalived reads the first keyword of a line only and ignored {ignored}; here all count"
        self.report.add(statement.place, statement.text, "changed", why)
        for start, end in itertools.pairwise([*starts, len(words)]):
            body = statement.body if end == len(words) else None
            yield Statement(words[start:end], statement.place, statement.quoted[start:end], body)

    def _unknown(self, statement: Statement, context: str) -> Iterator[Statement]:
        word, known = statement.word, WORDS[context]
        for meant in (word.removeprefix("vrrp_"), f"vrrp_{word}", word.removeprefix("script_")):
            if context and meant != word and meant in known:
                yield from self._mended(statement, meant, context, f"in this block it is called `{meant}`")
                return
        elsewhere = homes(word)
        if context == "vrrp_instance" and elsewhere == ["garp_group"] and word.endswith("_interval"):
            why = "belongs into garp_group, or into global_defs with vrrp_; keepalived ignored it, here it counts"
            self.report.add(statement.place, statement.text, "changed", why)
            statement.told = True
            yield statement
            return
        if elsewhere and (context or "global_defs" in elsewhere):
            self._misplaced(statement, context, elsewhere)
            return
        if word.startswith("//"):
            self.note(statement, "dropped", "a comment begins with # or !; keepalived ignored the line with an error")
            return
        folded = word.lower().replace("-", "_")
        near = [folded] if folded in known else get_close_matches(folded, known, 1, _NEAR)
        if near:
            yield from self._mended(statement, near[0], context, f"misspelt: taken as `{near[0]}`")
            return
        guess = get_close_matches(folded, known, 1, 0.6)
        hint = f" (did you mean {guess[0]}?)" if guess else ""
        inside = ", the whole block" if statement.body is not None else ""
        self.note(
            statement, "decide", f"no keyword of keepalived{hint}, which ignored it{inside}: correct it or forget it"
        )

    def _mended(self, statement: Statement, meant: str, context: str, why: str) -> Iterator[Statement]:
        mended = Statement((meant, *statement.arguments), statement.place, statement.quoted, statement.body)
        statement.told = True
        self.report.add(statement.place, statement.text, "changed", f"{why}; keepalived ignored it")
        yield from self.known(mended, context)

    def _misplaced(self, statement: Statement, context: str, elsewhere: Sequence[str]) -> None:
        """Kept for the block that knows it, where that can be told."""
        statement.told = True
        if "global_defs" in elsewhere:
            self.report.add(
                statement.place,
                statement.text,
                "changed",
                "belongs into global_defs and counts as if it stood there; keepalived ignored it",
            )
            self.strays.append(("global_defs", statement))
        elif "vrrp_instance" in elsewhere and context == "global_defs":
            self.strays.append(("vrrp_instance", statement))
        else:
            where = " or ".join(each or "the top of the file" for each in elsewhere)
            self.note(statement, "decide", f"belongs into {where}; keepalived ignored it here")

    def only(self, statement: Statement, count: int = 1) -> tuple[str, ...]:
        """Its first words; those behind them have no meaning, as with keepalived."""
        if len(statement.arguments) > count:
            extra = " ".join(statement.arguments[count:])
            self.report.add(statement.place, statement.text, "dropped", f"`{extra}` has no meaning here")
        if statement.body is not None and statement.word != "authentication":
            self.note(statement, "dropped", "takes no block: what stands in it has no meaning")
        return statement.arguments[:count]

    def number(self, statement: Statement, low: float, high: float) -> float | None:
        """Its first word as a number from ``low`` to ``high``; ``None``: it is none, and the report says so."""
        given = self.only(statement)
        if not given:
            self.note(statement, "decide", f"needs a number, {_span(low, high)}; keepalived ignored it")
            return None
        found = _NUMBER.match(given[0])
        if found is None:
            self.note(statement, "decide", f"needs a number, {_span(low, high)}; keepalived took its default")
            return None
        value = float(found[0])
        if not low <= value <= high:
            self.note(statement, "decide", f"must be {_span(low, high)}; keepalived took its default, and so does hafw")
            return None
        if found[0] != given[0]:
            why = f"`{given[0]}` is no number, and keepalived took its default; here it is {found[0]}"
            self.report.add(statement.place, statement.text, "changed", why)
        return value

    def whole(self, statement: Statement, low: int, high: int) -> int | None:
        """The same for a whole number."""
        found = self.number(statement, low, high)
        if found is not None and found != int(found):
            self.report.add(statement.place, statement.text, "changed", f"must be a whole number: {int(found)}")
        return None if found is None else int(found)

    def switch(self, statement: Statement) -> bool | None:
        """``on`` or nothing is true, ``off`` is false."""
        given = self.only(statement)
        if not given or given[0] in _TRUE:
            return True
        if given[0] in _FALSE:
            return False
        self.note(statement, "decide", "must be on, true, yes, off, false or no; keepalived ignored it")
        return None


def _span(low: float, high: float) -> str:
    return " to ".join(str(int(each)) if each == int(each) else f"{each:g}" for each in (low, high))


def told(statement: Statement) -> None:
    """Mark a statement and all that stands in it."""
    todo = [statement]
    while todo:
        each = todo.pop()
        each.told = True
        todo += each.body or ()
