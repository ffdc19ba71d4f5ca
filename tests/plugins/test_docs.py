"""The reference and the code say the same."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import hafw.api
from hafw import hookspecs
from hafw.config.plugins import PACKAGES
from hafw.daemon.plugins import Limits

FOLDER = Path(__file__).parents[2] / "docs" / "plugins"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
PROCESS = (FOLDER / "process.md").read_text(encoding="utf-8")
GALLERY = (FOLDER / "gallery.md").read_text(encoding="utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "hafw_spec")]


def page(hook: str) -> str:
    return (FOLDER / "hooks" / f"{hook}.md").read_text(encoding="utf-8")


def facts(hook: str) -> dict[str, str]:
    """The table of a page: what there is to know of every hook."""
    return dict(re.findall(r"^\| (called|thread|deadline|on error) \| (.+) \|$", page(hook), re.MULTILINE))


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_page_with_its_signature_its_facts_and_an_example(hook):
    assert page(hook).startswith(f"# {hook}\n")
    signature = f"def {hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")
    blocks = re.findall(r"```python\n(.*?)```", page(hook), re.DOTALL)
    assert blocks[0].strip() == signature
    assert list(facts(hook)) == ["called", "thread", "deadline", "on error"]
    examples = [
        node for block in blocks[1:] for node in ast.walk(ast.parse(block)) if isinstance(node, ast.FunctionDef)
    ]
    (example,) = [node for node in examples if node.name == hook]
    allowed = inspect.signature(getattr(hookspecs, hook)).parameters
    assert {argument.arg for argument in example.args.args} <= set(allowed)


def test_no_page_describes_a_hook_that_does_not_exist_and_the_index_has_all_in_order():
    assert {each.stem for each in (FOLDER / "hooks").iterdir()} == set(HOOKS)
    assert re.findall(r"^\| \[`(\w+)`\]\(hooks/\1\.md\) \|", INDEX, re.MULTILINE) == HOOKS


def test_every_name_of_the_api_is_mentioned():
    assert [name for name in hafw.api.__all__ if f"`{name}" not in INDEX and name != "API"] == []


def test_every_plugin_that_comes_along_is_in_the_gallery():
    rows = re.findall(r"^\| \[`(\w+)`\]\(#\1\) \| .+ \| `hafw-plugin-([\w-]+)` \|$", GALLERY, re.MULTILINE)
    assert dict(rows) == PACKAGES
    sections = re.findall(r"^## (\w+)\n((?:.(?!^## ))+)", GALLERY, re.MULTILINE | re.DOTALL)
    assert [name for name, text in sections if "```toml" in text] == [name for name, _ in rows]


def test_the_limits_are_those_of_the_code():
    limits = Limits()
    assert f"import with `options` | {limits.load:g} s" in PROCESS
    assert f"`configure`, `takeover` | {limits.call:g} s each" in PROCESS
    assert f"event hooks | {limits.event:g} s" in PROCESS
    assert f"After {limits.deaths} deaths within {limits.deaths_within:g} s" in PROCESS
    assert f"after {limits.backoff:g} s,\ndoubling to {limits.backoff_max:g} s" in PROCESS
    assert f"again every {limits.park / 60:g} minutes" in PROCESS
    assert f"keep their last verdict for {limits.grace:g} s" in PROCESS
    assert f"{limits.memory >> 20} MiB of private memory" in PROCESS
    for hook in ("options", "configure", "takeover"):
        assert facts(hook)["deadline"].startswith(f"{limits.call:g} s"), hook
    for hook in ("became_master", "became_backup", "faulted", "stopped", "vip_changed", "group_changed", "event"):
        assert facts(hook)["deadline"].startswith(f"{limits.event:g} s, or the plugin's own `deadline`"), hook
