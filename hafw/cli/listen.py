"""``hafw listen``: the adverts on the wire or in a capture, and what our configuration makes of each."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from hafw.cli.client import FAILED, attempt
from hafw.cli.listened import Teller, Where, account, record
from hafw.cli.scanned import scan_record, scan_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.cli.ears import Ear
    from hafw.config import Problem
    from hafw.vrrp.settings import RouterSettings

CAPABILITY_MISSING = 7
SCAN_SECONDS = 5.0
READ = "Ethernet, Linux cooked (SLL, SLL2) and raw IP are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The configuration to compare with."""

    routers: tuple[RouterSettings, ...]
    where: Where


@click.command(
    epilog="Examples: hafw listen -i eth0, hafw listen --pcap vrrp.pcap config.toml, hafw listen -i eth0 --scan"
    "\n\nHow to read it: docs/listen.md",
)
@click.argument("config", required=False, type=click.Path())
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IF", help="Listen here; may be repeated.")
@click.option("--pcap", metavar="FILE", help="Read a capture (pcap or pcapng) instead; - is standard input.")
@click.option("--node", metavar="NAME", help="As this router of CONFIG, not as this machine.")
@click.option("--scan", is_flag=True, help="Only list the VRIDs in use, and propose a free one.")
@click.option("-n", "count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@click.option("--for", "length", metavar="DURATION", help="End after this time, such as 30s (with --scan: 5s).")
@click.option("--json", "as_json", is_flag=True, help="One object per packet; with --scan one document.")
@click.pass_obj
def listen(  # noqa: PLR0913 - click's options
    socket: str,
    config: str | None,
    interfaces: tuple[str, ...],
    pcap: str | None,
    node: str | None,
    *,
    scan: bool,
    count: int | None,
    length: str | None,
    as_json: bool,
) -> None:
    """Show each VRRP advert on the wire, and with CONFIG why it is refused and which line differs from the sender's.

    Without CONFIG the file of the running daemon is taken, if it answers, and without -i the interfaces of the file.
    Sends nothing but the request to hear VRRP's groups; takes nothing from a running daemon. Needs CAP_NET_RAW, but
    not for --pcap.

    Exit codes: 0 fine, 1 nothing was heard, or the capture is damaged, 2 usage, 3 CONFIG cannot be used, 7 capability
    missing.
    """
    seconds = _seconds(length)
    if pcap and interfaces[1:]:
        raise click.UsageError("--pcap is heard on one interface: one -i at most")
    if scan and seconds is None and not pcap:
        seconds = SCAN_SECONDS
    ours = _ours(socket, config, node, live=not pcap)
    ear = _file(pcap, interfaces, seconds) if pcap else _live(socket, ours, interfaces, seconds)
    sys.exit(_Run(ear, ours, scan=scan, as_json=as_json).run(count, seconds))


class _Run:
    """One listening, from the first frame to the account."""

    def __init__(self, ear: Ear, ours: Ours | None, *, scan: bool, as_json: bool) -> None:
        from hafw.listen.judge import Judge  # noqa: PLC0415 - not needed for --help
        from hafw.listen.session import Session  # noqa: PLC0415

        self._ear = ear
        self._routers = ours.routers if ours else ()
        self._where = ours.where if ours else None
        self._scan = scan
        self._as_json = as_json
        self._session = Session(Judge(self._routers, ear.own))
        self._teller = Teller(self._where, dated=ear.dated, interfaces=len(ear.names) > 1)

    def run(self, count: int | None, seconds: float | None) -> int:
        """Returns the exit code."""
        from hafw.cli.ears import EarError  # noqa: PLC0415 - not needed for --help

        begin = time.monotonic()
        failure = ""
        for note in self._ear.notes:
            click.echo(note, err=True)
        with self._ear:
            try:
                self._hear(count)
            except KeyboardInterrupt:
                click.echo("", err=True)
            except EarError as error:
                failure = str(error)
            self._finish(seconds or time.monotonic() - begin, failed=bool(failure))
            for said in self._ear.afterwards(self._session):
                click.echo(said, err=True)
        if failure:
            click.echo(f"hafw listen: {failure}", err=True)
        return FAILED if failure or not (self._scan or self._session.ledger.packets) else 0

    def _hear(self, count: int | None) -> None:
        left = count
        for frame in self._ear.frames():
            heard = self._session.hear(frame)
            if heard is None:
                continue
            if self._as_json and not self._scan:
                click.echo(json.dumps(record(heard, self._where), ensure_ascii=False))
            elif not self._scan:
                for line in self._teller.tell(heard):
                    click.echo(line)
            if left is not None and (left := left - 1) == 0:
                return

    def _finish(self, seconds: float, *, failed: bool) -> None:
        session = self._session
        if failed and not session.frames:
            return
        if self._scan:
            if self._as_json:
                click.echo(json.dumps(scan_record(session, self._routers), ensure_ascii=False, indent=2))
            else:
                click.echo("\n".join(scan_text(session, self._routers, seconds)))
        elif session.ledger.packets:
            click.echo("\n".join(account(session, dated=self._ear.dated)), err=self._as_json)
        else:
            click.echo(f"hafw listen: no VRRP {self._ear.nothing(session)}", err=True)
        for link_type, frames in session.unread.items():
            click.echo(f"hafw listen: {frames} frames of link type {link_type} were not read: {READ}", err=True)


def _seconds(length: str | None) -> float | None:
    from hafw.config.values import parse_duration  # noqa: PLC0415 - not needed for --help

    if length is None:
        return None
    try:
        seconds = parse_duration(length)
    except ValueError as error:
        raise click.UsageError(f"--for {length}: {error}") from None
    if seconds == 0:
        raise click.UsageError(f"--for {length}: must be more than nothing")
    return seconds


def _file(pcap: str, interfaces: tuple[str, ...], seconds: float | None) -> Ear:
    from hafw.cli.ears import CaptureEar  # noqa: PLC0415 - not needed for --help

    return CaptureEar(pcap, interfaces, seconds)


def _live(socket: str, ours: Ours | None, interfaces: tuple[str, ...], seconds: float | None) -> Ear:
    """Open every interface, or end the program with the way out."""
    from hafw.cli.ears import EarError, LiveEar  # noqa: PLC0415 - not needed for --help

    routers = ours.routers if ours else ()
    names = tuple(dict.fromkeys(interfaces or [each.interface for each in routers]))
    if not names:
        raise click.UsageError("where to listen: -i IF, a CONFIG with interfaces, or --pcap FILE")
    idle = [name for name in names if routers and name not in {each.interface for each in routers}]
    if idle and ours:
        there = ", ".join(sorted({each.interface for each in routers}))
        click.echo(f"{ours.where.file} has no instance on {', '.join(idle)}, but on {there}", err=True)
    try:
        return LiveEar(names, routers, seconds, socket, ours.where.file if ours else "")
    except PermissionError:
        click.echo(
            "hafw listen: needs CAP_NET_RAW: run it with sudo, or let root capture and read that:\n"
            f"  sudo tcpdump -i {names[0]} -w vrrp.pcap 'ip proto 112 or ip6 proto 112'\n"
            "  hafw listen --pcap vrrp.pcap CONFIG",
            err=True,
        )
        sys.exit(CAPABILITY_MISSING)
    except EarError as error:
        raise click.UsageError(str(error)) from None


def _ours(socket: str, config: str | None, node: str | None, *, live: bool) -> Ours | None:
    """What to compare with: the file that is named, or for a live interface that of the daemon that runs here."""
    if config is not None:
        return _loaded(config, node, named=True)
    if not live:
        return None
    status = attempt(socket, {"do": "status"})
    if status is None:
        click.echo("no CONFIG and no running daemon: shows what is there, and compares it with nothing", err=True)
        return None
    return _loaded(status["config"], node or status["node"], named=False)


def _loaded(path: str, node: str | None, *, named: bool) -> Ours | None:
    """A file that this machine cannot run is good enough to compare with, as far as it can be read."""
    from hafw.cli.check import exit_code  # noqa: PLC0415 - not needed for --help
    from hafw.config import ConfigErrors, load  # noqa: PLC0415
    from hafw.config.lines import Lines  # noqa: PLC0415

    try:
        loaded, whole = load(path, node)[0], None
    except ConfigErrors as errors:
        whole = errors.partial
        try:
            loaded = load(path, node, machine=False)[0]
        except ConfigErrors as worse:
            _complain(path, worse.problems)
            if named:
                sys.exit(exit_code(worse.problems))
            click.echo("so the adverts are compared with nothing", err=True)
            return None
        _complain(path, errors.problems)
        click.echo("so what it needs of this machine, such as secrets, is not compared", err=True)
    found = {name: each.router for name, each in loaded.instances.items()}
    found |= {name: each.router for name, each in (whole.instances.items() if whole else ())}
    return Ours(routers=tuple(found.values()), where=Where(path, loaded.node_name, Lines.read(path)))


def _complain(path: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        if problem.severity == "error":
            click.echo(problem.render(path), err=True)
