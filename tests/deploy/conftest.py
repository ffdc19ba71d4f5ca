"""What the tests of this folder share lies beside them; the package is built once, by the one command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "deploy"))
sys.path.insert(0, str(Path(__file__).parent))

from machine import CONFIG, INSTALL, NAMED, NOTIFY, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built by the one command."""
    folder = tmp_path_factory.mktemp("build")
    make = ["make", "--silent", "deb", f"BUILD={folder}", f"VENV={sys.prefix}"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = folder.glob("hafw_*.deb")
    return package


@pytest.fixture(scope="session")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with the package; what its installation said is in ``said``."""
    folder = tmp_path_factory.mktemp("machine")
    with contextlib.closing(Machine(folder / "disk", package)) as machine:
        machine.before = set(machine.must(NAMED).split())
        machine.said = machine.must(f"{INSTALL} /root/hafw.deb")
        yield machine


@pytest.fixture
def machine(installed: Machine) -> Machine:
    """The same, with a configuration, and nothing running."""
    installed.must(f"dpkg --status hafw >/dev/null 2>&1 || {INSTALL} /root/hafw.deb")
    installed.must("systemctl stop hafw hafw-hardened")
    installed.must("rm -rf /etc/systemd/system/hafw*.d /etc/hafw/* /tmp/written")
    installed.must("systemctl daemon-reload; systemctl reset-failed")
    installed.must("install -m 4755 /usr/bin/id /usr/local/bin/set-user-id")
    installed.write("/etc/hafw/notify.sh", NOTIFY, 0o755)
    installed.write("/etc/hafw/config.toml", CONFIG)
    return installed
