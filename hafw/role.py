"""The role of one instance or of one sync group, for plugins that make the machine fit it. Part of the API.

Such a plugin derives its class from ``RoleFollower``, which has the hooks, and says in ``fit`` what a role means.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from hafw.hookspecs import hookimpl
from hafw.pipe import LATEST, GroupChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.pipe import Group, Router, StateChange

__all__ = ["RoleFollower", "subject_mistakes"]


def subject_mistakes(instance: str, group: str, routers: Sequence[Router]) -> Iterator[tuple[str, str]]:
    """For ``refuse``: whose role it is has to be clear, for what one instance starts another one must not stop."""
    names = [router.name for router in routers]
    groups = sorted({router.group for router in routers if router.group})
    if instance and group:
        yield "group", f'= "{group}": instance says whose role it is already: leave one of the two out'
    elif group and group not in groups:
        known = f"must be one of {', '.join(groups)}" if groups else "there is no sync group"
        yield "group", f'= "{group}": {known}'
    elif instance and instance not in names:
        yield "instance", f'= "{instance}": must be one of {", ".join(names)}'
    elif not instance and not group and len(names) > 1:
        hint = f', or group = "{groups[0]}"' if groups else ""
        yield "instance", f"is missing: whose role is it? One of {', '.join(names)}{hint}"


class RoleFollower(ABC):
    """The hooks of a plugin that makes the machine fit a role: ``docs/plugins/role.md`` has a whole one.

    Its event hooks are ``became_master``, ``became_backup``, ``faulted``, ``stopped``, ``group_changed`` and ``event``.
    ``options`` and ``configure`` are the plugin's own. It sets ``delivery = "latest"`` and ``replay = True``.
    """

    delivery = LATEST
    """Only the present role matters."""
    replay = True
    """A new process makes the machine fit the role that there is."""

    subject = ""
    """The instance, or the group, whose role it is."""
    _is_group = False
    _follows = False
    """Whether somebody has said whose role it is."""
    _newest: tuple[str, str] = ("", "")
    """Time and state of the last change that the stream told: ahead of the hooks, which come one at a time."""
    _news: threading.Condition

    def __new__(cls, *_arguments: object, **_named: object) -> Self:
        """All of its state: it is there although a plugin's own ``__init__`` forgets to call this class's."""
        follower = super().__new__(cls)
        follower._news = threading.Condition()
        return follower

    def follow(self, instance: str, group: str, routers: Sequence[Router]) -> None:
        """From ``configure``, when ``subject_mistakes`` has found nothing: whose role it is.

        Neither ``instance`` nor ``group``: the first of ``routers``. Raises ``ValueError`` for one that is not there.
        Changes before it is called are failures.
        """
        wrong = [*subject_mistakes(instance, group, routers)] if instance or group else []
        if wrong:
            raise ValueError("\n".join(f"{key}: {message}" for key, message in wrong))
        self.subject = group or instance or (routers[0].name if routers else "")
        self._is_group = bool(group)
        self._follows = True

    @abstractmethod
    def fit(self, change: StateChange | GroupChange) -> Mapping[str, Any] | None:
        """Make it fit ``change.new``; what is returned is what the hook returns. To be overridden.

        MASTER, BACKUP, FAULT, STOP or, of an instance, DELETED; one change at a time, which may come twice.
        """

    def superseded(self, change: StateChange | GroupChange, seconds: float = 0.0) -> bool:
        """Whether the stream has told of a later change to another state by now: then this one is pointless.

        Waits for it for so many seconds; 0: does not wait. Of several later changes the last one counts.
        """
        with self._news:
            return self._news.wait_for(lambda: self._newest[0] > change.time and self._newest[1] != change.new, seconds)

    @property
    def newest(self) -> str:
        """The state that the stream told last, INITIALIZE for STOP and DELETED; empty: none, in this process."""
        return self._newest[1]

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Mapping[str, Any] | None:
        """``MASTER``."""
        return self._changed(router.name, change)

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Mapping[str, Any] | None:
        """``BACKUP``."""
        return self._changed(router.name, change)

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Mapping[str, Any] | None:
        """``FAULT``."""
        return self._changed(router.name, change)

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Mapping[str, Any] | None:
        """``STOP``, or ``DELETED``."""
        return self._changed(router.name, change)

    @hookimpl
    def group_changed(self, group: Group, change: GroupChange) -> Mapping[str, Any] | None:
        """The same of a group."""
        return self._changed(group.name, change)

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> None:
        """Hear of a newer change while an older one is still at work."""
        kind, key = ("group_changed", "group") if self._is_group else ("state_changed", "instance")
        if event.get("type") == kind and event.get(key) == self.subject:
            with self._news:
                self._newest = (str(event.get("time", "")), str(event.get("to", "")))
                self._news.notify_all()

    def _changed(self, name: str, change: StateChange | GroupChange) -> Mapping[str, Any] | None:
        if not self._follows:
            raise RuntimeError("configure has not called follow, which says whose role it is")
        is_ours = name == self.subject and isinstance(change, GroupChange) == self._is_group
        return self.fit(change) if is_ours else None
