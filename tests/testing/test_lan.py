"""A real failover with a plugin in it, as the author of one sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.long]

PLUGIN = """
import os
from dataclasses import dataclass
from hafw.api import Verdict, hookimpl

@dataclass
class Options:
    folder: str

@hookimpl
def options():
    return Options

@hookimpl
def configure(options):
    global folder
    folder = options.folder

def note(router, change):
    with open(folder + "/states", "a") as file:
        print(change.new, change.reason, file=file)

@hookimpl
def became_master(router, change): note(router, change)

@hookimpl
def became_backup(router, change): note(router, change)

@hookimpl
def faulted(router, change): note(router, change)

@hookimpl
def stopped(router, change): note(router, change)

@hookimpl
def check():
    return Verdict(not os.path.exists(folder + "/ill"), "ill")
"""

TEST = """
import os
from pathlib import Path

FILE = Path(__file__).with_name("local.py")

def test_lan(hafw_lan):
    check = {"critical": True, "interval": "200ms"}
    lan = hafw_lan(file=FILE, options={"folder": "{folder}"}, check=check, user="root")
    lan.wait_for_master("lb1")
    lan.kill("lb1")
    lan.wait_for_master("lb2")
    lan.wait_for(lambda: "MASTER no-response" in (lan.folder("lb2") / "states").read_text())

def test_plugin(hafw_plugin, tmp_path):
    assert os.geteuid()
    plugin = hafw_plugin(file=FILE, options={"folder": str(tmp_path)})
    plugin.become("MASTER")
    assert (tmp_path / "states").read_text() == "MASTER test\\n"
    plugin.assert_keeps_promises("answers", "processes", "descriptors", "files", "options", "output")
"""


def states(lan, router):
    path = lan.folder(router) / "states"
    return path.read_text().split("\n")[:-1] if path.exists() else []


def test_a_plugin_is_told_of_real_failovers_and_its_check_makes_one(hafw_lan, tmp_path):
    (tmp_path / "local.py").write_text(PLUGIN)
    lan = hafw_lan(
        file=tmp_path / "local.py",
        options={"folder": "{folder}"},
        check={"critical": True, "interval": "200ms", "fall": 1, "rise": 1},
        user="root",
    )
    lan.wait_for_master("lb1")
    (lan.folder("lb1") / "ill").touch()
    lan.wait_for_master("lb2")
    lan.wait_for(lambda: "FAULT check-failed" in states(lan, "lb1"))
    assert "192.0.2.10" not in lan.addresses("lb1")
    (lan.folder("lb1") / "ill").unlink()
    lan.wait_for(lambda: lan.state("lb1") == "BACKUP")

    lan.kill("lb2")
    lan.wait_for_master("lb1")
    lan.start("lb2")
    lan.stop("lb1")
    assert states(lan, "lb1")[-1] == "STOP shutdown"
    lan.wait_for_master("lb2")
    assert lan.plugin("lb2", "local")["state"] == "running"
    lan.wait_for(lambda: [each["to"] for each in lan.events("lb2", "state_changed")][-1:] == ["MASTER"])
    assert lan.run("lb2", "hostname") != ""
    with pytest.raises(AssertionError, match="run lb2: false: exit 1"):
        lan.run("lb2", "false")


def test_cables_are_cut_daemons_crash_and_what_does_not_happen_is_told_with_the_logs(hafw_lan):
    lan = hafw_lan("vip")
    lan.wait_for_master("lb1")
    lan.cut("lb1")
    lan.wait_for(lambda: lan.state("lb2") == "MASTER")
    lan.mend("lb1")
    lan.wait_for(lambda: lan.master in {"lb1", "lb2"})
    master = lan.master or "lb1"
    before = lan.status(master)["pid"]
    lan.crash(master)
    lan.wait_for(lambda: lan.status(master).get("pid", before) != before)
    with pytest.raises(AssertionError, match=r"(?s)not within 0.01s: pigs fly\n--- lb1.*--- lb2"):
        lan.wait_for(lambda: False, "pigs fly", timeout=0.01)
    with pytest.raises(ValueError, match="router 'lb9': there are lb1, lb2"):
        lan.kill("lb9")


def test_an_ordinary_user_needs_no_root(for_everybody, tmp_path):
    """Neither for a real failover nor for a plugin in its process."""
    folder = Path(tempfile.mkdtemp(prefix="hafw-test-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        (folder / "local.py").write_text(PLUGIN)
        (folder / "test_it.py").write_text(TEST)
        nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        pytest_ = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--hafw-lan", str(folder)]
        done = subprocess.run(
            [*for_everybody, *nobody, *pytest_],
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])},
            capture_output=True,
            text=True,
            check=False,
            timeout=170,
        )
        assert "2 passed" in done.stdout, done.stdout + done.stderr
    finally:
        shutil.rmtree(folder)
