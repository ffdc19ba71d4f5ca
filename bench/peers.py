"""The two that are compared, from one description: how each is configured, started, found in /proc, and stopped."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.plan import KEEPALIVED, RULER, RunFailed
from hafw.lab import routers

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from hafw.lab.network import Lab

LB1: Final = "lb1"
LB2: Final = "lb2"
PRIORITY: Final = {LB1: 200, LB2: 100}
VRID: Final = 51
_LAST_LINES: Final = 4
_TROUBLE: Final = ("ailed", "rror", "refused", "raceback")
_PER_ADVERT: Final = 1
"""One address is advertised and the others are bound with it: an advert could not carry thousands."""


def vip(number: int) -> str:
    """The first one stands alone, the others in a range of their own: all in the subnet of the hosts."""
    if number == 0:
        return "10.77.0.250"
    return f"10.77.{16 + (number - 1) // 250}.{1 + (number - 1) % 250}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What both are told. Durations in seconds."""

    interval: float = 1.0
    vips: int = 1
    instances: int = 1
    """With one address each, when more than one."""
    realtime: int = 0
    """SCHED_RR priority of the router; 0: none."""
    rfc_skew: bool = False
    """hafw only."""
    web: bool = False
    """The router stands down when the nginx beside it does not answer."""
    process_tracker: bool = False
    """keepalived only: by ``track_process`` in place of a script every 2 s."""
    notify: bool = False
    """A script hears of every transition."""
    lone: bool = False
    """Priority 100 and nobody else: the protocol's own skew, also with hafw."""

    def groups(self) -> list[tuple[int, list[str]]]:
        """VRID and addresses of every instance."""
        if self.instances > 1:
            return [(number + 1, [vip(number)]) for number in range(self.instances)]
        return [(VRID, [vip(number) for number in range(self.vips)])]


class Service:
    """One of them, running on a host."""

    def __init__(self, process: subprocess.Popen[Any], log: Path, began: float) -> None:
        self.process: Final = process
        self.began: Final = began
        """When it was executed (``time.time``)."""
        self._log = log
        self._pidfd = os.pidfd_open(process.pid)

    def tree(self) -> list[int]:
        """Every process of it, the first one first."""
        found = [self.process.pid]
        for pid in found:
            found += children(pid)
        return found

    def terminate(self) -> float:
        """Ask it to stop, as systemd does: SIGTERM to the main process alone. Return the moment."""
        moment = time.time()
        os.kill(self.process.pid, signal.SIGTERM)
        return moment

    def kill_all(self) -> float:
        """Kill every process of it, as the kernel does with a control group. Return the moment."""
        doomed = self.tree()
        moment = time.time()
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return moment

    def ended(self, timeout: float) -> float:
        """Wait for its main process, to the moment."""
        if not select.select([self._pidfd], [], [], timeout)[0]:
            raise RunFailed(f"it did not end within {timeout:g} s; {self.last_words()}")
        moment = time.time()
        self.process.wait()
        return moment

    def last_words(self) -> str:
        """The last lines of its log that complain, or the last ones, in one line."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        complaints = [line for line in lines if any(word in line for word in _TROUBLE)]
        return "its log: " + " | ".join(line.strip()[:160] for line in (complaints or lines)[-_LAST_LINES:])

    def cpu(self) -> dict[int, float]:
        """Seconds of processor time that each process of it has used so far, threads that ended included."""
        found = {}
        for pid in self.tree():
            with contextlib.suppress(OSError):
                found[pid] = time.clock_gettime(_cpu_clock(pid))
        return found

    def memory(self) -> dict[str, float]:
        """MiB of proportional memory by process; names as in the process list, numbered where they are alike."""
        found: dict[str, float] = {}
        for pid in self.tree():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                pss = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
                found[f"{len(found) + 1} {_command(pid)}"] = pss / 1024
        return found


class Peer:
    """How one of them is handled; ``variant`` as in ``bench.plan``."""

    variant: str
    log: str

    def __init__(self, variant: str) -> None:
        self.variant = variant

    def configuration(self, lab: Lab, host: str, setup: Setup) -> str:
        raise NotImplementedError

    def execute(self, lab: Lab, host: str, configuration: str) -> subprocess.Popen[Any]:
        raise NotImplementedError

    def worker(self, lab: Lab, host: str, service: Service) -> int:
        """The process that elects and advertises."""
        raise NotImplementedError

    def ready(self, lab: Lab, host: str) -> bool:
        """Whether it takes part in the election."""
        raise NotImplementedError

    def start(self, lab: Lab, host: str, setup: Setup) -> Service:
        if setup.notify:
            _write_notify_script(lab.path(host, "notify.sh"))
        configuration = self.configuration(lab, host, setup)
        began = time.time()
        return Service(self.execute(lab, host, configuration), lab.path(host, self.log), began)


class Hafw(Peer):
    log = "hafw.log"

    def configuration(self, lab: Lab, host: str, setup: Setup) -> str:
        known = ", ".join(f"{name} = {number}" for name, number in PRIORITY.items())
        priority = PRIORITY[LB2] if setup.lone else f"{{ {known} }}"
        lines = []
        for number, (vrid, addresses) in enumerate(setup.groups(), 1):
            lines += [
                f"[instance.VI_{number}]",
                'interface = "eth0"',
                f"vrid = {vrid}",
                f"priority = {priority}",
                f'advertisement_interval = "{round(setup.interval * 1000)}ms"',
                f"virtual_addresses = {addresses[:_PER_ADVERT]}",
                'flap_hold = "0s"',  # the same failure again and again is what is measured
            ]
            lines += [f"excluded_addresses = {addresses[_PER_ADVERT:]}"] if addresses[_PER_ADVERT:] else []
            lines += ['skew = "rfc"'] if setup.rfc_skew else []
        if setup.web:
            lines += ["[instance.VI_1.check.nginx]", "critical = true", 'interval = "1s"', 'timeout = "800ms"']
            lines += [
                "[plugin.nginx]",
                'url = "http://127.0.0.1/healthz"',
                f'pid_file = "{lab.path(host, "nginx.pid")}"',
            ]
        if setup.notify:
            lines += ["[plugin.notify_script]", f'notify = "{lab.path(host, "notify.sh")}"', 'user = "nobody"']
        if setup.realtime:
            lines += ["[process]", f"realtime = {setup.realtime}"]
        return "\n".join([*lines, ""])

    def execute(self, lab: Lab, host: str, configuration: str) -> subprocess.Popen[Any]:
        return routers.start_hafw(lab, host, configuration)

    def worker(self, lab: Lab, host: str, service: Service) -> int:
        """Whoever listens on the control socket, which is the daemon and never the guard."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(routers.control_socket(lab, host)))
            pid, _, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if pid == service.process.pid or pid not in service.tree():
            raise RunFailed(f"the control socket of {host} belongs to {pid}, which is not a child of the guard")
        return int(pid)

    def ready(self, lab: Lab, host: str) -> bool:
        return routers.hafw_state(lab, host) in ("BACKUP", "MASTER")


