"""docs/runbook.md has a section for every word that hafw says, found in the source itself.

Also the Chinese overview, which leads to those sections.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pages
import pytest
from pages import ROOT

from hafw.vrrp.packet import REASONS
from hafw.vrrp.tenure import RESTORE_FREE, RESTORE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNBOOK = ROOT / "docs/runbook.md"
TEXT = RUNBOOK.read_text("utf-8")
CHAPTERS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", TEXT, re.MULTILINE))
SPEAKERS = ("daemon", "vrrp", "node", "guard", "records.py", "cli/orphan.py")
EVENTS = {"Notice", "_notice", "notice", "event"}
LOG = {"info", "warning", "error", "critical", "say"}
STEPS = {"_move", "_leave", "_resign", "_enter", "_give_way", "_withdraw", "_become_master", "_fail_addresses"}
STEPS |= {"Cause", "FaultCleared"}
"""Functions and values of the election that take the reason of a transition."""
REASON = re.compile(r"[a-z]+(?:-[a-z]+)*")
WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")
URGENCY = ("**now", "**today", "*note.*", "*note*", "See [")


@cache
def sources() -> tuple[ast.Module, ...]:
    found = []
    for name in SPEAKERS:
        path = ROOT / "hafw" / name
        files = [path] if path.suffix else sorted(path.rglob("*.py"))
        found += [ast.parse(file.read_text("utf-8"), file.name) for file in files]
    return tuple(found)


def strings(node: ast.AST) -> Iterator[str]:
    """Every string that an argument may be: a conditional has two."""
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from strings(body)
            yield from strings(orelse)


@cache
def nodes() -> tuple[ast.AST, ...]:
    return tuple(node for module in sources() for node in ast.walk(module))


@cache
def calls() -> tuple[tuple[str, ast.Call], ...]:
    return tuple((ast.unparse(node.func).rsplit(".", 1)[-1], node) for node in nodes() if isinstance(node, ast.Call))


@cache
def events() -> set[str]:
    """Types of the event stream: arguments of what makes one, and ``{"type": ...}``."""
    found = {word for name, call in calls() if name in EVENTS for each in call.args for word in strings(each)}
    for module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found |= {word for key, value in pairs if key and "type" in strings(key) for word in strings(value)}
    return {word for word in found if WORD.fullmatch(word) and word not in {"string", "object", "claim"}}


@cache
def log_words() -> set[str]:
    found = {word for name, call in calls() if name in LOG and call.args for word in strings(call.args[0])}
    return {word for word in found if WORD.fullmatch(word)} - events()


def reasons() -> set[str]:
    """Why a router is in its state."""
    told = {word for name, call in calls() if name in STEPS for each in call.args for word in strings(each)}
    for module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"self.reason", "REASON", "higher"}:
                told |= {*strings(node.value)}
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("(self.state, self.reason"):
                assert isinstance(node.value, ast.Tuple)
                told |= {*strings(node.value.elts[1])}
            elif isinstance(node, ast.FunctionDef) and node.name == "_vacancy":
                told |= {
                    word for each in ast.walk(node) if isinstance(each, ast.Return) for word in strings(each.value)
                }
    return {word for word in told if REASON.fullmatch(word)} - {"somebody"}


def sections(chapter: str) -> list[str]:
    return re.findall(r"^### (.+)$", CHAPTERS[chapter], re.MULTILINE)


def rows(chapter: str) -> list[str]:
    return re.findall(r"^\| `([a-z-]+)` \|", CHAPTERS[chapter], re.MULTILINE)


def test_the_source_is_read():
    assert {"state_changed", "split_brain", "split_brain_over", "stall", "plugin_failed", "maintenance"} <= events()
    assert {"bad_packet", "ready", "will_done", "reload_refused"} <= log_words()
    assert {"no-response", "check-failed", "sync-group", "higher-address", "resumed", "starting"} <= reasons()


def test_every_event_has_a_section_and_no_other():
    assert set(sections("Events")) == events()


def test_every_line_of_the_log_has_a_section():
    assert set(sections("Lines of the log only")) == log_words()


def test_every_reason_of_a_transition_has_a_row():
    assert set(rows("Why a router is in this state")) == reasons() | {"reconfigured"}


def test_every_reason_why_an_advert_is_refused_has_a_row():
    assert rows("Refused adverts") == list(REASONS)


@pytest.mark.parametrize("chapter", ["Events", "Lines of the log only"])
def test_every_section_says_how_urgent_it_is_before_anything_else(chapter: str):
    found = re.findall(r"^### (.+)\n\n(.+)$", CHAPTERS[chapter], re.MULTILINE)
    assert [name for name, first in found if not first.startswith(URGENCY)] == []


def test_every_alert_has_a_row():
    alerts = (ROOT / "examples/prometheus/alerts.yml").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", CHAPTERS["Alerts"], re.MULTILINE)
    named = re.findall(r"- alert: (\w+)\n(?:(?!- alert:).)*?runbook_url: docs/runbook.md#(\S+)", alerts, re.DOTALL)
    assert [name for name, _ in rows] == [name for name, _ in named]
    by_name = dict(rows)
    elsewhere = {"lines-of-the-log-only"}
    assert [name for name, anchor in named if anchor not in elsewhere and f"(#{anchor})" not in by_name[name]] == []


def test_numbers_are_those_of_the_code():
    words = {3: "three", 12: "twelfth"}
    assert f"removed more than {words[RESTORE_FREE]} times a minute" in TEXT.replace("\n", " ")
    assert f"at the {words[RESTORE_LIMIT]} goes to FAULT" in TEXT.replace("\n", " ")


def test_the_chinese_overview_leads_to_every_event():
    page = Path(str(RUNBOOK).replace(".md", ".zh-CN.md"))
    linked = {target.partition("#")[2] for _, target in pages.links(page.read_text("utf-8")) if "runbook.md#" in target}
    assert set(sections("Events")) - linked == set()
