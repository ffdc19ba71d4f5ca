"""config.toml, read and checked: every mistake at once, each with its line, its rule and the way out.

The names below are imported when they are asked for: a plugin process needs ``convert`` alone, and starts sooner
without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.config.file import ConfigErrors, load
    from hafw.config.model import CheckConfig, Config, InstanceConfig, PluginConfig, ProcessConfig
    from hafw.config.problem import Problem

__all__ = [
    "CheckConfig",
    "Config",
    "ConfigErrors",
    "InstanceConfig",
    "PluginConfig",
    "Problem",
    "ProcessConfig",
    "load",
]

_HOMES = {"ConfigErrors": "file", "load": "file", "Problem": "problem"}


def __getattr__(name: str) -> object:
    """Import it from the module that it lives in."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'model')}"), name)
