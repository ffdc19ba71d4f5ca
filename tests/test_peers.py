"""What the tests ask of the machine, and what CI gives them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_installs_every_peer_that_a_test_may_ask_for():
    """Each by the program that shows whether it is there, which is the one that the tests look for."""
    listed = re.findall(r"\[([\w-]+)\]=([\w-]+)", (ROOT / ".ci/run").read_text("utf-8"))
    brought = {package: program for program, package in listed}
    peers = runpy.run_path(str(ROOT / "conftest.py"))["PEER_PROGRAMS"]
    assert {name: brought.get(name) for name in peers} == peers
