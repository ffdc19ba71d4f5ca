"""A third party's plugin is checked by mypy against the installed hafw, whose types come along (PEP 561)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hafw

PLUGIN = """\
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hafw.api import Address, Duration, Frame, Router, Secret, StateChange, Verdict, hookimpl, refuse
from hafw.command import environment, mistakes, run, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


@dataclass
class Options:
    command: list[str]
    timeout: Duration = Duration(1.0)
    password: Secret | None = None


class Mine:
    deadline = 30.0
    api = 1

    @hookimpl
    def options(self) -> type[Options]:
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        refuse([("command", each) for each in mistakes(options.command)])
        self.argv = split(options.command)
        self.timeout = options.timeout
        self.names = [router.name for router in routers]

    @hookimpl
    def takeover(self, router: Router) -> list[Address | Frame]:
        return [address for address in router.addresses if address.advertised]

    @hookimpl
    def check(self, router: Router) -> Verdict:
        return Verdict(os.path.exists("/run/ready"), f"{router.name}: looked", immediate=False)

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> None:
        report(Verdict(True))

    @hookimpl
    def serve(self, ask: Callable[..., Mapping[str, Any]]) -> None:
        print(ask("status")["instances"])

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Mapping[str, Any] | None:
        done = run(self.argv, environment(WHO=router.name, WHY=change.reason), self.timeout)
        return {"output": done.output, "exit": done.exit}


plugin = Mine()
"""
WRONG = {
    'Verdict(os.path.exists("/run/ready"), f"{router.name}: looked", immediate=False)': "True",
    "address.advertised": "address.advertized",
    "self.timeout)": "str(self.timeout))",
    'refuse([("command", each)': "refuse([(7, each)",
}
"""Each makes one error."""


def mypy(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    package = folder / "hafw_mine"
    package.mkdir()
    (package / "__init__.py").write_text(source, "utf-8")
    command = [sys.executable, "-I", "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), "hafw_mine"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def test_the_types_come_along():
    assert (Path(hafw.__file__).parent / "py.typed").is_file()


@pytest.mark.long
def test_mypy_takes_a_typed_plugin_and_finds_each_mistake_in_another(tmp_path):
    (tmp_path / "good").mkdir()
    good = mypy(tmp_path / "good", PLUGIN)
    assert (good.returncode, good.stdout) == (0, "Success: no issues found in 1 source file\n"), good.stderr
    wrong = PLUGIN
    for right, bad in WRONG.items():
        assert wrong.count(right) == 1
        wrong = wrong.replace(right, bad)
    (tmp_path / "bad").mkdir()
    bad = mypy(tmp_path / "bad", wrong)
    assert bad.returncode == 1
    assert f"Found {len(WRONG)} errors" in bad.stdout, bad.stdout
