"""Every target by name. Each takes octets, tells whether they got in, and raises only when hafw is wrong.

No atheris here: the tests replay the corpus through the same functions.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"
RUNS = {
    "advert": 60_000,
    "ipv4": 60_000,
    "claim": 100_000,
    "capture": 2_000,
    "netlink": 20_000,
    "config": 1_000,
    "keepalived": 500,
    "control": 500,
    "plugin": 15_000,
    "will": 15_000,
    "inheritance": 20_000,
    "line": 15_000,
    "plans": 15_000,
    "history": 15_000,
    "outbox": 10_000,
    "leave": 15_000,
}
"""How often each is tried where nobody says for how long: about two seconds."""
_HOMES = {
    **dict.fromkeys(("advert", "ipv4", "claim", "netlink"), "wire"),
    **{name: name for name in ("control", "plugin", "keepalived")},
    "config": "configuration",
    "capture": "listen",
}


def target(name: str) -> Callable[[bytes], bool]:
    """Its function. Only what it needs is imported, since under atheris every import is taken apart."""
    function: Callable[[bytes], bool] = getattr(import_module(f"fuzz.{_HOMES.get(name, 'records')}"), name)

    def attempt(data: bytes) -> bool:
        if function(data):  # noqa: SIM103 - a branch, so that the fuzzer sees a difference and keeps both kinds
            return True
        return False

    return attempt


def inputs(name: str) -> list[Path]:
    """Its corpus."""
    return sorted((CORPUS / name).iterdir())
