"""The Python of a new plugin: the pieces of its hooks put together, with exactly the imports that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.scaffold.hooks import HOOKS, OPTIONS, TOLD, VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.scaffold.hooks import Option, Piece


def options_of(hooks: Sequence[str]) -> list[Option]:
    """What the methods of these hooks read, in the order in which it is declared."""
    wanted = {HOOKS[each].option for each in hooks}
    return [OPTIONS[each] for each in OPTIONS if each in wanted]


def module_words(hooks: Sequence[str]) -> dict[str, str]:
    """What the placeholders of the module stand for; they have placeholders too."""
    pieces, options = [HOOKS[each] for each in hooks], options_of(hooks)
    methods = "".join(each.method for each in pieces)
    told = TOLD if "self._told(" in methods else ""
    verdict = VERDICT if "self._verdict()" in methods else ""
    return {
        "imports": "\n".join(_imports(pieces, disk=bool(verdict))),
        "fields": "".join(each.fields for each in options),
        "mistakes": "".join(each.mistakes for each in options),
        "methods": methods + told + verdict,
    }


def test_words(hooks: Sequence[str]) -> dict[str, str]:
    """What the placeholders of its test stand for; they have placeholders too."""
    first = options_of(hooks)[0]
    tests = "".join(HOOKS[each].test for each in hooks)
    return {"wrong": first.wrong, "said": first.said, "tests": tests.rstrip("\n")}


def _imports(pieces: Sequence[Piece], *, disk: bool) -> Iterator[str]:
    run = {"hookimpl", "refuse"}.union(*(each.api for each in pieces))
    told = set[str]().union(*(each.typing for each in pieces)) - run
    abstract = set[str]().union(*(each.abstract for each in pieces))
    if disk:
        yield "import shutil"
    if any(each.sleeps for each in pieces):
        yield "import time"
    yield "from dataclasses import dataclass"
    typing = [*(["TYPE_CHECKING"] if told | abstract else []), *(["Any"] if any(each.any for each in pieces) else [])]
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