class Keepalived(Peer):
    log = "keepalived.log"

    def configuration(self, lab: Lab, host: str, setup: Setup) -> str:
        lines = ["global_defs {", f"router_id {host}", "script_user root", "enable_script_security"]
        lines += [f"vrrp_rt_priority {setup.realtime}"] if setup.realtime else []
        lines += ["}"]
        if setup.web and setup.process_tracker:
            lines += ["vrrp_track_process web {", "process nginx", "weight 0", "}"]
        elif setup.web:
            curl = "/usr/bin/curl -fsS -m 1 -o /dev/null http://127.0.0.1/healthz"
            lines += ["vrrp_script web {", f'script "{curl}"', "interval 2", "fall 2", "rise 2", "}"]
        for number, (vrid, addresses) in enumerate(setup.groups(), 1):
            lines += [
                f"vrrp_instance VI_{number} {{",
                f"state {'MASTER' if host == LB1 and not setup.lone else 'BACKUP'}",
                "interface eth0",
                f"virtual_router_id {vrid}",
                f"priority {PRIORITY[LB2] if setup.lone else PRIORITY[host]}",
                "version 3",
                f"advert_int {setup.interval:g}",
                *["virtual_ipaddress {", *addresses[:_PER_ADVERT], "}"],
                *["virtual_ipaddress_excluded {", *addresses[_PER_ADVERT:], "}"],
            ]
            if setup.web:
                lines += ["track_process {" if setup.process_tracker else "track_script {", "web", "}"]
            if setup.notify:
                lines += [f'notify "{lab.path(host, "notify.sh")}"']
            lines += ["}"]
        return "\n".join([*lines, ""])

    def execute(self, lab: Lab, host: str, configuration: str) -> subprocess.Popen[Any]:
        return routers.start_keepalived(lab, host, configuration)

    def worker(self, lab: Lab, host: str, service: Service) -> int:
        pid = int(lab.path(host, "keepalived--vrrp_pid").read_text(encoding="ascii"))
        if pid not in service.tree():
            raise RunFailed(f"keepalived's vrrp process {pid} is not a child of {service.process.pid}")
        return pid

    def ready(self, lab: Lab, host: str) -> bool:
        return routers.hears_vrrp(lab, host)


class Nobody(Peer):
    """For what needs no router: the ruler's own noise."""

    log = "nobody.log"


def peer(variant: str) -> Peer:
    return {KEEPALIVED: Keepalived, RULER: Nobody}.get(variant, Hafw)(variant)


def spent(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Processor seconds between two answers of ``Service.cpu``; what ended in between is not counted."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def _cpu_clock(pid: int) -> int:
    """The clock that clock_getcpuclockid(3) names: the complement of the pid, then 2 for scheduled time."""
    return ~pid << 3 | 2


def children(pid: int) -> list[int]:
    """Of every thread of it; empty when it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def _command(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join(Path(word).name if word.startswith("/") else word for word in words if word)[:60]


def _write_notify_script(path: Path) -> None:
    path.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    path.chmod(0o755)
