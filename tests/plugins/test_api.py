"""The API for plugins changes on purpose only, and nothing goes that did not warn before.

That it is the one which is stored: tests/plugins/test_docs.py.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from importlib import import_module
from typing import is_typeddict

import pytest
import reference
import surface

from hafw.deprecation import DEPRECATIONS, Deprecation


def test_every_deprecation_warns_long_enough_and_is_of_something():
    assert surface.broken_promises(DEPRECATIONS, surface.lines()) == []


# -- the guard itself ---------------------------------------------------------------------------------------------

BEFORE = [
    "API = 1",
    "name hafw.api.Thing: class()",
    "name hafw.api.Thing.size [0]: int",
    "name hafw.api.Thing.word: str = ''",
    "name hafw.api.make -> Thing",
    "name hafw.api.make.size [0]: int",
    "hook check -> Verdict",
    "hook check.router: Router",
    "attribute deadline: 0.0",
]


def gone(kind: str, subject: str, since: str = "0.2", removed_in: str = "0.4") -> Deprecation:
    return Deprecation(kind=kind, subject=subject, since=since, removed_in=removed_in, instead="do without")


def without(*lines: str, api: int = 1) -> list[str]:
    return [f"API = {api}", *(line for line in BEFORE[1:] if line not in lines)]


@pytest.mark.parametrize(
    "line",
    [
        "name hafw.api.Other: class()",
        "name hafw.api.Other.size [0]: int",
        "name hafw.api.Thing.colour [2]: str = 'red'",
        "name hafw.api.make.colour [1]: str = 'red'",
        "name hafw.api.make.**more: str",
        "name hafw.api.Thing.grow() -> None",
        "hook check.state: str",
        "hook other -> None",
        "attribute nice: 0",
    ],
)
def test_what_is_added_and_may_be_left_out_needs_nothing(line):
    assert surface.offences(BEFORE, [*BEFORE, line], (), "0.4.0") == []


def test_what_need_not_be_given_any_more_breaks_nobody():
    eased = [f"{line} = 0" if line.endswith(": int") else line for line in BEFORE]
    assert eased != BEFORE
    assert surface.offences(BEFORE, eased, (), "0.4.0") == []
    assert len(surface.offences(eased, BEFORE, (), "0.4.0")) > 1


@pytest.mark.parametrize("line", ["name hafw.api.Thing.colour [2]: str", "name hafw.api.make.colour [1]: str"])
def test_what_is_required_from_now_on_needs_another_api(line):
    rule = "this breaks plugins, so hafw.API has to grow to 2"
    assert surface.offences(BEFORE, [*BEFORE, line], (), "0.4.0") == [f"required: {line}: {rule}"]
    assert surface.offences(BEFORE, ["API = 2", *BEFORE[1:], line], (), "0.4.0") == []


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (BEFORE[1], gone("name", "hafw.api.Thing")),
        (BEFORE[2], gone("name", "hafw.api.Thing")),
        (BEFORE[2], gone("field", "Thing.size")),
        (BEFORE[3], gone("field", "Thing.word")),
        (BEFORE[5], gone("name", "hafw.api.make")),
        (BEFORE[6], gone("hook", "check")),
        (BEFORE[7], gone("hook", "check")),
        (BEFORE[7], gone("argument", "check.router")),
    ],
)
def test_what_goes_needs_a_deprecation_that_is_due_and_another_api(line, known):
    grown = without(line, api=2)
    assert surface.offences(BEFORE, grown, (known,), "0.4.0") == []
    for too_early in ((), (known,), (gone("hook", "faulted"),)):
        (wrong,) = surface.offences(BEFORE, grown, too_early, "0.3.9")
        due = "from 0.4 on" if known in too_early else "nothing of it"
        rule = "nothing goes without a warning in 2 minor releases"
        assert wrong == f"gone: {line}: {rule}: hafw/deprecation.py says {due}, and this is 0.3.9"
    (wrong,) = surface.offences(BEFORE, without(line), (known,), "0.4.0")
    assert wrong == f"gone: {line}: this breaks plugins, so hafw.API has to grow to 2"


def test_what_changes_is_gone_and_new():
    line = "name hafw.api.Thing.word: str = ''"
    changed = [each.replace("str = ''", "bytes = b''") for each in BEFORE]
    assert [each.partition(": nothing")[0] for each in surface.offences(BEFORE, changed, (), "0.4.0")] == [
        f"gone: {line}",
        f"gone: {line}: this breaks plugins, so hafw.API has to grow to 2",
    ]


@pytest.mark.parametrize(
    ("since", "removed_in", "long_enough"),
    [
        ("0.2", "0.4", True),
        ("0.2.3", "0.4.0", True),
        ("0.2", "0.5", True),
        ("0.2", "0.3", False),
        ("0.2", "0.2", False),
        ("0.4", "0.2", False),
        ("0.9", "1.0", False),
        ("0.9", "1.1", True),
        ("0.9", "2.0", True),
        ("1.1", "0.9", False),
    ],
)
def test_a_removal_sooner_than_two_minor_releases_after_the_first_warning_is_refused(since, removed_in, long_enough):
    known = (gone("hook", "check", since, removed_in), gone("name", "hafw.api.Thing", since, removed_in))
    found = surface.broken_promises(known, BEFORE)
    assert [each for each in found if "2 minor releases" in each] == [] if long_enough else len(found) >= 2


@pytest.mark.parametrize(
    "known", [gone("hook", "chekc"), gone("argument", "check.ruoter"), gone("field", "Thing.colour")]
)
def test_a_deprecation_of_nothing_is_refused(known):
    (wrong,) = surface.broken_promises([known], BEFORE)
    assert wrong == f"{known.kind} {known.subject}: there is no such thing, and it may not be gone yet"


@pytest.mark.parametrize("subject", ["hafw.api.Router", "hafw.role.Gone"])
def test_a_deprecated_name_that_nobody_would_be_warned_of_is_refused(subject):
    (wrong,) = surface.broken_promises([gone("name", subject)], BEFORE)
    assert wrong.startswith(f"{subject}: whoever imports it is not warned: let hafw.")


# -- docstrings ---------------------------------------------------------------------------------------------------


def public(*modules: str) -> list[tuple[str, object]]:
    """Every class and function of these modules of the API."""
    found = [
        (f"{module}.{name}", getattr(import_module(module), name))
        for module in modules or surface.MODULES
        for name in import_module(module).__all__
    ]
    return [(name, each) for name, each in found if inspect.isclass(each) or inspect.isfunction(each)]


def functions(*modules: str) -> list[object]:
    """Those of the modules, and the public methods of their classes."""
    found = []
    for _, each in public(*modules):
        methods = vars(each).items() if inspect.isclass(each) else ()
        found += [each] if inspect.isfunction(each) else []
        found += [method for name, method in methods if inspect.isfunction(method) and not name.startswith("_")]
    return found


@pytest.mark.parametrize(("name", "value"), public(), ids=[name for name, _ in public()])
def test_every_public_name_says_what_it_is(name, value):
    text = inspect.getdoc(value) or ""
    assert text.partition("(")[0] != value.__name__, "only what dataclass made up"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "``")), name


@pytest.mark.parametrize("name", ["hafw.api", "hafw.command", "hafw.notification"])
def test_every_field_of_a_value_says_what_it_is(name):
    missing = [
        f"{kind.__name__}.{field}"
        for _, kind in public(name)
        if dataclasses.is_dataclass(kind) or is_typeddict(kind)
        for field in kind.__annotations__
        if not reference.field_docs(kind).get(field)
    ]
    assert missing == []


def test_what_is_a_number_of_seconds_says_so():
    wrong = [
        function.__qualname__
        for function in functions(*reference.MODULES)
        if any(each.annotation == "float" for each in inspect.signature(function).parameters.values())
        if not re.search(r"\bseconds?\b|\b\d+ s\b", inspect.getdoc(function) or "")
    ]
    assert wrong == []
    for module in ("hafw.api", "hafw.command"):
        constants = {name: value for name, value in vars(import_module(module)).items() if isinstance(value, float)}
        for name in constants.keys() & set(import_module(module).__all__):
            assert "Seconds" in reference.docs_of(module, "")[name]


def test_what_raises_says_what_and_what_does_not_says_so():
    wrong = []
    for function in functions("hafw.api", "hafw.command"):
        text = inspect.getdoc(function) or ""
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        raised = {
            ast.unparse(node.exc).partition("(")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Raise) and node.exc
        }
        wrong += [f"{function.__qualname__} raises {each}" for each in raised if each not in text]
        wrong += [function.__qualname__] if "aise" not in text else []
    assert wrong == []
