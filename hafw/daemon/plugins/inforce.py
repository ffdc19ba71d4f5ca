"""The limits of a plugin process as the kernel has them, beside what was asked for: what could not be, and why."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.config.values import format_size
from hafw.daemon.plugins.processes import environment, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import PluginConfig
    from hafw.daemon.plugins.census import Watched
    from hafw.daemon.plugins.cgroup import Group

_MEMORY, _FILES, _TASKS = "Max data size", "Max open files", "Max processes"
_OWN = ("HAFW_NODE", "HAFW_PLUGIN", "HAFW_RUN", "TMPDIR")
"""Variables that hafw sets."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One limit."""

    limit: str
    configured: str
    """As the file says it; empty: there is nothing to configure."""
    in_force: str
    """As it is; empty: it is not."""
    how: str
    """By what, or why not."""


def in_force(plugin: PluginConfig, watched: Watched, *, why_not: str, counted: bool) -> tuple[InForce, ...]:
    """Everything that is to be said of this process; read from the kernel, and nothing of it from the plugin.

    ``why_not``: there is no cgroup v2, or it lacks a controller. ``counted``: the daemon can tell who is whose child.
    """
    pid, group, scratch = watched.pid, watched.group, watched.child.scratch
    held, fields = _limits(pid), fields_of(pid)
    return (
        *_identity(plugin, fields),
        _memory(plugin, held, group, why_not),
        InForce("files", str(plugin.limits.files), held.get(_FILES, ""), "RLIMIT_NOFILE, for each process"),
        _processes(plugin, held, group, counted=counted),
        _cpu(plugin, pid, group, why_not),
        _network(plugin, pid),
        InForce(
            "tmp", "", scratch.path, "TMPDIR, mode 0700, removed with the process" if scratch.path else scratch.why
        ),
        InForce("environment", "", ", ".join(_variables(pid)), "and nothing else of the daemon's"),
    )


def _identity(plugin: PluginConfig, fields: dict[str, str]) -> Iterator[InForce]:
    uid = int(fields.get("Uid", "-1").split()[0])
    yield InForce("user", plugin.user, _user(uid), "since before the plugin was loaded" if plugin.user else "")
    effective, bounding = (int(fields.get(name, "0"), 16) for name in ("CapEff", "CapBnd"))
    kept = f"{effective.bit_count()} of root's" if effective else "none"
    how = "its children may gain what setuid programs have" if bounding and not effective else ""
    yield InForce("capabilities", "", kept, how)
    forbidden = fields.get("NoNewPrivs") == "1"
    yield InForce(
        "no_new_privs", "", "yes" if forbidden else "", "" if forbidden else "the plugin declares needs_privileges"
    )


def _memory(plugin: PluginConfig, held: dict[str, str], group: Group | None, why_not: str) -> InForce:
    each = held.get(_MEMORY, "")
    shown = format_size(int(each)) if each.isdecimal() else ""
    how = "RLIMIT_DATA, for each process"
    if group is not None and (most := group.read("memory.max")).isdecimal():
        how = f"{how}; memory.max {format_size(int(most))} for all together"
    elif why := why_not or (group.refused.get("memory.max", "") if group else ""):
        how = f"{how}; not for all together: {why}"
    return InForce("memory", format_size(plugin.limits.memory), shown, how)


def _processes(plugin: PluginConfig, held: dict[str, str], group: Group | None, *, counted: bool) -> InForce:
    most = plugin.limits.processes
    if group is not None:
        tasks = group.read("pids.max")
        kernel = f"; pids.max {tasks} with threads" if tasks.isdecimal() else ""
        return InForce(
            "processes", str(most), str(most), f"counted in {group.path}{kernel}; one more, and all are killed"
        )
    if not counted:
        return InForce(
            "processes", str(most), "", "this kernel does not tell who is whose child (CONFIG_PROC_CHILDREN)"
        )
    tasks = held.get(_TASKS, "")
    how = f"counted by the daemon; one more, and all are killed; RLIMIT_NPROC {tasks}, which does not bind root"
    return InForce("processes", str(most), str(most), how)


def _cpu(plugin: PluginConfig, pid: int, group: Group | None, why_not: str) -> InForce:
    weight = str(plugin.limits.cpu_weight)
    if group is not None and (given := group.read("cpu.weight")):
        return InForce("cpu_weight", weight, given, "cpu.weight of its cgroup")
    try:
        nice = os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return InForce("cpu_weight", weight, "", "its process is gone")
    return InForce("cpu_weight", weight, f"nice {nice}", f"no cpu.weight: {why_not}" if why_not else "")


def _network(plugin: PluginConfig, pid: int) -> InForce:
    allowed = str(plugin.limits.network).lower()
    try:
        same = Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    except OSError as error:
        return InForce("network", allowed, "", f"cannot be seen: {(error.strerror or str(error)).lower()}")
    return InForce("network", allowed, "the daemon's" if same else "none", "" if same else "a namespace of its own")


def _limits(pid: int) -> dict[str, str]:
    """``/proc/PID/limits``: the soft one of each."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line[:25].strip(): line[25:].split()[0] for line in lines}


def _variables(pid: int) -> list[str]:
    names = set(environment(pid))
    return [*sorted(names - {*_OWN}), *sorted(names & {*_OWN})]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)
