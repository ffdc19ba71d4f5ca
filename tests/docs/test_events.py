"""docs/events.md has every event that the code tells of, with every field, and none besides."""

from __future__ import annotations

import ast
import re

from pages import ROOT

PAGE = ROOT / "docs/events.md"
COMMON = {"type", "seq", "time", "instance", "vrid", "interface"}
SOURCES = ("hafw/vrrp", "hafw/node", "hafw/daemon", "hafw/records.py")


def described() -> dict[str, set[str]]:
    """By word, its fields."""
    rows = re.findall(r"^\| \[`(\w+)`\]\(runbook.md#\w+\) \| ([^|]*) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    return {word: set(re.findall(r"`(\w+)`", fields)) for word, fields in rows}


def trees():
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield ast.parse(file.read_text("utf-8"))


def told() -> dict[str, set[str]]:
    """By word, the fields that can be read off the place where it is told of."""
    found: dict[str, set[str]] = {}
    for tree in trees():
        for node in ast.walk(tree):
            for word, fields in [*of_dict(node), *of_call(node)]:
                found.setdefault(word, set()).update(fields)
    return found


def of_dict(node: ast.AST) -> list[tuple[str, set[str]]]:
    """``{"type": "word", ...}``."""
    if not isinstance(node, ast.Dict):
        return []
    keys = {
        key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)
    }
    word = keys.get("type")
    return [(word.value, set(keys))] if isinstance(word, ast.Constant) else []


def of_call(node: ast.AST) -> list[tuple[str, set[str]]]:
    """``self._notice("word", field=...)`` and ``Notice(name, "word", {"field": ...})``."""
    if not isinstance(node, ast.Call):
        return []
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name not in {"_notice", "Notice"}:
        return []
    words = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    dicts = [key.value for each in node.args if isinstance(each, ast.Dict) for key in each.keys if key is not None]
    named = [each.arg for each in node.keywords if each.arg]
    return [(words[0], {*named, *dicts})] if words else []


def test_every_event_is_described_and_no_other():
    assert set(told()) == set(described())


def test_every_field_is_described():
    missing = {
        word: fields - described()[word] - COMMON
        for word, fields in told().items()
        if fields - described()[word] - COMMON
    }
    assert missing == {}


def test_every_described_field_is_a_word_of_the_code():
    code = {
        each.value
        for tree in trees()
        for each in ast.walk(tree)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
    code |= {each.arg for tree in trees() for each in ast.walk(tree) if isinstance(each, ast.keyword) and each.arg}
    code |= {
        each.target.id
        for tree in trees()
        for each in ast.walk(tree)
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    assert {field for fields in described().values() for field in fields} - code == set()
