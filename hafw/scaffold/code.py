"""The Python of a new plugin: the pieces of its hooks put together, with exactly the imports that they need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hafw.scaffold.hooks import HOOKS, OPTIONS, TOLD, VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.scaffold.hooks import Option

MODULES: Final = ("shutil", "time")
ABSTRACT: Final = {"Callable", "Mapping"}
"""Of ``collections.abc``; they stand in annotations only."""
API: Final = {"Address", "Frame", "Group", "GroupChange", "Router", "StateChange", "Verdict", "VipChange"}
"""Of ``hafw.api``: what the hooks take and return."""


def options_of(hooks: Sequence[str]) -> list[Option]:
    """What the methods of these hooks read, in the order in which it is declared."""
    wanted = {HOOKS[each].option for each in hooks}
    return [OPTIONS[each] for each in OPTIONS if each in wanted]


def module_words(hooks: Sequence[str]) -> dict[str, str]:
    """What the placeholders of the module stand for; they have placeholders too."""
    options = options_of(hooks)
    methods = "".join(HOOKS[each].method for each in hooks)
    methods += (TOLD if "self._told(" in methods else "") + (VERDICT if "self._verdict()" in methods else "")
    return {
        "imports": "\n".join(_imports(methods)),
        "fields": "".join(each.fields for each in options),
        "mistakes": "".join(each.mistakes for each in options),
        "methods": methods,
    }


def test_words(hooks: Sequence[str]) -> dict[str, str]:
    """What the placeholders of its test stand for; they have placeholders too."""
    first = options_of(hooks)[0]
    tests = "".join(HOOKS[each].test for each in hooks)
    return {"wrong": first.wrong, "said": first.said, "tests": tests.rstrip("\n")}


def _imports(methods: str) -> Iterator[str]:
    """Of what the methods name; what is called is needed when they run, the rest for their annotations."""
    named = set(re.findall(r"\w+", methods))
    run = {"hookimpl", "refuse"} | {each for each in API if f"{each}(" in methods}
    told, abstract = (named & API) - run, named & ABSTRACT
    yield from (f"import {each}" for each in MODULES if re.search(rf"\b{each}\.\w", methods))
    yield "from dataclasses import dataclass"
    typing = [*(["TYPE_CHECKING"] if told | abstract else []), *(["Any"] if "Any" in named else [])]
    if typing:
        yield f"from typing import {', '.join(typing)}"
    yield f"\nfrom hafw.api import {', '.join(_sorted(run))}"
    if told | abstract:
        yield "\nif TYPE_CHECKING:"
    if abstract:
        yield f"    from collections.abc import {', '.join(_sorted(abstract))}"
    if told:
        yield f"{chr(10) if abstract else ''}    from hafw.api import {', '.join(_sorted(told))}"


def _sorted(names: set[str]) -> list[str]:
    """Classes first, as isort has them."""
    return sorted(names, key=lambda each: (each[0].islower(), each))
