"""The hooks of a plugin: ordinary blocking functions, each optional. ``docs/plugins/hooks/`` has a page on each.

An implementation may leave out arguments that it does not need. Without ``router``, ``check`` and ``monitor`` do not
depend on the instance and run once for all instances that use them.

Every hook says below how long it may take and what an exception does. A call that takes longer costs the process: it is
killed with all that it started, and started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafw.pipe import Address, Frame, Group, GroupChange, Router, StateChange, Verdict, VipChange

PROJECT = "hafw"
"""Of pluggy's markers, and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function, or a method of the plugin object, as the implementation of the hook of its name."""


@hookspec(firstresult=True)
def options() -> type:  # type: ignore[empty-body]
    """The shape of ``[plugin.NAME]``: a dataclass or a ``msgspec.Struct``; durations are seconds.

    Deadline: 10 s, together with the import. An exception: the plugin is not started.
    """


@hookspec(firstresult=True)
def configure(options: Any, routers: Sequence[Router]) -> None:  # noqa: ANN401 - of the plugin's own type
    """Take the options; raise ``ValueError("key: what is wrong")`` to refuse, a line per mistake.

    Deadline: 10 s. An exception: the plugin is not started, ``hafw check`` and a reload report it.
    """


@hookspec(firstresult=True)
def takeover(router: Router) -> list[Address | Frame]:  # type: ignore[empty-body]
    """What to bind and what to send on becoming MASTER; asked before it is needed, carried out by the daemon.

    Deadline: 10 s. An exception: there is no plan, and the instance does not take part; asked again every 5 s.
    """


@hookspec(firstresult=True)
def check(router: Router) -> Verdict:  # type: ignore[empty-body]
    """Whether the service is healthy, now; every interval.

    Deadline: the check's ``timeout``, in seconds. An exception: unhealthy, with its words as the detail.
    """


@hookspec(firstresult=True)
def monitor(router: Router, report: Callable[[Verdict], None]) -> None:
    """Watch for ever, in a thread of its own, and report the moment something changes; at most 100 times a second.

    Deadline: none. An exception: told, and called again after 1 s, doubling to 30 s; without ``check`` also unhealthy.
    """


@hookspec(firstresult=True)
def serve(ask: Callable[..., Mapping[str, Any]]) -> None:
    """Run for ever, in a thread of its own, and ask the daemon how it is: ``ask("status")``. It can change nothing.

    ``ask`` blocks for 5 s at most, or ``patience=SECONDS``, and then raises ``TimeoutError``; ``ValueError`` for a
    question that the daemon refuses. Deadline: none. An exception: told, and called again after 1 s, doubling to 30 s.
    """


@hookspec(firstresult=True)
def became_master(router: Router, change: StateChange) -> Mapping[str, Any] | None:
    """The router serves. A returned ``{"output": str, "exit": int}`` is logged and kept; an exit but 0 has failed.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds; then the event is delivered again, to a new process. An
    exception: the call has failed, which is told and not repeated.
    """


@hookspec(firstresult=True)
def became_backup(router: Router, change: StateChange) -> Mapping[str, Any] | None:
    """The router stands by; returns as ``became_master`` does.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds. An exception: the call has failed.
    """


@hookspec(firstresult=True)
def faulted(router: Router, change: StateChange) -> Mapping[str, Any] | None:
    """The router cannot serve; returns as ``became_master`` does.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds. An exception: the call has failed.
    """


@hookspec(firstresult=True)
def stopped(router: Router, change: StateChange) -> Mapping[str, Any] | None:
    """The daemon ends or the instance was removed, the addresses are gone; returns as ``became_master`` does.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds; a daemon that ends waits for 10 s. An exception: the call
    has failed.
    """


@hookspec(firstresult=True)
def vip_changed(router: Router, change: VipChange) -> Mapping[str, Any] | None:
    """One virtual address was bound, lost, restored or released; returns as ``became_master`` does.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds. An exception: the call has failed.
    """


@hookspec(firstresult=True)
def group_changed(group: Group, change: GroupChange) -> Mapping[str, Any] | None:
    """The state of a sync group changed; after its members were told; returns as ``became_master`` does.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds. An exception: the call has failed.
    """


@hookspec(firstresult=True)
def event(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Every event of the control socket's stream, as it stands there; returns as ``became_master`` does.

    Deadline: 30 s, or the plugin's ``deadline`` in seconds. An exception: the call has failed, which is told once until
    one works again.
    """


@hookspec(firstresult=True)
def before_release(router: Router, budget: float) -> Mapping[str, Any] | None:
    """A planned handover comes: prepare, and go on serving; returns as ``became_master`` does.

    Deadline: ``budget`` seconds, then the handover goes on. An exception: told, and the handover goes on.
    """
