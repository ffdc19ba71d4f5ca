"""The markers ``peer`` and ``wire``: what a test needs of the machine, and what to do when it is not there.

And what many tests need alike: to wait, a program, a port, a certificate. It stands at the root because the tests of
the plugins, each a distribution of its own, need all of this too.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

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


def _program_of(name: str) -> str | None:
    """Where this peer is; ``None``: not installed."""
    if name not in PEER_PROGRAMS:
        known = ", ".join(sorted(PEER_PROGRAMS))
        raise pytest.UsageError(f"peer({name!r}): unknown, known are {known}: add it to PEER_PROGRAMS in conftest.py")
    return shutil.which(PEER_PROGRAMS[name], path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")


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
    # A shell that starts us in the background has it ignored, and our programs would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What listens to a wire first: it waits most, and each process has its share of it to the end."""
    items.sort(key=lambda item: not (item.get_closest_marker("wire") or item.get_closest_marker("peer")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture runs: a fixture may already start the peer."""
    for name in _peers_of(item):
        if _program_of(name) is None:
            item.user_properties.append(("missing", name))
            pytest.skip(f"{name} is not installed")
    if item.get_closest_marker("wire") and _wire_denial():
        item.user_properties.append(("denied", "wire"))
        pytest.skip(f"no network namespaces: {_wire_denial()}")


def _peers_of(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("peer"):
        (name,) = mark.args
        yield name
    if certificate_of.__name__ in getattr(item, "fixturenames", ()):
        yield "openssl"


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
def program_of() -> Callable[[str], str | None]:
    """``program_of("bird2")``: where this peer is, also where the PATH of an ordinary user does not look."""
    return _program_of


@pytest.fixture
def until() -> Callable[..., Any]:
    """``until(condition)``: look again until it is so, and return what was seen. A test fails rather than hangs."""

    def until(condition: Callable[[], Any], *, patience: float = 20.0) -> Any:  # noqa: ANN401 - what was seen
        deadline = time.monotonic() + patience
        while not (seen := condition()):
            assert time.monotonic() < deadline, "did not happen"
            time.sleep(0.005)
        return seen

    return until


@pytest.fixture
def freeze(until: Callable[..., Any]) -> Callable[[int], None]:
    """``freeze(pid)``: SIGSTOP, and wait until every thread of it has stopped: that may take its time."""
    from hafw.daemon.plugins.processes import session_of  # noqa: PLC0415 - few tests freeze anybody

    def states(pid: int) -> set[str]:
        return {session_of(int(task))[0] for task in os.listdir(f"/proc/{pid}/task")}  # noqa: PTH208 - names alone

    def freeze(pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: states(pid) - {""} == {"T"})  # empty: a thread that has ended since

    return freeze


@pytest.fixture
def free_port() -> int:
    """One on the loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def certificate_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``certificate_of("IP:127.0.0.1")``: a folder with ``key.pem`` and ``cert.pem`` of that name, signed by itself."""

    @functools.cache
    def certificate_of(name: str) -> Path:
        folder = tmp_path_factory.mktemp("tls")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", f"/CN={name.partition(':')[2]}", "-addext", f"subjectAltName={name}",
             "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
            check=True, capture_output=True, timeout=20,
        )  # fmt: skip
        return folder

    return certificate_of


@pytest.fixture
def certificate(certificate_of: Callable[[str], Path]) -> Path:
    """That of a server on the loopback address."""
    return certificate_of("IP:127.0.0.1")


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a server with that certificate shakes hands by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


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
