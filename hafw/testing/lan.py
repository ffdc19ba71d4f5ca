"""Real daemons with a plugin, on hosts in network namespaces: what a failover really does with it. No root needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hafw.testing.configuration import text_of
from hafw.testing.stage import EVENTS
from hafw.testing.traces import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ADDRESS = "192.0.2.10"
INSTANCE = "VI_1"
PATIENCE = 60.0
"""Seconds that something may take before it counts as not happening: machines that test are busy."""
LOOK = 0.05
WORDS = 20
"""Lines of a log that are shown when something does not happen."""


class LanRefused(Exception):  # noqa: N818 - the machine refused
    """This machine does not allow network namespaces; the text says which step, why, and the way out."""


class LanUnderTest:
    """Made by the fixture ``hafw_lan``, and taken down by it. All routers run from the beginning."""

    def __init__(self, routers: Iterable[str], write: Callable[[Path, bool], str]) -> None:
        """Build it; raises ``LanRefused``. ``write``: ``configuration``, but for a router's folder and what follows."""
        self._stage = subprocess.Popen(
            [sys.executable, "-m", "hafw.testing.stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != MARK},
        )
        self._folders: dict[str, Path] = {}
        self._texts: dict[str, str] = {}
        self._running: set[str] = set()
        try:
            one_user = self._has_one_user()
            for number, name in enumerate(routers, 1):
                self._folders[name] = Path(self._do("add", name, f"192.0.2.{number}/24"))
                self._texts[name] = write(self._folders[name], one_user)
            for name in routers:
                self.start(name)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything. Again: nothing."""
        if self._stage.stdin and not self._stage.stdin.closed:
            self._stage.stdin.close()
        self._stage.wait(PATIENCE)
        if self._stage.stdout:
            self._stage.stdout.close()

    # -- what happens to routers ----------------------------------------------------------------------------------

    def start(self, router: str) -> None:
        """Start guard and daemon; returns when the daemon answers."""
        self._do("start", self._known(router), self._texts[router])
        self._running.add(router)
        self.wait_for(lambda: self.status(router), f"{router} answers")
        self._do("follow", router)

    def stop(self, router: str) -> None:
        """End it as ``systemctl stop`` does: it hands over first."""
        self._do("end", self._known(router), signal.SIGTERM)
        self._running.discard(router)

    def kill(self, router: str) -> None:
        """Kill daemon, guard and plugins at once, as a power cut does; its addresses stay and answer."""
        self._do("end", self._known(router), signal.SIGKILL)
        self._running.discard(router)

    def crash(self, router: str) -> None:
        """Kill the daemon alone: its guard starts the next one."""
        self._do("crash", self._known(router))

    def cut(self, router: str) -> None:
        """Pull its cable."""
        self._do("cut", self._known(router))

    def mend(self, router: str) -> None:
        """Put its cable back."""
        self._do("mend", self._known(router))

    def run(self, router: str, *argv: str) -> str:
        """Run a short command on its host, and return what it printed; ``AssertionError`` when it fails."""
        return str(self._do("run", self._known(router), list(argv)))

    # -- how things are -------------------------------------------------------------------------------------------

    @property
    def routers(self) -> tuple[str, ...]:
        """By name."""
        return tuple(self._folders)

    @property
    def master(self) -> str:
        """The one that says it is MASTER and has the address; empty: nobody, or several."""
        found = [each for each in self._running if self.state(each) == "MASTER" and ADDRESS in self.addresses(each)]
        return found[0] if len(found) == 1 else ""

    def state(self, router: str) -> str:
        """``MASTER``, ``BACKUP``, ``FAULT``, ``INITIALIZE``; empty when no daemon answers."""
        return str(self._do("state", self._known(router)))

    def status(self, router: str) -> Mapping[str, Any]:
        """What ``hafw status --json`` shows; empty when no daemon answers."""
        found: Mapping[str, Any] = self._do("status", self._known(router))
        return found

    def plugin(self, router: str, name: str) -> Mapping[str, Any]:
        """What ``hafw plugins --json`` shows of one; empty when it is not there."""
        answer = self._do("plugins", self._known(router))
        return next((each for each in answer.get("plugins", ()) if each["name"] == name), {})

    def addresses(self, router: str) -> set[str]:
        """What is bound on its interfaces."""
        return set(self._do("addresses", self._known(router)))

    def events(self, router: str, kind: str = "") -> list[dict[str, Any]]:
        """Its events so far, of whichever daemon, or those of one ``type``."""
        path = self.folder(router) / EVENTS
        lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [each for each in found if kind in ("", each.get("type"))]

    def folder(self, router: str) -> Path:
        """Where it keeps its files, those of the plugin included: ``{folder}`` in the options."""
        return self._folders[self._known(router)]

    def wait_for_master(self, router: str, timeout: float = PATIENCE) -> None:
        """Block until this router is MASTER, has the address, and nobody else is; raises ``AssertionError``."""
        self.wait_for(lambda: self.master == router, f"{router} is MASTER", timeout)

    def wait_for(self, condition: Callable[[], Any], what: str = "it", timeout: float = PATIENCE) -> None:
        """Block until something holds; raises ``AssertionError`` with the last words of every daemon."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout:g}s: {what}\n{self._last_words()}")
            time.sleep(LOOK)

    def _last_words(self) -> str:
        logs = {name: folder / "hafw.log" for name, folder in self._folders.items()}
        texts = {name: log.read_text("utf-8", "replace") for name, log in logs.items() if log.exists()}
        return "\n".join("\n".join([f"--- {name}", *text.splitlines()[-WORDS:]]) for name, text in texts.items())

    def _known(self, router: str) -> str:
        if router not in self._folders:
            raise ValueError(f"router {router!r}: there are {', '.join(self._folders)}")
        return router

    def _has_one_user(self) -> bool:
        """The first word of the lab: in a user namespace nobody can run as anybody else."""
        head = self._read()
        if "refused" in head:
            raise LanRefused(head["refused"])
        return bool(head["one_user"])

    def _do(self, *words: Any) -> Any:  # noqa: ANN401 - what a method of Stage takes and returns
        assert self._stage.stdin is not None
        self._stage.stdin.write(json.dumps(words) + "\n")
        self._stage.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise AssertionError(f"{words[0]} {words[1]}: {answer['error']}")
        return answer["value"]

    def _read(self) -> dict[str, Any]:
        assert self._stage.stdout is not None
        line = self._stage.stdout.readline()
        if not line:
            raise AssertionError(f"the lab has ended with status {self._stage.wait(PATIENCE)}")
        found: dict[str, Any] = json.loads(line)
        return found


