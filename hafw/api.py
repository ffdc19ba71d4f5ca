"""All that the author of a plugin imports."""

from __future__ import annotations

from hafw.config.permissions import check_script
from hafw.config.values import Duration
from hafw.hookspecs import hookimpl
from hafw.pipe import Address, Frame, Group, GroupChange, Router, StateChange, Verdict, VipChange
from hafw.secret import Secret

__all__ = [
    "API",
    "Address",
    "Duration",
    "Frame",
    "Group",
    "GroupChange",
    "Router",
    "Secret",
    "StateChange",
    "Verdict",
    "VipChange",
    "check_script",
    "hookimpl",
]

API = 1
"""Grows when a plugin that worked would no longer work. A plugin that says ``api = 1`` is refused by any other."""
