"""``hafw handover``: the MASTERs of this host give their role away while all is well, all at once.

The election does it; here it is asked for, and waited for. A client that goes away stops nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from hafw.daemon.control import CommandError
from hafw.vrrp.events import ReleaseAsked
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from hafw.daemon.loop import Election
    from hafw.daemon.observe import Observer
    from hafw.records import Record

RELEASE_BUDGET = 5.0
"""Seconds that ``before_release`` hooks have before a planned move."""
TAKEN_OVER, NOBODY, NOT_MASTER = "taken over", "nobody took over", "not MASTER"
"""How it ended for one router; stable words of the control socket."""


@dataclass(slots=True)
class Parting:
    """One router on its way out, as its events tell it."""

    began: float
    outcome: str = ""
    """Empty: not known yet."""
    successor: str | None = None
    seconds: float = 0.0
    """Until the successor spoke, or until everything was over."""
    over: bool = False
    """Every address was claimed, released or taken back."""

    def take(self, event: Record, now: float) -> None:
        """An event of this router's."""
        if event["type"] == "handover_complete":
            self.outcome, self.over = event["outcome"], True
            self.successor, self.seconds = event.get("successor"), event["seconds"]
        elif event["type"] == "state_changed" and event["from"] == State.MASTER and "peer" in event:
            self.outcome, self.successor, self.seconds = TAKEN_OVER, event["peer"], round(now - self.began, 4)


class Handovers:
    """One at a time, so that each is told how its own ended."""

    def __init__(
        self, election: Election, observer: Observer, prepare: Callable[[Iterable[str]], Awaitable[object]]
    ) -> None:
        """``prepare``: run the ``before_release`` hooks of these instances, within ``RELEASE_BUDGET``."""
        self.election = election
        self.observer = observer
        self._prepare = prepare
        self._lock = trio.Lock()

    async def command(self, request: Mapping[str, Any]) -> Record:
        """``{"do": "handover", "instance": NAME, "force": bool, "wait": bool}``; without a name: all instances.

        A member of a sync group goes with all others.
        ``wait``: for every address to be claimed, released or taken back, not only for a successor to speak.
        """
        known = list(self.election.node.instances)
        name = request.get("instance")
        if name is not None and name not in known:
            raise CommandError("unknown-instance", f"no instance {name!r}: there is {', '.join(known)}", "instance")
        force, wait = boolean(request, "force"), boolean(request, "wait")
        with self.alone():
            return {
                "instances": await self.move(known if name is None else self._company(name), force=force, wait=wait)
            }

    def _company(self, name: str) -> list[str]:
        """Who goes with this one: the members of its sync group, in configured order, or nobody else."""
        node = self.election.node
        group = node.groups.get(node.instances[name].settings.router.group)
        return [name] if group is None else [each.name for each in group.members]

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other handover meanwhile; raises ``CommandError`` where one is under way."""
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            message = "another handover is under way (hafw status shows which): try again when it is over"
            raise CommandError("busy", message) from None
        try:
            yield
        finally:
            self._lock.release()

    async def move(self, names: Iterable[str], *, force: bool, wait: bool = False) -> list[Record]:
        """Hand over those of these that are MASTER; returns how it ended for each."""
        names = list(names)
        if masters := self._masters(names):
            await self._prepare(masters)
        now = trio.current_time()
        partings = {name: Parting(now) for name in self._masters(names)}  # much may have changed meanwhile

        def follow(event: Record) -> None:
            if parting := partings.get(event.get("instance", "")):
                parting.take(event, trio.current_time())

        unsubscribe = self.observer.subscribe(follow)
        try:
            for name in partings:
                self.election.dispatch(ReleaseAsked(name, force))
            await self.election.until(lambda: all(each.over if wait else each.outcome for each in partings.values()))
        finally:
            unsubscribe()
        return [self._record(name, partings.get(name)) for name in names]

    def _masters(self, names: Iterable[str]) -> list[str]:
        instances = self.election.node.instances
        return [name for name in names if name in instances and instances[name].router.state is State.MASTER]

    def _record(self, name: str, parting: Parting | None) -> Record:
        instance = self.election.node.instances.get(name)
        state = str(instance.router.state) if instance else "removed"
        group = instance.settings.router.group if instance else ""
        head = {"instance": name, **({"group": group} if group else {})}
        if parting is None:
            return {**head, "outcome": NOT_MASTER, "state": state, "successor": None, "seconds": None}
        return {
            **head,
            "outcome": parting.outcome,
            "state": state,
            "successor": parting.successor,
            "seconds": parting.seconds,
        }


def boolean(request: Mapping[str, Any], key: str) -> bool:
    """``true`` or ``false`` of a request, false when left out."""
    value = request.get(key, False)
    if not isinstance(value, bool):
        raise CommandError("bad-request", f"{key} = {value!r}: must be true or false", key)
    return value
