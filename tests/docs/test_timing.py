"""The table of docs/timing.md is computed by the election's own code. ``make reference`` writes it anew."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pages import ROOT

from hafw.config.file import loads
from hafw.vrrp.listener import Listener

if TYPE_CHECKING:
    from hafw.vrrp.settings import RouterSettings

UPDATE = "HAFW_UPDATE_DOCS" in os.environ
PAGES = [ROOT / "docs/timing.md"]
TABLE = re.compile(r"(?<=<!-- timing -->\n).*(?=<!-- end of timing -->)", re.DOTALL)
CASES = ((2, "1s"), (3, "1s"), (3, "500ms"), (3, "200ms"), (3, "100ms"), (3, "50ms"), (3, "20ms"), (3, "10ms"))
FILE = """
[instance.VI_1]
interface = "eth0"
vrid = 51
virtual_addresses = ["192.0.2.250"]
priority = {{ lb1 = 150, lb2 = 100 }}
version = {version}
advertisement_interval = "{interval}"
skew = "{skew}"
"""


def settings(version: int, interval: str, skew: str, node: str = "lb2") -> RouterSettings:
    config, _ = loads(FILE.format(version=version, interval=interval, skew=skew), "config.toml", node)
    return config.instances["VI_1"].router


def waits(version: int, interval: str, skew: str) -> tuple[float, float, float]:
    """The skew of the second of a pair; the shortest and the longest time after silence. Seconds."""
    listener = Listener(settings(version, interval, skew))
    longest = listener.master_down_interval
    return listener.skew_time, longest - listener.settings.advertisement_interval, longest


def said(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def row(version: int, interval: str) -> str:
    ranked, soonest, latest = waits(version, interval, "ranked")
    rfc, rfc_soonest, rfc_latest = waits(version, interval, "rfc")
    own = settings(version, interval, "ranked").advertisement_interval
    cells = (
        f"{interval.replace('ms', ' ms').replace('1s', '1 s')}, version {version}",
        *(said(ranked), said(rfc), f"{said(soonest)} to {said(latest)}", f"{said(rfc_soonest)} to {said(rfc_latest)}"),
        said(own),
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    head = "| interval | skew, ranked | skew, RFC | away after silence, ranked | with the RFC's | may be late by |"
    return "\n".join(["", head, "|---|---|---|---|---|---|", *(row(*each) for each in CASES), "", ""])


def test_the_table_is_what_the_election_computes():
    for page in PAGES:
        text = page.read_text("utf-8")
        if UPDATE:
            text = TABLE.sub(lambda _: table(), text)
            page.write_text(text, "utf-8")
        assert TABLE.findall(text) == [table()], "make reference"


def test_numbers_of_other_pages_are_these():
    """31 ms and 609 ms stand in many places."""
    assert [said(waits(3, "1s", skew)[0]) for skew in ("ranked", "rfc")] == ["31 ms", "609 ms"]
