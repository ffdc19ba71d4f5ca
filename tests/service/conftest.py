"""The real daemon, started by the real command, on hosts of the lab.

Nothing here guesses how long a thing takes: READY comes by systemd's protocol, everything else is an event of the
control socket, a frame that was captured, or a state that is looked at again until it is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from hafw.daemon.plugins.processes import session_of
from hafw.lab import routers
from hafw.lab.network import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

VIP = "10.77.0.250"
LB1, LB2 = "lb1", "lb2"
PRIORITY = {LB1: 200, LB2: 100}
INTERVAL = 0.1
PATIENCE = 30.0
"""Seconds after which something that should happen counts as not happening."""
TREE = str(Path(__file__).parents[2])


def instance(name: str = "VI_1", **keys: Any) -> str:
    """One instance of the test's configuration; ``keys`` replace or add, ``None`` takes away."""
    values = {
        "interface": "eth0",
        "vrid": 51,
        "priority": PRIORITY,
        "advertisement_interval": "100ms",
        "virtual_addresses": [VIP],
        **keys,
    }
    lines = [f"{key} = {toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[instance.{name}]", *lines, ""])


def toml(value: Any) -> str:
    """As it stands in a configuration."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def until(condition: Callable[[], Any], what: str = "it") -> Any:
    """Look again until it is so, and return what was seen."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not so after {PATIENCE:g} s")
        time.sleep(0.005)
    return seen


def gone(pid: int) -> bool:
    """Whether nothing runs under this number any more; what nobody has reaped does not run."""
    return session_of(pid)[0] in {"", "Z"}


