"""Runs scripts on state changes, of instances and of sync groups, with keepalived's arguments, in order.

The order of an instance's changes is kept by the host, which waits for each call. A script of keepalived's runs
unchanged: ``notify_master`` and its like get the arguments that are configured and no more, ``notify`` gets
``INSTANCE NAME STATE PRIORITY``, or ``GROUP NAME STATE 0``, after its own. What keepalived does not tell is in the
environment.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from msgspec import Meta

from hafw.api import Duration, Group, GroupChange, Router, StateChange, hookimpl, refuse
from hafw.command import MERCY, environment, mistakes, run, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.command import Outcome as Ended

Command = str | list[str]
TIMEOUT = Duration(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """A command for each state, and one for all. A string, split by blanks and quotes, or a list of arguments."""

    notify: Command = ""
    """On every change; gets ``INSTANCE NAME MASTER|BACKUP|FAULT|STOP PRIORITY`` appended."""
    notify_master: Command = ""
    notify_backup: Command = ""
    notify_fault: Command = ""
    notify_stop: Command = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceScripts(Scripts):
    """What only an instance can be: removed by a reload, and a MASTER that hears a lower one."""

    notify_deleted: Command = ""
    """When it is empty, a removed instance is told as FAULT, as keepalived does it."""
    notify_master_rx_lower_pri: Command = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(InstanceScripts):
    """``[plugin.notify_script]``: for every instance; sub-tables by name for some, and for groups."""

    timeout: Annotated[Duration, Meta(ge=0.01, le=3600)] = TIMEOUT
    """Of each command."""
    instance: dict[str, InstanceScripts] = field(default_factory=dict)
    """``[plugin.notify_script.instance.NAME]``: what it has replaces the general command."""
    group: dict[str, Scripts] = field(default_factory=dict)
    """``[plugin.notify_script.group.NAME]``: the only commands for groups."""


COMMANDS = tuple(each.name for each in fields(InstanceScripts))


class Outcome(TypedDict):
    """What is kept of the scripts of one change."""

    output: str
    exit: int
    command: str
    """The first that failed."""


class NotifyScript:
    """The scripts of one machine."""

    needs_privileges = True
    """Scripts may run sudo, sendmail and other setuid programs."""

    def __init__(self) -> None:
        self._options = Options()

    @property
    def deadline(self) -> float:
        """Seconds that the host has to allow one event: two commands, each with its timeout and its time to die."""
        return float(2 * (self._options.timeout + 2 * MERCY) + 1)

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.notify_script]``."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Refuse every command that could not run or must not, and every name that means nobody, all at once."""
        refuse([*mistakes_of(options), *strangers(options, routers)])
        if not any(getattr(table, key, "") for table in tables_of(options).values() for key in COMMANDS):
            warnings.warn(f"does nothing: {', '.join(COMMANDS)} are all empty", stacklevel=1)
        self._options = options

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_master``, then ``notify``."""
        return self._of_instance(router, change, "MASTER")

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_backup``, then ``notify``."""
        return self._of_instance(router, change, "BACKUP")

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_fault``, then ``notify``."""
        return self._of_instance(router, change, "FAULT")

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Outcome | None:
        """``notify_stop`` or ``notify_deleted``, then ``notify``."""
        return self._of_instance(router, change, change.new)

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> Outcome | None:
        """``notify_master_rx_lower_pri``, with no arguments: a MASTER heard another one that ought to give way."""
        if event.get("type") != "split_brain" or "peer_priority" not in event:
            return None
        name = str(event["instance"])
        argv = split(self._scripts_of(name).notify_master_rx_lower_pri)
        told = environment(HAFW_INSTANCE=name, HAFW_STATE="MASTER", HAFW_PEER=str(event["peer"]))
        return summary([(argv[0], run(argv, told, self._options.timeout, MERCY))]) if argv else None

    @hookimpl
    def group_changed(self, group: Group, change: GroupChange) -> Outcome | None:
        """As of an instance, with what ``[plugin.notify_script.group.NAME]`` has."""
        scripts = self._options.group.get(group.name, Scripts())
        return self._notify(scripts, ["GROUP", group.name, change.new], change)

    def _of_instance(self, router: Router, change: StateChange, state: str) -> Outcome | None:
        scripts = self._scripts_of(router.name)
        if state == "DELETED" and not scripts.notify_deleted:
            state = "FAULT"
        return self._notify(scripts, ["INSTANCE", router.name, state], change)

    def _scripts_of(self, name: str) -> InstanceScripts:
        own = self._options.instance.get(name, InstanceScripts())
        return replace(own, **{key: getattr(own, key) or getattr(self._options, key) for key in COMMANDS})

    def _notify(self, scripts: Scripts, whom: list[str], change: StateChange | GroupChange) -> Outcome | None:
        """Run both, the second also when the first failed; None when neither is configured."""
        state = whom[2]
        own, general = getattr(scripts, f"notify_{state.lower()}"), split(scripts.notify)
        if general:
            general += [*whom, str(change.priority)]
        told = environment_of(change, state)
        outcomes = [(argv[0], run(argv, told, self._options.timeout, MERCY)) for argv in (split(own), general) if argv]
        return summary(outcomes) if outcomes else None


def summary(outcomes: Sequence[tuple[str, Ended]]) -> Outcome:
    """All that they said, and the first failure."""
    lines = [f"{script}: {outcome.output or 'exit ' + str(outcome.exit)}" for script, outcome in outcomes]
    failed = next(((script, outcome.exit) for script, outcome in outcomes if outcome.exit), ("", 0))
    return Outcome(output="\n".join(lines), exit=failed[1], command=failed[0])


def mistakes_of(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    for path, table in tables_of(options).items():
        for key in (each.name for each in fields(table) if each.name in COMMANDS):
            command = getattr(table, key)
            for message in mistakes(command) if command not in ("", []) else ():
                yield f"{path}{key}", message


def tables_of(options: Options) -> dict[str, Scripts]:
    """The general table and every sub-table, by what stands before their keys."""
    instances = {f"instance.{name}.": each for name, each in options.instance.items()}
    return {"": options, **instances, **{f"group.{name}.": each for name, each in options.group.items()}}


def strangers(options: Options, routers: Sequence[Router]) -> Iterator[tuple[str, str]]:
    """Sub-tables of instances and groups that there are not."""
    known = {
        "instance": list(dict.fromkeys(each.name for each in routers)),
        "group": list(dict.fromkeys(each.group for each in routers if each.group)),
    }
    for kind, there in known.items():
        for name in getattr(options, kind):
            if name not in there:
                yield f"{kind}.{name}", f"no such {kind}: there is {', '.join(there) or 'none'}"


def environment_of(change: StateChange | GroupChange, state: str) -> dict[str, str]:
    """Our own environment, and what the arguments do not tell; of a group, the member that began it."""
    of_group = {"HAFW_GROUP": change.group} if isinstance(change, GroupChange) else {}
    return environment(
        **of_group,
        HAFW_INSTANCE=change.instance,
        HAFW_STATE=state,
        HAFW_OLD_STATE=change.old,
        HAFW_REASON=change.reason,
        HAFW_PRIORITY=str(change.priority),
        HAFW_RUN=change.run,
        HAFW_SEQ=str(change.seq),
        HAFW_ATTEMPT=str(change.attempt),
        HAFW_MISSED=str(change.missed),
        HAFW_REPLAYED="1" if change.replayed else "",
        HAFW_PEER="" if isinstance(change, GroupChange) else change.peer,
    )


plugin = NotifyScript()
