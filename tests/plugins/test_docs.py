"""The reference and the code say the same."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import hafw.api
from hafw import hookspecs
from hafw.daemon.plugins import Limits

TEXT = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "hafw_spec")]


def section(hook: str) -> str:
    return TEXT.partition(f"\n### {hook}\n")[2].partition("\n### ")[0].partition("\n## ")[0]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_section_with_its_signature_and_an_example(hook):
    signature = f"def {hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")
    blocks = re.findall(r"```python\n(.*?)```", section(hook), re.DOTALL)
    assert blocks[0].strip() == signature
    examples = [
        node for block in blocks[1:] for node in ast.walk(ast.parse(block)) if isinstance(node, ast.FunctionDef)
    ]
    (example,) = [node for node in examples if node.name == hook]
    allowed = inspect.signature(getattr(hookspecs, hook)).parameters
    assert {argument.arg for argument in example.args.args} <= set(allowed)


def test_no_section_describes_a_hook_that_does_not_exist():
    reference = TEXT.partition("\n## Hooks\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (.+)$", reference, re.MULTILINE) == HOOKS


def test_every_name_of_the_api_is_mentioned():
    assert [name for name in hafw.api.__all__ if f"`{name}" not in TEXT and name != "API"] == []


def test_the_limits_are_those_of_the_code():
    limits = Limits()
    assert f"import with `options` | {limits.load:g} s" in TEXT
    assert f"`configure`, `takeover` | {limits.call:g} s each" in TEXT
    assert f"event hooks | {limits.event:g} s" in TEXT
    assert f"After {limits.deaths} deaths within {limits.deaths_within:g} s" in TEXT
    assert f"after {limits.backoff:g} s,\ndoubling to {limits.backoff_max:g} s" in TEXT
    assert f"again every {limits.park / 60:g} minutes" in TEXT
    assert f"keep their last verdict for {limits.grace:g} s" in TEXT
    assert f"{limits.memory >> 20} MiB of private memory" in TEXT
