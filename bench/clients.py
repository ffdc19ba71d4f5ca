"""A thousand clients on the event stream of a MASTER that advertises every 100 ms: do adverts stay on time?

``python bench/clients.py`` (root, or a user with user namespaces) plays every crowd in a lab of its own, the control
without a client among them, and prints a table. A check that flaps makes the events. ``--seconds N`` per crowd,
``--json FILE`` for raw results, ``--only WORD`` for those whose name has it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import random
import resource
import select
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hafw.lab import namespaces, routers
from hafw.lab.network import Lab

INTERVAL = 0.1
PATIENCE = 30.0
CROWDS: dict[str, tuple[int, dict[str, int]]] = {
    "none (control)": (10, {}),
    "1,000 that read": (10, {"reads": 1000}),
    "1,000 that never read": (10, {"reads": 10, "never reads": 990}),
    "1,000 of every kind": (
        10,
        {"reads": 500, "never reads": 150, "a byte a second": 150, "garbage": 100, "half-open": 100},
    ),
    "many events, few that read": (
        50,
        {"reads": 50, "never reads": 500, "a byte a second": 250, "garbage": 100, "half-open": 100},
    ),
    "2,000, more than there is room for": (10, {"reads": 2000}),
    "1,000 that come and go": (10, {"reads": 10, "comes and goes": 990}),
}
"""By name: events a second, and how many clients of each kind."""
PLUGIN = """\
import itertools
from hafw.api import Verdict, hookimpl

verdicts = itertools.cycle((True, False))


@hookimpl
def check():
    return Verdict(next(verdicts), "flaps")
"""
CONFIG = """\
[instance.VI_1]
interface = "eth0"
vrid = 51
priority = {{ lb1 = 200, lb2 = 100 }}
advertisement_interval = "100ms"
virtual_addresses = ["10.77.0.250"]
flap_hold = "0s"  # the check is there for its events

[instance.VI_1.check.flaps]
weight = 1
interval = "{every:.0f}ms"
timeout = "400ms"
rise = 1
fall = 1

[plugin.flaps]
file = "{plugin}"
"""


class Client:
    """One connection; what it was told is counted, and must be without a gap."""

    def __init__(self, path: str, kind: str) -> None:
        self.kind = kind
        self.path = path
        self.buffer = b""
        self.events = 0
        self.last = -1
        self.told = ""
        """Why the daemon ended it."""
        self.missed = 0
        self.open()

    def open(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)  # waits for its turn
        self.socket.setblocking(False)
        if self.kind not in {"garbage", "half-open"}:
            self.socket.send(b'{"do": "events"}\n')

    def read(self, size: int) -> bool:
        """False: the daemon has ended it."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return True
        except OSError as error:
            self.told = self.told or os.strerror(error.errno or 0)
            return False
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(data)

    def _take(self, said: dict[str, Any]) -> None:
        if "error" in said:
            error = said["error"]
            self.told = error["message"] if error["kind"] in {"dropped", "too-many-clients"} else error["kind"]
        elif "status" in said:
            self.last = said["seq"]
        elif said["type"] == "gap":
            self.missed += said["missed"]
        else:
            self.events += 1
            self.missed += said["seq"] - self.last - 1
            self.last = said["seq"]


class Crowd:
    """All clients, in a thread of their own."""

    def __init__(self, path: str, kinds: dict[str, int]) -> None:
        self.clients = [Client(path, kind) for kind, count in kinds.items() for _ in range(count)]
        random.Random(1).shuffle(self.clients)
        self.ended: list[Client] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()
        for client in self.clients:
            client.read(1 << 20)
            client.socket.close()

    def _live(self) -> None:
        poll = select.epoll()
        readers = {}
        for client in self.clients:
            if client.kind in {"reads", "half-open", "comes and goes", "garbage"}:
                poll.register(client.socket.fileno(), select.EPOLLIN)
                readers[client.socket.fileno()] = client
        while not self._stop.is_set():
            until = time.monotonic() + 1.0
            while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
                for number, _ in poll.poll(min(left, 0.1)):
                    if not readers[number].read(65536):
                        poll.unregister(number)
                        self.ended.append(readers.pop(number))
            self._once_a_second(poll, readers)

    def _once_a_second(self, poll: select.epoll, readers: dict[int, Client]) -> None:
        for client in self.clients:
            match client.kind:
                case "a byte a second":
                    client.read(1)
                case "garbage" if not client.told:
                    garbage = random.Random(time.time()).randbytes(2000)
                    try:
                        client.socket.send(garbage)
                    except OSError:
                        continue
                case "comes and goes":
                    readers.pop(client.socket.fileno(), None)
                    client.socket.close()
                    client.open()
                    client.buffer = b""
                    poll.register(client.socket.fileno(), select.EPOLLIN)
                    readers[client.socket.fileno()] = client
                case _:
                    pass


