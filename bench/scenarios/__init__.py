"""Every scenario, in the order in which they are run and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.scenarios import deaths, planned, steady

if TYPE_CHECKING:
    from bench.plan import Scenario

SCENARIOS: Final[dict[str, Scenario]] = {
    one.name: one for one in (*steady.SCENARIOS[:1], *planned.SCENARIOS, *deaths.SCENARIOS, *steady.SCENARIOS[1:])
}
