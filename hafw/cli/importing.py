"""``hafw import``: keepalived's files as one config.toml, and what became of every line that is not in it."""

from __future__ import annotations

import glob as globbing
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hafw.keepalived.importing import Imported, Source

USAGE, FAILED = 2, 1
_SIZE_MAX = 16 * 1024 * 1024
_BRACES_MAX = 1000


class Disk:
    """Included files and scripts, as they lie on this machine."""

    def read(self, path: str) -> str | None:
        """The text of a regular file; octets that are no UTF-8 are replaced."""
        try:
            if not stat.S_ISREG(Path(path).stat().st_mode):
                return None
            with Path(path).open("rb") as file:
                return file.read(_SIZE_MAX).decode(errors="replace")
        except (OSError, ValueError):
            return None

    def glob(self, pattern: str) -> list[str]:
        """As the shell does, ``{a,b}`` included."""
        try:
            found = [path for each in braces(pattern) for path in sorted(globbing.glob(each))]  # noqa: PTH207 - a text
        except (OSError, ValueError):
            return []
        return [path for path in dict.fromkeys(found) if Path(path).is_file()]


def braces(pattern: str) -> list[str]:
    """``a{b,c}d`` as ``abd`` and ``acd``; nested ones too."""
    found = [pattern]
    while len(found) < _BRACES_MAX:
        at = next((n for n, each in enumerate(found) if _innermost(each)), None)
        if at is None:
            break
        text = found[at]
        start, end = _innermost(text) or (0, 0)
        found[at : at + 1] = [text[:start] + word + text[end + 1 :] for word in text[start + 1 : end].split(",")]
    return list(dict.fromkeys(found))


def _innermost(text: str) -> tuple[int, int] | None:
    end = text.find("}")
    start = text.rfind("{", 0, end) if end >= 0 else -1
    return (start, end) if start >= 0 else None


@click.command(
    "import", epilog="Example: hafw import lb1.conf lb2.conf --output config.toml\n\nMore: docs/from-keepalived.md"
)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--node", "named", multiple=True, metavar="NAME=FILE", help="The file of the router with this name.")
@click.option("--id", "identity", default="", metavar="ID", help="Take the `@ID` lines of this one router only.")
@click.option(
    "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write config.toml here, not to stdout."
)
@click.option(
    "--report", "report", type=click.Path(dir_okay=False), metavar="FILE", help="Write the report here, not to stderr."
)
@click.option("--force", is_flag=True, help="Overwrite FILE of --output and --report.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
def import_(  # noqa: PLR0913 - click's options
    files: tuple[str, ...],
    *,
    named: tuple[str, ...],
    identity: str,
    output: str | None,
    report: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Convert keepalived.conf, of one router or of several, into one config.toml.

    The report has a line for every line of the input that was changed, dropped or could not be carried over, and says
    why. A router is called as `--node` says, or by its router_id, or as its file.

    Exit codes: 0 all carried over, 3 nothing usable, 4 something needs a decision.
    """
    from hafw.keepalived.importing import convert  # noqa: PLC0415 - not needed for --help

    sources = [*(_source(each, "") for each in files), *(_source(path, node) for node, path in map(_pair, named))]
    if not sources:
        raise click.UsageError("name at least one file: hafw import /etc/keepalived/keepalived.conf")
    for path in (output, report):
        if path and not force and Path(path).exists():
            raise click.UsageError(f"{path} exists: --force overwrites it")
    imported = convert(sources, Disk(), identity)
    _write(output, imported.text if imported.usable or not output else "")
    _write_report(report, imported, as_json=as_json)
    sys.exit(imported.exit_code)


def _pair(text: str) -> tuple[str, str]:
    node, equals, path = text.partition("=")
    if not node or not equals or not path or not node.isprintable():
        raise click.UsageError(f"--node {text}: must be NAME=FILE, such as lb1=lb1.conf")
    return node, path


def _source(path: str, node: str) -> Source:
    from hafw.keepalived.importing import Source  # noqa: PLC0415

    try:
        if path == "-":
            return Source("stdin", sys.stdin.buffer.read(_SIZE_MAX).decode(errors="replace"), node)
        if not Path(path).is_file():
            raise click.UsageError(f"{path}: {'no such file' if not Path(path).exists() else 'must be a file'}")
        with Path(path).open("rb") as file:
            return Source(path, file.read(_SIZE_MAX).decode(errors="replace"), node)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path}: cannot be read: {error}") from None


def _write(path: str | None, text: str) -> None:
    """A password may stand in it, so a file of it is nobody else's."""
    if not text:
        return
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        click.echo(f"hafw import: {path}: {(error.strerror or str(error)).lower()}", err=True)
        sys.exit(FAILED)


def _write_report(path: str | None, imported: Imported, *, as_json: bool) -> None:
    text = _as_json(imported) if as_json else _as_text(imported)
    if path is None:
        click.echo(text, err=True)
    else:
        _write(path, f"{text}\n")


def _as_text(imported: Imported) -> str:
    return "\n".join([*(each.render() for each in imported.report.lines()), imported.summary])


def _as_json(imported: Imported) -> str:
    return json.dumps(
        {
            "lines": [each.as_json() for each in imported.report.lines()],
            "counts": imported.report.counts(),
            "nodes": list(imported.nodes),
            "exit": imported.exit_code,
        },
        indent=2,
        ensure_ascii=False,
    )
