"""``hafw doctor``: what on this machine keeps a configuration from working, and the command that mends it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from hafw.cli.check import load_or_exit
from hafw.cli.words import counted

if TYPE_CHECKING:
    from hafw.doctor.finding import Finding, Unseen

BROKEN = 1


@click.command(epilog="Every finding, why it matters and how to mend it: docs/doctor.md")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--node", default=None, metavar="NAME", help="Look with the eyes of this node, not this machine's own.")
@click.option("--no-segment", is_flag=True, help="Do not listen to the network, and ask nobody on it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(config: str, node: str | None, *, no_segment: bool, as_json: bool) -> None:
    """Look for what on this machine keeps CONFIG from working: firewall, multicast, kernel settings, other daemons.

    It listens to the network for two intervals and asks who has the virtual addresses; it changes nothing. As root it
    sees everything; without, it says what it could not look at.

    Exit codes: 0 nothing that breaks, 1 something breaks, 3 the configuration cannot run.
    """
    # A password that only root may read keeps nobody else from being told the rest.
    loaded = load_or_exit(config, node, machine=os.geteuid() == 0)
    from hafw.doctor import diagnose  # noqa: PLC0415 - not needed for --help
    from hafw.doctor.collect import collect  # noqa: PLC0415

    findings, unseen = diagnose(loaded, collect(loaded, listen=not no_segment))
    if as_json:
        document = {
            "config": loaded.path,
            "node": loaded.node_name,
            "findings": [{**asdict(each), "severity": each.severity} for each in findings],
            "unseen": [asdict(each) for each in unseen],
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        for line in (*map(_shown, findings), *map(_not_seen, unseen)):
            click.echo("".join(each if each.isprintable() or each == "\n" else f"\\x{ord(each):02x}" for each in line))
        click.echo(_summary(findings, unseen, loaded.node_name))
    sys.exit(BROKEN if any(each.severity == "error" for each in findings) else 0)


def _shown(finding: Finding) -> str:
    """What, why, and what to do: a line each."""
    lines = [f"{finding.severity}: {finding.id}: {finding.where}: {finding.what}", f"  why:  {finding.why}"]
    lines += [f"  {'fix:' if number == 0 else '    '}  {command}" for number, command in enumerate(finding.fix)]
    if finding.keep:
        lines.append(f"  {'keep:' if finding.fix else 'fix: '} {finding.keep}")
    return "\n".join([*lines, ""])


def _not_seen(unseen: Unseen) -> str:
    way_out = f" ({unseen.way_out})" if unseen.way_out else ""
    return f"not seen: {unseen.what}: {unseen.why}{way_out}"


def _summary(findings: list[Finding], unseen: list[Unseen], node: str) -> str:
    errors = sum(each.severity == "error" for each in findings)
    counts = {"error": errors, "warning": len(findings) - errors}
    said = ", ".join(counted(count, word) for word, count in counts.items() if count)
    rest = f", {len(unseen)} not seen" if unseen else ""
    return f"{node}: {said or 'nothing found'}{rest}"
