"""What happened, in words for people and in keys for programs: what all plugins share that tell somebody of it.

Part of the API. A plugin that sends messages derives its class from ``Notifier``, which has the hooks, hears only of
what ``on`` and ``instances`` name, and hands each to ``tell``.
"""

from __future__ import annotations

import os
import re
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, get_args

from hafw.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.pipe import Delivery, Group, GroupChange, Router, StateChange

__all__ = [
    "Notification",
    "Notifier",
    "Outcome",
    "Severity",
    "State",
    "Word",
    "of_change",
    "of_event",
    "one_line",
    "template_mistake",
    "unknown_instances",
]

State = Literal["master", "backup", "fault", "stop"]
"""A ``Literal``: the strings themselves. ``stop`` is also told of an instance that ``hafw reload`` has removed."""
Word = Literal[
    "master", "backup", "fault", "stop", "group_changed",
    "vip_bound", "vip_lost", "vip_restored", "vip_released", "announced", "takeover_complete", "handover_started",
    "handover_complete", "split_brain", "split_brain_over", "vrid_collision", "peer_mismatch", "check_changed",
    "plugin_failed", "plugin_restarted", "config_reloaded", "stall", "resumed", "restarted", "fenced", "flapping",
    "degraded", "maintenance", "will_not_written",
]  # fmt: skip
"""A ``Literal``: what ``on`` may name, the states and the event types of the control socket."""
Severity = Literal["info", "good", "warning", "bad"]
"""A ``Literal``: how bad it is that something happened."""

ALSO_KNOWN_AS: Final = {"takeover_complete": "vip_bound"}
"""The event of the stream that tells it, and the word that the ``vip_changed`` hook has for it."""
SEVERITIES: Final[dict[str, Severity]] = {
    **dict.fromkeys(("MASTER", "split_brain_over", "vip_restored", "resumed"), "good"),
    **dict.fromkeys(("STOP", "DELETED", "flapping", "stall", "peer_mismatch", "restarted", "vip_lost"), "warning"),
    **dict.fromkeys(("plugin_failed", "will_not_written", "degraded"), "warning"),
    **dict.fromkeys(("FAULT", "split_brain", "vrid_collision", "fenced"), "bad"),
}
"""By state or event type; anything else is ``info``."""
FIELDS: Final = ("node", "instance", "what", "reason")
"""Of every template, as of a mail's subject."""
MOST_ADDRESSES: Final = 20
MOST_FIELDS: Final = 40


class Outcome(TypedDict):
    """What a hook returns, a dictionary; ``run`` of ``hafw.command`` has an ``Outcome`` of its own, with attributes."""

    output: str
    """Of a message that could not be sent: why."""
    exit: int
    """Not 0: it could not be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One thing that happened on this node."""

    key: str
    """Of all that happened in one life of the daemon: ``change.4711``."""
    time: str
    """UTC, ISO 8601 with milliseconds."""
    instance: str
    """Or the group; empty: it is about the host."""
    what: str
    """A few words: ``BACKUP -> MASTER``, or the event's type."""
    reason: str
    """A stable word, as the change or the event has it; empty: it has none."""
    lead: str
    """The first sentence."""
    lines: tuple[tuple[str, str], ...]
    """Label and value of everything else that is known."""
    severity: Severity
    """How bad it is, for a colour or a bell."""
    run: str = ""
    """The daemon that told it, if that is known."""
    record: Mapping[str, Any] = field(compare=False)
    """The same in the keys of ``hafw events --json``, for programs."""

    @property
    def moment(self) -> datetime:
        """When it happened; now when the time cannot be read, because a message with a wrong date beats none."""
        try:
            moment = datetime.fromisoformat(self.time)
        except ValueError:
            return datetime.now(UTC)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def details(self) -> str:
        """Those of ``lines`` that have a value, for a text: ``why: no-response``, one a line."""
        return "\n".join(f"{label}: {one_line(value)}" for label, value in self.lines if value)

    def identity(self, node: str) -> str:
        """The same each time that this is told, and of nothing else, whichever daemon of whichever node told it.

        ``node``: of a ``Notifier`` its ``node``.
        """
        daemon = self.run or f"{self.moment:%Y%m%d%H%M%S%f}"
        return f"{plain(self.key)}.{plain(self.instance)}.{plain(daemon)}@{plain(node)}"

    def fields(self, node: str) -> dict[str, str]:
        """``node``, ``instance``, ``what``, ``reason``: what a template names. ``node``: of a ``Notifier`` its own."""
        return {"node": node, "instance": self.instance, "what": self.what, "reason": self.reason}


