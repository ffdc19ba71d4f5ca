"""``hafw doctor``: what on this machine keeps a configuration from working, and the command that mends it.

``collect`` looks, ``Facts`` is what it saw, and each probe is a pure function from configuration and facts to findings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hafw.doctor import bridge, clock, links, passage, segment, settings, surroundings, unit
from hafw.doctor.finding import Finding, Unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hafw.config.model import Config
    from hafw.doctor.facts import Facts

    Probe = Callable[[Config, Facts], Iterable[Finding | Unseen]]

PROBES: Final[tuple[Probe, ...]] = (
    links.probe,
    passage.probe,
    bridge.probe,
    settings.probe,
    segment.probe,
    surroundings.probe,
    clock.probe,
    unit.probe,
)


def diagnose(config: Config, facts: Facts) -> tuple[list[Finding], list[Unseen]]:
    """What is wrong, what breaks things first; and what could not be looked at."""
    said = [each for probe in PROBES for each in _said(probe, config, facts)]
    findings = [each for each in dict.fromkeys(said) if isinstance(each, Finding)]
    unseen = [each for each in dict.fromkeys(said) if isinstance(each, Unseen)]
    return sorted(findings, key=lambda each: each.severity != "error"), [*facts.unseen, *unseen]


def _said(probe: Probe, config: Config, facts: Facts) -> list[Finding | Unseen]:
    """One probe that fails must not take the others' word."""
    try:
        return list(probe(config, facts))
    except Exception as error:  # noqa: BLE001 - whatever a machine may be like
        subject = probe.__module__.rpartition(".")[2]
        return [Unseen(f"what hafw/doctor/{subject}.py judges", f"it failed: {error!r}", "please report it")]
