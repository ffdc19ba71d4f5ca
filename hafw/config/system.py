"""Whether this machine can do what a configuration asks. Left out for the file of another machine.

What the machine has is an argument (``Interfaces``), read by the command line; only users, capabilities and file modes
are asked for here.
"""

from __future__ import annotations

import grp
import os
import pwd
import resource
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.config.permissions import check_trusted
from hafw.config.problem import Problem, enumerate_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import Config, InstanceConfig
    from hafw.pipe import Address
    from hafw.vrrp.settings import IPAddress

CAPABILITIES = "capabilities"
"""The path of a problem that is about a missing capability: ``hafw check`` exits with 7 for it."""

_BITS = {
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_NET_ADMIN": 12,
    "CAP_NET_RAW": 13,
    "CAP_IPC_LOCK": 14,
    "CAP_SYS_NICE": 23,
}
_DAEMON = ("CAP_NET_ADMIN", "CAP_NET_RAW")
_USERS = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL")


@dataclass(frozen=True, slots=True)
class Own:
    """An address that an interface has now."""

    ip: IPAddress
    prefixlen: int
    bound_by_hafw: bool = False


Interfaces = Mapping[str, tuple[Own, ...]]
"""Every interface of the machine, with its addresses."""


def missing_capabilities() -> list[str]:
    """The capabilities that the daemon needs and this process does not have in effect."""
    return _missing(_DAEMON)


def check_system(config: Config, interfaces: Interfaces) -> list[Problem]:
    """Every problem of this machine with this configuration; lines are not known here."""
    problems = [*_capabilities(config), *_users(config), *_control_group(config), *_processors(config), *_file(config)]
    problems += _journal(config)
    for instance in config.instances.values():
        problems += _instance(instance, interfaces)
    return problems


def check_devices(config: Config, misfits: Mapping[str, str], deaf: str) -> Iterator[Problem]:
    """Where a virtual MAC cannot work: ``misfits`` by interface, ``deaf`` of the whole host."""
    for name, instance in config.instances.items():
        router = instance.router
        if not router.virtual_mac:
            continue
        if misfits.get(router.interface):
            yield Problem(f"instance.{name}.virtual_mac", f"= true: {router.interface} {misfits[router.interface]}")
        if deaf and any(address.version == 4 for address in router.all_addresses):
            yield Problem(f"instance.{name}.virtual_mac", f"= true: {deaf}")


def _missing(names: tuple[str, ...]) -> list[str]:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return [name for name in names if not effective >> _BITS[name] & 1]


def _capabilities(config: Config) -> Iterator[Problem]:
    if missing := _missing(_DAEMON):
        yield _incapable(missing, "the daemon")
    users = sorted({plugin.user for plugin in config.plugins.values() if plugin.user not in {"", _me()}})
    if users and (missing := _missing(_USERS)):
        yield _incapable(missing, f"user = {enumerate_words(users)}")
    realtime = config.process.realtime
    if realtime > _limit(resource.RLIMIT_RTPRIO) and (missing := _missing(("CAP_SYS_NICE",))):
        yield _incapable(missing, f"realtime = {realtime}")
    unlimited = _limit(resource.RLIMIT_MEMLOCK) == float("inf")
    if config.process.lock_memory and not unlimited and (missing := _missing(("CAP_IPC_LOCK",))):
        yield _incapable(missing, "lock_memory = true")


def _limit(which: int) -> float:
    soft, _ = resource.getrlimit(which)
    return float("inf") if soft == resource.RLIM_INFINITY else soft


def _incapable(missing: list[str], what_for: str) -> Problem:
    names, verb = enumerate_words(missing), "is" if len(missing) == 1 else "are"
    here = "check as the daemon runs, with sudo for example, or leave the machine out with --no-system"
    way_out = f"{here}; a unit without root needs AmbientCapabilities={' '.join(missing)}"
    return Problem(CAPABILITIES, f"{names} {verb} needed for {what_for} and not in effect here: {way_out}")


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def _users(config: Config) -> Iterator[Problem]:
    for plugin in config.plugins.values():
        try:
            if plugin.user:
                pwd.getpwnam(plugin.user)
        except (KeyError, ValueError):
            message = f'= "{plugin.user}": no such user on this machine: useradd --system {plugin.user}, or "nobody"'
            yield Problem(f"plugin.{plugin.name}.user", message)


def _control_group(config: Config) -> Iterator[Problem]:
    try:
        if config.control_group:
            grp.getgrnam(config.control_group)
    except (KeyError, ValueError):
        group = config.control_group
        yield Problem("control.group", f'= "{group}": no such group on this machine: groupadd --system {group}')


