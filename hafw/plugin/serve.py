"""The life of a plugin process: start, then calls, each in the thread of its lane, until the daemon hangs up.

The main thread only reads, so that a hook that takes long keeps nobody else waiting. A hook that takes too long is the
daemon's concern: it kills this process.
"""

from __future__ import annotations

import gc
import os
import pwd
import queue
import socket
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pluggy

import hafw
from hafw import deprecation
from hafw.config.convert import convert
from hafw.config.hiding import in_force
from hafw.config.types import is_table, keys_of
from hafw.pipe import EVERY, LINE_MAX, Address, Call, Failure, Frame, Group, Hello, Outcome, Reply, Start, Verdict
from hafw.plugin.asking import Asker, Questions
from hafw.plugin.confine import CannotConfineError, Needs, before_calling, before_loading
from hafw.plugin.loading import CannotLoadError, Loaded, load, wrong_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hafw.pipe import Router

STACK_SIZE = 1 << 20
"""Octets per thread; they count against the memory limit."""
PART = 100
"""Addresses and frames in one part of a takeover's answer."""
TEXT_MAX = 4000
"""Characters of an error or of a script's output that are passed on."""
SHOWN_MAX = LINE_MAX // 2
"""Octets of the options that may be shown."""
DETAIL_MAX = 300
"""Characters of a verdict's detail."""
TAKEN = frozenset({"enabled", "plugin", "file", "user", "delivery", "replay", "limits"})
"""Keys of every ``[plugin.NAME]``, which are hafw's: an option of that name would never be given its value."""
SWITCH_INTERVAL = 0.0005
"""Seconds. A monitor that has seen a death waits this long for a thread that computes, not Python's usual 5 ms."""
ANSWER = frozenset({"output", "exit", "command"})
"""What an event hook may return; ``command`` is what it has executed, for the log."""
RETURNED = 'return None or {"output": str, "exit": int}'
"""The way out for one that returns anything else."""
BY_ROUTER = (
    "; a value per router counts as such where another key names the routers: priority = { lb1 = 150, lb2 = 100 }"
)
"""What a table may have been meant as that is no option."""
_PYTHON = Path(os.__file__).parent
_LIBRARIES = (Path(hafw.__file__).parent, Path(pluggy.__file__).parent)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a plugin without the ``options`` hook: any key is a mistake."""


class OptionsRefusedError(Exception):
    """Mistakes in the options: key path and message of each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in problems))
        self.problems = tuple(problems)


