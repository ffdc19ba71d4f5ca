"""The Python of a new plugin: the pieces of its hooks put together, with exactly the imports that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.scaffold.hooks import DRAINED, HOOKS, OPTIONS, SAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hafw.scaffold.hooks import Piece


def module_words(hooks: Sequence[str], words: Mapping[str, str]) -> dict[str, str]:
    """What the placeholders of the module stand for."""
    pieces = [HOOKS[each] for each in hooks]
    options = _options(pieces)
    shared = (SAY if _says(pieces) else "") + (DRAINED if "drained" in options else "")
    return {
        "imports": "\n".join(_module_imports(pieces)),
        "fields": _named("".join(OPTIONS[each].field for each in options), words),
        "mistakes": "".join(OPTIONS[each].mistakes for each in options),
        "methods": _named("".join(each.method for each in pieces) + shared, words),
    }


def test_words(hooks: Sequence[str], words: Mapping[str, str]) -> dict[str, str]:
    """What the placeholders of its test stand for."""
    pieces = [HOOKS[each] for each in hooks]
    options = _options(pieces)
    settings = {"drained": "drained=str(drained)", "prefix": 'prefix="test: "'}
    return {
        "imports": "\n".join(_test_imports(pieces, words)),
        "fixture": "drained: Path" if "drained" in options else "",
        "set": ", ".join(settings[each] for each in options),
        "wrong": OPTIONS[options[0]].wrong,
        "said": OPTIONS[options[0]].said,
        "tests": _named("".join(each.test for each in pieces).rstrip("\n"), words),
    }


def _named(text: str, words: Mapping[str, str]) -> str:
    for word in ("class_name", "name"):
        text = text.replace(f"@{word}@", words[word])
    return text


def _options(pieces: Iterable[Piece]) -> list[str]:
    wanted = {each.option for each in pieces}
    return [each for each in OPTIONS if each in wanted]


def _says(pieces: Iterable[Piece]) -> bool:
    return any("self._say(" in each.method for each in pieces)


def _module_imports(pieces: Sequence[Piece]) -> Iterable[str]:
    run = {"hookimpl", "refuse"}.union(*(each.api for each in pieces))
    told = set[str]().union(*(each.typing for each in pieces)) - run
    abstract = set[str]().union(*(each.abstract for each in pieces))
    if any(each.sleeps for each in pieces):
        yield "import time"
    yield "from dataclasses import dataclass"
    if "drained" in _options(pieces):
        yield "from pathlib import Path"
    typing = [*(["TYPE_CHECKING"] if told | abstract else []), *(["Any"] if any(each.any for each in pieces) else [])]
    if typing:
        yield f"from typing import {', '.join(typing)}"
    yield f"\nfrom hafw.api import {_names(run)}"
    if told | abstract:
        yield "\nif TYPE_CHECKING:"
    if abstract:
        yield f"    from collections.abc import {_names(abstract)}"
    if told:
        yield ("\n" if abstract else "") + f"    from hafw.api import {_names(told)}"


def _test_imports(pieces: Sequence[Piece], words: Mapping[str, str]) -> Iterable[str]:
    values = set[str]().union(*(each.values for each in pieces))
    drained = "drained" in _options(pieces)
    if drained:
        yield "from pathlib import Path\n"
    yield "import pytest"
    if values:
        yield f"from hafw.api import {_names(values)}"
    yield f"\nfrom {words['module']} import {_names({'Options', words['class_name']})}"
    if _says(pieces):
        yield "\nCapture = pytest.CaptureFixture[str]"
    if "Router" in values:
        yield '\nROUTER = Router(name="VI_1", vrid=51, version=3, priority=100, interface="eth0")'
    if drained:
        yield '\n\n@pytest.fixture\ndef drained(tmp_path: Path) -> Path:\n    return tmp_path / "drained"'


def _names(names: Iterable[str]) -> str:
    """Classes first, as isort has them."""
    return ", ".join(sorted(names, key=lambda each: (each[0].islower(), each)))
