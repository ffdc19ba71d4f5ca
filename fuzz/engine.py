"""One target under atheris: ``python -m fuzz.engine TARGET`` and libFuzzer's own arguments."""

from __future__ import annotations

import random
import shlex
import sys
from typing import TYPE_CHECKING, Any

import atheris

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzz.mutate import Change

STRUCTURED = 0.5
"""Share of the changes that know what they change."""


def main() -> None:
    """Instrument what is under test; libFuzzer ends the process."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["hafw", "fuzz", "tomllib"], enable_loader_override=False):
        from fuzz.targets import target  # noqa: PLC0415 - what is imported here is instrumented

        function = target(name)
    from fuzz.mutate import CHANGES  # noqa: PLC0415

    sys.argv[0] = f"{shlex.quote(sys.executable)} -m fuzz.engine {name}"  # how -merge starts its other half
    more: dict[str, Any] = {"custom_mutator": mutator(CHANGES[name])} if name in CHANGES else {}
    atheris.Setup(sys.argv, lambda data: function(data) and None, **more)
    atheris.Fuzz()


def mutator(change: Change) -> Callable[[bytes, int, int], bytes]:
    """A change of ours where it changes anything, otherwise libFuzzer's."""

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)  # noqa: S311 - a seed has to be a whole run
        changed = change(data, chance)[:max_size] if chance.random() < STRUCTURED else data
        return changed if changed != data else bytes(atheris.Mutate(data, max_size))

    return mutate


if __name__ == "__main__":
    main()
