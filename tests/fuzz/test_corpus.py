"""The corpus through the functions that the fuzzer calls, without the fuzzer: what was found once stays mended."""

from __future__ import annotations

import json
from random import Random

import pytest
import structlog

from fuzz.mutate import CHANGES
from fuzz.targets import CORPUS, RUNS, inputs, target


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """Targets set the run directory of their process and configure its log."""
    monkeypatch.setenv("HAFW_RUN_DIR", "set by the targets, and afterwards as it was")
    yield
    structlog.reset_defaults()


def test_every_target_has_a_corpus_and_every_corpus_a_target():
    assert {path.name for path in CORPUS.iterdir()} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_no_input_of_the_corpus_does_harm_and_some_get_in(name: str):
    """When none gets in, the corpus has lost touch with the code: a record has a new form, say."""
    run = target(name)
    assert sum(run(path.read_bytes()) for path in inputs(name)) > 0


@pytest.mark.parametrize("name", RUNS)
def test_nothing_and_damaged_text_do_no_harm(name: str):
    for data in (b"", b"\n", b"\0", b"\xff\xfe", b"[" * 5000, b"{}", b"null\n"):
        target(name)(data)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_repeatable_and_comes_to_something(name: str):
    data = next(data for path in inputs(name) if target(name)(data := path.read_bytes()))
    changed = [CHANGES[name](data, Random(seed)) for seed in range(20)]
    assert changed == [CHANGES[name](data, Random(seed)) for seed in range(20)]
    assert len({data, *changed}) > 5


def test_json_stays_json_when_it_is_changed():
    data = json.dumps({"do": "handover", "list": [1, {"a": None}]}).encode()
    for seed in range(100):
        for line in CHANGES["control"](data, Random(seed)).split(b"\n"):
            json.loads(line)
