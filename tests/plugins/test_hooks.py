"""One example of each hook, in its real plugin process. The pages of docs/plugins/hooks show these very plugins.

``make reference`` copies them there, and a test holds both to be the same; see ``cut`` in docs/testing.md.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from hafw import hookspecs
from hafw.config.model import PluginConfig
from hafw.pipe import GroupChange, VipChange

if TYPE_CHECKING:
    from collections.abc import Callable

TIME = "2026-11-22T21:14:02.118Z"
ME = pwd.getpwuid(os.geteuid()).pw_name
PAGES = Path(__file__).parents[2] / "docs/plugins/hooks"
GROUP = GroupChange(
    seq=3,
    time=TIME,
    group="VG_1",
    members=("VI_1", "VI_2"),
    old="BACKUP",
    new="MASTER",
    reason="no-response",
    instance="VI_2",
)


@pytest.fixture
def shown(tmp_path: Path) -> Callable[..., PluginConfig]:
    """The example as it stands on its page, as the plugin ``mine``, with these options."""

    def shown(source: str, **options: object) -> PluginConfig:
        file = tmp_path / "mine.py"
        file.write_text(source, "utf-8")
        return PluginConfig(name="mine", file=str(file), options=options, user=ME)

    return shown


OPTIONS = """\
from dataclasses import dataclass

from hafw.api import Duration, Secret, hookimpl


@dataclass
class Options:
    url: str  # has to be there
    timeout: Duration = Duration(0.7)  # "700ms" in the file, 0.7 here
    password: Secret | None = None  # "file:/etc/x", "env:NAME", "credential:NAME"; .reveal() shows it
    from_: str = "hafw"  # the key "from"


@hookimpl
def options():
    return Options
"""


async def test_options_every_mistake_is_told_by_its_key_and_what_is_good_is_taken(shown, play):
    async with play(shown(OPTIONS, form="lb1", timeout="soon")) as stage:
        await stage.until(stage.failures)
        assert sorted(stage.failures()[0].split("; ")) == [
            "plugin.mine.form: unknown key (did you mean from?)",
            'plugin.mine.timeout: = "soon": must be a duration such as "100ms", "1.5s", "10m" or "1h"',
            "plugin.mine.url: is missing: a string is required",
        ]
    async with play(shown(OPTIONS, url="http://127.0.0.1/", timeout="2s", **{"from": "lb1"})) as stage:
        await stage.state("finished", "mine")
        assert stage.notices == []


CONFIGURE = """\
import warnings
from dataclasses import dataclass

from hafw.api import Verdict, hookimpl, refuse


@dataclass
class Options:
    url: str = "http://127.0.0.1/"
    instances: tuple[str, ...] = ()


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options, routers):
        mistakes = []
        if not options.url.startswith(("http://", "https://")):
            mistakes.append(("url", f'= "{options.url}": must begin with http:// or https://'))
        known = [router.name for router in routers]
        for number, name in enumerate(options.instances):
            if name not in known:
                mistakes.append((f"instances[{number}]", f'= "{name}": no such instance: there is {", ".join(known)}'))
        refuse(mistakes)  # every one of them, or nothing
        if options.url.startswith("http://"):
            warnings.warn("url: is asked without TLS")
        self.url = options.url

    @hookimpl
    def check(self):
        return Verdict(True, f"would ask {self.url}")


plugin = Mine()
"""


async def test_configure_refuses_with_the_key_of_each_mistake(shown, play):
    async with play(shown(CONFIGURE, url="ftp://127.0.0.1/", instances=["VI_1", "VI_9"])) as stage:
        await stage.until(stage.failures)
        assert stage.failures()[0].split("; ") == [
            'plugin.mine.url: = "ftp://127.0.0.1/": must begin with http:// or https://',
            'plugin.mine.instances[1]: = "VI_9": no such instance: there is VI_1',
        ]


async def test_configure_takes_what_is_good_and_warns(shown, play, instance):
    asked = instance(plugin="mine", interval=5.0)
    async with play(shown(CONFIGURE, url="http://192.0.2.1/", instances=["VI_1"]), instances=(asked,)) as stage:
        await stage.until(lambda: stage.verdicts)
        assert stage.verdicts[0].detail == "would ask http://192.0.2.1/"
        assert stage.plugins._hosts["mine"].hello.warnings == (("plugin.mine.url", "is asked without TLS"),)


TAKEOVER = """\
from hafw.api import hookimpl