class Channel:
    """Lines to and from the daemon. When it hangs up, the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._reader = self._socket.makefile("rb")
        self._lock = threading.Lock()

    def lines(self) -> Iterator[bytes]:
        """What the daemon sends, which is trusted."""
        return iter(self._reader)

    def send(self, reply: Reply) -> None:
        """Send one line, or say in its place why it cannot be sent."""
        if warnings := deprecation.untold():
            reply = replace(reply, warnings=warnings)
        try:
            line = msgspec.json.encode(reply)
        except (TypeError, ValueError, RecursionError) as error:
            line = msgspec.json.encode(Reply(id=reply.id, failure=describe(error)))
        if len(line) > LINE_MAX:
            too_long = ValueError(f"the answer has {len(line)} octets: must be at most {LINE_MAX}")
            line = msgspec.json.encode(Reply(id=reply.id, failure=describe(too_long)))
        try:
            with self._lock:
                self._socket.sendall(line + b"\n")
        except OSError:
            os._exit(0)


def serve(descriptor: int) -> NoReturn:
    """Obey the daemon at the other end of this socket until it closes it."""
    threading.stack_size(STACK_SIZE)
    channel = Channel(descriptor)
    lines = channel.lines()
    start = msgspec.json.decode(next(lines, b"") or b"{}", type=Start)
    try:
        plugin = Plugin(start, channel)
    except BaseException as error:  # noqa: BLE001 - a plugin's import may also exit
        channel.send(Reply(id=0, failure=describe(error)))
        next(lines, None)  # the daemon hangs up when it has read why
        os._exit(1)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.freeze()  # what was imported stays: collecting among it would only delay a report
    channel.send(Reply(id=0, hello=replace(plugin.hello(), options=plugin.shown)))
    for line in lines:
        plugin.accept(msgspec.json.decode(line, type=Call))
    os._exit(0)  # not waiting for threads that may be stuck


class Plugin:
    """The loaded plugin, its options, and a thread for each lane."""

    def __init__(self, start: Start, channel: Channel) -> None:
        self._name = start.name
        try:
            before_loading(start)
        except CannotConfineError as error:
            raise OptionsRefusedError([(f"plugin.{start.name}.{error.key}", str(error))]) from None
        self._channel = channel
        self._loaded = load(start.name, start.file, start.offers)
        self._type = self._loaded.call["options"]() if "options" in self._loaded.call else NoOptions
        self._keys = {key.key for key in keys_of(self._type)} if is_table(self._type) else set[str]()
        if taken := sorted(TAKEN & self._keys):
            said = f"option {', '.join(taken)}: every plugin has that key: choose another name"
            raise CannotLoadError(f"{self._loaded.package}: {said}")
        if start.options is None:  # it will be asked for the schema, by somebody who may not be able to read Python
            import hafw.config.schema  # noqa: F401, PLC0415
        # Before the process becomes nobody, who may read no secret.
        self._options = None if start.options is None else self._convert(start.options, machine=start.machine)
        self.shown = self._showable() if start.shows else None
        needs = needs_of(self._loaded)
        if needs.exposed:  # every socket looks for it, at the first name of a host
            import encodings.idna  # noqa: F401, PLC0415
        folders = [each for each in sys.path if os.access(each, os.R_OK | os.X_OK)]
        before_calling(start, needs)
        self._hidden = next((each for each in folders if not os.access(each, os.R_OK | os.X_OK)), "")
        """A folder of modules that was readable until now: what is imported later may not be found."""
        self._routers: dict[str, Router] = {}
        self._questions = Questions()
        self._lanes: dict[str, queue.SimpleQueue[tuple[Call, dict[str, Any]]]] = {}

    def _convert(self, options: Mapping[str, Any], *, machine: bool) -> object:
        found, problems = convert(dict(options), self._type, f"plugin.{self._name}", machine=machine)
        if problems:
            told = [(each.path, each.message + BY_ROUTER * each.message.startswith("is a table")) for each in problems]
            raise OptionsRefusedError(told)
        return found

    def _showable(self) -> dict[str, Any] | None:
        """The options, if they are a table, and fit into a line beside all else."""
        found = in_force(self._options)
        return found if isinstance(found, dict) and len(msgspec.json.encode(found)) <= SHOWN_MAX else None

    def hello(self, warned: Sequence[str] = ()) -> Hello:
        """What the daemon has to know; the deadline may depend on the options."""
        loaded = self._loaded
        return Hello(
            hooks={hook: "router" in arguments for hook, arguments in loaded.implementations.items()},
            package=loaded.package,
            version=loaded.version,
            user=user_name(),
            deadline=float(loaded.declared("deadline", 0.0)),
            delivery=loaded.declared("delivery", EVERY),
            replay=loaded.declared("replay", False),
            warnings=(
                *self._placed("\n".join(warned)),
                *((f"plugin.{self._name}", each) for each in deprecation.noticed()),
            ),
        )

    def accept(self, call: Call) -> None:
        """Hand a call to the thread of its lane. Called in order, so each sees its router as it was then."""
        if call.answer is not None:
            self._questions.answered(call.id, call.answer)
            return
        self._routers.update({router.name: router for router in call.routers})
        available = {
            "options": self._options,
            "routers": call.routers,
            "router": self._routers.get(call.router),
            "report": self._reporter(call.id),
            "ask": Asker(call.id, self._channel, self._questions).ask,
            "change": call.change or call.vip_change or call.group_change,
            "group": Group(name=told.group, members=told.members) if (told := call.group_change) else None,
            "event": call.event,
            "budget": call.budget,
        }
        if call.lane not in self._lanes:
            self._lanes[call.lane] = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(self._lanes[call.lane],), name=call.lane, daemon=True).start()
        self._lanes[call.lane].put((call, available))

    def _work(self, lane: queue.SimpleQueue[tuple[Call, dict[str, Any]]]) -> None:
        while True:
            call, available = lane.get()
            begin = time.monotonic()
            try:
                replies = self._answer(call, available)
            except BaseException as error:  # noqa: BLE001 - sys.exit() in a hook is an error like any other
                replies = [Reply(id=call.id, failure=self._describe(error, call.hook))]
            for reply in replies:
                self._channel.send(replace(reply, seconds=time.monotonic() - begin))

    def _answer(self, call: Call, available: dict[str, Any]) -> list[Reply]:
        if call.hook == "schema":
            from hafw.config.schema import schema_of  # noqa: PLC0415 - only `hafw schema` asks

            return [Reply(id=call.id, schema=schema_of(self._type))]
        hook = self._loaded.call.get(call.hook)
        if call.hook == "configure":
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                if hook:
                    hook(**{name: available[name] for name in arguments_of(hook)})
            if wrong := [*wrong_attributes(self._loaded.plugin)]:
                raise CannotLoadError("; ".join(wrong))
            # Exactly what warnings.warn("...") makes: a library's DeprecationWarning is nothing for the operator.
            return [Reply(id=call.id, hello=self.hello([str(w.message) for w in caught if w.category is UserWarning]))]
        result = hook(**{name: available[name] for name in arguments_of(hook)}) if hook else None
        match call.hook:
            case "check":
                return [Reply(id=call.id, verdict=verdict_of(result))]
            case "takeover":
                return list(parts_of(call.id, result))
            case "monitor" | "serve":
                return [Reply(id=call.id)]
        return [Reply(id=call.id, outcome=outcome_of(call.hook, result))]

    def _reporter(self, number: int) -> Callable[[Verdict], None]:
        def report(verdict: Verdict) -> None:
            self._channel.send(Reply(id=number, more=True, verdict=verdict_of(verdict)))

        return report

    def _describe(self, error: BaseException, hook: str) -> Failure:
        """A ``ValueError`` of ``configure`` has a mistake per line, ``key: what is wrong``."""
        failure = describe(error)
        if self._hidden and (isinstance(error, ImportError) or type(error) is LookupError):  # of a codec
            why = f"{user_name()} cannot read {self._hidden}: import at the top of the module what a hook needs"
            failure = replace(failure, message=f"{failure.message}; {why}"[:TEXT_MAX])
        refused = hook == "configure" and isinstance(error, ValueError)
        return replace(failure, problems=self._placed(str(error))) if refused else failure

    def _placed(self, text: str) -> tuple[tuple[str, str], ...]:
        """What ``configure`` said, line by line, each with its key path."""
        lines = [line for line in text.splitlines() if line.strip()]
        return tuple(problem_of(line, self._keys, f"plugin.{self._name}") for line in lines)


def problem_of(line: str, keys: set[str], path: str) -> tuple[str, str]:
    """Key path and message of ``key: message``, ``key[2]: message``; of anything else the plugin's own path."""
    place, colon, message = line.partition(":")
    key = place.split("[")[0].split(".")[0].strip()
    return (f"{path}.{place.strip()}", message.strip()) if colon and key in keys else (path, line.strip())


