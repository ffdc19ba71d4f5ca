"""Whatever stands in the file: a configuration or ``ConfigErrors``, and each key's line is where it stands."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hafw.config import ConfigErrors, load
from hafw.config.lines import Lines
from hafw.config.tables import AnnounceTable, CheckTable, InstanceTable, PluginTable
from hafw.config.types import keys_of

if TYPE_CHECKING:
    from pathlib import Path

SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
WORDS = [key.key for table in (InstanceTable, CheckTable, AnnounceTable, PluginTable) for key in keys_of(table)]

names = st.sampled_from([*WORDS, "VI_1", "lb1", "lb2", "nginx", "vip", "a b", "type", "address", "password"])
scalars = st.one_of(
    st.sampled_from(["eth0", "192.0.2.1", "fe80::1/64", "224.0.0.18", "1s", "15ms", "pass", "file:", "env:X", "10m"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8),
    st.integers(-300, 70000),
    st.floats(),
    st.booleans(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
tables = st.dictionaries(names, values, max_size=10)
BASE = {"interface": "eth0", "vrid": 51, "virtual_addresses": ["192.0.2.1"]}
instances = tables.map(lambda table: {**BASE, **table})
documents = st.fixed_dictionaries(
    {"instance": values | st.dictionaries(names, instances | values, max_size=3)},
    optional={
        "node": values,
        "plugin": values | st.dictionaries(names, tables, max_size=3),
        "control": values,
        "process": values,
        "x": values,
    },
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {toml(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def outcome(tmp_path: Path, content: bytes) -> None:
    """Load it, in both ways. Every complaint is one printable line."""
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    for machine in (False, True):
        try:
            _, problems = load(file, "lb1", machine=machine)
        except ConfigErrors as errors:
            problems = errors.problems
            assert any(problem.severity == "error" for problem in problems)
        assert all(problem.render("config.toml").isprintable() for problem in problems)


@given(st.binary(max_size=200))
@SHARED_FOLDER
def test_any_bytes_are_a_configuration_or_config_errors(tmp_path: Path, content: bytes):
    outcome(tmp_path, content)


@given(st.lists(st.tuples(names, st.text("a1.:/\"'[]{},=# \r\\\u201c", max_size=12)), max_size=6))
@SHARED_FOLDER
def test_any_line_that_is_nearly_toml_is_config_errors(tmp_path: Path, lines: list[tuple[str, str]]):
    outcome(tmp_path, "\n".join(f"{key} = {value}" for key, value in lines).encode())


@given(documents)
@example({"instance": {"VI_1": {**BASE, "priority": {"lb1": {"lb1": 1}}, "check": {"vip": {"critical": {"lb2": 1}}}}}})
@SHARED_FOLDER
def test_any_tables_are_a_configuration_or_config_errors(tmp_path: Path, document: dict[str, Any]):
    text = "".join(f"{key} = {toml(value)}\n" for key, value in document.items())
    try:
        assert tomllib.loads(text).keys() == document.keys()
    except tomllib.TOMLDecodeError:
        text = text.encode("ascii", "replace").decode()
    outcome(tmp_path, text.encode())


@pytest.mark.parametrize(
    "text", [".".join(["a"] * 4000) + " = 1", "instance" + ".a" * 4000 + " = 1", "x = " + "[" * 900]
)
def test_depth_is_no_crash(tmp_path: Path, text: str):
    outcome(tmp_path, text.encode())


def written(value: Any, path: str, line: int, found: dict[str, int]) -> tuple[str, int]:
    """The value as TOML over several lines, noting at which line each path begins."""
    if isinstance(value, list):
        text = "[ # first\n"
        line += 1
        for number, each in enumerate(value):
            found[f"{path}[{number}]"] = line
            inner, line = written(each, f"{path}[{number}]", line, found)
            text += f"{inner}, # ] }}\n"
            line += 1
        return f"{text}]", line
    if isinstance(value, dict):
        for key in value:
            found[f"{path}.{key}"] = line
        return toml(value), line
    if isinstance(value, str) and "\n" in value:
        quoted = json.dumps(value)[1:-1].replace("\\n", "\n")
        return f'"""{quoted}"""', line + value.count("\n")
    return toml(value), line


@given(
    st.dictionaries(
        names, st.recursive(scalars | st.just('a"\n= [\nb'), lambda inner: st.lists(inner, max_size=3)), max_size=5
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_every_key_is_found_at_its_line(table: dict[str, Any], windows: bool):
    found: dict[str, int] = {"instance": 2, "instance.VI 1": 2}
    text, line = '# [no.table]\n[ instance . "VI 1" ] # x = 1\n', 3
    for key, value in table.items():
        found[f"instance.VI 1.{key}"] = line
        inner, line = written(value, f"instance.VI 1.{key}", line, found)
        text += f"{json.dumps(key)} = {inner}\n"
        line += 1
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a control character, which json escapes otherwise than TOML
    lines = Lines(text.replace("\n", "\r\n") if windows else text)
    assert {path: lines.find(path) for path in found} == found


def test_lines_of_arrays_of_tables_and_of_what_is_missing():
    lines = Lines("a.b.c = 1\n[[v.list]]\nx = 1\n[[v.list]]\nx = 2\n[v.list.sub]\ny = {z = [1,\n{w = 2}]}\n")
    assert lines.find("a.b.c") == 1
    assert lines.find("v.list[0].x") == 3
    assert lines.find("v.list[1].x") == 5
    assert lines.find("v.list[1].sub.y.z[1].w") == 8
    assert lines.find("v.list[0].missing.key") == 2
    assert lines.find("unknown") == 0


def test_what_only_a_neighbour_implies_has_no_line():
    for text in ("[plugin.nginx]\nurl = 3\n", "plugin.nginx.url = 3\n", "[plugin.nginx]\n[plugin.web]\n"):
        lines = Lines(text)
        assert (lines.find("plugin.arp"), lines.find("plugin.nginx.missing"), lines.find("plugin")) == (0, 1, 1)
    assert Lines("[plugin]\n[plugin.nginx]\n").find("plugin.arp") == 1
    assert Lines("[plugin.nginx]\n[plugin]\nx = 1\n").find("plugin.arp") == 2
    assert Lines("plugin = { nginx = {} }\n").find("plugin.arp") == 1