@hookimpl
def takeover(router):
    return [address for address in router.addresses if address.prefixlen == 24]
"""


async def test_takeover_says_what_the_daemon_will_bind(shown, play):
    async with play(shown(TAKEOVER)) as stage:
        plan = await stage.plugins.takeover(stage.router())
        assert set(plan.addresses) == {ip_address("192.0.2.10")}


CHECK = """\
import os

from hafw.api import Verdict, hookimpl


@hookimpl
def check():
    free = os.statvfs("/").f_bavail
    return Verdict(free > 10_000, f"{free} blocks free")
"""


async def test_check_tells_how_it_is(shown, play, instance):
    async with play(shown(CHECK), instances=(instance(plugin="mine", interval=5.0),)) as stage:
        await stage.until(lambda: stage.verdicts)
        (free,) = re.findall(r"^(\d+) blocks free$", stage.verdicts[0].detail)
        assert stage.verdicts[0].healthy is (int(free) > 10_000)


MONITOR = """\
import os
import select
import time
from dataclasses import dataclass
from pathlib import Path

from hafw.api import Verdict, hookimpl


@dataclass
class Options:
    pid_file: str


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.pid_file = Path(options.pid_file)

    @hookimpl
    def monitor(self, report):
        while True:
            try:
                process = os.pidfd_open(int(self.pid_file.read_text()))
            except (OSError, ValueError) as error:
                report(Verdict(False, f"{self.pid_file}: {error}"))
            else:
                report(Verdict(True, "it lives"))
                select.select([process], [], [])  # until it dies
                os.close(process)
                report(Verdict(False, "it died", immediate=True))
            time.sleep(1)


plugin = Mine()
"""


async def test_monitor_reports_a_death_when_it_happens(shown, play, instance, tmp_path):
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:  # noqa: ASYNC220 - it is there at once
        (tmp_path / "pid").write_text(f"{process.pid}\n")
        asked = instance(plugin="mine", interval=60.0)
        async with play(shown(MONITOR, pid_file=str(tmp_path / "pid")), instances=(asked,)) as stage:
            await stage.until(lambda: stage.verdicts)
            process.kill()
            process.wait()
            await stage.until(lambda: len(stage.verdicts) >= 2)
            heard = [(each.healthy, each.detail, each.immediate) for each in stage.verdicts[:2]]
            assert heard == [(True, "it lives", False), (False, "it died", True)]


SERVE = """\
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hafw.api import hookimpl


@dataclass
class Options:
    path: str = "/run/hafw/role"


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.path = Path(options.path)

    @hookimpl
    def serve(self, ask):
        while True:
            status = ask("status")
            lines = [f"{each['name']} {each['state']}\\n" for each in status["instances"]]
            new = self.path.with_suffix(".new")
            new.write_text("".join(lines))
            new.replace(self.path)  # a reader sees the old file or the new one, never half of it
            time.sleep(5)


plugin = Mine()
"""


async def test_serve_shows_what_the_daemon_answers(shown, play, tmp_path):
    role, answered = tmp_path / "role", trio.Event()

    async def status(_request):
        answered.set()
        return {"instances": [{"name": "VI_1", "state": "MASTER"}, {"name": "VI_2", "state": "BACKUP"}]}

    async with play(shown(SERVE, path=str(role)), commands={"status": status}):
        with trio.fail_after(10):
            await answered.wait()
            while not role.exists():  # noqa: ASYNC110 - another process writes it
                await trio.sleep(0.01)
    assert role.read_text() == "VI_1 MASTER\nVI_2 BACKUP\n"


BECAME_MASTER = """\
import subprocess
from dataclasses import dataclass

from hafw.api import hookimpl


@dataclass
class Options:
    command: list[str]  # command = ["/usr/bin/systemctl", "start", "billing"]


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.command = options.command

    @hookimpl
    def became_master(self, router, change):
        done = subprocess.run(self.command, capture_output=True, text=True, timeout=20)
        return {"output": done.stdout + done.stderr, "exit": done.returncode, "command": self.command[0]}


