"""What a plugin process may not do. Linux only; everything here acts on the calling process.

``before_loading`` runs before any code of the plugin. It cannot know yet what the plugin needs, so it leaves the
rights that ``before_calling`` takes away once the plugin has said so: to become nobody, to shrink the bounding set, and
to read Python's own files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.pipe import Start

OOM_SCORE = 500
"""The kernel ends plugins before anything of hafw, and before most of the rest."""
NOBODY = "nobody"

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_READ_SEARCH = 2
_CAP_SETPCAP = 8
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a plugin declares, as attributes of itself or of its module."""

    root: bool = False
    """``needs_root``: root's capabilities, even if it is a check."""
    privileges: bool = False
    """``needs_privileges``: its children may be setuid programs such as sudo or sendmail."""
    exposed: bool = False
    """It has a ``check``, ``monitor`` or ``serve``: it listens to others, for ever."""


class CannotConfineError(Exception):
    """A limit that was asked for cannot be: its key below ``[plugin.NAME]``, and value and reason."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def before_loading(start: Start) -> None:
    """Limits, priority, network, and the configured user; raises ``CannotConfineError``."""
    with contextlib.suppress(OSError):  # read-only in some containers, and then nobody's concern
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, start.files)
    # Against thousands in the time that the daemon needs to see them: it counts those of this plugin.
    _lower(resource.RLIMIT_NPROC, start.tasks)
    # Not RLIMIT_AS: every thread reserves tens of megabytes of addresses that it never touches.
    _lower(resource.RLIMIT_DATA, start.memory)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        _be_nice(start.nice)
        os.sched_setaffinity(0, _processors())
    os.umask(0o022)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if not start.network:
        _leave_network()
    if start.user:
        _become_configured(start.user, start.scratch)
    _die_with(start.parent)


def before_calling(start: Start, needs: Needs) -> None:
    """Take away the rest, now that the plugin has said what it needs."""
    as_root, user = os.geteuid() == 0, start.user
    keeps_root = as_root and (needs.root or user == "root")
    if not keeps_root and not needs.privileges:
        _empty_bounding_set()
    if as_root and needs.exposed and not needs.root and not user:
        # In a user namespace there may be nobody else to become; without capabilities it is harmless enough.
        with contextlib.suppress(OSError, KeyError):
            _become(pwd.getpwnam(NOBODY), start.scratch)
    if not keeps_root:
        _set_capabilities(0)
    if not needs.privileges:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _die_with(start.parent)


def _processors() -> set[int]:
    """Those that the daemon had before it took fewer; all, if it took what it was given."""
    left = os.environ.pop("HAFW_CPUS", "")
    return {int(each) for each in left.split(",")} if left else set(range(os.cpu_count() or 1))


def _be_nice(nice: int) -> None:
    """Never before others as the daemon is, and with autogroups also beside the other sessions of the machine."""
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
    if nice:
        with contextlib.suppress(OSError):  # a kernel without them
            Path("/proc/self/autogroup").write_text(str(nice))


def _leave_network() -> None:
    """For a namespace with nothing in it, not even a loopback that is up."""
    if _libc.unshare(_CLONE_NEWNET) == 0:
        return
    reason = os.strerror(ctypes.get_errno()).lower()
    user, group = os.geteuid(), os.getegid()
    if user == 0 or _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        way_out = "it takes CAP_SYS_ADMIN, or user namespaces for everybody (systemd: RestrictNamespaces=no)"
        raise CannotConfineError("limits.network", f"= false: {reason}: {way_out}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def _become_configured(user: str, scratch: str) -> None:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        # In the words of the check of the system, so that `hafw check` shows one mistake and not two.
        reason = f'no such user on this machine: useradd --system {user}, or "nobody"'
        raise CannotConfineError("user", f'= "{user}": {reason}') from None
    if entry.pw_uid == os.geteuid():
        return
    _prctl(_PR_SET_KEEPCAPS, 1)
    try:
        _become(entry, scratch)
    except OSError as error:
        reason = f"{(error.strerror or str(error)).lower()}: it takes CAP_SETUID and CAP_SETGID"
        raise CannotConfineError("user", f'= "{user}": {reason}') from None
    # Python itself may lie where only root can read (/root/venv): reading stays allowed while the plugin is loaded.
    _set_capabilities(1 << _CAP_SETPCAP | 1 << _CAP_DAC_READ_SEARCH)


def _become(entry: pwd.struct_passwd, scratch: str) -> None:
    if scratch:
        os.chown(scratch, entry.pw_uid, entry.pw_gid)
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)


def _die_with(parent: int) -> None:
    """Never outlive the daemon. Every change of the user forgets this, so it is said again after each."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _empty_bounding_set() -> None:
    """As far as we may: without CAP_SETPCAP ``no_new_privs`` makes it meaningless anyway."""
    capability = 0
    while _libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) >= 0:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        capability += 1


def _set_capabilities(permitted: int) -> None:
    """Exactly these of those that we have, permitted and effective; nothing is inheritable."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    if _libc.capget(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capget failed")
    for word in range(2):
        kept = data[3 * word + 1] & (permitted >> (32 * word)) & 0xFFFFFFFF
        data[3 * word], data[3 * word + 1], data[3 * word + 2] = kept, kept, 0
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset failed")


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")
