"""config.toml, read and checked: every mistake at once, each with its line, its rule and the way out."""

from __future__ import annotations

from hafw.config.load import ConfigErrors, load
from hafw.config.model import CheckConfig, Config, InstanceConfig, PluginConfig
from hafw.config.problem import Problem

__all__ = ["CheckConfig", "Config", "ConfigErrors", "InstanceConfig", "PluginConfig", "Problem", "load"]
