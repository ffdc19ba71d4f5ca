"""``python -m incidents``: all of them, or those that are named, and their part of docs/incidents.md written anew.

Needs root, nginx, nft and two minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from hafw.lab import namespaces
from incidents.cases import BY_NAME, INCIDENTS
from incidents.page import page
from incidents.play import play_all

PAGE: Final = Path(__file__).parents[1] / "docs/incidents.md"


def main() -> int:
    """Exit status 1 when an answer does not name the cause."""
    parser = argparse.ArgumentParser(prog="python -m incidents", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BY_NAME)}; all unless told otherwise")
    parser.add_argument("--show", action="store_true", help="print what was said; write nothing")
    chosen = parser.parse_args()
    namespaces.enter()
    played = []
    for one in play_all([BY_NAME[name] for name in chosen.names] or INCIDENTS):
        played.append(one)
        print(f"{one.incident.name:12} {'ok' if not one.complaints else 'FAILED'}", flush=True)
        for complaint in one.complaints:
            print(f"  {complaint}")
        if chosen.show:
            for each in one.said:
                print(f"{each.typed}\n{each.text}\n")
    failed = any(one.complaints for one in played)
    if not chosen.show:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(page([one for one in played if not one.complaints], before), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