class Stream:
    """The events of one daemon."""

    def __init__(self, path: Path, since: dict[str, int]) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))
        self._socket.sendall(json.dumps({"do": "events", **since}).encode() + b"\n")
        self._lines = self._socket.makefile("rb")
        self.snapshot = json.loads(self._lines.readline())
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def wait(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return the next such event after the one that was waited for last."""
        for _ in range(10_000):
            while self._at < len(self.events):
                event = self.events[self._at]
                self._at += 1
                if event["type"] == kind and all(event.get(key) == value for key, value in fields.items()):
                    return event
            line = self._lines.readline()
            if not line:
                raise EOFError(f"the daemon ended before {kind} {fields}: {self.events[-5:]}")
            self.events.append(json.loads(line))
        raise OverflowError(f"10000 events, and no {kind} {fields}")

    def so_far(self) -> list[str]:
        """The types of what was told before we came, but for what a busy machine and a preemption make by the way."""
        while len(self.events) < self.snapshot["seq"]:
            self.events.append(json.loads(self._lines.readline()))
        passing = {"stall", "split_brain", "split_brain_over", "announced"}
        return [event["type"] for event in self.events[: self.snapshot["seq"]] if event["type"] not in passing]

    def until_seq(self, newest: int) -> list[dict[str, Any]]:
        """Everything that was told, up to the event with this number."""
        while not self.events or self.events[-1]["seq"] < newest:
            self.events.append(json.loads(self._lines.readline()))
        return self.events

    def state(self, new: str, **fields: Any) -> dict[str, Any]:
        """Wait for this transition."""
        return self.wait("state_changed", **{"instance": "VI_1", **fields, "to": new})


class Router:
    """A host of the lab with a hafw on it."""

    def __init__(self, lab: Lab, host: str) -> None:
        self.lab, self.host = lab, host
        self.config = lab.path(host, "config.toml")
        self.socket = routers.control_socket(lab, host)
        self.run_directory = lab.path(host, "run")
        self.will = self.run_directory / "will.json"
        self.log_path = lab.path(host, "hafw.log")
        self.guard: subprocess.Popen[Any]
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(str(lab.path(host, "notify")))

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every hafw of this host."""
        return {
            **os.environ,
            "HAFW_RUN_DIR": str(self.run_directory),
            "HAFW_SOCKET": str(self.socket),
            "NOTIFY_SOCKET": str(self.lab.path(self.host, "notify")),
            "PYTHONPATH": TREE,
            "NO_COLOR": "1",
        }

    # -- life ---------------------------------------------------------------------------------------------------

    def write(self, *parts: str) -> None:
        self.config.write_text("\n".join(parts))

    def start(self, *parts: str, words: Sequence[str] = (), prefix: Sequence[str] = ()) -> None:
        """``hafw run`` on this configuration, or the one that is there; waits until it is ready."""
        if parts:
            self.write(*parts)
        self.launch(*words, prefix=prefix)
        self.wait_until_ready()

    def launch(self, *words: str, prefix: Sequence[str] = ()) -> None:
        """The same, without waiting."""
        self.run_directory.mkdir(exist_ok=True)
        argv = [*prefix, sys.executable, "-m", "hafw", "run", str(self.config), "--node", self.host, *words]
        with self.log_path.open("ab") as log:
            self.guard = self.lab.popen(
                self.host,
                argv,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # as systemd does it
            )

    def wait_until_ready(self) -> None:
        """By systemd's protocol; a daemon that ends instead is shown with its last words."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([self._notified], [], [], 0.1)[0] and b"READY=1" in self._notified.recv(4096):
                return
            if self.guard.poll() is not None:
                break
        raise TimeoutError(f"hafw on {self.host} did not become ready:\n{self.log()[-3000:]}")

    def stop(self) -> int:
        """SIGTERM to the guard, as systemd does it; returns the exit code."""
        os.kill(self.guard.pid, signal.SIGTERM)
        return self.guard.wait(PATIENCE)

    def kill_daemon(self) -> int:
        """SIGKILL to the daemon alone; returns its pid."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_guard(self) -> None:
        os.kill(self.guard.pid, signal.SIGKILL)
        self.guard.wait(PATIENCE)

    def kill_both(self) -> None:
        """Guard and daemon, so that neither does anything about the death of the other."""
        daemon, guard = self.pid, self.guard.pid
        os.kill(guard, signal.SIGSTOP)
        until(lambda: session_of(guard)[0] == "T", "the guard frozen")
        os.kill(daemon, signal.SIGKILL)
        self.kill_guard()
        until(lambda: gone(daemon), "the daemon gone")

    # -- looks --------------------------------------------------------------------------------------------------

    def log(self) -> str:
        return self.log_path.read_text()

    def stream(self) -> Stream:
        """Every event of the running daemon, from its first one on."""
        return Stream(self.socket, {"since": 0})

    def news(self) -> Stream:
        """What happens from now on."""
        return Stream(self.socket, {})

    def ask(self, do: str = "status", **request: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(PATIENCE)
            asked.connect(str(self.socket))
            asked.sendall(json.dumps({"do": do, **request}).encode() + b"\n")
            return json.loads(asked.makefile("rb").readline())

    @property
    def pid(self) -> int:
        return self.ask()["pid"]

    def instance(self, name: str = "VI_1") -> dict[str, Any]:
        return next(each for each in self.ask()["instances"] if each["name"] == name)

    def wait_for(self, state: str, name: str = "VI_1") -> None:
        """Until this instance of the running daemon has been in this state."""
        with self.stream() as stream:
            stream.state(state, instance=name)

    def wait_until_it_serves(self, name: str = "VI_1") -> None:
        """MASTER, with its addresses in the kernel."""
        with self.stream() as stream:
            stream.wait("takeover_complete", instance=name)

    def wait_until_it_follows(self, name: str = "VI_1") -> None:
        """BACKUP of another one, whom it hears; it may hear that one before it takes part, too."""
        until(lambda: self.instance(name)["state"] == "BACKUP", f"{self.host} BACKUP of {name}")
        until(lambda: (heard := self.instance(name)["master"]) and not heard["self"], f"{self.host} hears a MASTER")

    def has(self, address: str = VIP) -> bool:
        return address in self.lab.addresses(self.host)

    def hafw(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real command, on this host, to its end."""
        process = self.command(*words, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def command(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """The same, as it runs."""
        argv = [sys.executable, "-m", "hafw", *words]
        return self.lab.popen(self.host, argv, env=self.variables, stdout=subprocess.PIPE, text=True, **options)

    def ip(self, *words: str) -> str:
        return self.lab.run(self.host, ["ip", *words])

    def close(self) -> None:
        self._notified.close()


@contextlib.contextmanager
def two_routers() -> Iterator[tuple[Router, Router]]:
    """Neither is started."""
    with Lab() as lab, contextlib.ExitStack() as stack:
        for number, host in enumerate((LB1, LB2), 1):
            lab.add_host(host, f"10.77.0.{number}/24", f"fe80::{number}/64")
        first, second = (stack.enter_context(contextlib.closing(Router(lab, host))) for host in (LB1, LB2))
        yield first, second


@pytest.fixture(scope="session")
def tools() -> SimpleNamespace:
    """What tests use beside the routers."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    return SimpleNamespace(two_routers=two_routers, elect=elect, instance=instance, until=until, gone=gone)


@pytest.fixture
def pair(tools: SimpleNamespace) -> Iterator[tuple[Router, Router]]:
    """lb1 (priority 200) and lb2 (100), not started."""
    with two_routers() as routers_of_a_lab:
        yield routers_of_a_lab


@pytest.fixture
def master(pair: tuple[Router, Router]) -> Router:
    """lb1, alone and MASTER."""
    pair[0].start(instance())
    with pair[0].stream() as stream:
        stream.wait("announced")  # it serves, and has told all that there is to tell
    return pair[0]


@pytest.fixture
def both(pair: tuple[Router, Router]) -> tuple[Router, Router]:
    """lb1, MASTER, and lb2, its BACKUP."""
    elect(*pair)
    return pair


def elect(first: Router, second: Router, *parts: str) -> None:
    """Start both on the same configuration; ready when the first is MASTER and the second has heard it."""
    for router in (first, second):
        router.write(*(parts or [instance()]))
        router.launch()
    for router in (first, second):
        router.wait_until_ready()
    first.wait_until_it_serves()
    second.wait_until_it_follows()
