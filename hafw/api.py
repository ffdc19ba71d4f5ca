"""All that the author of a plugin imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw import API, deprecation
from hafw.config.permissions import check_script, user_name
from hafw.config.values import Duration
from hafw.hookspecs import hookimpl
from hafw.pipe import Address, Frame, Group, GroupChange, Router, StateChange, Verdict, VipChange
from hafw.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable
else:

    def __getattr__(name: str) -> object:
        """Names that will go; a type checker shall not take every name for one of them."""
        return deprecation.name_of(__name__, name)


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
    "refuse",
    "user_name",
]


def refuse(mistakes: Iterable[tuple[str, str]]) -> None:
    """From ``configure``: all that is wrong with the options, each with its key; fine when there is nothing.

    Raises ``ValueError`` with a line ``KEY: MESSAGE`` each, which the host shows at that key of the file.
    """
    if found := list(mistakes):
        raise ValueError("\n".join(f"{key}: {message}" for key, message in found))
