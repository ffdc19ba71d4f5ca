"""What `hafw plugins new` writes, as its author meets it: installed, tested, released and run in a daemon.

The distributions of hafw are the installed ones, so nothing of this tree is seen but what is shipped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from distributions import PATIENCE, ROOT, Environment, run

from hafw.lab.network import Lab
from hafw.scaffold.hooks import HOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.long

PLAIN, FULL, NOTIFIER, ROLE = "disk-space", "all-of-them", "pager", "primary"
TESTS = {PLAIN: 2, FULL: 1 + len(HOOKS), NOTIFIER: 3, ROLE: 3}
"""How many of them each package has."""


@pytest.fixture(scope="module")
def author(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four packages: the default one, one with every hook, and one of each kind."""
    folder = tmp_path_factory.mktemp("author")
    every = [word for hook in HOOKS for word in ("--hook", hook)]
    installed.hafw("plugins", "new", PLAIN, "--into", folder, "--author", "Jane Doe <jane@example.com>")
    installed.hafw("plugins", "new", FULL, "--into", folder, "--license", "GPL-3.0-or-later", *every)
    installed.hafw("plugins", "new", NOTIFIER, "--into", folder, "--kind", "notifier")
    installed.hafw("plugins", "new", ROLE, "--into", folder, "--kind", "role")
    return folder


def steps(package: Path, job: str) -> list[str]:
    workflow = yaml.safe_load((package / ".github/workflows/release.yml").read_text())
    return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]


def follow(commands: list[str], package: Path, environment: Environment, index: Path) -> list[str]:
    """As the workflow runs them, with hafw from the folder of packages: it is not published yet."""
    variables = {
        "PATH": f"{environment.folder}/bin:{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PIP_FIND_LINKS": " ".join([str(index), *os.environ.get("PIP_FIND_LINKS", "").split()]),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    return [run("bash", "-e", "-c", command, cwd=package, **variables) for command in commands]


@pytest.fixture(scope="module")
def tested(author: Path, installed: Environment, index: Path) -> dict[str, list[str]]:
    """What each command of the job says that tests a package; the first installs it."""
    packages = {name: author / f"hafw-{name}" for name in TESTS}
    return {name: follow(steps(path, "test"), path, installed, index) for name, path in packages.items()}


@pytest.mark.parametrize("name", TESTS)
def test_the_job_that_tests_it_passes(name: str, tested: dict[str, list[str]]):
    said = tested[name]
    assert f"{TESTS[name]} passed" in said[1]
    assert said[2].startswith("Success: no issues found")
    assert "node" in said[3]


def test_the_job_that_builds_it_makes_what_is_published(author: Path, installed: Environment, index: Path):
    plain = author / f"hafw-{PLAIN}"
    follow(steps(plain, "build"), plain, installed, index)
    assert sorted(path.name for path in (plain / "dist").iterdir()) == [
        "hafw_disk_space-0.1.0-py3-none-any.whl",
        "hafw_disk_space-0.1.0.tar.gz",
    ]


# -- in a daemon ----------------------------------------------------------------------------------------------------


class Daemon:
    """The installed hafw on a host of the lab, with the config.toml of a package."""

    def __init__(self, lab: Lab, environment: Environment, config: Path) -> None:
        self._folder = lab.path("lb1", "run")
        self._folder.mkdir()
        self._command = [str(environment.folder / "bin/hafw")]
        self._variables = {
            **{key: each for key, each in os.environ.items() if key != "PYTHONPATH"},
            "HAFW_RUN_DIR": str(self._folder),
            "HAFW_STATE_DIR": str(self._folder),
            "HAFW_SOCKET": str(self._folder / "control.sock"),
            "HAFW_LOG": "logfmt",
        }
        self._log = lab.path("lb1", "log")
        with self._log.open("wb") as log:
            argv = [*self._command, "run", str(config)]
            self.process = lab.popen("lb1", argv, env=self._variables, stdout=log, stderr=log)

    def ask(self, *words: str) -> Any:
        argv = [*self._command, *words]
        done = subprocess.run(argv, env=self._variables, capture_output=True, text=True, check=False, timeout=PATIENCE)
        return json.loads(done.stdout) if done.returncode == 0 and "--json" in words else done.returncode == 0

    def plugin(self, name: str) -> dict[str, Any]:
        found = self.ask("plugins", "--json")
        return next((each for each in found or [] if each["name"] == name), {})

    def state(self) -> str:
        found = self.ask("status", "--json")
        return found["instances"][0]["state"] if found else ""

    def log(self) -> str:
        return self._log.read_text()

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + 60
        while not (seen := condition()):
            ended = self.process.poll() is not None or time.monotonic() > deadline
            assert not ended, f"{what}: not so before the daemon ended or a minute has passed:\n{self.log()[-4000:]}"
            time.sleep(0.05)
        return seen


@pytest.fixture
def host() -> Iterator[Lab]:
    with Lab() as lab:
        lab.add_host("lb1", "192.0.2.1/24")
        yield lab


@pytest.mark.wire
@pytest.mark.usefixtures("tested")
def test_a_daemon_loads_it_and_asks_it(author: Path, installed: Environment, host: Lab):
    daemon = Daemon(host, installed, author / f"hafw-{PLAIN}/config.toml")
    daemon.until(lambda: daemon.state() == "MASTER", "MASTER")
    seen = daemon.until(lambda: (found := daemon.plugin("disk_space")).get("calls") and found, "a call")
    assert (seen["package"], seen["version"], seen["state"]) == ("hafw-disk-space", "0.1.0", "running")
    assert (seen["hooks"], seen["failures"]) == (["check", "configure", "options"], 0)
    (check,) = daemon.ask("status", "--json")["instances"][0]["checks"]
    assert check["name"] == "disk_space"
    assert "% free" in check["detail"]


@pytest.mark.wire
@pytest.mark.usefixtures("tested")
def test_a_daemon_calls_every_hook_of_one_that_has_them_all(author: Path, installed: Environment, host: Lab):
    daemon = Daemon(host, installed, author / f"hafw-{FULL}/config.toml")
    daemon.until(lambda: daemon.state() == "MASTER", "MASTER")
    daemon.until(lambda: "192.0.2.250" in host.run("lb1", ["ip", "address"]), "the address, bound by takeover")
    daemon.ask("handover", "--force")
    daemon.until(lambda: "VI_1 hands over" in daemon.log(), "before_release")
    host.run("lb1", ["ip", "link", "set", "eth0", "down"])
    daemon.until(lambda: "VI_1 is FAULT" in daemon.log(), "faulted")
    seen = daemon.plugin("all_of_them")
    assert sorted(seen["hooks"]) == sorted([*HOOKS, "configure", "options"])
    assert seen["failures"] == 0, seen["last_error"]
    os.kill(daemon.process.pid, signal.SIGTERM)
    assert daemon.process.wait(PATIENCE) == 0
    for told in (
        *("VI_1 is MASTER", "VI_1 is BACKUP", "VI_1 is FAULT", "VI_1 is STOP", "group site is MASTER"),
        *("VI_1: 192.0.2.250: vip_bound", "takeover_complete VI_1", "all-of-them: VI_2 is"),
    ):
        assert told in daemon.log(), f"{told}\n{daemon.log()}"
