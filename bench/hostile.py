"""Plugins that misbehave beside a MASTER that advertises every 100 ms: do adverts stay on time, does status answer?

``python bench/hostile.py`` (root, or a user with user namespaces) runs every scenario in a lab of its own, the control
without a hostile plugin among them, and prints a table. ``--seconds N`` per scenario, ``--json FILE`` for raw results.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import re
import shutil
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.zoo import ZOO
from hafw.lab import namespaces, routers
from hafw.lab.network import Lab

INTERVAL = 0.1
PATIENCE = 20.0
HEAD = "import os, re\nfrom hafw.api import Verdict, hookimpl\n"
HARMLESS = "@hookimpl\ndef check():\n    return Verdict(True)\n"
PLUGINS = {
    "none (control)": HARMLESS,
    "loops for ever in check": "@hookimpl\ndef check():\n    while True: pass\n",
    "exits in became_master": HARMLESS + "@hookimpl\ndef became_master(router, change):\n    os._exit(3)\n",
    "allocates without end": "@hookimpl\ndef check():\n    x = []\n    while True: x.append(bytearray(10_000_000))\n",
    "holds the GIL in a C call": "@hookimpl\ndef check():\n    re.match(r'(a+)+$', 'a' * 40 + 'b')\n",
    "the log's reader is stalled": "@hookimpl\ndef check():\n    print('x' * 5000)\n    return Verdict(True)\n",
}
STALLED = "the log's reader is stalled"
WHOLE_ZOO = "the zoo: fifteen at once"
SCENARIOS = (*PLUGINS, WHOLE_ZOO)
CONFIG = """\
[instance.VI_1]
interface = "eth0"
vrid = 51
priority = {{ lb1 = 200, lb2 = 100 }}
advertisement_interval = "100ms"
virtual_addresses = ["10.77.0.250"]

[instance.VI_1.check.guest]
weight = 1
interval = "500ms"
timeout = "400ms"

[plugin.guest]
file = "{plugin}"
"""


def ask(lab: Lab, host: str, what: str) -> tuple[dict[str, Any], float]:
    """One request to the daemon; the reply, and the seconds it took."""
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(PATIENCE)
        asked.connect(str(routers.control_socket(lab, host)))
        asked.sendall(json.dumps({"do": what}).encode() + b"\n")
        reply = json.loads(asked.makefile("rb").readline())
    return reply, time.perf_counter() - began


def configure(lab: Lab, host: str, name: str) -> str:
    """The configuration of a host with the plugins of a scenario, which are written to files of its own."""
    if name == WHOLE_ZOO:
        for animal in ZOO:
            shutil.copy(animal.file, lab.path(host, animal.file.name))
        instance = CONFIG.partition("[instance.VI_1.check")[0].format()
        return instance + "".join(animal.config("VI_1", lab.path(host, "")) for animal in ZOO)
    plugin = lab.path(host, "guest.py")
    plugin.write_text(HEAD + PLUGINS[name])
    return CONFIG.format(plugin=plugin)


def start(lab: Lab, host: str, name: str) -> None:
    """A hafw as a service, with the plugins of a scenario; of one, its log goes to a full pipe that nobody reads."""
    log = {} if name != STALLED else dict.fromkeys(("stdout", "stderr"), full_pipe())
    routers.start_hafw(lab, host, configure(lab, host, name), start_new_session=True, **log)


def full_pipe() -> int:
    """An end to write to, which waits for whoever holds the other."""
    _unread, log = os.pipe()
    os.set_blocking(log, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(log, b"." * 4096)
    os.set_blocking(log, True)
    return log


def said_of(plugins: list[dict[str, Any]]) -> dict[str, str]:
    """What is said of each, for the table."""
    said = {}
    for each in plugins:
        words = "; ".join(filter(None, (each["last_error"], *each["remarks"])))
        said[each["name"]] = f"{each['state']}: {words or 'nothing'}"
    return said


def summary(name: str, plugins: list[dict[str, Any]]) -> str:
    """One line about those of a scenario."""
    said = said_of(plugins)
    if name != WHOLE_ZOO:
        return said["guest"]
    named = [animal.name for animal in ZOO if re.search(animal.named, said[animal.name])]
    return f"{len(named)} of {len(ZOO)} named by what they do"


def play(name: str, seconds: float) -> dict[str, Any]:
    """One scenario: lb1 has the guests, lb2 would take over if lb1 fell silent."""
    with Lab() as lab:
        for number, host in enumerate(("lb1", "lb2"), 1):
            lab.add_host(host, f"10.77.0.{number}/24", f"fe80::{number}/64")
        capture = lab.capture()
        start(lab, "lb1", name)
        start(lab, "lb2", "none (control)")
        first = capture.wait_for_advert(
            lambda each: each.host == "lb1" and each.priority > 0, since=0, timeout=PATIENCE
        )
        if first is None:
            raise TimeoutError(f"{name}: lb1 was not elected within {PATIENCE:g} s")
        took = []
        while time.time() < first.time + seconds:
            time.sleep(0.1)
            took.append(ask(lab, "lb1", "status")[1])
        times = [each.time for each in capture.adverts("lb1", first.time) if each.priority > 0]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        # lb2 may have become MASTER before lb1 had started; what counts is what it says once lb1 speaks.
        foreign = [each for each in capture.adverts("lb2", first.time + INTERVAL) if each.priority > 0]
        guests = [each for each in ask(lab, "lb1", "plugins")[0]["plugins"] if each["name"] not in {"vip", "arp"}]
        status = ask(lab, "lb1", "status")[0]
    return {
        "scenario": name,
        "adverts": len(times),
        "interval_median_ms": statistics.median(gaps) * 1000,
        "off_schedule_max_ms": max(abs(gap - INTERVAL) for gap in gaps) * 1000,
        "adverts_of_backup": len(foreign),
        "status_median_ms": statistics.median(took) * 1000,
        "status_max_ms": max(took) * 1000,
        "failures": sum(each["failures"] for each in guests),
        "restarts": sum(each["restarts"] for each in guests),
        "said": summary(name, guests),
        "said_of_each": said_of(guests),
        "log_lines_dropped": status["log_lines_dropped"],
    }


def main() -> int:
    """Run everything; exit status 1 when a backup spoke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="Instead of all; more than one is fine.")
    options = parser.parse_args()
    namespaces.enter()
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"
    )
    print(f"{'':28} adverts  interval  off schedule   backup   status ms      plugin")
    print(f"{'':28}          median ms    worst ms      spoke  median   max")
    results = []
    for name in options.only or SCENARIOS:
        row = play(name, options.seconds)
        results.append(row)
        print(
            f"{name:28} {row['adverts']:7}  {row['interval_median_ms']:8.1f}  {row['off_schedule_max_ms']:12.1f}"
            f"  {row['adverts_of_backup']:7}  {row['status_median_ms']:6.1f}  {row['status_max_ms']:4.1f}  "
            f"{row['failures']} failures, {row['said'][:70]}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))
    return 1 if any(row["adverts_of_backup"] for row in results) else 0


if __name__ == "__main__":
    sys.exit(main())
