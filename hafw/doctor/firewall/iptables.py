"""``iptables-save`` and ``ip6tables-save``, read as rules that can be walked.

iptables(8) and iptables-extensions(8) have the words; those that are not known here make a condition that may hold.
"""

from __future__ import annotations

import shlex
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from hafw.doctor.firewall import rules
from hafw.doctor.firewall.rules import Chain, Packet, Rule, Table, Truth
from hafw.doctor.firewall.words import protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Literal

    from hafw.doctor.firewall.rules import Network, Verdict

    Condition = Callable[[Packet], Truth]

_HOOKS: Final = {
    "PREROUTING": "prerouting",
    "INPUT": "input",
    "OUTPUT": "output",
    "POSTROUTING": "postrouting",
}
_PRIORITIES: Final = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
"""Tables that can drop; ``nat`` is not meant to."""
_TARGETS: Final[Mapping[str, Verdict]] = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "REJECT": "drop",
    "RETURN": "return",
    "NOTRACK": "notrack",
    **dict.fromkeys(("MARK", "CONNMARK"), "mark"),
    **dict.fromkeys(("LOG", "NFLOG", "ULOG", "TRACE", "TCPMSS", "CHECKSUM"), "continue"),
    **dict.fromkeys(
        ("CT", "DSCP", "TOS", "CLASSIFY", "SET", "TTL", "HL", "RATEEST", "CONNSECMARK", "SECMARK"), "continue"
    ),
}
_PORTS: Final = {"--dport", "--sport", "--dports", "--sports", "--ports", "--icmp-type", "--icmpv6-type", "--tcp-flags"}


def tables(
    saved: str, family: Literal["ip", "ip6"], tool: Literal["iptables", "iptables-legacy", "iptables-nft"]
) -> list[Table]:
    """Every table in what was saved."""
    found: list[Table] = []
    name, policies, lines = "", dict[str, str](), dict[str, list[Rule]]()
    for line in saved.splitlines():
        if line.startswith("*"):
            name, policies, lines = line[1:].strip(), {}, {}
        elif line.startswith(":"):
            chain, policy, *_ = line[1:].split()
            policies[chain] = policy
        elif line.startswith("-A "):
            words = shlex.split(line)
            lines.setdefault(words[1], []).append(_rule(words[2:], line))
        elif line.startswith("COMMIT") and name in _PRIORITIES:
            chains = {chain: _chain(chain, name, policy, lines.get(chain, [])) for chain, policy in policies.items()}
            found.append(Table(family, name, tool, chains))
    return found


def _chain(name: str, table: str, policy: str, found: Sequence[Rule]) -> Chain:
    built_in = policy != "-"
    return Chain(
        name=name,
        rules=tuple(found),
        hook=_HOOKS.get(name, "") if built_in else "",
        priority=_PRIORITIES[table],
        policy="drop" if policy == "DROP" else "accept",
    )


def _rule(words: list[str], line: str) -> Rule:
    conditions = tuple(_conditions(words))
    text = line.partition(" ")[2].partition(" ")[2]
    for option in ("-g", "-j"):
        if option in words[:-1]:
            target = words[words.index(option) + 1]
            if target == "CT" and "--notrack" in words:
                target = "NOTRACK"
            if target in _TARGETS:
                return Rule(conditions, _TARGETS[target], "", text)
            if target in _UNKNOWN_TARGETS:
                return Rule(conditions, "unknown", "", text)
            return Rule(conditions, "goto" if option == "-g" else "jump", target, text)
    return Rule(conditions, "continue", "", text)


_UNKNOWN_TARGETS: Final = {"NFQUEUE", "QUEUE", "SYNPROXY", "TPROXY", "AUDIT", "CLUSTERIP", "IDLETIMER"}


def _conditions(words: Sequence[str]) -> Iterator[Condition]:
    """Each option with its values, to the target."""
    at, inverted = 0, False
    module = ""
    while at < len(words) and words[at] not in {"-j", "-g"}:
        word = words[at]
        at += 1
        if word == "!":
            inverted = True
            continue
        values = []
        while at < len(words) and not words[at].startswith("-") and words[at] != "!":
            values.append(words[at])
            at += 1
        if word == "-m":
            module = values[0] if values else ""
            if module in _MODULES:
                yield _MODULES[module]
            continue
        condition = _condition(word, values, module)
        yield rules.negated(condition) if inverted else condition
        inverted = False


_MODULES: Final[Mapping[str, Condition]] = {
    **dict.fromkeys(
        ("limit", "hashlimit", "connlimit", "recent", "statistic", "time", "quota", "u32", "bpf"), rules.maybe
    ),
    **dict.fromkeys(("tcp", "udp", "icmp", "icmp6", "sctp", "dccp", "multiport", "ah", "esp", "owner"), rules.always),
    # A reverse path filter: neighbours are on the link.
    "rpfilter": rules.always,
}
"""Modules that decide by themselves."""


def _condition(option: str, values: list[str], module: str) -> Condition:  # noqa: C901, PLR0912 - a table of words
    value = values[0] if values else ""
    match option:
        case "-i" | "--in-interface":
            return rules.on_interface("in", [value.replace("+", "*")])
        case "-o" | "--out-interface":
            return rules.on_interface("out", [value.replace("+", "*")])
        case "-p" | "--protocol":
            number = protocol_number(value)
            return rules.always if value in {"all", "0"} else rules.with_protocol(lambda own: own == number)
        case "-s" | "-d":
            networks = _networks(value)
            return (
                rules.in_networks("source" if option == "-s" else "destination", networks) if networks else rules.maybe
            )
        case "--src-range" | "--dst-range":
            first, _, last = value.partition("-")
            networks = rules.networks_between(first, last)
            return rules.in_networks("source" if option == "--src-range" else "destination", networks)
        case "--ctstate" | "--state":
            return rules.with_state(value.split(","))
        case "--pkt-type":
            return rules.of_type(["host" if value == "unicast" else value], "destination")
        case "--src-type" | "--dst-type":
            return rules.of_type(value.split(","), "source" if option == "--src-type" else "destination")
        case "--ttl-eq" | "--hl-eq" if value.isdecimal():
            return rules.with_ttl(lambda own: own == int(value))
        case "--ttl-lt" | "--hl-lt" if value.isdecimal():
            return rules.with_ttl(lambda own: own < int(value))
        case "--ttl-gt" | "--hl-gt" if value.isdecimal():
            return rules.with_ttl(lambda own: own > int(value))
        case "--mark":
            wanted, _, mask = value.partition("/")
            return rules.with_mark(int(wanted, 0), int(mask or "0xffffffff", 0))
        case "--comment":
            return rules.always
        case "--invert" if module == "rpfilter":
            return rules.never
        case "--validmark" | "--loose" | "--accept-local" if module == "rpfilter":
            return rules.always
        case _ if option in _PORTS:
            return rules.never
        case _:
            return rules.maybe


def _networks(value: str) -> list[Network]:
    try:
        return [ip_network(value, strict=False)]
    except ValueError:
        return []
