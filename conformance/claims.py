"""Which tests claim which requirement: read from their source, none of them is run."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
TESTS = ("tests/**/test_*.py", "plugins/*/tests/test_*.py", "examples/*/tests/test_*.py")
SCENARIOS = ("tests/scenarios/*.txt", "examples/scenarios/*.txt")
MARKER = "pytest.mark.requirement"

_IN_A_NAME = re.compile(r"(?:^|_)c_([a-z]+)_(\d\d)(?=_|$)")
_IN_A_TEXT = re.compile(r"\bC-[A-Z]+-\d\d\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A test, or a scenario."""

    path: str
    """Relative to the root."""
    name: str = ""
    """Of the test; empty: the whole file."""


class BadClaim(Exception):  # noqa: N818 - the claim is the error
    """A claim that cannot be read; says where it stands."""


def claims(root: Path = ROOT) -> dict[str, list[Place]]:
    """By requirement, the tests that claim it, in order. Raises ``BadClaim``."""
    found: defaultdict[str, set[Place]] = defaultdict(set)
    for path in _files(root, TESTS):
        for requirement, test in _claims_of_tests(ast.parse(path.read_text("utf-8")), _name(path, root)):
            found[requirement].add(test)
    for path in _files(root, SCENARIOS):
        for requirement in _IN_A_TEXT.findall(_first_comment(path)):
            found[requirement].add(Place(_name(path, root)))
    return {requirement: sorted(places) for requirement, places in found.items()}


def _files(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _claims_of_tests(module: ast.Module, path: str) -> Iterator[tuple[str, Place]]:
    read = set()
    for node in ast.walk(module):
        if not isinstance(node, Function):
            continue
        marks = [each for each in node.decorator_list if _is_marker(each)]
        read |= set(marks)
        if _is_test(node):
            named = [f"C-{area.upper()}-{number}" for area, number in _IN_A_NAME.findall(node.name)]
            marked = [requirement for mark in marks for requirement in _arguments(mark, path)]
            yield from ((requirement, Place(path, node.name)) for requirement in (*named, *marked))
        elif marks:
            raise BadClaim(f"{path}:{node.lineno}: {node.name} is no test: {MARKER} belongs on one")
    for node in ast.walk(module):
        if _is_marker(node) and node not in read:
            raise BadClaim(f"{path}:{node.lineno}: {MARKER} is read as the decorator of a test only")


def _is_test(node: Function) -> bool:
    """Tests, and what a stateful test of Hypothesis asserts after each step."""
    return node.name.startswith("test_") or any(ast.unparse(each) == "invariant()" for each in node.decorator_list)


def _is_marker(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == MARKER


def _arguments(mark: ast.expr, path: str) -> list[str]:
    assert isinstance(mark, ast.Call)
    values = [each.value if isinstance(each, ast.Constant) else None for each in mark.args]
    if mark.keywords or not values or not all(isinstance(each, str) for each in values):
        raise BadClaim(f'{path}:{mark.lineno}: {MARKER} takes ids: requirement("C-RX-07")')
    return [str(each) for each in values]


def _first_comment(path: Path) -> str:
    """Its lines up to the first that is none."""
    lines = path.read_text("utf-8").splitlines()
    ends = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(lines[:ends])
