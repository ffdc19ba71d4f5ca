"""A switch and hosts on one machine: a bridge in one network namespace, each host in another, a veth between them.

Nothing of it is visible outside: the namespaces have no name, and end with the lab. So does whatever runs in them, even
when this process is killed: the janitor is told of each network as it is made.

No sysctl is needed, because /proc/sys is read-only in containers: addresses come without DAD and without the kernel's
own link-local address instead. Where it can be written, hosts are no routers, whatever this machine is.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from hafw.lab import janitor, namespaces
from hafw.lab.capture import Capture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INTERFACE: Final = "eth0"
"""The interface that every host has."""

_BRIDGE: Final = "switch"
_MAX_HOSTS: Final = 250
_CLEANUP_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Host:
    network: int
    """Descriptor of its network namespace."""
    directory: Path


class Lab:
    """Hosts on a switch; a context manager. All methods are synchronous, for one thread."""

    def __init__(self) -> None:
        """Build the switch; raise ``LabRefused`` where namespaces are denied."""
        self._hosts: dict[str, _Host] = {}
        self._switches: set[str] = set()
        self._ports: dict[str, str] = {}
        self._processes: list[subprocess.Popen[Any]] = []
        self.resources: Final = contextlib.ExitStack()
        """What else ends with the lab."""
        self._networks: list[int] = []
        self.directory: Final = _public_directory()
        argv = [sys.executable, "-I", "-S", janitor.__file__, str(self.directory)]
        self._janitor = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, process_group=0)
        try:
            self._switch = self._new_network()
            self._ip(self._switch, f"link add {_BRIDGE} type bridge mcast_snooping 0", f"link set {_BRIDGE} up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_host(self, name: str, *addresses: str) -> None:
        """Connect a host with these addresses (``192.168.161.1/24``) on its ``eth0``."""
        number = len(self._hosts) + 1
        if number > _MAX_HOSTS:
            raise ValueError(f"host {name}: the lab holds at most {_MAX_HOSTS}")
        network = self._new_network()
        directory = self.directory / name
        directory.mkdir()
        self._hosts[name] = _Host(network, directory)
        self._ip(network, "link set lo up")
        mac = f"02:00:00:00:00:{number:02x}"
        self._plug(name, INTERFACE, _BRIDGE, f"address {mac}", addresses)

    def add_interface(self, host: str, interface: str, *addresses: str) -> None:
        """Connect a host to one more switch: all interfaces of this name are on one, and no other is."""
        if interface not in self._switches:
            self._ip(self._switch, f"link add {interface} type bridge mcast_snooping 0", f"link set {interface} up")
            self._switches.add(interface)
        self._plug(host, interface, interface, "", addresses)

    def _plug(self, host: str, interface: str, switch: str, options: str, addresses: Sequence[str]) -> None:
        port, network = _port(host, interface), self._hosts[host].network
        self._ports[port] = host
        peer = f"peer name {interface} {options} netns /proc/self/fd/{network}"
        self._ip(
            self._switch,
            f"link add {port} type veth {peer}",
            f"link set {port} master {switch} addrgenmode none up",
            keep=network,
        )
        # IPv4 knows no such flag as nodad, and ip refuses it there.
        assigned = [f"addr add {one} dev {interface}" + (" nodad" if ":" in one else "") for one in addresses]
        self._ip(network, f"link set {interface} addrgenmode none", f"link set {interface} up", *assigned)

    def cable(self, interface: str, ends: Mapping[str, str]) -> None:
        """Connect two hosts by a network of their own: ``interface`` on both, with the address (and length) of each."""
        (one, address), (other, its_address) = ends.items()
        near, far = self._hosts[one].network, self._hosts[other].network
        peer = f"peer name {interface} netns /proc/self/fd/{far}"
        self._ip(near, f"link add {interface} type veth {peer}", keep=far)
        for network, own in ((near, address), (far, its_address)):
            self._ip(network, f"link set {interface} addrgenmode none up", f"addr add {own} dev {interface}")

    def path(self, host: str, name: str) -> Path:
        """Where this host keeps a file of its own; gone with the lab."""
        return self._hosts[host].directory / name

    def popen(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401
        """Start a process on a host; it ends with the lab at the latest.

        In a process group of its own, or with ``start_new_session`` in a session, as a service is.
        """
        group = None if options.get("start_new_session") else 0
        with namespaces.inside(self._hosts[host].network):
            process = subprocess.Popen(argv, process_group=group, **options)
        self._processes.append(process)
        return process

    def python(self, host: str, module: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401
        """Start one of hafw's own modules on a host, with this interpreter and from this very tree."""
        environment = dict(options.pop("env", os.environ))
        tree = str(Path(__file__).parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [tree, environment.get("PYTHONPATH")]))
        environment["TMPDIR"] = str(self._hosts[host].directory)  # what is killed leaves its temporary files to the lab
        return self.popen(host, [sys.executable, "-m", module, *arguments], env=environment, **options)

    def run(self, host: str, argv: Sequence[str]) -> str:
        """Run a short command on a host and return what it printed; raise when it fails."""
        with namespaces.inside(self._hosts[host].network):
            return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout

    def kill(self, process: subprocess.Popen[Any], signal_number: int = signal.SIGKILL) -> float:
        """Signal a process and its children as one, as a crash does; return the moment (``time.time``)."""
        moment = time.time()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        if signal_number == signal.SIGKILL:
            process.wait()
        return moment

    def cut(self, host: str, interface: str = INTERFACE) -> float:
        """Take the host's port on the switch down: no carrier at the host. Return the moment (``time.time``)."""
        self._ip(self._switch, f"link set {_port(host, interface)} down")
        return time.time()

    def mend(self, host: str, interface: str = INTERFACE) -> float:
        """Bring the port up again; return the moment."""
        self._ip(self._switch, f"link set {_port(host, interface)} up")
        return time.time()

    def lose(self, sender: str, receiver: str) -> None:
        """From now on nothing that the sender says reaches the receiver; the other direction is as it was."""
        rule = f"add rule bridge lab lost iifname {_port(sender, INTERFACE)} oifname {_port(receiver, INTERFACE)} drop"
        chain = "add chain bridge lab lost { type filter hook forward priority 0; }"
        self._nft("add table bridge lab", chain, rule)

    def lose_no_more(self) -> None:
        """Everything reaches everybody again."""
        self._nft("flush chain bridge lab lost")

    def addresses(self, host: str) -> set[str]:
        """Return the addresses on any interface of the host but ``lo``, without their lengths."""
        links = json.loads(self.run(host, ["ip", "-json", "address", "show"]))
        return {info["local"] for link in links if link["ifname"] != "lo" for info in link["addr_info"]}

    def capture(self, **options: int) -> Capture:
        """Listen to the ports of all hosts that there are, from now on; ``options`` are those of ``Capture``."""
        with namespaces.step("listen to the switch"), namespaces.inside(self._switch):
            return self.resources.enter_context(contextlib.closing(Capture(dict(self._ports), **options)))

    def close(self) -> None:
        """End everything that runs on a host, and the network with it. Again: nothing."""
        assert self._janitor.stdin is not None
        self._janitor.stdin.close()
        if self._janitor.wait(_CLEANUP_TIMEOUT):
            raise RuntimeError("the janitor could not end every process of the lab: it has said which")
        for process in self._processes:
            process.wait()
        for network in self._networks:
            os.close(network)
        self.resources.close()
        for kept in (self._networks, self._processes, self._hosts, self._switches, self._ports):
            kept.clear()

    def _new_network(self) -> int:
        network = namespaces.new_network()
        with namespaces.inside(network), contextlib.suppress(OSError):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("0", encoding="ascii")
        self._networks.append(network)
        assert self._janitor.stdin is not None
        self._janitor.stdin.write(f"{os.fstat(network).st_ino}\n")
        self._janitor.stdin.flush()
        return network

    def _nft(self, *commands: str) -> None:
        with namespaces.step("filter on the switch (package nftables)"), namespaces.inside(self._switch):
            done = subprocess.run(["nft", "; ".join(commands)], capture_output=True, text=True, check=False, timeout=10)
            if done.returncode:
                raise OSError(None, " ".join(done.stderr.split()))

    def _ip(self, network: int, *commands: str, keep: int | None = None) -> None:
        """Run ``ip`` commands in one process; ``keep`` is a descriptor that they name."""
        script = "\n".join(commands) + "\n"
        with namespaces.step("start ip (package iproute2)"), namespaces.inside(network):
            done = subprocess.run(
                ["ip", "-batch", "-"],
                input=script,
                capture_output=True,
                text=True,
                check=False,
                timeout=10,
                pass_fds=() if keep is None else (keep,),
            )
        if done.returncode:
            with namespaces.step(f"run ip {'; '.join(commands)}"):
                raise OSError(None, " ".join(done.stderr.split()))


def _port(host: str, interface: str) -> str:
    """The other end of an interface: the host's own name for the one that it always has."""
    return host if interface == INTERFACE else f"{host}-{interface}"


def _public_directory() -> Path:
    """Make a directory that programs which drop root can reach too: root's own TMPDIR may be private (pam_tmpdir)."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes its own
    open_to_all = [one for one in candidates if all(up.stat().st_mode & 0o001 for up in (one, *one.parents))]
    made = Path(tempfile.mkdtemp(prefix="hafw-lab-", dir=(open_to_all or candidates)[0]))
    made.chmod(0o755)
    return made