def configuration(  # noqa: PLR0913 - the keys of a file, each by name
    routers: Mapping[str, int],
    plugin: str,
    folder: Path,
    one_user: bool,  # noqa: FBT001 - what a lab says of itself
    *,
    file: str,
    options: Mapping[str, Any],
    check: Mapping[str, Any] | None,
    user: str,
    own: Mapping[str, Any],
) -> str:
    """What all routers run. ``options`` may say ``{folder}``: where a router keeps its files."""
    tables: dict[tuple[str, ...], Mapping[str, Any]] = {
        ("instance", INSTANCE): {
            "interface": "eth0",
            "vrid": 51,
            "priority": dict(routers),
            "advertisement_interval": "100ms",
            "virtual_addresses": [f"{ADDRESS}/24"],
            **own,
        }
    }
    if check is not None:
        tables["instance", INSTANCE, "check", plugin] = check
    about = {"file": file, "user": "" if one_user else user}
    common = {key: value for key, value in about.items() if value}
    tables["plugin", plugin] = {**common, **{key: _placed(value, str(folder)) for key, value in options.items()}}
    return text_of(tables)


def _placed(value: Any, folder: str) -> Any:  # noqa: ANN401 - any option
    """With the folder in the place of its name."""
    if isinstance(value, str | Path):
        return str(value).replace("{folder}", folder)
    if isinstance(value, dict):
        return {key: _placed(each, folder) for key, each in value.items()}
    return [_placed(each, folder) for each in value] if isinstance(value, list | tuple) else value
