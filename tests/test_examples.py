"""The examples run as they stand: every file of them is given to the program that reads it in earnest."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CLASSIC = ROOT / "examples/classic"
HAPROXY = ROOT / "examples/haproxy"


def nodes(config: Path) -> list[str]:
    """The routers that one file serves: those that its priorities name."""
    (first, *_) = tomllib.loads(config.read_text(encoding="utf-8"))["instance"].values()
    return list(first["priority"])


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


CASES = [
    pytest.param(config, node, id=f"{config.parent.name}-{node}")
    for config in sorted(ROOT.glob("examples/*/config.toml"))
    for node in nodes(config)
]


@pytest.mark.parametrize(("config", "node"), CASES)
def test_configuration_passes_hafw_check_without_a_warning(config: Path, node: str):
    check = run(sys.executable, "-m", "hafw", "check", "--no-system", "--strict", "--node", node, config)
    said = [line for line in check.stderr.splitlines() if not line.startswith("not called: configure of ")]
    assert (check.returncode, said) == (0, []), check.stdout + check.stderr


def test_classic_serves_three_routers_and_active_active_two():
    assert {param.id for param in CASES} >= {
        *("classic-lb1", "classic-lb2", "classic-lb3", "active-active-lb1", "active-active-lb2"),
    }


def test_active_active_makes_each_router_the_best_of_one_address():
    instances = tomllib.loads((ROOT / "examples/active-active/config.toml").read_text("utf-8"))["instance"]
    best = [max(table["priority"], key=table["priority"].get) for table in instances.values()]
    assert sorted(best) == ["lb1", "lb2"]
    assert len({table["vrid"] for table in instances.values()}) == 2


def test_notify_script_logs_what_it_is_told(tmp_path: Path):
    """``logger`` is replaced, since a test must not write into the machine's own log."""
    logger = tmp_path / "logger"
    logger.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    logger.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HAFW_REASON": "no-response"}
    done = run(CLASSIC / "notify.sh", "INSTANCE", "VI_1", "MASTER", "150", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "-t hafw-notify INSTANCE VI_1 is MASTER, priority 150, reason no-response\n"


WEB_SERVERS = """
import http.server, subprocess, threading

def serve(address):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(address)))
            self.end_headers()
            self.wfile.write(address.encode())
        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer((address, 80), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()

print("in a namespace of my own", flush=True)
input()
subprocess.run("ip address add 192.168.161.11/24 dev web && ip address add 192.168.161.12/24 dev web"
               " && ip link set web up", shell=True, check=True)
serve("192.168.161.11")
serve("192.168.161.12")
print("listening", flush=True)
input()
"""

STAGE = """
import pathlib, subprocess, sys, time, urllib.request

def fetch(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
        return f"{answer.status} {answer.read().decode()}"

web = subprocess.Popen(["unshare", "--net", sys.executable, "-c", sys.argv[1]],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
web.stdout.readline()
subprocess.run(f"mount -t tmpfs tmpfs /run && mkdir /run/haproxy"
               f" && mount -t tmpfs tmpfs /var/log && mkdir /var/log/nginx"
               f" && ip link add name eth0 type veth peer name web netns {web.pid}"
               f" && ip address add 192.168.161.1/24 dev eth0 && ip address add 192.168.161.250/32 dev eth0"
               f" && ip link set lo up && ip link set eth0 up", shell=True, check=True)
print(file=web.stdin, flush=True)
web.stdout.readline()
"""

NGINX = """
subprocess.run(["nginx", "-c", sys.argv[2]], check=True)
print(fetch("http://127.0.0.1/healthz"))
print(*sorted(fetch("http://192.168.161.250/") for _ in range(4)), sep="\\n")
print(pathlib.Path("/run/nginx.pid").read_text().strip().isdigit())
subprocess.run(["nginx", "-c", sys.argv[2], "-s", "quit"], check=True)
web.communicate("\\n")
"""


@pytest.mark.wire
@pytest.mark.peer("nginx")
def test_nginx_balances_two_upstreams_on_the_virtual_address_and_answers_the_check():
    """In network and mount namespaces of its own, with the very addresses, port and files of the example."""
    done = run(
        *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", sys.executable, "-c"),
        *(STAGE + NGINX, WEB_SERVERS, CLASSIC / "nginx/nginx.conf"),
    )
    assert done.stdout.splitlines() == [
        "204 ",
        *["200 192.168.161.11"] * 2,
        *["200 192.168.161.12"] * 2,
        "True",
    ], done.stderr


BALANCER = """
config, haproxy_cfg = sys.argv[2:]
haproxy = subprocess.Popen(["haproxy", "-Ws", "-q", "-f", haproxy_cfg])
deadline = time.monotonic() + 30
found = set()
while len(found) < 2 and time.monotonic() < deadline:
    try:
        found.add(fetch("http://192.168.161.250/").removeprefix("200 "))
    except OSError:
        time.sleep(0.05)
print(*sorted(found), flush=True)
subprocess.run([sys.executable, "-m", "hafw", "check", "--run", "--node", "lb1", config], check=False)
haproxy.terminate()
haproxy.wait()
web.communicate("\\n")
"""


@pytest.mark.wire
@pytest.mark.long
@pytest.mark.peer("haproxy")
def test_haproxy_balances_two_servers_on_the_virtual_address_and_the_check_of_the_example_is_well():
    """As above, with the files of the pair, and as the user that Debian has for HAProxy."""
    done = run(
        *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c"),
        *(STAGE + BALANCER, WEB_SERVERS, HAPROXY / "config.toml", HAPROXY / "haproxy.cfg"),
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "192.168.161.11 192.168.161.12", done.stderr
    assert re.search(r"^VI_1 haproxy +haproxy +haproxy +ok .*HAProxy [\d.]+ answers$", done.stdout, re.MULTILINE), lines


@pytest.mark.peer("haproxy")
def test_haproxy_accepts_its_file():
    done = run("haproxy", "-c", "-f", HAPROXY / "haproxy.cfg", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    assert (done.returncode, done.stderr) == (0, "")