def needs_of(loaded: Loaded) -> Needs:
    """What decides the rights of this process."""
    return Needs(
        root=loaded.declared("needs_root", False),
        privileges=loaded.declared("needs_privileges", False),
        exposed=bool({"check", "monitor", "serve"} & loaded.implementations.keys()),
    )


def arguments_of(hook: Any) -> tuple[str, ...]:  # noqa: ANN401 - pluggy's HookCaller
    """The arguments of the hookspec: a call has to bring them all."""
    return tuple(hook.spec.argnames)


def verdict_of(result: object) -> Verdict:
    """The verdict with a detail that fits a line of the status; ``TypeError`` for anything else."""
    if not isinstance(result, Verdict):
        raise TypeError(f"{result!r:.100} is no Verdict: return Verdict(healthy, detail)")
    return replace(result, healthy=bool(result.healthy), detail=" ".join(str(result.detail).split())[:DETAIL_MAX])


def parts_of(number: int, result: object) -> Iterator[Reply]:
    """The answer of ``takeover`` in lines of a bounded length."""
    items = [] if result is None else list(result) if isinstance(result, list | tuple) else [result]
    for item in items:
        if not isinstance(item, Address | Frame):
            raise TypeError(f"{item!r:.100} is neither Address nor Frame")
    for first in range(0, len(items), PART):
        part = items[first : first + PART]
        yield Reply(
            id=number,
            more=True,
            addresses=tuple(item for item in part if isinstance(item, Address)),
            frames=tuple(item for item in part if isinstance(item, Frame)),
        )
    yield Reply(id=number)


def outcome_of(hook: str, result: object) -> Outcome | None:
    """What the status keeps of an event hook."""
    if result is None:
        return None
    if not isinstance(result, Mapping):
        raise TypeError(f"{hook} returned {result!r:.100}: {RETURNED}")
    if unknown := sorted(map(str, result.keys() - ANSWER)):  # an exit status of another name would be a success
        raise TypeError(f"{hook} returned the key {', '.join(unknown)}: {RETURNED}")
    return Outcome(
        output=str(result.get("output", ""))[-TEXT_MAX:],
        exit=int(result.get("exit", 0)),
        command=str(result.get("command", ""))[:TEXT_MAX],
    )


def describe(error: BaseException) -> Failure:
    """An exception in one line, with the place in the plugin that it comes from; of hafw or a library it shows none."""
    if isinstance(error, CannotLoadError):
        return Failure(kind="", message=str(error)[:TEXT_MAX])
    if isinstance(error, OptionsRefusedError):
        return Failure(kind=type(error).__name__, message=str(error)[:TEXT_MAX], problems=error.problems)
    message, trace = str(error), place_of(error)
    if isinstance(error, SyntaxError) and error.filename:
        message, trace = error.msg, f"{error.filename}:{error.lineno}"
    return Failure(kind=type(error).__name__, message=message[:TEXT_MAX], trace=trace)


def place_of(error: BaseException) -> str:
    """The innermost line of the author's own code: where that is, the first frame tells that is nobody else's."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not is_library(each.filename)]
    if not frames:
        return ""
    home = Path(frames[0].filename).parent
    own = next(each for each in reversed(frames) if Path(each.filename).is_relative_to(home))
    return f"{own.filename}:{own.lineno} in {own.name}"


def is_library(file: str) -> bool:
    """Whether no author of a plugin wrote it: Python's own, pluggy's or ours."""
    path = Path(file)
    if file.startswith("<frozen ") or any(path.is_relative_to(each) for each in _LIBRARIES):
        return True
    return path.is_relative_to(_PYTHON) and not {"site-packages", "dist-packages"} & set(path.parts)


def user_name() -> str:
    """Whom this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
