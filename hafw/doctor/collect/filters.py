"""The packet filters that are loaded, whoever has loaded them. Reading them needs root."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hafw.doctor.collect.programs import ask, found
from hafw.doctor.finding import Unseen
from hafw.doctor.firewall import iptables, nft

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from hafw.doctor.firewall.rules import Table

_LEGACY: Final[dict[str, tuple[Literal["ip", "ip6"], str]]] = {
    "ip_tables_names": ("ip", "iptables-legacy-save"),
    "ip6_tables_names": ("ip6", "ip6tables-legacy-save"),
}
_BY_NFT: Final[dict[Literal["ip", "ip6"], str]] = {"ip": "iptables-nft-save", "ip6": "ip6tables-nft-save"}
_IPTABLES_TABLES: Final = ("raw", "mangle", "filter", "security")


def tables(unseen: list[Unseen]) -> tuple[Table, ...]:
    """Every table of nftables and of iptables in both its forms."""
    return (*_nft(unseen), *_legacy(unseen))


def _nft(unseen: list[Unseen]) -> list[Table]:
    if not found("nft"):
        if Path("/sys/module/nf_tables").exists():
            unseen.append(Unseen("rules of nftables", "nft is not installed", "apt install nftables"))
        return []
    answer = ask("nft", "--json", "list", "ruleset")
    try:
        if answer is None or answer.code:
            raise ValueError(answer.error.strip().partition("\n")[0] if answer else "nft does not answer")  # noqa: TRY301
        document = json.loads(answer.output)
    except ValueError as error:
        unseen.append(Unseen("rules of nftables", f"cannot be read: {error}", "run it as root"))
        return []
    return list(_with_iptables(document))


def _with_iptables(document: dict[str, Any]) -> Iterable[Table]:
    """What iptables has put into nftables is read in iptables' own words: nft does not know its extensions."""
    listed = nft.tables(document)
    for family, program in _BY_NFT.items():
        mine = [each.name for each in listed if each.family == family and each.name in _IPTABLES_TABLES]
        if not any(nft.uses_xt(document, family, name) for name in mine):
            continue
        answer = ask(program)
        if answer is not None and not answer.code:
            listed = [each for each in listed if not (each.family == family and each.name in _IPTABLES_TABLES)]
            listed += iptables.tables(answer.output, family, "iptables-nft")
    return listed


def _legacy(unseen: list[Unseen]) -> list[Table]:
    """Only what is loaded: to ask for a table would load it."""
    read: list[Table] = []
    for file, (family, program) in _LEGACY.items():
        path = Path("/proc/thread-self/net", file)
        try:
            loaded = path.read_text(encoding="ascii").split()
        except PermissionError:
            if path.exists():
                unseen.append(
                    Unseen(f"rules of {program.removesuffix('-save')}", "need root to be read", "run it as root")
                )
            continue
        except OSError:
            continue
        if not loaded:
            continue
        answer = ask(program)
        if answer is None or answer.code:
            why = "is not installed" if answer is None else f"fails: {answer.error.strip()}"
            unseen.append(Unseen(f"rules in tables {', '.join(loaded)} of iptables-legacy", f"{program} {why}"))
        else:
            read += iptables.tables(answer.output, family, "iptables-legacy")
    return read


def firewalld(root: Path, interfaces: Iterable[str]) -> dict[str, str]:
    """The zone of each interface, where firewalld runs; it is asked, and without an answer its files are read."""
    if not (root / "run/firewalld").exists() and not (root / "etc/firewalld").exists():
        return {}
    zones: dict[str, str] = {}
    for interface in interfaces:
        answer = ask("firewall-cmd", f"--get-zone-of-interface={interface}")
        if answer is not None and not answer.code and answer.output.strip():
            zones[interface] = answer.output.strip()
            continue
        for file in sorted((root / "etc/firewalld/zones").glob("*.xml")):
            with contextlib.suppress(OSError):
                if f'<interface name="{interface}"' in file.read_text(encoding="utf-8", errors="replace"):
                    zones[interface] = file.stem
        zones.setdefault(interface, _default_zone(root))
    return zones


def _default_zone(root: Path) -> str:
    with contextlib.suppress(OSError):
        text = (root / "etc/firewalld/firewalld.conf").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            if line.startswith("DefaultZone="):
                return line.partition("=")[2].strip()
    return "public"


def nftables_file(root: Path) -> str:
    """The file that is loaded at boot."""
    candidates = ("etc/nftables.conf", "etc/sysconfig/nftables.conf")
    return next((f"/{each}" for each in candidates if (root / each).exists()), "")
