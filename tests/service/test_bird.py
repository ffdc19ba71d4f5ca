"""Users on another segment reach the address by BGP: two routers with real BIRDs, and a third one as their upstream."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.long, pytest.mark.peer("bird2")]

ADDRESS = "198.51.100.10"
ROUTER = """
router id {own};
log "{log}" all;
protocol device {{ scan time 1; }}
protocol direct hafw {{ disabled; ipv4 {{ import where net = {address}/32; }}; interface "lo"; }}
protocol static hafw_standby {{
    disabled;
    ipv4 {{ import filter {{ bgp_med = 200; accept; }}; }};
    route {address}/32 unreachable;
}}
protocol bgp upstream {{
    local {own} as 65001;
    neighbor 10.77.0.9 as 65000;
    connect retry time 1;
    connect delay time 1;
    error wait time 1, 2;
    hold time 9;
    ipv4 {{ import none; export where proto = "hafw" || proto = "hafw_standby"; }};
}}
"""
UPSTREAM = """
router id 10.77.0.9;
log "{log}" all;
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ import none; export all; }}; }}
template bgp downstream {{ local 10.77.0.9 as 65000; passive; hold time 9; ipv4 {{ import all; export none; }}; }}
protocol bgp lb1 from downstream {{ neighbor 10.77.0.1 as 65001; }}
protocol bgp lb2 from downstream {{ neighbor 10.77.0.2 as 65001; }}
"""
ON_LO = f'virtual_addresses = [{{ address = "{ADDRESS}", interface = "lo" }}]\n'
SECTION = """
[plugin.bird]
socket = "{socket}"
refresh = "500ms"
backup = ["hafw_standby"]
"""


KNOCK = """
import contextlib, socket, sys
with contextlib.suppress(ConnectionRefusedError):  # whoever has the address says that nobody listens there
    socket.create_connection((sys.argv[1], 9), 1)
"""


class Bird:
    """One of a host."""

    def __init__(self, lab, host, text):
        self.lab, self.host = lab, host
        self.socket, self.file = lab.path(host, "bird.ctl"), lab.path(host, "bird.conf")
        self.file.write_text(text.format(log=lab.path(host, "bird.log"), address=ADDRESS, own=""))
        self.start()

    def start(self):
        argv = ["bird", "-f", "-c", str(self.file), "-s", str(self.socket)]
        self.process = self.lab.popen(self.host, argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def say(self, *words):
        return self.lab.run(self.host, ["birdc", "-s", str(self.socket), *words])


class Segment:
    """Both routers and what the upstream makes of them."""

    def __init__(self, first, second, birds, upstream):
        self.lb1, self.lb2, self.birds, self.upstream = first, second, birds, upstream
        self.lab = first.lab

    def best(self):
        """By which router the upstream reaches the address; empty: by none."""
        with contextlib.suppress(subprocess.CalledProcessError, IndexError):
            words = self.lab.run("upstream", ["ip", "route", "show", f"{ADDRESS}/32"]).split()
            return words[words.index("via") + 1] if "via" in words else ""
        return ""

    def paths(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            return self.upstream.say("show", "route", "for", ADDRESS)
        return ""

    def answers(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.lab.run("upstream", [sys.executable, "-c", KNOCK, ADDRESS])
            return True
        return False


@pytest.fixture
def segment(pair, tools):
    first, second = pair
    lab = first.lab
    lab.add_host("upstream", "10.77.0.9/24")
    upstream = Bird(lab, "upstream", UPSTREAM)
    birds = {
        router.host: Bird(lab, router.host, ROUTER.replace("{own}", own))
        for router, own in ((first, "10.77.0.1"), (second, "10.77.0.2"))
    }
    for router in pair:
        text = tools.instance(virtual_addresses=None) + ON_LO
        router.write(text, SECTION.format(socket=birds[router.host].socket))
        router.launch()
    for router in pair:
        router.wait_until_ready()
    first.wait_until_it_serves()
    yield Segment(first, second, birds, upstream)
    for bird in (upstream, *birds.values()):
        bird.kill()


def until_best(segment, tools, via):
    try:
        tools.until(lambda: segment.best() == via, f"the best path is {via or 'none'}")
    except TimeoutError as error:
        looks = [bird.say("show", "protocols", "all") for bird in (segment.upstream, *segment.birds.values())]
        told = "\n".join([segment.paths(), *looks, segment.lb1.log()[-2000:]])
        raise TimeoutError(f"{error}\n{told}") from None


def test_the_best_path_follows_the_master_and_no_announcement_outlives_the_address(segment, tools):
    until_best(segment, tools, "10.77.0.1")
    tools.until(lambda: "10.77.0.2" in segment.paths(), "the standby is known too, with a worse MED")
    tools.until(segment.answers, "the address answers at the upstream")

    done = segment.lb1.hafw("handover", "--wait")
    assert done.returncode == 0, done.stderr
    until_best(segment, tools, "10.77.0.2")
    tools.until(segment.answers, "it answers from lb2")

    segment.birds["lb2"].kill()
    segment.birds["lb2"].start()
    until_best(segment, tools, "10.77.0.2")

    segment.lb2.kill_both()
    tools.until(lambda: segment.lb1.instance()["state"] == "MASTER", "lb1 takes over")
    assert ADDRESS in segment.lb2.ip("address", "show", "lo"), "whoever could take it away is dead"
    assert segment.lb2.hafw("cleanup").returncode == 0
    tools.until(lambda: "10.77.0.2" not in segment.paths(), "it went with the address")
    until_best(segment, tools, "10.77.0.1")
    tools.until(segment.answers, "it answers from lb1")

    assert segment.lb1.stop() == 0
    until_best(segment, tools, "")
