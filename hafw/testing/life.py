"""The processes of one plugin, one after the other: started, confined and watched by the daemon's own code."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trio

from hafw.config.problem import Problem
from hafw.daemon.control import CommandError
from hafw.daemon.plugins import Limits, Plugins
from hafw.daemon.plugins.visiting import examine
from hafw.daemon.plugins.witness import Called, Witness
from hafw.testing import traces
from hafw.testing.background import Background
from hafw.testing.configuration import FILE, PluginRefused, read, routers_of
from hafw.testing.outcome import PATIENCE, HookFailed, Result, Verdicts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hafw.config.model import Config
    from hafw.daemon.plugins import PluginStatus
    from hafw.pipe import Router
    from hafw.vrrp.events import VerdictReported

_LIVING: weakref.WeakSet[Life] = weakref.WeakSet()
"""All that are under test now, in this process."""
LOOK = 0.005
"""Seconds between two looks at what can only be looked at."""
LIMITS = Limits(backoff=0.01, backoff_max=0.1)
"""As in earnest, but a process that was killed is soon there again."""


@dataclass(slots=True)
class Record(Witness):
    """All that was seen of the plugin."""

    calls: list[Called] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unlogged: int = 0
    """Lines that were too many for the log."""
    notices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)

    def lives(self, pid: int) -> None:
        """A process of it is there; 0: none is needed now."""
        if pid:
            self.pids.add(pid)

    def called(self, call: Called) -> None:
        """A call has ended."""
        self.calls.append(call)

    def printed(self, plugin: str, line: str, *, logged: bool) -> None:  # noqa: ARG002 - there is one plugin
        """A line came out of its process."""
        self.lines.append(line)
        self.unlogged += not logged

    def noticed(self, kind: str, fields: dict[str, Any]) -> None:
        """The daemon would tell of something."""
        self.notices.append((kind, fields))


class Life:
    """The plugin's processes, one after the other, and all that is seen of them."""

    def __init__(  # noqa: PLR0913 - as the fixture takes them
        self,
        name: str,
        write: Callable[[Mapping[str, Any]], str],
        options: Mapping[str, Any],
        *,
        node: str = "",
        place: Path | None = None,
        deadline: float | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Start it; raises ``PluginRefused`` when it cannot run. ``write`` makes a ``config.toml`` of its options.

        ``node``: the router that it is, whatever that file says. ``place``: where it is, if not in this folder.
        """
        self.name = name
        self.options = options
        self._text_of = write
        self._node = node
        self._place = place or Path.cwd() / FILE
        self.text = write(options)
        """The ``config.toml`` that it runs with."""
        self.record = Record()
        self.verdicts: Verdicts[VerdictReported] = Verdicts()
        """What the daemon would tell the election; only with ``interval``, for nobody else runs checks by itself."""
        self._limits = replace(LIMITS, event=deadline, event_max=deadline) if deadline else LIMITS
        self._config = read(self.text, name, self._place, node)
        self._routers = routers_of(self._config)
        self._plugins = Plugins(
            self._config,
            verdict=self.verdicts.hear,
            notice=self.record.noticed,
            commands={word: _command(answer) for word, answer in (answers or {}).items()},
            limits=self._limits,
            witness=self.record,
        )
        traces.mark()
        self._background = Background(f"plugin {name}")
        _LIVING.add(self)
        try:
            self._background.call(self._begin)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life ---------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        self._background.spawn(self._plugins.run)
        with trio.move_on_after(PATIENCE):
            while self._status().state == "starting":  # noqa: ASYNC110 - it says so to nobody
                await trio.sleep(LOOK)
        if self._status().state not in {"running", "finished"}:
            mistake = self._status().last_error
            await trio.to_thread.run_sync(self._examine, self._config, self.text, self._place, mistake)
        self.record.lives(self._status().pid)

    def _examine(self, config: Config, text: str, place: Path, otherwise: str = "") -> None:
        """As ``hafw check`` does it; raises ``PluginRefused`` with all that it finds, or with what is known already."""
        examined = examine(config, tuple(self._routers.values()))
        found = [each for each in examined.problems if each.severity == "error"]
        if not found and otherwise:
            found = [Problem(f"plugin.{self.name}", otherwise)]
        if found:
            raise PluginRefused.placed(text, found, place.name)

    def examine(self, options: Mapping[str, Any] | str | Path) -> tuple[Config, str]:
        """What ``hafw check`` would say of other options, or a whole ``config.toml``, in a process beside this one.

        Raises ``PluginRefused``; returns the configuration that it has checked, and its text.
        """
        place = self._place
        if isinstance(options, Path):
            text, place = options.read_text("utf-8"), options.absolute()
        else:
            text = options if isinstance(options, str) else self._text_of(options)
        config = read(text, self.name, place, self._node)
        self._background.call(trio.to_thread.run_sync, self._examine, config, text, place)
        return config, text

    def reload(self, options: Mapping[str, Any] | str | Path) -> None:
        """Give it other options, or a whole ``config.toml`` by its text or its path, as ``hafw reload`` does.

        Raises ``PluginRefused``, and all is as it was; otherwise a new process has them when this returns.
        """
        config, text = self.examine(options)
        self._config, self.text, self._routers = config, text, routers_of(config)
        pid = self.status.pid
        self._background.call(self._plugins.reconfigure, config)
        self._background.call(self._until_there, pid)

    def kill(self) -> None:
        """Kill its process, as the kernel does when memory runs out; returns when the next one is there.

        What it had not answered is delivered again to the next one.
        """
        if pid := self.status.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._background.call(self._until_there, pid)

    def wait_for(self, condition: Callable[[], Any], timeout: float = PATIENCE) -> None:
        """Block until something holds that the plugin brings about in its own time; raises ``AssertionError``."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                last = f": {self.status.last_error}" if self.status.last_error else ""
                raise AssertionError(
                    f"it did not come true within {timeout:g}s; plugin {self.name} {self.status.state}{last}"
                )
            time.sleep(LOOK)

    async def _until_there(self, but: int) -> None:
        with trio.move_on_after(PATIENCE):
            while True:
                status = self._status()
                if status.state in {"running", "finished"} and status.pid != but:
                    self.record.lives(status.pid)
                    return
                await trio.sleep(LOOK)
        raise HookFailed(Result(hook="configure", error=self._status().last_error))

    def close(self) -> None:
        """End it, as the daemon does when it ends; returns when its process is gone. Again: nothing."""
        self._background.close()
        _LIVING.discard(self)

    @property
    def left_behind(self) -> dict[int, str]:
        """By process id, the command lines of all that it has started and that live on, when it was closed."""
        return traces.survivors(self.name, self.record.pids, {pid for each in _LIVING for pid in each.record.pids})

    def _status(self) -> PluginStatus:
        return self._plugins.snapshot()[0]

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def status(self) -> PluginStatus:
        """What ``hafw plugins`` would show."""

        async def look() -> PluginStatus:
            return self._status()

        return self._background.call(look)

    @property
    def hooks(self) -> tuple[str, ...]:
        """Those that it implements."""
        return self.status.hooks

    @property
    def instances(self) -> tuple[str, ...]:
        """By name, in configured order."""
        return tuple(self._config.instances)

    @property
    def groups(self) -> tuple[str, ...]:
        """The sync groups, by name."""
        return tuple(self._config.groups)

    @property
    def printed(self) -> list[str]:
        """The lines that its processes have printed so far. A line may come a little after the call that wrote it."""
        return list(self.record.lines)

    @property
    def failures(self) -> list[str]:
        """The details of all ``plugin_failed`` events so far, deaths included."""
        return [str(fields["detail"]) for kind, fields in self.record.notices if kind == "plugin_failed"]

    def calls(self, hook: str = "") -> list[Called]:
        """Every call that has ended, or those of one hook, whoever made it."""
        return [call for call in self.record.calls if hook in ("", call.hook)]

    def router(self, instance: str = "") -> Router:
        """What its hooks are told of an instance; the interface is there, with MAC, index and an own address."""
        if instance and instance not in self._routers:
            raise ValueError(f"instance {instance!r}: the configuration has {', '.join(self._routers)}")
        return self._routers[instance or next(iter(self._routers))]


def _command(answer: Any) -> Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]:  # noqa: ANN401
    """What a test says that the daemon answers: the answer, or a function of the request that may raise ValueError."""

    async def command(request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = answer(request) if callable(answer) else answer
        except ValueError as error:
            raise CommandError("refused", str(error)) from None
        await trio.lowlevel.checkpoint()
        return found

    return command