def of_change(node: str, router: Router, change: StateChange, state: str, master: str) -> Notification:
    """Of a transition; ``master`` says who is MASTER now."""
    told: dict[str, Any] = {
        "type": "state_changed",
        "seq": change.seq,
        "time": change.time,
        "instance": change.instance,
        "vrid": router.vrid,
        "interface": router.interface,
        "from": change.old,
        "to": change.new,
        "reason": change.reason,
        "priority": change.priority,
        "addresses": [address.address for address in router.addresses],
    }
    return Notification(
        key=f"change.{change.seq}",
        time=change.time,
        instance=change.instance,
        what=f"{change.old} -> {state}",
        reason=change.reason,
        lead=f"{change.instance} on {node} is now {state}, it was {change.old}.",
        lines=(
            ("when", change.time),
            ("why", change.reason),
            ("MASTER now", master),
            ("priority", str(change.priority)),
            ("heard last", change.peer or "nobody"),
            ("interface", f"{router.interface}, VRID {router.vrid}"),
            ("addresses", some(told["addresses"])),
            *of_delivery(change),
        ),
        severity=SEVERITIES.get(state, "info"),
        run=change.run,
        record=told | ({"peer": change.peer} if change.peer else {}) | how_delivered(change),
    )


def of_group(node: str, change: GroupChange) -> Notification:
    """Of a sync group."""
    told: dict[str, Any] = {
        "type": "group_changed",
        "seq": change.seq,
        "time": change.time,
        "group": change.group,
        "members": list(change.members),
        "from": change.old,
        "to": change.new,
        "reason": change.reason,
    }
    return Notification(
        key=f"group.{change.seq}",
        time=change.time,
        instance=change.group,
        what=f"{change.old} -> {change.new}",
        reason=change.reason,
        lead=f"Group {change.group} on {node} is now {change.new}, it was {change.old}.",
        lines=(
            ("when", change.time),
            ("why", change.reason),
            ("begun by", change.instance),
            ("members", some(change.members)),
            *of_delivery(change),
        ),
        severity=SEVERITIES.get(change.new, "info"),
        run=change.run,
        record=told | ({"instance": change.instance} if change.instance else {}) | how_delivered(change),
    )


def of_delivery(change: Delivery) -> Iterator[tuple[str, str]]:
    """For people: what of the delivery of a change is out of the ordinary."""
    if change.missed:
        yield "not told", f"{change.missed} earlier changes, which gave way to this one"
    if change.replayed:
        yield "told again", "nothing has happened since"


def how_delivered(change: Delivery) -> dict[str, Any]:
    """For programs: ``run``, which makes ``seq`` unique, and what is out of the ordinary."""
    found = {"run": change.run, "missed": change.missed, "replayed": change.replayed}
    return {key: value for key, value in found.items() if value}


def of_event(node: str, event: Mapping[str, Any], master: str) -> Notification:
    """Of any other event; all its fields are told."""
    kind, instance, time, reason = (str(event.get(key, "")) for key in ("type", "instance", "time", "reason"))
    apart = ("type", "instance", "time", "seq", "reason")
    others = [(key, some(value)) for key, value in event.items() if key not in apart][:MOST_FIELDS]
    where = f"{instance} on {node}" if instance else node
    return Notification(
        key=f"event.{event.get('seq', '')}",
        time=time,
        instance=instance,
        what=kind,
        reason=reason,
        lead=f"{where}: {kind.replace('_', ' ')}.",
        lines=(("when", time), ("why", reason), ("MASTER now", master), *others),
        severity="good" if event.get("on") is False else SEVERITIES.get(kind, "info"),
        run=os.environ.get("HAFW_RUN", ""),
        record=event,
    )


def some(value: object) -> str:
    """A value in words; of a long list its beginning."""
    if not isinstance(value, list | tuple):
        return str(value)
    more = len(value) - MOST_ADDRESSES
    return ", ".join(map(str, value[:MOST_ADDRESSES])) + (f" and {more} more" if more > 0 else "")


