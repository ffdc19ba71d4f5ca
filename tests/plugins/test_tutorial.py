"""docs/plugins/tutorial.md, followed: the one-file plugin in its process; the package written, installed and tested."""

from __future__ import annotations

import getpass
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest

from hafw.config.model import PluginConfig

if TYPE_CHECKING:
    from pathlib import Path

ME = getpass.getuser()

ONE_FILE = """\
import time
from pathlib import Path

from hafw.api import Verdict, hookimpl


@hookimpl
def check():
    age = time.time() - Path("/etc/hostname").stat().st_mtime
    return Verdict(age < 60, f"{age:.0f} s old")
"""

OPTIONS = """\
import time
from dataclasses import dataclass
from pathlib import Path

from hafw.api import Duration, Verdict, hookimpl


@dataclass
class Options:
    path: str
    at_most: Duration = Duration(60)


class Freshness:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.path = Path(options.path)
        self.at_most = options.at_most

    @hookimpl
    def check(self):
        age = time.time() - self.path.stat().st_mtime
        return Verdict(age <= self.at_most, f"{age:.0f} s old")


plugin = Freshness()
"""

PACKAGE = '''\
"""hafw plugin freshness: an instance is healthy while a file is young."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hafw.api import Duration, Verdict, hookimpl, refuse

if TYPE_CHECKING:
    from hafw.api import Router, StateChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.freshness]``."""

    path: str
    at_most: Duration = Duration(60)


class FreshnessPlugin:
    """One object for all instances, in a process of its own: it may block."""

    api = 1

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of our table in the configuration."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work: a line per mistake, with its key."""
        mistakes = []
        if not options.path.startswith("/"):
            mistakes.append(("path", f'= "{options.path}": must be an absolute path'))
        if options.at_most <= 0:
            mistakes.append(("at_most", f'= "{options.at_most}": must be more than 0s'))
        refuse(mistakes)
        self._path = Path(options.path)
        self._at_most = options.at_most

    @hookimpl
    def check(self) -> Verdict:
        """Young enough?"""
        try:
            age = self._age()
        except OSError as error:
            return Verdict(False, f"{self._path}: {error.strerror}")
        return Verdict(age <= self._at_most, f"{age:.0f} s old")

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> dict[str, Any]:
        """Tell the log what is served from now on; an exit but 0 is a failure that hafw reports."""
        age = self._age()
        said = f"{router.name} ({change.reason}) serves what is {age:.0f} s old"
        return {"output": said, "exit": 0 if age <= self._at_most else 1}

    def _age(self) -> float:
        return time.time() - self._path.stat().st_mtime


plugin = FreshnessPlugin()
'''

TESTS = """\
import getpass
import os

import pytest

from hafw.testing import HookFailed, PluginRefused

ME = getpass.getuser()  # where tests run as root, a plugin that checks would be nobody


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "heartbeat"
    file.touch()
    return file


@pytest.fixture
def plugin(hafw_plugin, file):
    return hafw_plugin("freshness", options={"path": str(file), "at_most": "1h"}, user=ME)


def test_a_young_file_is_healthy(plugin):
    assert plugin.check().healthy


def test_an_old_file_is_not(plugin, file):
    os.utime(file, (0, 0))
    verdict = plugin.check()
    assert not verdict.healthy
    assert verdict.detail.endswith(" s old")


def test_a_file_that_is_gone_is_told_by_its_name(plugin, file):
    file.unlink()
    assert plugin.check().detail == f"{file}: No such file or directory"


def test_what_cannot_work_is_refused_with_its_key(hafw_plugin):
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin("freshness", options={"path": "heartbeat", "at_most": "0s"})
    assert caught.value.mistakes == [
        'plugin.freshness.path = "heartbeat": must be an absolute path',
        'plugin.freshness.at_most = "0s": must be more than 0s',
    ]


def test_a_new_master_says_what_it_serves(plugin):
    result = plugin.become("MASTER", reason="no-response")
    assert result.output.startswith("VI_1 (no-response) serves what is ")


def test_a_new_master_with_old_data_is_a_failure(plugin, file):
    os.utime(file, (0, 0))
    with pytest.raises(HookFailed):
        plugin.become("MASTER")


def test_it_goes_on_after_its_process_was_killed(plugin):
    plugin.kill()
    assert plugin.check().healthy
"""


def write(tmp_path: Path, source: str, **options: object) -> PluginConfig:
    file = tmp_path / "freshness.py"
    file.write_text(source, "utf-8")
    return PluginConfig(name="freshness", file=str(file), options=options, user=ME)


@pytest.mark.parametrize(("source", "options"), [(ONE_FILE, {}), (OPTIONS, {"path": "/etc/hostname", "at_most": "1m"})])
async def test_the_file_of_the_first_steps_runs(play, instance, tmp_path, source, options):
    instances = (instance(plugin="freshness", interval=60.0),)
    async with play(write(tmp_path, source, **options), instances=instances) as stage:
        await stage.until(lambda: stage.verdicts)
        assert stage.verdicts[0].detail.endswith(" s old")


@pytest.mark.long
def test_the_package_of_the_tutorial_is_written_installed_and_passes_its_tests(tmp_path):
    run("-m", "hafw", "plugins", "new", "freshness", "--hook", "check", "--license", "MIT", folder=tmp_path)
    project = tmp_path / "hafw-freshness"
    assert (project / "hafw_freshness/__init__.py").is_file()
    assert (project / "tests/test_freshness.py").is_file()
    (project / "hafw_freshness/__init__.py").write_text(PACKAGE, "utf-8")
    (project / "tests/test_freshness.py").write_text(TESTS, "utf-8")
    run("-m", "venv", ".venv", folder=project)
    python = project / ".venv/bin/python"
    # What is installed here is found there too: nothing is fetched.
    (site,) = (project / ".venv/lib").glob("python3*/site-packages")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", "utf-8")
    run(
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        ".",
        folder=project,
        python=python,
    )
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", folder=project, python=python)
    assert "7 passed" in done


def run(*words: str, folder: Path, python: Path | str = sys.executable) -> str:
    done = subprocess.run([str(python), *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
