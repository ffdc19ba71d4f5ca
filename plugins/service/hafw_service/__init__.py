"""Starts, stops and reloads systemd units as the role of an instance or a sync group changes.

After a takeover and beside it, never in its way. What is so already is left alone, so that being told twice does no
harm; what a newer change has made pointless is not waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from hafw.api import Router, hookimpl, refuse
from hafw.role import RoleFollower
from hafw_service.options import ROLES, Action, Options, actions, mistakes
from hafw_service.systemd import Systemd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.api import GroupChange, StateChange

MARGIN = 10.0
"""Seconds of the host's deadline beyond what the actions may take."""


class Outcome(TypedDict):
    """What became of the actions of one change."""

    output: str
    exit: int
    command: str
    """The first that failed."""


class Service(RoleFollower):
    """The units of one role."""

    def __init__(self) -> None:
        super().__init__()
        self._options = Options()
        self._actions: dict[str, tuple[Action, ...]] = {}
        """By state."""

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one change."""
        most = max((len(each) for each in self._actions.values()), default=1)
        return float(most * (self._options.timeout + self._options.settle)) + MARGIN

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.service]``."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Refuse what cannot work, units that do not exist included; nothing is started or stopped yet."""
        refuse(mistakes(options, routers, Systemd(options.mode)))
        self._options = options
        self._actions = {state: actions(getattr(options, role)) for state, role in ROLES.items()}
        self.follow(options.instance, options.group, routers)

    def fit(self, change: StateChange | GroupChange) -> Outcome | None:
        """Do the actions of this state, one after another; one that fails keeps no other one from being tried."""
        wanted = self._actions.get(change.new, ())
        if change.replayed:  # nothing has happened: what runs is not restarted
            wanted = tuple(action for action in wanted if action.states_what_is)
        if not wanted:
            return None
        systemd = Systemd(self._options.mode, lambda seconds: self.superseded(change, seconds))
        said, failed = [], ""
        for action in wanted:
            if self.superseded(change):
                said.append(f"the rest is left: it is {self.newest} by now")
                break
            problem = systemd.act(action, self._options.timeout, self._options.settle)
            said.append(f"{action}: {problem or 'done'}")
            if problem and not failed:
                failed = f"systemctl {action}"
        return Outcome(output="\n".join(said), exit=1 if failed else 0, command=failed)


plugin = Service()