def _processors(config: Config) -> Iterator[Problem]:
    """The kernel takes a list of which it has at least one, and says nothing of the others."""
    try:
        online = Path("/sys/devices/system/cpu/online").read_text(encoding="ascii").strip()
    except OSError:
        return  # a container without /sys
    spans = [tuple(map(int, span.split("-"))) for span in online.split(",")]
    for cpu in config.process.cpus:
        if not any(span[0] <= cpu <= span[-1] for span in spans):
            yield Problem("process.cpus", f"= {cpu}: this machine has no such processor, only {online}")


def _journal(config: Config) -> Iterator[Problem]:
    """The daemon runs without a journal, so this is a warning."""
    path = Path(config.journal.path)
    if not config.journal.path:
        return
    if path.exists() and not path.is_file():
        yield Problem("journal.path", f'= "{path}": is no file', severity="warning")
    elif not path.parent.is_dir():
        yield Problem(
            "journal.path", f'= "{path}": no such folder on this machine: mkdir -p {path.parent}', severity="warning"
        )
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        yield Problem("journal.path", f'= "{path}": cannot be written as {_me()}', severity="warning")


def _file(config: Config) -> Iterator[Problem]:
    """Whoever can write the file can have root run a script or a plugin of theirs."""
    if os.geteuid() == 0:
        for mistake in check_trusted(config.path, runs_as_root=False):
            yield Problem("", mistake)


def _instance(instance: InstanceConfig, interfaces: Interfaces) -> Iterator[Problem]:
    router = instance.router
    path = f"instance.{router.name}"
    places = {router.interface: f"{path}.interface"}
    for bound, key in zip(instance.addresses, instance.keys, strict=True):
        address = replace(bound, interface=router.interface) if router.virtual_mac else bound
        places.setdefault(address.interface, f"{key}.interface")
        if address.interface in interfaces:
            yield from _address(address, interfaces[address.interface], key, owner=router.owner)
    for name, place in places.items():
        if name not in interfaces:
            there = enumerate_words(sorted(interfaces)) if interfaces else "none"
            message = f'= "{name}": does not exist here (there is {there}): it is waited for'
            yield Problem(place, message, severity="warning")
    everywhere = {own.ip for addresses in interfaces.values() for own in addresses}
    for peer in router.unicast_peers:
        if peer in everywhere:
            message = f'"{peer}" is an address of this machine: name the others only, by node if need be'
            yield Problem(f"{path}.unicast_peers", message)
    if router.source_address is not None and router.source_address not in everywhere:
        message = f'= "{router.source_address}": no interface has it now: it is waited for'
        yield Problem(f"{path}.source_address", message, severity="warning")


def _is_secondary(ip: IPAddress, permanent: list[Own]) -> bool:
    """Whether the interface has an address of the same subnet that was there before: only then can this one move."""
    first = next(each for each in permanent if ip in ip_interface(f"{each.ip}/{each.prefixlen}").network)
    return first.ip != ip


def _address(address: Address, own: tuple[Own, ...], key: str, *, owner: bool) -> Iterator[Problem]:
    ip = ip_address(address.address)
    # A kernel before 5.18 does not tell whose an address is; nobody's own address is as narrow as a virtual one.
    narrow = (ip, ip.max_prefixlen)
    permanent = [each for each in own if not each.bound_by_hafw and (each.ip, each.prefixlen) != narrow]
    if any(each.ip == ip for each in permanent):
        if not owner and _is_secondary(ip, permanent):
            rule = f"is on {address.interface} already, beside its own: does keepalived run here?"
            yield Problem(key, f'= "{ip}": {rule} Stop it before hafw starts', severity="warning")
        elif not owner:
            rule = f"is {address.interface}'s own address already"
            yield Problem(key, f'= "{ip}": {rule}: choose a free one, or owner = true with priority 255')
        return
    if owner and not any(each.ip == ip for each in own):
        message = f'= "{ip}": is not an address of {address.interface}, though owner = true says so'
        yield Problem(key, message, severity="warning")
    subnets = {
        ip_interface(f"{each.ip}/{each.prefixlen}").network for each in permanent if each.ip.version == ip.version
    }
    wide = sorted(str(subnet) for subnet in subnets if subnet.prefixlen < subnet.max_prefixlen)
    if not any(ip in subnet for subnet in subnets):
        having = f"outside every subnet of {address.interface} ({', '.join(wide) or 'it has none'})"
        yield Problem(key, f'= "{ip}": is {having}: neighbours may not reach it', severity="warning")
