"""``virtual_ipaddress`` and ``unicast_peer``: addresses with their options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.config.addresses import parse_unicast, parse_vips
from hafw.config.rules import interface_mistake

if TYPE_CHECKING:
    from hafw.config.addresses import Vip
    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router
    from hafw.keepalived.report import Kind
    from hafw.vrrp.settings import IPAddress

_FLAGS = {
    "home": "has no meaning for an address that moves",
    "-nodad": "an IPv6 address is always bound without duplicate detection, so that it serves at once",
    "nodad": "an IPv6 address is always bound without duplicate detection, so that it serves at once",
    "mngtmpaddr": "has no meaning for an address that moves",
    "noprefixroute": "not needed: an address without a length makes no route",
    "autojoin": "hafw joins no multicast group for an address",
    "no_track": "an address that somebody removes is put back; that is no reason to leave",
    "use_vmac": "belongs to use_vmac of the instance",
}
_SCOPES = {"global", "link", "host"}
_KERNEL_SCOPES = {"0": "global", "universe": "global", "253": "link", "254": "host"}


@dataclass
class Address:
    """One address as config.toml will have it."""

    ip: IPAddress
    value: dict[str, Value]
    statement: Statement

    def written(self, interface: str) -> Value:
        """A text, or a table where there is more to say."""
        table = {key: each for key, each in self.value.items() if not (key == "interface" and each == interface)}
        return table["address"] if len(table) == 1 else dict(table)

    def on(self, interface: str) -> str:
        """Where it is bound."""
        return str(self.value.get("interface", interface))


@dataclass
class AddressReading:
    """Reads the addresses of one block, one in each line."""

    router: Router
    found: list[Address] = field(default_factory=list)

    def read(self, statement: Statement) -> None:
        """``192.0.2.1/24 dev eth0 label eth0:1 ...``, and what else stands in the same line."""
        words = list(statement.words)
        if statement.body is not None:
            self.router.note(statement, "dropped", "an address opens no block")
            return
        statement.told = True
        rest = self._one(words, statement)
        while rest:
            text, rest = rest[0], rest[1:]
            if _is_address(text.rstrip(";,")):
                why = f"keepalived reads one address in a line and ignored `{text}`; here it counts"
                self.router.report.add(statement.place, statement.text, "changed", why)
                rest = self._one([text, *rest], statement)
            elif text.startswith("//"):
                self.router.report.add(statement.place, statement.text, "dropped", "a comment begins with # or !")
                return
            else:
                why = f"`{text}` says nothing about an address: keepalived ignored it too"
                self.router.report.add(statement.place, statement.text, "dropped", why)

    def _one(self, words: list[str], statement: Statement) -> list[str]:
        """One address with its options; what follows them."""
        bare = words[0].rstrip(";,")
        if bare != words[0]:
            why = f"`{words[0]}` is no address, and keepalived ignored it; here it is {bare}"
            self.router.report.add(statement.place, statement.text, "changed", why)
            words = [bare, *words[1:]]
        vip, mistake = parse_address(bare)
        value: dict[str, Value] = {"address": _shortest(words[0], vip) if vip else words[0]}
        at = 1
        while at < len(words) and (words[at] in _FLAGS or words[at] in _OPTIONS):
            if words[at] in _FLAGS:
                self.router.report.add(
                    statement.place, statement.text, "dropped", f"`{words[at]}`: {_FLAGS[words[at]]}"
                )
                at += 1
                continue
            argument = words[at + 1] if at + 1 < len(words) else ""
            self._option(words[at], argument, value, statement)
            at += 2
        if vip is None:
            self.router.note(statement, "decide", f"`{words[0]}` {mistake}: left out")
        else:
            self.found.append(Address(vip.ip, value, statement))
        return words[at:]

    def _option(self, word: str, argument: str, value: dict[str, Value], statement: Statement) -> None:
        name = _KERNEL_SCOPES.get(argument, argument)
        if word == "dev" and not interface_mistake(argument):
            value["interface"] = argument
        elif word == "label" and argument:
            value["label"] = argument
        elif word == "scope" and name in _SCOPES:
            if name != "global":
                value["scope"] = name
        else:
            kind, why = _OPTIONS[word]
            self.router.report.add(statement.place, statement.text, kind, f"`{word} {argument}`: {why}")


_OPTIONS: dict[str, tuple[Kind, str]] = {
    "dev": ("decide", "is no name of an interface: bound on the instance's"),
    "label": ("dropped", "names no label"),
    "scope": ("not carried over", "hafw knows global, link and host: the usual one is taken"),
    "brd": ("dropped", "an address that moves needs no broadcast address of its own"),
    "broadcast": ("dropped", "an address that moves needs no broadcast address of its own"),
    "peer": ("decide", "hafw binds no point-to-point addresses: bound as an ordinary one"),
    "preferred_lft": ("dropped", "a virtual address is never used as a source by itself"),
    "track_group": ("dropped", "belongs to static addresses"),
    **dict.fromkeys(
        ("netmask", "mask"),
        ("dropped", "keepalived ignored it too; a length is written with the address: 192.0.2.1/24"),
    ),
}
"""Options with one word behind them, and what is said of it where it is not carried over."""


def parse_address(text: str) -> tuple[Vip | None, str]:
    """The address, or why it is none."""
    vips, mistakes = parse_vips("", [text])
    return (vips[0], "") if vips else (None, mistakes[0][1].partition(": ")[2])


def _shortest(text: str, vip: Vip) -> str:
    """Without a length where that says nothing."""
    return text.partition("/")[0] if vip.prefixlen == vip.ip.max_prefixlen else text


def _is_address(text: str) -> bool:
    return parse_address(text)[0] is not None


def complete_addresses(router: Router, addresses: list[Address], interface: str, family: int) -> list[Address]:
    """Without those that stand twice, and without labels that hafw refuses."""
    seen: set[tuple[object, str]] = set()
    kept = []
    for each in addresses:
        if (each.ip, each.on(interface)) in seen:
            router.report.add(each.statement.place, each.statement.text, "dropped", "stands there already")
            continue
        seen.add((each.ip, each.on(interface)))
        _check_label(router, each, interface)
        kept.append(each)
    for each in kept:
        if family and each.ip.version != family:
            why = (
                f"IPv{each.ip.version} among IPv{family}: keepalived ignored it; here it is bound with the others, "
                "not advertised"
            )
            router.report.add(each.statement.place, each.statement.text, "changed", why)
    return kept


def _check_label(router: Router, address: Address, interface: str) -> None:
    label, on = str(address.value.get("label", "")), address.on(interface)
    if not label:
        return
    if address.ip.version == 6:
        why = "an IPv6 address has no label"
    elif len(label.encode()) > 15 or not (label == on or label.startswith(f"{on}:")):
        why = f"a label must be at most 15 characters and begin with {on}: left out"
    else:
        return
    del address.value["label"]
    router.report.add(address.statement.place, address.statement.text, "changed", why)


def read_peers(router: Router, statement: Statement) -> list[tuple[IPAddress, Statement]]:
    """``unicast_peer { 192.0.2.2 min_ttl 255 }``."""
    found: list[tuple[IPAddress, Statement]] = []
    for each in statement.body or ():
        each.told = True
        words, first = list(each.words), each.word
        while words:
            text = words.pop(0)
            if text != first and text not in ("min_ttl", "max_ttl"):
                why = f"keepalived reads one address in a line and ignored `{text}`; here it counts"
                router.report.add(each.place, each.text, "changed", why)
            if text in ("min_ttl", "max_ttl"):
                words = words[1:]
                why = f"`{text}`: hafw accepts 255 only, which no packet from beyond a router has"
                router.report.add(each.place, each.text, "dropped", why)
                continue
            try:
                found.append((parse_unicast(text), each))
            except ValueError as error:
                router.report.add(each.place, each.text, "decide", f"`{text}` {error}: left out")
    return found


def say_of_vmac(router: Router, statement: Statement) -> None:
    """What of ``use_vmac NAME MAC`` hafw arranges by itself."""
    if statement.arguments:
        why = f"`{' '.join(statement.arguments)}`: hafw names the interface and makes the MAC address by itself"
        router.report.add(statement.place, statement.text, "changed", why)
