"""What the author of a plugin tests it with: fixtures for pytest, no root needed. ``docs/plugins/testing.md``.

pytest loads ``hafw.testing.fixtures`` at every start, wherever hafw is installed; all else is imported when a fixture
is used. The names below are for annotations and for ``pytest.raises``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.testing.configuration import PluginRefused
    from hafw.testing.fixtures import BuildsLan, Simulates, StartsPlugin
    from hafw.testing.harness import PluginUnderTest
    from hafw.testing.http import HttpReceiver, Request, Response
    from hafw.testing.lan import LanUnderTest
    from hafw.testing.outcome import HookFailed, Result, Verdicts
    from hafw.testing.promises import PROMISES, PromiseBroken
    from hafw.testing.server import Cut, Delay
    from hafw.testing.simulation import Change, Simulation
    from hafw.testing.smtp import Mail, SmtpServer

__all__ = [
    "PROMISES",
    "BuildsLan",
    "Change",
    "Cut",
    "Delay",
    "HookFailed",
    "HttpReceiver",
    "LanUnderTest",
    "Mail",
    "PluginRefused",
    "PluginUnderTest",
    "PromiseBroken",
    "Request",
    "Response",
    "Result",
    "Simulates",
    "Simulation",
    "SmtpServer",
    "StartsPlugin",
    "Verdicts",
]

_HOMES = {
    "PluginRefused": "configuration",
    **dict.fromkeys(("BuildsLan", "Simulates", "StartsPlugin"), "fixtures"),
    **dict.fromkeys(("Change", "Simulation"), "simulation"),
    "PluginUnderTest": "harness",
    "LanUnderTest": "lan",
    **dict.fromkeys(("HttpReceiver", "Request", "Response"), "http"),
    **dict.fromkeys(("HookFailed", "Result", "Verdicts"), "outcome"),
    **dict.fromkeys(("PROMISES", "PromiseBroken"), "promises"),
    **dict.fromkeys(("Cut", "Delay"), "server"),
    **dict.fromkeys(("Mail", "SmtpServer"), "smtp"),
}


def __getattr__(name: str) -> object:
    """Import it from the module that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