def ask(path: str, what: str) -> tuple[dict[str, Any], float]:
    """One request to the daemon, again while there are too many; the reply, and the seconds it took."""
    began = time.perf_counter()
    while True:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(PATIENCE)
            asked.connect(path)
            with contextlib.suppress(BrokenPipeError):  # refused before we said anything: the reason is there to read
                asked.sendall(json.dumps({"do": what}).encode() + b"\n")
            reply = json.loads(asked.makefile("rb").readline())
        took = time.perf_counter() - began
        if reply.get("error", {}).get("kind") != "too-many-clients" or took > PATIENCE:
            return reply, took
        time.sleep(0.05)


def memory(pid: int) -> float:
    """MiB of a process that nobody else has."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def start(lab: Lab, events: int) -> None:
    for host in ("lb1", "lb2"):
        plugin = lab.path(host, "flaps.py")
        plugin.write_text(PLUGIN)
        routers.start_hafw(lab, host, CONFIG.format(plugin=plugin, every=1000 / events))


def play(name: str, seconds: float, dropped: int) -> dict[str, Any]:
    """One crowd: lb1 has it, lb2 would take over if lb1 fell silent; until so many of it were dropped, too."""
    events, kinds = CROWDS[name]
    with Lab() as lab:
        for number, host in enumerate(("lb1", "lb2"), 1):
            lab.add_host(host, f"10.77.0.{number}/24", f"fe80::{number}/64")
        capture = lab.capture()
        start(lab, events)
        path = str(routers.control_socket(lab, "lb1"))
        if not capture.wait_for_advert(
            lambda each: each.host == "lb1" and each.priority > 0, since=0, timeout=PATIENCE
        ):
            raise TimeoutError(f"{name}: lb1 was not elected within {PATIENCE:g} s")
        time.sleep(4 * INTERVAL)
        status = ask(path, "status")[0]
        began, before, used = time.time(), memory(status["pid"]), spent(status["pid"])
        crowd = Crowd(path, kinds)
        took = []
        while time.time() < began + seconds or status["counters"].get("clients-dropped", 0) < dropped:
            time.sleep(0.1)
            status, lasted = ask(path, "status")
            took.append(lasted)
        after, used = memory(status["pid"]), spent(status["pid"]) - used
        until = time.time()
        crowd.leave()
        left = ask(path, "status")[0]
        times = [each.time for each in capture.adverts("lb1", began) if each.priority > 0 and each.time <= until]
        foreign = [each for each in capture.adverts("lb2", began) if each.priority > 0]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    readers = [each for each in crowd.clients if each.kind == "reads"]
    return {
        "crowd": name,
        "adverts": len(times),
        "off_schedule_max_ms": max(abs(gap - INTERVAL) for gap in gaps) * 1000,
        "off_schedule_median_ms": statistics.median(abs(gap - INTERVAL) for gap in gaps) * 1000,
        "adverts_of_backup": len(foreign),
        "status_median_ms": statistics.median(took) * 1000,
        "status_max_ms": max(took) * 1000,
        "processor_percent": 100 * used / (until - began),
        "memory_before_mib": before,
        "memory_after_mib": after,
        "events": max((each.events for each in readers), default=0),
        "missed": sum(each.missed for each in readers),
        "told": Counter(f"{each.kind}: {each.told}" for each in crowd.clients if each.told),
        "dropped": left["counters"].get("clients-dropped", 0),
        "refused": left["counters"].get("clients-refused", 0),
    }


def spent(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run everything; exit status 1 when a backup spoke or a reader missed an event."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--dropped", type=int, default=0, metavar="N", help="go on until N clients were dropped")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", metavar="WORD")
    options = parser.parse_args()
    namespaces.enter()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"
    )
    print(f"{'':35}  off schedule ms  backup  status ms      CPU  memory MiB")
    print(f"{'':35}   median   worst   spoke  median   max     %  before after  missed  dropped refused")
    results = []
    for name in [each for each in CROWDS if options.only in each]:
        row = play(name, options.seconds, options.dropped)
        results.append(row)
        print(
            f"{name:35}  {row['off_schedule_median_ms']:7.1f} {row['off_schedule_max_ms']:7.1f}"
            f"  {row['adverts_of_backup']:6}  {row['status_median_ms']:6.1f} {row['status_max_ms']:5.0f}"
            f" {row['processor_percent']:5.0f}  {row['memory_before_mib']:6.1f} {row['memory_after_mib']:5.1f}"
            f"  {row['missed']:6}  {row['dropped']:7} {row['refused']:7}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))
    return 1 if any(row["adverts_of_backup"] or row["missed"] for row in results) else 0


if __name__ == "__main__":
    sys.exit(main())
