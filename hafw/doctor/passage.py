"""Whether the packet filters of this machine let adverts in and out."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from hafw.doctor.finding import Finding, Unseen
from hafw.doctor.firewall.rules import blocks
from hafw.doctor.need import goodbyes, packets, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hafw.config.model import Config
    from hafw.doctor.facts import Facts
    from hafw.doctor.firewall.rules import Block, Packet

_WHY = {
    "in": "this router would not hear the MASTER, and become MASTER beside it",
    "out": "the others would not hear this router, and become MASTER beside it",
}
_IDS = {"in": "firewall-drops-incoming", "out": "firewall-drops-outgoing"}
_WORDS = {"in": "incoming", "out": "outgoing"}
_BUILT_IN = {"prerouting": "PREROUTING", "input": "INPUT", "output": "OUTPUT", "postrouting": "POSTROUTING"}


def probe(config: Config, facts: Facts) -> Iterator[Finding | Unseen]:
    """One finding for each way that is closed, with a command for each chain that closes it."""
    for place, instance, interface in places(config, facts):
        yield from _passing(place, packets(instance.router, interface), facts)
    for name, instance in config.instances.items():
        yield from _passing(f"goodbye of {name}", goodbyes(instance.router, facts), facts)
    yield from _not_walked(config, facts)


def _not_walked(config: Config, facts: Facts) -> Iterator[Unseen]:
    """Tables below IP that drop something; what has nothing to drop is of no interest."""
    bridged = any(interface.bridge for _, _, interface in places(config, facts))
    for table in facts.filters:
        drops = any(
            chain.policy == "drop" or any(rule.verdict in {"drop", "unknown"} for rule in chain.rules)
            for chain in table.chains.values()
        )
        if drops and (table.family == "arp" or (table.family == "bridge" and bridged)):
            what = {"arp": "ARP for the virtual addresses passes", "bridge": "adverts pass"}[table.family]
            name = f"{table.family} {table.name}"
            yield Unseen(
                f"whether {what} table {name}", "it drops something, and is not walked", f"nft list table {name}"
            )


def _passing(place: str, adverts: Iterable[Packet], facts: Facts) -> Iterator[Finding | Unseen]:
    closed: dict[str, dict[tuple[str, str, str], tuple[Block, Packet]]] = {}
    for packet in adverts:
        for block in blocks(facts.filters, packet):
            key = (block.table.family, block.table.name, block.chain.name)
            closed.setdefault(packet.direction, {}).setdefault(key, (block, packet))
    for direction, found in closed.items():
        yield from _closed(place, direction, list(found.values()), facts)


def _closed(place: str, direction: str, found: list[tuple[Block, Packet]], facts: Facts) -> Iterator[Finding | Unseen]:
    certain = [each for each in found if each[0].certain]
    commands, keeps = [], []
    for block, packet in certain or found:
        fix, keep = _mended(block, packet, facts)
        commands += fix
        keeps.append(keep)
    packet = found[0][1]
    if not certain:
        names = "; ".join(f"{_named(block)}: {block.because}" for block, _ in found)
        yield Unseen(
            f"whether {_WORDS[direction]} adverts of {place} pass the firewall",
            f"depends on what cannot be known from here: {names}",
            f"a rule of your own at its head decides: {'; '.join(commands)}",
        )
        return
    said = "; ".join(f"{_named(block)} ({block.because})" for block, _ in certain)
    family = f"IP protocol 112 over IPv{packet.family} to {packet.destination.network_address}"
    yield Finding(
        id=_IDS[direction],
        where=place,
        what=f"{_WORDS[direction]} adverts ({family}) are dropped by {said}",
        why=_WHY[direction],
        fix=tuple(dict.fromkeys(commands)),
        keep="; ".join(dict.fromkeys(keeps)),
    )


def _named(block: Block) -> str:
    return f"{block.table.tool} table {block.table.family} {block.table.name}"


def _mended(block: Block, packet: Packet, facts: Facts) -> tuple[list[str], str]:
    """The commands that let the packet through this chain now, and where that is kept."""
    if block.table.tool == "nft":
        if block.table.name == "firewalld" and facts.firewalld:
            return _by_firewalld(packet, facts)
        return _by_nft(block, packet, facts)
    program = {4: "iptables", 6: "ip6tables"}[packet.family] + block.table.tool.removeprefix("iptables")
    option = "-i" if packet.direction == "in" else "-o"
    seen = (
        f"{option} {packet.interface} " if block.chain.hook in {"input", "output", "prerouting", "postrouting"} else ""
    )
    table = f"-t {block.table.name} " if block.table.name != "filter" else ""
    command = f"{program} {table}-I {_BUILT_IN[block.chain.hook]} {seen}-p 112 -j ACCEPT"
    if any(name.startswith("ufw") for name in block.table.chains):
        file = {4: "before.rules", 6: "before6.rules"}[packet.family]
        chain = {"in": "input", "out": "output"}[packet.direction]
        number = "6" if packet.family == 6 else ""
        line = f"-A ufw{number}-before-{chain} {seen}-p 112 -j ACCEPT"
        return [command], f"/etc/ufw/{file}, before its COMMIT: {line}"
    version = {4: "v4", 6: "v6"}[packet.family]
    saved = f"{program}-save > /etc/iptables/rules.{version} (package iptables-persistent)"
    return [command], f"{saved}, or the script that makes these rules"


def _by_nft(block: Block, packet: Packet, facts: Facts) -> tuple[list[str], str]:
    name = "iifname" if packet.direction == "in" else "oifname"
    seen = "" if block.table.family == "netdev" else f'{name} "{packet.interface}" '
    rule = f"{block.table.family} {block.table.name} {block.chain.name} {seen}meta l4proto 112 accept"
    where = facts.nftables_file or "/etc/nftables.conf"
    keep = f"the file that makes this table ({where}), at the head of chain {block.chain.name}"
    return [f"nft {quote(f'insert rule {rule}')}"], keep


def _by_firewalld(packet: Packet, facts: Facts) -> tuple[list[str], str]:
    zone = facts.firewalld.get(packet.interface, "")
    word = f"--zone={zone} " if zone else ""
    rule = f"{word}--add-protocol=vrrp"
    return [f"firewall-cmd {rule}", f"firewall-cmd --permanent {rule}"], "the second command keeps it"
