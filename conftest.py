"""The markers ``peer`` and ``wire``: what a test needs of the machine, and what to do when it is not there.

It stands at the root because the tests of the plugins, each a distribution of its own, need the markers too.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PEER_PROGRAMS = {
    "keepalived": "keepalived",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "frr": "vtysh",
    "bird2": "bird",
    "tshark": "tshark",
    "openssl": "openssl",
    "chromium-driver": "chromedriver",
    "prometheus": "promtool",
    "systemd": "systemd-analyze",
    "dbus": "dbus-daemon",
    "groff-base": "groff",
    "mandoc": "mandoc",
    "man-db": "man",
    "dpkg": "dpkg-deb",
    "zsh": "zsh",
    "fish": "fish",
}
"""Peer, which is also the name of its package, and the program that shows that it is installed."""

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/frr"
"""Where daemons are, and where the PATH of an ordinary user does not look."""

TREE = Path(__file__).parent

pytest_plugins = ["pytester"]

_not_run: Counter[tuple[str, str]] = Counter()
"""How many tests lack a peer, or namespaces."""


def _peer_is_installed(name: str) -> bool:
    if name not in PEER_PROGRAMS:
        known = ", ".join(sorted(PEER_PROGRAMS))
        raise pytest.UsageError(f"peer({name!r}): unknown, known are {known}: add it to PEER_PROGRAMS in conftest.py")
    return shutil.which(PEER_PROGRAMS[name], path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}") is not None


@functools.cache
def _wire_denial() -> str:
    """Why no network namespace can be made and used here; empty when it can.

    The whole sequence is tried: a container may allow a namespace and deny what has to be done in it.
    """
    probe = "ip link add name hafw0 type veth peer name hafw1 && ip link set hafw0 up"
    try:
        done = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", probe], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]


def pytest_configure(config: pytest.Config) -> None:
    """What needs a lab is left out by its markers here, not by an option of the authors of plugins."""
    config.option.hafw_lan = True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What listens to a wire first: it waits most, and each process has its share of it to the end."""
    items.sort(key=lambda item: not (item.get_closest_marker("wire") or item.get_closest_marker("peer")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture runs: a fixture may already start the peer."""
    for mark in item.iter_markers("peer"):
        (name,) = mark.args
        if not _peer_is_installed(name):
            item.user_properties.append(("missing", name))
            pytest.skip(f"{name} is not installed")
    if item.get_closest_marker("wire") and _wire_denial():
        item.user_properties.append(("denied", "wire"))
        pytest.skip(f"no network namespaces: {_wire_denial()}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count where all reports come together: tests run in several processes."""
    for kind, name in report.user_properties if report.when == "setup" else ():
        _not_run[kind, str(name)] += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is a failure, whoever skipped: a green run there means that everything was tried."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {reason}: CI=true allows no skip"
    return report


def _advice() -> Iterator[str]:
    missing = {name: count for (kind, name), count in _not_run.items() if kind == "missing"}
    denied = _not_run["denied", "wire"]
    if missing:
        installer = "dnf" if shutil.which("dnf") else "apt-get"
        tests = ", ".join(f"{name} {count}" for name, count in sorted(missing.items()))
        yield f"not run for want of a peer: {tests}. To run them: sudo {installer} install {' '.join(sorted(missing))}"
    if denied:
        way_out = "sudo make test" if os.geteuid() else "a machine or container where `unshare --net` is allowed"
        yield f"not run for want of network namespaces ({_wire_denial()}): {denied}. To run them: {way_out}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Last of all, so that nobody needs to scroll: what was not tried, and how to try it."""
    yield
    for line in _advice():
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture
def for_everybody(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The beginning of a command line that another user can run although Python or this tree lies in a private folder.

    In a mount namespace of its own, the private folders are covered, and what is needed shows through.
    """
    needed = [Path(sys.base_prefix), Path(sys.prefix), TREE]
    private = {path: ancestor for path in needed if (ancestor := _private_ancestor(path))}
    if not private:
        return []
    stash = tmp_path_factory.mktemp("stash")
    lines = [f"mount -t tmpfs tmpfs {stash}"]
    for number, path in enumerate(private):
        lines.append(f"mkdir {stash}/{number} && mount --bind {shlex.quote(str(path))} {stash}/{number}")
    lines.extend(f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(each))}" for each in set(private.values()))
    for number, path in enumerate(private):
        quoted = shlex.quote(str(path))
        lines.append(f"mkdir -p {quoted} && mount --bind {stash}/{number} {quoted}")
    return ["unshare", "--mount", "sh", "-c", " && ".join([*lines, 'exec "$@"']), "sh"]


def _private_ancestor(path: Path) -> Path | None:
    """The outermost folder on the way that keeps others out."""
    return next((each for each in reversed([path, *path.parents]) if not each.stat().st_mode & 0o001), None)
