"""Network namespaces without root, and why they are refused where they are.

A process that lacks the capabilities becomes root of a user namespace of its own, which owns nothing but the networks
that it makes. Each step can be denied by somebody else: the kernel's limits, AppArmor (Ubuntu 24.04 allows the user
namespace and then takes its capabilities away), a container's seccomp profile. So every step names itself when it
fails, and ``LabRefused`` says what to do about it on this machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_NEEDED_CAPABILITIES: Final = 1 << 12 | 1 << 13 | 1 << 21
"""CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN."""

_libc = ctypes.CDLL(None, use_errno=True)


class LabRefused(Exception):  # noqa: N818 - the machine refused; nothing in the lab is wrong
    """This machine does not let us build the lab; the message says which step, why, and the way out."""


def enter() -> bool:
    """Give this process what the lab needs; call it before any thread is started.

    With the capabilities in place nothing changes. Without, it becomes root of a user namespace. ``True``: there is
    but one user, so nothing can run as another.
    """
    able = _effective_capabilities() & _NEEDED_CAPABILITIES == _NEEDED_CAPABILITIES
    if not able:
        _become_root()
    if not able or not _can_come_back():
        with step("make a network namespace to come back to"):
            _unshare(_CLONE_NEWNET)
    return _one_user()


def _become_root() -> None:
    uid, gid = os.geteuid(), os.getegid()
    with step("make a user namespace"):
        _unshare(_CLONE_NEWUSER)
    with step("become root of the user namespace"):
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")


def _can_come_back() -> bool:
    """False for the root of a user namespace that stands in a network of somebody else."""
    home = _own_network()
    try:
        _setns(home)
    except PermissionError:
        return False
    finally:
        os.close(home)
    return True


def _one_user() -> bool:
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[2]) for line in lines) == 1


def new_network() -> int:
    """Return a descriptor of a new, empty network namespace; it lives as long as the descriptor or a process in it."""
    with step("make a network namespace"), _coming_back():
        _unshare(_CLONE_NEWNET)
        return _own_network()


@contextlib.contextmanager
def inside(network: int) -> Iterator[None]:
    """Move the calling thread into a network: sockets and processes made here belong to it. Others are unaffected."""
    with _coming_back():
        _setns(network)
        yield


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Turn the operating system's refusal into ``LabRefused`` with the way out."""
    try:
        yield
    except OSError as error:
        lines = [f"cannot {name}: {error.strerror or error}", *_ways_out()]
        raise LabRefused("\n  ".join(lines)) from error


@contextlib.contextmanager
def _coming_back() -> Iterator[None]:
    home = _own_network()
    try:
        yield
    finally:
        _setns(home)
        os.close(home)


def _own_network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _setns(network: int) -> None:
    if _libc.setns(network, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _effective_capabilities() -> int:
    return int(_status("CapEff"), 16)


def _status(key: str) -> str:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    return "0"


def _setting(name: str) -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys", name.replace(".", "/")).read_text(encoding="ascii").strip()
    return ""


def _ways_out() -> list[str]:
    """What on this machine is known to deny it, each with its fix; never empty."""
    found = []
    if _setting("kernel.apparmor_restrict_unprivileged_userns") == "1":
        found.append(
            "AppArmor denies user namespaces to programs without a profile (Ubuntu 23.10 and later):"
            " sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if _setting("kernel.unprivileged_userns_clone") == "0":
        found.append("this kernel denies them to ordinary users: sudo sysctl kernel.unprivileged_userns_clone=1")
    limits = [f"user.max_{kind}_namespaces" for kind in ("user", "net")]
    found += [f"the limit is 0: sudo sysctl {limit}=10000" for limit in limits if _setting(limit) == "0"]
    if _status("Seccomp") == "2":
        found.append(
            "a seccomp filter is active, as in a container: docker run --security-opt seccomp=unconfined"
            " --security-opt apparmor=unconfined"
        )
    if os.geteuid() == 0:
        return [*found, "root lacks its capabilities here, as in a container: docker run --privileged"]
    return [*found, "root needs none of this: run it with sudo"]
