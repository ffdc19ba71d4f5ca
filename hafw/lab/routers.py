"""Programs to run in the lab: hafw, its peers keepalived and FRR, and nginx, each from the same settings.

Every program gets its files in its host's directory and logs to a file there: keepalived, for one, logs to the system
console when no syslog daemon runs, and then waits for it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from hafw.lab.network import INTERFACE
from hafw.vrrp.packet import virtual_mac

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hafw.lab.network import Lab
    from hafw.vrrp.settings import IPAddress, RouterSettings

_SBIN: Final = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/lib/frr")

_START_TIMEOUT: Final = 5.0
_ANSWER_TIMEOUT: Final = 0.5

NGINX_CONFIGURATION: Final = """\
# One process, so that its death is the death of nginx and nothing of it outlives the lab.
daemon off;
master_process off;
user root;
pid {pid_file};
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 80 default_server;
        listen [::]:80 default_server;
        location = /healthz {{ return 204; }}
        location / {{ default_type text/plain; return 200 "{host}\\n"; }}
    }}
}}
"""


def program(name: str) -> str | None:
    """Where a program is; also where the PATH of ordinary users does not look."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_SBIN]))


def start_web(lab: Lab, host: str) -> subprocess.Popen[Any]:
    """Start nginx, or the responder where nginx is not installed; the page is the host's name."""
    nginx = program("nginx")
    pid_file = lab.path(host, "nginx.pid")
    with lab.path(host, "web.log").open("ab") as log:
        if nginx is None:
            return lab.python(host, "hafw.lab.responder", host, str(pid_file), stdout=log, stderr=log)
        directory = lab.path(host, "nginx")
        directory.mkdir(exist_ok=True)
        configuration = NGINX_CONFIGURATION.format(host=host, directory=directory, pid_file=pid_file)
        path = lab.path(host, "nginx.conf")
        path.write_text(configuration, encoding="utf-8")
        argv = [nginx, "-p", str(directory), "-e", "stderr", "-c", str(path)]
        return lab.popen(host, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def control_socket(lab: Lab, host: str) -> Path:
    """Where the hafw of this host listens."""
    return lab.path(host, "control.sock")


def hafw_status(lab: Lab, host: str) -> dict[str, Any]:
    """What the hafw of this host says; empty when it does not answer."""
    return ask(control_socket(lab, host))


def ask(path: Path, do: str = "status") -> dict[str, Any]:
    """The first line that the hafw that listens at this socket answers; empty when it does not."""
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(_ANSWER_TIMEOUT)
            asked.connect(str(path))
            asked.sendall(json.dumps({"do": do}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(asked.makefile("rb").readline())
            return answer
    except (OSError, ValueError):
        return {}


def hafw_state(lab: Lab, host: str) -> str:
    """The state of its instance; empty when it does not answer."""
    answer = hafw_status(lab, host)
    return str(answer["instances"][0]["state"]) if answer else ""


def hears_vrrp(lab: Lab, host: str) -> bool:
    """Whether some program on this host has a socket for VRRP (protocol 112, 0070 in the kernel's table)."""
    return ":0070 " in lab.run(host, ["cat", "/proc/net/raw", "/proc/net/raw6"])


def hafw_environment(lab: Lab, host: str) -> dict[str, str]:
    """Where the hafw of this host keeps its files: for the daemon and for any other verb."""
    directory = lab.path(host, "run")
    directory.mkdir(exist_ok=True)
    return {**os.environ, "HAFW_RUN_DIR": str(directory), "HAFW_SOCKET": str(control_socket(lab, host))}


def start_hafw(lab: Lab, host: str, configuration: str, **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401
    """Start the daemon with this ``config.toml``, as the node named after the host; ``options`` of ``Lab.popen``."""
    path = lab.path(host, "config.toml")
    path.write_text(configuration, encoding="utf-8")
    argv = ("hafw", "run", str(path), "--node", host)
    with lab.path(host, "hafw.log").open("ab") as log:
        usual: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        return lab.python(host, *argv, env=hafw_environment(lab, host), **(usual | options))


def start_keepalived(lab: Lab, host: str, configuration: str) -> subprocess.Popen[Any]:
    """Start keepalived with this ``keepalived.conf``."""
    binary = program("keepalived")
    if binary is None:
        raise FileNotFoundError("keepalived: not installed: apt-get install keepalived")
    path = lab.path(host, "keepalived.conf")
    path.write_text(configuration, encoding="utf-8")
    argv = [binary, "--dont-fork", "--log-console", "--log-detail", "--no-syslog", "--use-file", str(path)]
    for option in ("--pid", "--vrrp_pid", "--checkers_pid"):
        pid_file = lab.path(host, f"keepalived{option}")
        pid_file.unlink(missing_ok=True)  # one that was killed leaves it, and then refuses to start
        argv += [option, str(pid_file)]
    with lab.path(host, "keepalived.log").open("ab") as log:
        return lab.popen(host, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def start_frr(lab: Lab, host: str, settings: RouterSettings) -> list[subprocess.Popen[Any]]:
    """Start zebra and vrrpd, which also need a macvlan with the virtual MAC and the addresses made beforehand."""
    _make_macvlan(lab, host, settings)
    directory = lab.path(host, "frr")
    directory.mkdir(exist_ok=True)
    shutil.chown(directory, "frr", "frr")  # both drop root for this user, and it cannot be another
    path = lab.path(host, "frr.conf")
    path.write_text(frr_configuration(settings), encoding="utf-8")
    api = directory / "zserv.api"
    api.unlink(missing_ok=True)
    zebra = _start_frr_daemon(lab, host, "zebra")
    # Without interfaces vrrpd refuses to start its router, and does not try again when they appear.
    _wait_until(api.is_socket)
    return [_start_frr_daemon(lab, host, "vrrpd", "-f", str(path)), zebra]


def _start_frr_daemon(lab: Lab, host: str, name: str, *arguments: str) -> subprocess.Popen[Any]:
    binary = program(name)
    if binary is None:
        raise FileNotFoundError(f"{name}: not installed: apt-get install frr")
    directory = lab.path(host, "frr")
    argv = [binary, "-i", str(directory / f"{name}.pid"), "-z", str(directory / "zserv.api"), *arguments]
    argv += ["--vty_socket", str(directory), "-P", "0", "--log", "stdout"]
    with lab.path(host, f"{name}.log").open("ab") as log:
        return lab.popen(host, argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"a program did not start within {_START_TIMEOUT:g} s: see its log in the lab")
        time.sleep(0.01)


def _make_macvlan(lab: Lab, host: str, settings: RouterSettings) -> None:
    family, vrid = settings.family, settings.vrid
    name = f"vrrp{family}-{vrid}"
    if f"{name}@" in lab.run(host, ["ip", "-oneline", "link", "show"]):
        return
    mac = virtual_mac(vrid, family).hex(":")
    lab.run(host, f"ip link add {name} link {INTERFACE} address {mac} type macvlan mode bridge".split())
    lab.run(host, f"ip link set {name} addrgenmode none".split())
    lab.run(host, f"ip link set {name} up".split())
    addresses = [_with_length(address) for address in settings.virtual_addresses]
    if family == 6:
        # vrrpd sends from the first link-local address it finds: the last one added, which must not be virtual.
        own = next(each for each in map(ip_address, lab.addresses(host)) if each.is_link_local)
        addresses.append(f"{own + (0x5E << 32)}/64")
    for address in addresses:
        lab.run(host, ["ip", "address", "add", address, "dev", name, *(["nodad"] if family == 6 else [])])


def hafw_configuration(settings: RouterSettings) -> str:
    """One instance, as ``config.toml``."""
    lines = [
        "[instance.VI_1]",
        f'interface = "{settings.interface}"',
        f"version = {settings.version}",
        f"vrid = {settings.vrid}",
        f"priority = {settings.priority}",
        f'advertisement_interval = "{round(settings.advertisement_interval * 1000)}ms"',
        f"virtual_addresses = {[str(address) for address in settings.virtual_addresses]}",
        f"preempt = {str(settings.preempt).lower()}",
        f'flap_hold = "{settings.flap_hold:g}s"',
    ]
    if settings.password is not None:
        lines.append(f'auth = {{ type = "pass", password = "{settings.password.decode()}" }}')
    if settings.virtual_mac:
        lines.append("virtual_mac = true")
    if settings.unicast_peers:
        lines.append(f"unicast_peers = {[str(peer) for peer in settings.unicast_peers]}")
    return "\n".join(lines) + "\n"


def keepalived_configuration(settings: RouterSettings) -> str:
    """The same as ``keepalived.conf``."""
    blocks = [f"virtual_ipaddress {{\n{_listed(settings.virtual_addresses)}  }}"]
    if settings.password is not None:
        blocks.append(f"authentication {{\n    auth_type PASS\n    auth_pass {settings.password.decode()}\n  }}")
    if settings.unicast_peers:
        blocks.append(f"unicast_peer {{\n{_listed(settings.unicast_peers)}  }}")
    if settings.virtual_mac:
        blocks.append("use_vmac")
    if not settings.preempt:
        blocks.append("nopreempt")
    body = "\n  ".join(blocks)
    return f"""\
vrrp_instance {settings.name} {{
  state BACKUP
  interface {settings.interface}
  virtual_router_id {settings.vrid}
  priority {settings.priority}
  version {settings.version}
  advert_int {settings.advertisement_interval:g}
  {body}
}}
"""


def frr_configuration(settings: RouterSettings) -> str:
    """The same as ``frr.conf``; version 3 only."""
    word = "ip" if settings.family == 4 else "ipv6"
    addresses = "".join(f" vrrp {settings.vrid} {word} {address}\n" for address in settings.virtual_addresses)
    return f"""\
interface {settings.interface}
 vrrp {settings.vrid} version {settings.version}
 vrrp {settings.vrid} priority {settings.priority}
 vrrp {settings.vrid} advertisement-interval {round(settings.advertisement_interval * 1000)}
{addresses}"""


def _listed(addresses: tuple[IPAddress, ...]) -> str:
    return "".join(f"    {address}\n" for address in addresses)


def _with_length(address: IPAddress) -> str:
    return f"{address}/{address.max_prefixlen}"
