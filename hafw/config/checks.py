"""The checks of an instance or of a sync group: ``[instance.NAME.check.CHECK]`` and ``[group.NAME.check.CHECK]``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hafw.config.model import CheckConfig
from hafw.config.problem import Problem, did_you_mean
from hafw.config.tables import INTERVAL, CheckTable
from hafw.config.types import keys_of
from hafw.config.values import format_duration
from hafw.node import CheckSettings

if TYPE_CHECKING:
    from hafw.config.nodes import NodeReader

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
"""Of instances, groups and checks."""
_CHECK_TIMEOUT = 0.8


class ChecksReading:
    """What could be read of the checks of one table; ``path`` is its key path."""

    def __init__(self, tables: Any, path: str, reader: NodeReader, *, owner: bool, group: str) -> None:  # noqa: ANN401
        """``owner``: of instances whose priority never changes. ``group``: the sync group of an instance, or empty."""
        self.path = path
        self.plugins: dict[str, str] = {}
        """The plugin of each check, by the key path that names it."""
        self.checked_by: dict[str, str] = {}
        """The plugin of each check, by the check's name."""
        self.weights: dict[str, int | None] = {}
        """The weight of each check that has one; ``None``: it cannot be read."""
        self.names = tuple(tables) if isinstance(tables, dict) else ()
        self.configs: tuple[CheckConfig, ...] = ()
        self._reader = reader
        self._owner, self._group = owner, group
        if isinstance(tables, dict):
            found = [self._check(name, table) for name, table in tables.items()]
            self.configs = tuple(each for each in found if each is not None)
        else:
            self._blame("check", f"must be tables: [{path}.check.NAME]")

    def _blame(self, key: str, message: str, severity: Any = "error") -> None:  # noqa: ANN401
        place = self._reader.place(f"{self.path}.{key}")
        self._reader.problems.append(Problem(place, message, severity=severity))

    def _errors(self) -> int:
        return sum(each.severity == "error" for each in self._reader.problems)

    def _check(self, name: str, table: Any) -> CheckConfig | None:  # noqa: ANN401
        path, before = f"{self.path}.check.{name}", self._errors()
        if not isinstance(table, dict):
            known = [key.key for key in keys_of(CheckTable)]
            self._blame(f"check.{name}", f"must be a table: [{path}]{did_you_mean(name, known)}")
            return None
        if not NAME.fullmatch(name):
            self._blame(f"check.{name}", "a check's name must be letters, digits, _ . : and -, at most 64")
        values = self._reader.read_keys(table, CheckTable, path)
        self.checked_by[name] = values.get("plugin") or name
        self.plugins[f"{path}.plugin" if "plugin" in table else path] = self.checked_by[name]
        if "weight" in table:
            self.weights[name] = values.get("weight") or None
        self._check_rules(name, table, values)
        if self._errors() > before:
            return None
        interval = float(values.get("interval", INTERVAL))
        return CheckConfig(
            settings=CheckSettings(
                name=name,
                critical=values.get("critical", False),
                weight=values.get("weight") or 0,
                rise=values.get("rise", 2),
                fall=values.get("fall", 2),
            ),
            plugin=values.get("plugin") or name,
            reverse=values.get("reverse", False),
            interval=interval,
            timeout=float(values.get("timeout", min(_CHECK_TIMEOUT, _CHECK_TIMEOUT * interval))),
        )

    def _check_rules(self, name: str, table: dict[str, Any], values: dict[str, Any]) -> None:
        key = f"check.{name}"
        unread = {"critical", "weight"} & set(table) - set(values)
        if not unread and not values.get("critical") and "weight" not in values:
            self._blame(key, "critical = true or weight = N is required: what shall its failure do?")
        if values.get("critical") and "weight" in values:
            self._blame(f"{key}.weight", f"= {values['weight']}: has no meaning with critical = true: leave one out")
        if values.get("weight") == 0:
            self._blame(f"{key}.weight", "= 0: must be -253 to 253 and not 0, which changes nothing")
        elif "weight" in values and self._group:
            way_out = f"put the check into [group.{self._group}.check.{name}], or critical = true"
            rule = f"would shift one member of group {self._group} and not the others"
            self._blame(f"{key}.weight", f"= {values['weight']}: {rule}: {way_out}")
        elif "weight" in values and self._owner:
            self._blame(f"{key}.weight", f"= {values['weight']}: has no effect: 255 never changes", "warning")
        interval, timeout = values.get("interval", INTERVAL), values.get("timeout", 0)
        if timeout > interval and ("interval" in values or "interval" not in table):
            shown = f'= "{format_duration(timeout)}": is longer than the interval of {format_duration(interval)}'
            self._blame(f"{key}.timeout", f"{shown}: a hanging check delays the next one", "warning")
