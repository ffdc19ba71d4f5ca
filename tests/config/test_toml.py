from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hafw.config.toml import key, value


@pytest.mark.parametrize("name", ["a-b_1", "", "a.b", 'with "quotes"', "k" * 200, "\U000e0001"])
def test_a_key_reads_back_whole(name):
    assert tomllib.loads(f"{key(name)} = 1") == {name: 1}


@pytest.mark.parametrize(
    "found",
    [
        'tab\t, line\n, end\r, \\ and "',
        "bell \a, ü, a tag \U000e0001",
        "x" * 200,
        [1, 2.5, True, ["a"]],
        {"a b": {"c": False}},
    ],
)
def test_a_value_reads_back_whole(found):
    assert tomllib.loads(f"x = {value(found)}") == {"x": found}


def test_a_path_is_its_text_and_a_tuple_a_list():
    assert value((Path("/run/a b"), "c")) == '["/run/a b", "c"]'
