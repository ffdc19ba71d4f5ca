"""Target for config.toml: whatever stands in it, a configuration or complaints that say where and what."""

from __future__ import annotations

import tomllib

from fuzz.records import folder
from hafw.config import ConfigErrors, Problem, load

LONGEST = 2000
"""Characters of a complaint, beside what it repeats of the file: an operator reads it on a terminal."""


def config(data: bytes) -> bool:
    """As a file of this machine and as one of another, whose secrets and files are not looked for."""
    path = folder() / "config.toml"
    path.write_bytes(data)
    accepted = False
    for machine in (False, True):
        try:
            _, problems = load(path, "lb1", machine=machine)
            accepted = True
        except ConfigErrors as errors:
            problems = errors.problems
            assert any(each.severity == "error" for each in problems)
        for each in problems:
            _complains(each, data)
    return accepted


def _complains(problem: Problem, data: bytes) -> None:
    """One printable line that names the thing: the key, or the line, or that the whole file is meant."""
    said = problem.render("config.toml")
    assert said.isprintable(), said
    assert len(said) <= LONGEST + len(data), said
    assert problem.message, said
    assert 0 <= problem.line <= data.count(b"\n") + 1, said
    if not problem.path and not problem.line:
        assert not _is_toml(data) or "nested too deeply" in said or "no instance" in said, said


def _is_toml(data: bytes) -> bool:
    try:
        tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        return False
    return True