def plain(text: str) -> str:
    """Letters, digits, dots and hyphens, fit for an identifier."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip(".-") or "hafw"


def one_line(text: str) -> str:
    """Without line ends and control characters, which must not get into a header."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def template_mistake(text: str, fields: Sequence[str] = FIELDS) -> str:
    """What is wrong with a template of plain ``{field}``; empty when nothing is. No attribute, index or format."""
    known = ", ".join(f"{{{each}}}" for each in fields)
    try:
        pieces = list(Formatter().parse(text))
    except ValueError as error:
        return f'= "{text}": {error}: the fields are {known}'
    for _, name, spec, conversion in pieces:
        if name is not None and (name not in fields or spec or conversion):
            return f'= "{text}": {{{name}}} is no plain field: the fields are {known}'
    return ""


def unknown_instances(instances: Sequence[str], routers: Sequence[Router]) -> Iterator[tuple[str, str]]:
    """The mistakes in an option ``instances``, for ``refuse``."""
    known = [router.name for router in routers]
    for number, name in enumerate(instances):
        if name not in known:
            yield f"instances[{number}]", f'= "{name}": must be one of {", ".join(known)}'


class Notifier(ABC):
    """The hooks of a plugin that tells somebody, and who is MASTER as far as it has heard.

    Its event hooks are ``became_master``, ``became_backup``, ``faulted``, ``stopped``, ``group_changed`` and ``event``.
    ``options`` and ``configure`` are the plugin's own. ``node`` is this router's name: ``$HAFW_NODE``, or the host's.
    """

    node: str
    _on: frozenset[str] | None = None
    """``None``: nobody has said what is worth a message."""
    _instances: frozenset[str]
    _masters: dict[str, str]
    """By instance, as of its last change."""

    def __new__(cls, *_arguments: object, **_named: object) -> Self:
        """All of its state: it is there although a plugin's own ``__init__`` forgets to call this class's."""
        notifier = super().__new__(cls)
        notifier.node = os.environ.get("HAFW_NODE") or socket.gethostname().partition(".")[0]
        notifier._instances, notifier._masters = frozenset(), {}
        return notifier

    def listen_for(self, on: Sequence[Word], instances: Sequence[str] = ()) -> None:
        """From ``configure``: what is worth a message, states and event types. What is about the host is always meant.

        No instances: all. Raises ``ValueError`` for what is no ``Word``. Events before it is called are failures.
        """
        known = get_args(Word)
        if unknown := [repr(each) for each in on if each not in known]:
            words = f"the words are {', '.join(known)}"
            raise ValueError(f"listen_for: no state and no event type: {', '.join(unknown)}; {words}")
        self._on, self._instances = frozenset(on), frozenset(instances)

    @abstractmethod
    def tell(self, word: str, notification: Notification) -> Outcome | None:
        """Tell it, in the caller's time; what is returned is what the hook returns. To be overridden.

        ``word``: that of ``on`` by which it is told, of an event its type. What comes again is told again: see
        ``Notification.identity``.
        """

    @hookimpl
    def became_master(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["master"]``."""
        return self._state_changed(router, change, "master", f"this router, {self.node}")

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["backup"]``."""
        return self._state_changed(router, change, "backup", change.peer or "not known yet")

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["fault"]``."""
        return self._state_changed(router, change, "fault", change.peer or "not known yet")

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Outcome | None:
        """``on = ["stop"]``."""
        return self._state_changed(router, change, "stop", change.peer or "not known yet")

    @hookimpl
    def group_changed(self, group: Group, change: GroupChange) -> Outcome | None:
        """``on = ["group_changed"]``, in order with what its members were told."""
        if "group_changed" not in self._wanted or not self._means(*group.members):
            return None
        return self.tell("group_changed", of_group(self.node, change))

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> Outcome | None:
        """Any other word of ``on``; what has a hook of its own comes by that."""
        kind, instance = str(event.get("type")), str(event.get("instance", ""))
        if kind in _BY_HOOK or not {kind, ALSO_KNOWN_AS.get(kind)} & self._wanted:
            return None
        if instance and not self._means(instance):
            return None
        return self.tell(kind, of_event(self.node, event, self._masters.get(instance, "")))

    def _state_changed(self, router: Router, change: StateChange, word: State, master: str) -> Outcome | None:
        self._masters[change.instance] = master
        if word not in self._wanted or not self._means(change.instance):
            return None
        return self.tell(word, of_change(self.node, router, change, word.upper(), master))

    @property
    def _wanted(self) -> frozenset[str]:
        if self._on is None:
            raise RuntimeError("configure has not called listen_for, which says what is told")
        return self._on

    def _means(self, *instances: str) -> bool:
        return not self._instances or not self._instances.isdisjoint(instances)


_BY_HOOK: Final = {*get_args(State), "state_changed", "group_changed"}
