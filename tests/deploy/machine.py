"""A machine of its own for a test: this one's files, seen through an overlay, with a real systemd as process 1.

What is written there lies in memory and ends with the machine; so do its processes, its network and its control groups.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
CGROUPS = Path("/sys/fs/cgroup")
VIP = "10.77.0.250"
INSTALL = "dpkg --force-unsafe-io --install"
CONFIG = f"""\
[instance.VI_1]
interface = "eth0"
vrid = 51
advertisement_interval = "100ms"
virtual_addresses = ["{VIP}"]

[plugin.notify_script]
notify = "/etc/hafw/notify.sh"
"""
NAMED = "find /etc /lib /opt /run /tmp /usr /var -xdev -iname '*hafw*' -not -path '/var/cache/man/*'"
"""Finds every file of a package."""
NOTIFY = """\
#!/bin/sh
{ echo "$3 as $(id -un)"
  echo "oom: $(cat /proc/self/oom_score_adj)"
  echo "set-user-id: $(/usr/local/bin/set-user-id -un)"
  touch /etc/hafw/written && echo "writes /etc"
  touch /tmp/written; touch /run/hafw/written && echo "writes /run/hafw"
  ls /root >/dev/null && echo "sees /root"; } >/run/hafw/notified.new 2>&1
mv /run/hafw/notified.new /run/hafw/notified
"""

BOOT = """
set -e
root={root}
mount -t tmpfs -o mode=755 tmpfs {folder}
mkdir {folder}/upper {folder}/work $root
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work $root
cp {package} $root/root/hafw.deb
# What the real machine would start, and what it has of hafw.
rm -rf $root/etc/systemd/system $root/etc/machine-id $root/var/lib/man-db/auto-update
rm -rf $root/opt/hafw $root/etc/hafw $root/var/lib/hafw
mkdir -p $root/etc/systemd/system $root/proc $root/sys $root/run $root/tmp $root/dev
mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
mount -t tmpfs -o mode=755 tmpfs $root/dev
mkdir $root/dev/shm $root/dev/pts
mount -t devpts -o newinstance,ptmxmode=666 devpts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
for each in null zero full random urandom tty; do touch $root/dev/$each; mount --bind /dev/$each $root/dev/$each; done
{cgroups}
ip link set lo up
ip link add eth0 type veth peer name eth1
ip address add 10.77.0.1/24 dev eth0
ip link set eth0 up
ip link set eth1 up
echo booting
# Not a mere chroot: systemd makes mount namespaces of its own for its services.
mkdir -p $root/mnt
cd $root
pivot_root . mnt
umount --lazy /mnt
exec env -i container=lab /lib/systemd/systemd --unit=basic.target
"""
UNIFIED = "mount -t cgroup2 cgroup2 $root/sys/fs/cgroup"
HYBRID = """
mount -t tmpfs tmpfs $root/sys/fs/cgroup
mkdir $root/sys/fs/cgroup/systemd $root/sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup $root/sys/fs/cgroup/systemd
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup/unified
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Look again until it is so, and return what was seen."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not so after {PATIENCE:g} s")
        time.sleep(0.05)
    return seen


class Machine:
    """It runs from the moment it is made until ``close``."""

    def __init__(self, folder: Path, package: Path) -> None:
        unified = (CGROUPS / "cgroup.procs").exists()
        hierarchies = [CGROUPS] if unified else [CGROUPS / "systemd", CGROUPS / "unified"]
        self._groups = [each / f"hafw-test-{os.getpid()}" for each in hierarchies if each.exists()]
        for group in self._groups:
            group.mkdir()
        folder.mkdir()
        self.said = ""
        """By the package, when it was installed."""
        self.before: set[str] = set()
        """What has the name of a package already."""
        root = folder / "root"
        script = BOOT.format(folder=folder, root=root, package=package, cgroups=UNIFIED if unified else HYBRID)
        join = "".join(f"echo $$ >{each}/cgroup.procs\n" for each in self._groups)
        unshare = "exec unshare --mount --propagation private --pid --fork --kill-child --net --uts --ipc --cgroup"
        self._log = (folder.parent / "boot.log").open("w+")
        self._process = subprocess.Popen(
            ["sh", "-c", f'{join}{unshare} sh -c "$1"', "sh", script],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._root = f"/proc/{until(self._child, 'the machine begins')}/root"
        try:
            until(self._booted, "systemd has started")
        except TimeoutError:
            self.close()
            raise

    def _child(self) -> str:
        """The process that is number 1 there."""
        if self._process.poll() is not None:
            raise RuntimeError(f"no machine: {Path(self._log.name).read_text()}")
        return Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().strip()

    def _booted(self) -> bool:
        return "booting" in Path(self._log.name).read_text() and (
            self.run("systemctl is-active basic.target").stdout.strip() == "active"
        )

    def run(self, command: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a line as an operator types it, to its end."""
        inside = ["nsenter", "--target", self._child(), "--all", "--root", "--wd"]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        return subprocess.run(
            [*inside, "sh", "-c", command],
            env={**environment, "LANG": "C.UTF-8", "NO_COLOR": "1", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def must(self, command: str, timeout: float = PATIENCE) -> str:
        """Run it and return what it printed; raise when it fails."""
        done = self.run(command, timeout)
        if done.returncode:
            raise RuntimeError(f"# {command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def until(self, command: str, text: str = "") -> str:
        """Run it again until it succeeds and prints this."""
        seen = subprocess.CompletedProcess("", 0, "", "")

        def shown() -> bool:
            nonlocal seen
            seen = self.run(command)
            return seen.returncode == 0 and text in seen.stdout

        try:
            until(shown, command)
        except TimeoutError as error:
            journal = self.run("journalctl --no-pager -o cat -u hafw -u hafw-hardened -n 60").stdout
            raise TimeoutError(f"{error}\n{seen.stdout}{seen.stderr}\n{journal}") from None
        return seen.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of root."""
        target = Path(f"{self._root}{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def has(self, path: str) -> bool:
        return os.path.lexists(f"{self._root}{path}")

    def close(self) -> None:
        """End all of it; what is in its control groups is gone when its process 1 is."""
        with contextlib.suppress(OSError):
            os.kill(int(self._child()), signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._log.close()
        for group in self._groups:
            until(lambda group=group: not _members(group), f"{group} is empty")
            for each in sorted(group.rglob("*"), reverse=True):
                if each.is_dir():
                    each.rmdir()
            group.rmdir()


def _members(group: Path) -> list[str]:
    return [pid for each in [group, *group.rglob("*")] if each.is_dir() for pid in _pids(each)]


def _pids(group: Path) -> list[str]:
    return (group / "cgroup.procs").read_text().split()
