"""Who else is at work here: network daemons, files that bind a virtual address, other VRRP daemons, a cloud."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from hafw.doctor.finding import Finding
from hafw.doctor.need import bound_on, group_of, virtual_addresses, where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.config.model import Config
    from hafw.doctor.facts import Facts, Managed

_KEEPING: Final = {"yes", "true", "1", "on", "static"}
_REMOVED: Final = "hafw puts them back within milliseconds, and clients may notice"


def probe(config: Config, facts: Facts) -> Iterator[Finding]:
    """All of them."""
    used: dict[str, str] = {}
    for name, instance in config.instances.items():
        for interface in dict.fromkeys(bound_on(instance).values()):
            used.setdefault(interface, name)
    for managed in facts.managed:
        if managed.interface in used:
            yield from _managed(used[managed.interface], managed)
    yield from _mentions(config, facts)
    yield from _speakers(config, facts)
    yield from _cloud(config, facts)


def _managed(name: str, managed: Managed) -> Iterator[Finding]:
    interface = managed.interface
    if managed.by == "NetworkManager":
        yield Finding(
            id="networkmanager-removes-addresses",
            where=f"{name} on {interface}",
            what=f"NetworkManager manages {interface}",
            why=f"when a connection is activated or reapplied it removes addresses that it does not know: {_REMOVED}",
            fix=(f"nmcli device set {quote(interface)} managed no",),
            keep=f"/etc/NetworkManager/conf.d/90-hafw.conf: [keyfile] unmanaged-devices=interface-name:{interface};"
            " then its own address has to come from elsewhere. Or leave it, and do not reapply while MASTER",
        )
    elif managed.keeps.lower() not in _KEEPING:
        folder = quote(f"/etc/systemd/network/{managed.file.rpartition('/')[2]}.d")
        yield Finding(
            id="networkd-removes-addresses",
            where=f"{name} on {interface}",
            what=f"systemd-networkd configures {interface} by {managed.file}, without KeepConfiguration=",
            why=f"when it starts or reconfigures the interface it removes addresses that it does not know: {_REMOVED}",
            fix=(
                f"mkdir -p {folder}",
                f"printf '[Network]\\nKeepConfiguration=static\\n' > {folder}/hafw.conf",
                "networkctl reload",
            ),
            keep="the second command keeps it",
        )


def _mentions(config: Config, facts: Facts) -> Iterator[Finding]:
    """A virtual address that a machine binds at boot is on several machines at once."""
    ours = virtual_addresses(config)
    for mention in facts.mentions:
        name = ours.get(mention.address)
        if name is None or config.instances[name].router.owner:
            continue
        yield Finding(
            id="vip-configured",
            where=where(name, config.instances[name].router),
            what=f"{mention.file}:{mention.line} gives {mention.address} to this machine",
            why="it is a virtual address: bound at boot, whoever is MASTER, so that two machines answer for it",
            fix=(f"sed -i '{mention.line}s/^/# /' {quote(mention.file)}",),
            keep="that file; then restart what reads it, or reboot. Whose own address it is: owner = true",
        )


def _speakers(config: Config, facts: Facts) -> Iterator[Finding]:
    for speaker in facts.speakers:
        shared = {
            name: each.router.vrid for name, each in config.instances.items() if each.router.vrid in speaker.vrids
        }
        if not shared:
            continue
        vrids = ", ".join(f"{vrid} ({name})" for name, vrid in shared.items())
        unit = {"keepalived": "keepalived", "ucarp": "ucarp"}.get(speaker.program)
        stop = f"systemctl disable --now {unit}" if unit else f"kill {speaker.pid}"
        yield Finding(
            id="other-daemon",
            where="this machine",
            what=f"{speaker.program} (process {speaker.pid}, {speaker.config}) serves VRID {vrids} here too",
            why="two daemons of one machine do not hear each other: both would be MASTER and bind the same addresses",
            fix=(stop,),
            keep="the first command keeps it" if unit else f"whatever starts {speaker.program} at boot",
        )


def _cloud(config: Config, facts: Facts) -> Iterator[Finding]:
    if not facts.cloud:
        return
    for name, instance in config.instances.items():
        if group_of(instance.router) is not None:
            yield Finding(
                id="cloud-without-multicast",
                where=where(name, instance.router),
                what=f"this is a machine of {facts.cloud}, whose networks carry no multicast",
                why=f"adverts to {group_of(instance.router)} reach nobody: every router becomes MASTER",
                keep=f"instance.{name}.unicast_peers in the configuration, with the addresses of the others. Gratuitous"
                " ARP moves no address there either: a notify script has to move it by the cloud's own interface",
            )
