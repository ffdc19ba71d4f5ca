"""Plugins that derive from a class of hafw's, which has the hooks: module and test of each lie in ``templates``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the files of a package say of its plugin, beside the module and the test."""

    sentence: str
    """What it does, for its README."""
    example: str
    """As config.toml sets its options: what works on any machine."""
    rows: str
    """Of the table of options: key, default, meaning."""


KINDS: Final = {
    "notifier": Kind(
        sentence="tells somebody what happens",
        example='command = "/bin/echo"  # what it prints is logged\non = ["master", "fault", "split_brain"]\n',
        rows=(
            "| `command` | required | gets two arguments more: how bad it is, and a sentence |\n"
            '| `on` | `["master", "fault", "split_brain"]` | states and event types that are told |\n'
            "| `instances` | `[]` | of these only; empty: of all |\n"
        ),
    ),
    "role": Kind(
        sentence="makes a service fit the role of an instance",
        example='command = "/bin/echo"  # what it prints is logged\ninstance = "VI_1"\n',
        rows=(
            "| `command` | required | gets one argument more, `primary` or `replica` |\n"
            "| `instance` | the only one | whose role it is |\n"
            '| `group` | `""` | or of which sync group |\n'
        ),
    ),
}
