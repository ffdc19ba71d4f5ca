"""What hafw changes of the host's network beside addresses: devices with virtual MACs, and settings that they need.

Every change is written down in the run directory before it is made, with the value that was there: so a daemon, its
successor, the guard or ``hafw cleanup`` can undo it, whoever is the first that nobody needs it any more. Standard
library only: the guard imports it.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hafw import will as last_will
from hafw.wire import macvlan, rtmessages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from hafw.wire.netlink import Netlink
    from hafw.wire.rtmessages import Link

VERSION = 1
_PROC = Path("/proc/sys/net/ipv6/conf")
_WITHOUT_IPV6 = {"disable_ipv6": 1}
_QUIET = {"disable_ipv6": 0, "accept_ra": 0, "autoconf": 0, "router_solicitations": 0, "accept_dad": 0}
"""No address but ours (C-ND-16), no route, and no question before it answers (C-ND-15)."""


@dataclass(frozen=True, slots=True)
class Device:
    """One that is to be there."""

    name: str
    parent: str
    mac: str
    router: str
    families: frozenset[int]
    """Of its addresses."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One of ``net.ipv4.conf`` that we changed."""

    ifindex: int
    number: int
    before: int
    ours: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """What is to be undone."""

    devices: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.devices or self.settings)


def path() -> Path:
    """Where the record lies."""
    return last_will.run_directory() / "network.json"


def read() -> Footprint:
    """The record; empty when there is none, or none that can be read."""
    try:
        record = json.loads(path().read_text())
        if record["version"] != VERSION:
            return Footprint()
        settings = (Setting(*map(int, (each[name] for name in Setting.__slots__))) for each in record["settings"])
        return Footprint(tuple(map(str, record["devices"])), tuple(settings))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Footprint()


def write(footprint: Footprint) -> None:
    """Replace it; an empty one removes it."""
    if footprint:
        content = {"version": VERSION, **asdict(footprint)}
        last_will.replace_file(path(), json.dumps(content).encode())
    else:
        path().unlink(missing_ok=True)


def erase(netlink: Netlink) -> list[str]:
    """Undo everything; tells what could not be undone, for people."""
    return list(tend(netlink, ()).values()) if read() else []


def tend(netlink: Netlink, devices: Collection[Device]) -> dict[str, str]:
    """Bring about these devices and what they need, and undo what was done for others; by device, what went wrong.

    Raises ``OSError`` and ``MalformedMessage`` when nothing could be done. Changes nothing that is as it should be.
    """
    links = {link.name: link for link in netlink.links()}
    before = read()
    if not (devices or before):
        return {}
    after = _footprint(devices, links, before)
    going = [name for name in before.devices if name not in after.devices]
    ended = [each for each in before.settings if each not in after.settings]
    write(Footprint((*after.devices, *going), (*after.settings, *ended)))
    errors = dict(_undone(netlink, links, going, ended))
    indices = {link.index: link for link in links.values()}
    for each in after.settings:
        if indices[each.ifindex].setting(each.number) < each.ours:
            netlink.order(rtmessages.settings_request(each.ifindex, {each.number: each.ours}))
    if not errors:
        write(after)
    return errors | dict(_made(netlink, links, devices))


def _footprint(devices: Collection[Device], links: Mapping[str, Link], before: Footprint) -> Footprint:
    known = {(each.ifindex, each.number): each for each in before.settings}
    parents = {each.parent for each in devices if 4 in each.families}
    settings = []
    for link in (links[name] for name in sorted(parents & links.keys())):
        for number, least in macvlan.ON_PARENT.items():
            changed = known.get((link.index, number))
            if changed is not None:
                settings.append(changed)
            elif link.setting(number) < least:
                settings.append(Setting(link.index, number, link.setting(number), least))
    return Footprint(tuple(sorted(each.name for each in devices)), tuple(settings))


def _undone(
    netlink: Netlink, links: Mapping[str, Link], names: Collection[str], settings: Collection[Setting]
) -> Iterator[tuple[str, str]]:
    """Devices first: a setting is not restored beside an address that needs it. Nothing of others is touched."""
    for name in names:
        if name in links and macvlan.has_virtual_mac(links[name]):
            try:
                netlink.order(rtmessages.delete_link_request(links[name].index))
            except OSError as error:
                yield name, f"{name}: cannot be removed: {error.strerror}"
    indices = {link.index: link for link in links.values()}
    for each in settings:
        link = indices.get(each.ifindex)
        if link is None or link.setting(each.number) != each.ours:
            continue  # the interface is gone, or somebody else has chosen since
        try:
            netlink.order(rtmessages.settings_request(each.ifindex, {each.number: each.before}))
        except OSError as error:
            yield link.name, f"net.ipv4.conf.{link.name}.{macvlan.NAMES[each.number]}: {error.strerror}"


def _made(netlink: Netlink, links: Mapping[str, Link], devices: Collection[Device]) -> Iterator[tuple[str, str]]:
    for each in devices:
        parent = links.get(each.parent)
        if parent is None:
            continue  # it is waited for
        try:
            _make(netlink, each, parent, links.get(each.name))
        except OSError as error:
            yield each.name, f"{each.name} on {each.parent}: {_explained(error)}"


def _explained(error: OSError) -> str:
    """With the way out, where the kernel's words do not say it."""
    words = error.strerror or str(error)
    ways = {
        "Unknown device type": "this kernel has no macvlan (modprobe macvlan)",
        "Operation not supported": "this kernel has no macvlan (modprobe macvlan)",
        "Device or resource busy": "the interface is a port of a bridge or a bond: name that one",
        "Invalid argument": "a virtual MAC needs an Ethernet interface",
    }
    if error.filename:
        return f"{error.filename}: {words}: a virtual MAC with IPv6 needs it to be writable"
    return f"{words}: {ways[words]}" if words in ways else words


def _make(netlink: Netlink, device: Device, parent: Link, there: Link | None) -> None:
    if mistake := macvlan.misfit(parent) or (macvlan.deaf_host() if 4 in device.families else ""):
        raise OSError(None, mistake)
    if there is not None and not macvlan.has_virtual_mac(there):
        raise OSError(None, "there is another interface of this name: rename it")
    if there is not None and (there.parent, there.mac) != (parent.index, device.mac):
        netlink.order(rtmessages.delete_link_request(there.index))
        there = None
    if there is None:
        netlink.order(macvlan.make_request(device.name, parent.index, bytes.fromhex(device.mac.replace(":", ""))))
        there = next(link for link in netlink.links() if link.name == device.name)
        netlink.order(macvlan.alias_request(there.index, f"hafw: virtual MAC of {device.router} on {parent.name}"))
    wanted = macvlan.device_settings(parent)
    if any(there.setting(number) != value for number, value in wanted.items()):
        netlink.order(rtmessages.settings_request(there.index, wanted))
    if (_PROC / device.name).exists():  # this kernel has IPv6
        netlink.order(macvlan.no_identifier_request(there.index))
        _set_ipv6(device)


def _set_ipv6(device: Device) -> None:
    """What netlink cannot set. Without an address of the family there is no use for it."""
    forwards = _PROC / device.parent / "forwarding"
    wanted = _QUIET | {"forwarding": int(_read(forwards) or 0)} if 6 in device.families else _WITHOUT_IPV6
    for name, value in wanted.items():
        place = _PROC / device.name / name
        if _read(place) != str(value):
            place.write_text(str(value))


def _read(place: Path) -> str:
    with contextlib.suppress(OSError):
        return place.read_text().strip()
    return ""
