"""The reference and the code say the same. ``HAFW_UPDATE_DOCS=1`` writes who uses a hook anew."""

from __future__ import annotations

import ast
import inspect
import os
import re
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import reference
import surface

import hafw.api
from hafw import hookspecs
from hafw.config.model import PluginLimits
from hafw.config.plugins import PACKAGES
from hafw.daemon.plugins import Limits
from hafw.deprecation import DEPRECATIONS
from hafw.pipe import Offer
from hafw.plugin.loading import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "plugins"
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")
PROCESS = (FOLDER / "process.md").read_text(encoding="utf-8")
GALLERY = (FOLDER / "gallery.md").read_text(encoding="utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "hafw_spec")]
FACTS = ("called", "thread", "deadline", "on error", "used by")
UPDATE = "HAFW_UPDATE_DOCS" in os.environ


def path_of(hook: str) -> Path:
    return FOLDER / "hooks" / f"{hook}.md"


def page(hook: str) -> str:
    return path_of(hook).read_text(encoding="utf-8")


def facts(hook: str) -> dict[str, str]:
    """The table of a page: what there is to know of every hook."""
    return dict(re.findall(rf"^\| ({'|'.join(FACTS)}) \| (.*) \|$", page(hook), re.MULTILINE))


@cache
def users() -> dict[str, list[str]]:
    """By hook, the plugins of this project that implement it, as they are installed here."""
    found: dict[str, list[str]] = {hook: [] for hook in HOOKS}
    for entry in sorted(
        entry_points(group="hafw"), key=lambda each: list(PACKAGES).index(each.name) if each.name in PACKAGES else -1
    ):
        if entry.name in PACKAGES:
            loaded = load(entry.name, "", (Offer(value=entry.value, package=entry.dist.name, version=""),))
            for hook in loaded.implementations:
                found[hook].append(entry.name)
    return found


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_of_a_hook_names_the_plugins_that_use_it(hook):
    links = ", ".join(f"[`{name}`](../gallery.md#{name})" for name in users()[hook])
    row = f"| used by | {links} |"
    if UPDATE:
        path_of(hook).write_text(re.sub(r"^\| used by \|.*$", row, page(hook), flags=re.MULTILINE), "utf-8")
    assert links, "a hook without a user: CONTRIBUTING.md"
    assert row in page(hook).splitlines(), "make reference"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_page_with_its_signature_and_facts(hook):
    assert page(hook).startswith(f"# {hook}\n")
    signature = f"def {hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")
    assert re.findall(r"```python\n(.*?)```", page(hook), re.DOTALL)[0].strip() == signature
    assert tuple(facts(hook)) == FACTS
    assert all(facts(hook).values())


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_a_hook_is_a_plugin_that_a_test_runs_in_its_process(hook):
    """That both are the same text: tests/docs/test_pages.py."""
    ((file, name),) = re.findall(r"^<!-- docs: cut (\S+) (\w+) -->$", page(hook), re.MULTILINE)
    module = ast.parse((ROOT / file).read_text("utf-8"))
    running = [
        test
        for test in module.body
        if isinstance(test, ast.AsyncFunctionDef)
        and test.name.startswith(f"test_{hook}_")
        and "play" in {argument.arg for argument in test.args.args}
        and any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(test))
    ]
    assert running, f"no test_{hook}_... of {file} plays {name}"
    assert not any(
        "skip" in ast.unparse(mark) or "xfail" in ast.unparse(mark) for test in running for mark in test.decorator_list
    )
    ((_, example),) = re.findall(r"<!-- docs: cut (.+?) -->\n```python\n(.*?)```", page(hook), re.DOTALL)
    (function,) = [
        node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.FunctionDef) and node.name == hook
    ]
    assert [ast.unparse(each) for each in function.decorator_list] == ["hookimpl"]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_in_the_code_what_it_is_how_long_it_may_take_and_what_an_exception_does(hook):
    text = " ".join(inspect.getdoc(getattr(hookspecs, hook)).split())
    assert re.match(r"[A-Z`].+?\. ", text)
    (deadline,) = re.findall(r"Deadline: (.+?)[.;,] ", text)
    assert deadline == "none" or re.search(r"\d s$|\bseconds?\b|in seconds", deadline) or "seconds" in text
    assert re.search(r"An exception: \S.+\.$", text)


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


def test_every_attribute_that_a_plugin_may_declare_is_described_and_no_other():
    rows = re.findall(r"^\| `(\w+) = .+?` \|", PROCESS, re.MULTILINE)
    assert sorted(rows) == [each.partition(":")[0] for each in surface.attributes()]


def test_the_limits_are_those_of_the_code():
    limits = Limits()
    assert f"import with `options` | {limits.load:g} s" in PROCESS
    assert f"`configure`, `takeover` | {limits.call:g} s each" in PROCESS
    assert f"event hooks | {limits.event:g} s" in PROCESS
    assert f"After {limits.deaths} deaths within {limits.deaths_within:g} s" in PROCESS
    assert f"after {limits.backoff:g} s,\ndoubling to {limits.backoff_max:g} s" in PROCESS
    assert f"again every {limits.park / 60:g} minutes" in PROCESS
    assert f"keep their last verdict for {limits.grace:g} s" in PROCESS
    assert f"{PluginLimits().memory >> 20} MiB of private memory" in PROCESS


@pytest.mark.parametrize("hook", HOOKS)
def test_the_deadline_of_a_hook_is_that_of_the_code(hook):
    """On its page and in the code; of what is not a constant, its name."""
    limits = Limits()
    words = {
        "options": f"{limits.load:g} s",
        **dict.fromkeys(("configure", "takeover"), f"{limits.call:g} s"),
        "check": "the check's `timeout`",
        **dict.fromkeys(("monitor", "serve"), "none"),
        "before_release": "`budget` seconds",
    }.get(hook, f"{limits.event:g} s, or the plugin's own `deadline`")
    assert facts(hook)["deadline"].startswith(words)
    said = inspect.getdoc(getattr(hookspecs, hook)).replace("``", "`")
    assert f"Deadline: {words.replace('own ', '')}" in said


def test_the_api_is_the_one_that_is_stored():
    """``HAFW_UPDATE_API=1`` writes it anew, if the policy allows the change."""
    now = surface.lines()
    released = surface.stored_lines(released=True)
    assert surface.offences(released, now, DEPRECATIONS, hafw.__version__) == []
    if "HAFW_UPDATE_API" in os.environ:
        surface.STORED.write_text(surface.to_store(now), "utf-8")
    before = surface.stored_lines()
    changed = [f"- {line}" for line in before if line not in now] + [f"+ {line}" for line in now if line not in before]
    assert changed == [], surface.TO_UPDATE
    assert surface.STORED.read_text("utf-8") == surface.to_store(now), surface.TO_UPDATE


def test_the_reference_of_the_api_is_what_the_code_says():
    file = FOLDER / "api.md"
    if UPDATE:
        file.write_text(reference.written(file.read_text("utf-8")), "utf-8")
    assert file.read_text("utf-8") == reference.written(file.read_text("utf-8")), "make reference"
