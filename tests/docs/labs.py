"""A page's commands, run on hosts of a lab as an operator types them, with real daemons.

Commands without a host are lines of one shell, root's, in namespaces of its own. ``lb1#``, ``lb2#`` and ``both#`` are
machines with /etc, /run and /opt of their own (parity/machine.py), ``hafw`` and ``systemctl`` among them.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
import tomllib
from typing import TYPE_CHECKING, Final, Protocol

import configurations
import consoles
import pages

from hafw.lab.network import Lab
from parity.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consoles import Command

PATIENCE: Final = 40.0
NAMES: Final = ("lb1", "lb2")
NOT_HERE: Final = {
    **dict.fromkeys(("make", "apt-get", "python3", "/opt/hafw/bin/pip", "ln", "sudo"), "installing: hafw is there"),
    **dict.fromkeys(("reboot",), "the machine of the tests would go"),
    **dict.fromkeys(("scp", "tcpdump"), "it needs what a namespace has not"),
    **dict.fromkeys(("systemd-analyze", "journalctl", "timedatectl", "chronyc"), "there is no systemd"),
}
"""Programs that a lab leaves out, each with the reason."""
ONCE: Final = ("run", "reload", "reexec")
"""Verbs that are not asked again."""
_SHELL: Final = """\
set +m
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/page /run/bin && mount --make-shared /run
printf '#!/bin/sh\\nPYTHONPATH={tree} exec {python} -m hafw "$@"\\n' >/run/bin/hafw
which ping >/dev/null || printf '#!/bin/sh\nexec {python} {tree}/tests/docs/ping.py "$@"\n' >/run/bin/ping
chmod 755 /run/bin/*
cd /run/page
export PATH=/run/bin:$PATH:/usr/sbin:/sbin NO_COLOR=1
"""
_MACHINE: Final = """
set -e
mount -t tmpfs tmpfs /opt
mkdir -p /opt/hafw/bin
cp /run/bin/hafw /opt/hafw/bin/hafw
"""
PAIR: Final = """
[instance.VI_1]
interface = "eth0"
vrid = 51
priority = { lb1 = 150, lb2 = 100 }
advertisement_interval = "100ms"
virtual_addresses = ["192.168.161.250"]

[journal]
path = "/var/lib/hafw/journal.jsonl"
"""


class Host(Protocol):
    """Where a command is typed."""

    def shell(self, command: str) -> tuple[int, str]: ...

    def write(self, name: str, text: str) -> None: ...


class Router:
    """A machine of the lab."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.machine = Machine(lab, name)
        self.machine.must(_MACHINE)
        self.machine.must("mkdir -p /var/lib/hafw && mount -t tmpfs tmpfs /var/lib/hafw")

    def shell(self, command: str) -> tuple[int, str]:
        done = self.machine.shell(f"cd {pages.ROOT} && {command}")
        return done.returncode, done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        if name.startswith("/etc/"):
            path = self.machine.etc / name.removeprefix("/etc/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")


class Shell:
    """Root's shell on one machine; what it starts ends with it."""

    def __init__(self) -> None:
        argv = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "bash", "--norc"]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ)
        )
        self.shell(_SHELL.format(tree=pages.ROOT, python=sys.executable))

    def shell(self, command: str) -> tuple[int, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nstatus=$?; echo; echo end-of-command $status\n".encode())
        self._process.stdin.flush()
        printed, deadline = b"", time.monotonic() + PATIENCE
        descriptor = self._process.stdout.fileno()
        while b"\nend-of-command " not in printed or not printed.endswith(b"\n"):
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"# {command}: does not end:\n{printed.decode()}")
            if not (more := os.read(descriptor, 65536)):
                raise EOFError(f"# {command}: the shell ended:\n{printed.decode()}")
            printed += more
        text, _, status = printed.decode().rpartition("\nend-of-command ")
        return int(status), text

    def write(self, name: str, text: str) -> None:
        if not name.startswith("/"):
            self.shell(f"cat >{name} <<'END-OF-FILE'\n{text}END-OF-FILE")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def pair(*, started: bool) -> Iterator[dict[str, Host]]:
    """Two machines on one network, both with a hafw that serves, if it is started."""
    with Lab() as lab:
        for number, name in enumerate(NAMES, 1):
            lab.add_host(name, f"192.168.161.{number}/24")
        routers = {name: Router(lab, name) for name in NAMES}
        if started:
            for each in routers.values():
                each.write("/etc/hafw/config.toml", PAIR)
                each.machine.must(f"cp {pages.ROOT}/deploy/systemd/hafw.service /etc/systemd/system/")
                each.machine.must("systemctl start hafw")
            until(lambda: "BACKUP" in routers["lb2"].shell("hafw status | grep '(150)'")[1])
        yield dict(routers)


@contextlib.contextmanager
def one_machine() -> Iterator[Host]:
    with contextlib.closing(Shell()) as shell:
        yield shell


def play(page: Path, hosts: dict[str, Host]) -> int:
    """Run every command of the page in order; return how many. Raises ``AssertionError`` for what is not so."""
    count = 0
    for block in pages.blocks_of(page):
        if name := block.marks.get("save"):
            for host in hosts.values():
                host.write(name, block.text)
        if not consoles.is_console(block):
            continue
        for command in consoles.commands_of(block):
            for name in NAMES if command.host == "both" else (command.host,):
                if name in hosts:
                    count += _carry_out(hosts[name], command, f"{block.place}: line {command.line}")
    return count


def _carry_out(host: Host, command: Command, place: str) -> bool:
    """Run it; again, while it fails or does not print yet what the page shows. Left out: nothing."""
    programs = [command.text.split()[0], *consoles.programs(command.text)]
    if any(each in NOT_HERE for each in programs):
        return False
    deadline = time.monotonic() + PATIENCE
    while True:
        status, printed = host.shell(command.text)
        if status == 0 and (not command.shown or consoles.same(command.shown, printed)):
            return True
        if time.monotonic() > deadline or not _is_asked_again(command):
            raise AssertionError(
                f"{place}: {command.text}: exit {status}\n{printed}\nthe page shows\n{_joined(command)}"
            )
        time.sleep(0.1)


def _is_asked_again(command: Command) -> bool:
    """What only looks, and a handover that finds nobody yet."""
    words = consoles.simple_commands(command.text)[0]
    if consoles.is_hafw(words[0]):
        return not set(ONCE) & set(words)
    return words[0] in {"ping", "ip", "systemctl"}


def _joined(command: Command) -> str:
    return "\n".join(command.shown)


def until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not come to rest")
        time.sleep(0.05)


def whole_configurations(page: Path) -> list[str]:
    """Those of a page that hafw can run as they stand."""
    found = [each for each in pages.blocks_of(page) if each.language == "toml" and "refused" not in each.marks]
    return [each.text for each in found if configurations.completed(each.text).strip() == each.text.strip()]


@contextlib.contextmanager
def serving(configuration: str) -> Iterator[dict[str, Router]]:
    """Two machines that are about to serve by a configuration of a page; its own addresses are in their network."""
    instance = next(iter(tomllib.loads(configuration)["instance"].values()))
    own = {"lb1": ["192.168.161.1/24", "fe80::1/64"], "lb2": ["192.168.161.2/24", "fe80::2/64"]}
    peers = instance.get("unicast_peers", {})
    if peers:
        own = {"lb1": [f"{peers['lb2'][0]}/24"], "lb2": [f"{peers['lb1'][0]}/24"]}
    with Lab() as lab:
        for name, addresses in own.items():
            lab.add_host(name, *addresses)
        routers = {name: Router(lab, name) for name in own}
        for each in routers.values():
            each.write("/etc/hafw/config.toml", configuration)
            each.machine.must(f"cp {pages.ROOT}/deploy/systemd/hafw.service /etc/systemd/system/")
            each.machine.must("systemctl start hafw")
        yield routers


def lab_pages() -> dict[str, list[Path]]:
    """Which pages want which lab."""
    found: dict[str, list[Path]] = {}
    for page in pages.markdown():
        if name := pages.page_marks(page).get("lab"):
            found.setdefault(name, []).append(page)
    return found


def titles(found: Sequence[Path]) -> list[str]:
    return [str(each.relative_to(pages.ROOT)) for each in found]