plugin = Mine()
"""


async def test_became_master_keeps_the_output_and_an_exit_but_0_is_a_failure(shown, play):
    command = ["/bin/sh", "-c", "echo no route >&2; exit 3"]
    async with play(shown(BECAME_MASTER, command=command)) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(10)
        (result,) = stage.status("mine").results
        assert (result.hook, result.seq, result.exit, result.output) == ("became_master", 1, 3, "no route\n")
        assert stage.failures() == ["/bin/sh: exit 3: no route"]


BECAME_BACKUP = """\
from hafw.api import hookimpl


@hookimpl
def became_backup(router, change):
    return {"output": f"{router.name} stands by ({change.reason}), MASTER is {change.peer or 'not known yet'}"}
"""


async def test_became_backup_is_told_why(shown, play):
    async with play(shown(BECAME_BACKUP)) as stage:
        stage.deliver("BACKUP")
        await stage.plugins.drain(10)
        (result,) = stage.status("mine").results
        assert (result.output, result.exit) == ("VI_1 stands by (test), MASTER is not known yet", 0)


FAULTED = """\
import json
import urllib.request
from dataclasses import dataclass

from hafw.api import hookimpl


@dataclass
class Options:
    url: str


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.url = options.url

    @hookimpl
    def faulted(self, router, change):
        body = json.dumps({"instance": router.name, "reason": change.reason, "id": change.seq})
        urllib.request.urlopen(self.url, body.encode(), timeout=20).close()  # raises for anything but 2xx


plugin = Mine()
"""


async def test_faulted_tells_somebody_and_says_when_it_could_not(shown, play, http_receiver):
    async with play(shown(FAULTED, url=http_receiver.url)) as stage:
        stage.deliver("FAULT", 1)
        await stage.plugins.drain(10)
        http_receiver.script(500)
        stage.deliver("FAULT", 2)
        await stage.plugins.drain(10)
        assert [result.error.partition(" (")[0] for result in stage.status("mine").results] == [
            "",
            "faulted raised HTTPError: HTTP Error 500: Internal Server Error",
        ]
    assert http_receiver.received[0].json() == {"instance": "VI_1", "reason": "test", "id": 1}


STOPPED = """\
from dataclasses import dataclass
from pathlib import Path

from hafw.api import hookimpl


@dataclass
class Options:
    folder: str = "/run/hafw/roles"


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.folder = Path(options.folder)

    @hookimpl
    def stopped(self, router, change):
        (self.folder / router.name).unlink(missing_ok=True)  # twice does no harm


plugin = Mine()
"""


async def test_stopped_is_called_when_the_daemon_ends_and_when_the_instance_goes(shown, play, tmp_path):
    (tmp_path / "VI_1").touch()
    async with play(shown(STOPPED, folder=str(tmp_path))) as stage:
        stage.deliver("DELETED", 1)
        stage.deliver("STOP", 2)
        await stage.plugins.drain(10)
        assert [(result.hook, result.error) for result in stage.status("mine").results] == [("stopped", "")] * 2
    assert not (tmp_path / "VI_1").exists()


VIP_CHANGED = """\
from hafw.api import hookimpl


@hookimpl
def vip_changed(router, change):
    if change.change == "vip_lost":
        return {"output": f"{change.address} of {router.name} was removed by {change.culprit or 'somebody'}"}
    return None
"""


def vip(change: str, culprit: str = "") -> VipChange:
    return VipChange(seq=1, time=TIME, instance="VI_1", address="192.0.2.10", change=change, culprit=culprit)


async def test_vip_changed_names_who_is_suspected(shown, play):
    async with play(shown(VIP_CHANGED)) as stage:
        stage.plugins.deliver(stage.router(), vip("vip_bound"))
        stage.plugins.deliver(stage.router(), vip("vip_lost", "NetworkManager"))
        await stage.plugins.drain(10)
        assert [result.output for result in stage.status("mine").results] == [
            "",
            "192.0.2.10 of VI_1 was removed by NetworkManager",
        ]


GROUP_CHANGED = """\
from hafw.api import hookimpl


@hookimpl
def group_changed(group, change):
    members = ", ".join(group.members)
    return {"output": f"{group.name} ({members}): {change.old} to {change.new}, {change.instance} began it"}
"""


async def test_group_changed_is_told_of_the_whole_group(shown, play):
    async with play(shown(GROUP_CHANGED)) as stage:
        stage.plugins.deliver_group(GROUP)
        await stage.plugins.drain(10)
        (result,) = stage.status("mine").results
        assert result.output == "VG_1 (VI_1, VI_2): BACKUP to MASTER, VI_2 began it"


EVENT = """\
import json
from dataclasses import dataclass
from pathlib import Path

from hafw.api import hookimpl


@dataclass
class Options:
    path: str = "/var/lib/hafw/all.jsonl"


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.path = Path(options.path)

    @hookimpl
    def event(self, event):
        with self.path.open("a") as file:
            file.write(json.dumps(event) + "\\n")


plugin = Mine()
"""


async def test_event_hears_all_of_them_in_order(shown, play, tmp_path):
    events = [{"seq": seq, "type": "check_changed", "instance": "VI_1", "check": "web"} for seq in (1, 2, 3)]
    async with play(shown(EVENT, path=str(tmp_path / "all.jsonl"))) as stage:
        for each in events:
            stage.plugins.publish(each)
        await stage.plugins.drain(10)
    assert list(map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())) == events


BEFORE_RELEASE = """\
import time
from dataclasses import dataclass
from pathlib import Path

from hafw.api import hookimpl


@dataclass
class Options:
    busy: str  # a file that is there while something is at work


class Mine:
    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options):
        self.busy = Path(options.busy)

    @hookimpl
    def before_release(self, router, budget):
        end = time.monotonic() + budget - 1.0  # when the budget is spent, this process is killed
        while self.busy.exists():
            if time.monotonic() > end:
                return {"output": f"{router.name} is handed over though {self.busy} is there", "exit": 1}
            time.sleep(0.05)
        return None


plugin = Mine()
"""


async def test_before_release_holds_the_handover_up_until_all_is_done_or_the_budget_is_spent(shown, play, tmp_path):
    busy = tmp_path / "busy"
    busy.touch()
    async with play(shown(BEFORE_RELEASE, busy=str(busy))) as stage:
        await stage.state("running", "mine")
        await stage.plugins.before_release([stage.router()], 1.1)
        assert stage.failures() == [f"exit 1: VI_1 is handed over though {busy} is there"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.plugins.before_release, [stage.router()], 30.0)
            await trio.testing.wait_all_tasks_blocked()
            busy.unlink()
        assert stage.status("mine").calls == 2
        assert len(stage.failures()) == 1


MEET = """
import threading
from dataclasses import dataclass

@dataclass
class Options:
    pass

def met(hook):
    with open("{path}", "a") as file:
        file.write(f"{{hook}} {{os.getpid()}} {{threading.current_thread().name}}\\n")
"""


async def test_every_hook_runs_in_the_thread_that_its_page_names(write, play, instance, tmp_path):
    """And all of them in one process, which is not the daemon's."""
    log = tmp_path / "log"
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, "hafw_spec")]
    returns = {"options": "Options", "check": "Verdict(True)", "takeover": "list(router.addresses)"}
    takes = {"takeover": "router", "monitor": "router"}
    plugin = write(
        MEET.format(path=str(log))
        + "".join(
            f"@hookimpl\ndef {hook}({takes.get(hook, '')}):\n    met('{hook}')\n    return {returns.get(hook)}\n"
            for hook in hooks
        ),
        user=ME,
    )
    async with play(plugin, instances=(instance(interval=60.0),)) as stage:
        await stage.plugins.takeover(stage.router())
        for state in ("MASTER", "BACKUP", "FAULT", "STOP"):
            stage.deliver(state)
        stage.plugins.deliver(stage.router(), vip("vip_bound"))
        stage.plugins.deliver_group(GROUP)
        stage.plugins.publish({"type": "check_changed"})
        await stage.plugins.before_release([stage.router()], 30.0)
        await stage.plugins.drain(10)
        await stage.until(lambda: len(log.read_text().splitlines()) == len(hooks))
    met = [line.split(" ", 2) for line in log.read_text().splitlines()]
    threads = {hook: thread.strip() for hook, _, thread in met}
    assert {pid for _, pid, _ in met}.isdisjoint({str(os.getpid())})
    assert len({pid for _, pid, _ in met}) == 1
    described = {
        hook: re.findall(r"^\| thread \| `([^`]+)`", (PAGES / f"{hook}.md").read_text("utf-8"), re.MULTILINE)
        for hook in hooks
    }
    named = {
        hook: thread.replace("VI_1", "INSTANCE").replace("VG_1", "GROUP").replace("check 0", "check N")
        for hook, thread in threads.items()
    }
    assert {hook: [thread] for hook, thread in named.items()} == described
