"""The commands of docs/from-keepalived.md, "Moving a live pair", carried out on a keepalived pair in traffic.

The page is the script: each ``lb1# command`` of its section is run there as it stands, ``both# command`` on both. A
line below a command is what has to be seen before the next one; the command is run again until its output has such a
line, or one that goes on after these words. A handover that finds nobody yet is asked for again, as there.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hafw.lab import routers
from hafw.lab.ruler import Outage, Ruler
from parity.machine import TREE, Machine
from parity.pair import HOSTS, LB1, LB2
from parity.router import PATIENCE, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

    from hafw.lab.network import Lab

SECTION: Final = {"en": "## Moving a live pair", "zh": "## 迁移一对在用的机器"}
LANGUAGES: Final = tuple(SECTION)
PAGE: Final = {"en": "docs/from-keepalived.md", "zh": "docs/from-keepalived.zh-CN.md"}
CLIENT: Final = "client"
VIP: Final = "192.168.161.250"
OWN: Final = {LB1: "192.168.161.1", LB2: "192.168.161.2", CLIENT: "192.168.161.100"}
PRIORITY: Final = {LB1: 150, LB2: 100}
CONTROL: Final = "keepalived alone: stopped and started on lb1"
_PROMPT: Final = re.compile(r"(lb1|lb2|both)# (.+)")
_CHECK: Final = '#!/bin/sh\nkill -0 "$(cat /run/web.pid)"\n'
_NOTIFY: Final = '#!/bin/sh\necho "$@" >>/run/notified\n'
_CONFIGURATION: Final = """\
global_defs {{
  router_id {host}
  enable_script_security
  script_user root
}}

vrrp_script web {{
  script "/etc/keepalived/check_web.sh"
  interval 1
  weight -60
}}

vrrp_instance VI_1 {{
  state {state}
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int 1
  authentication {{
    auth_type PASS
    auth_pass 1111
  }}
  virtual_ipaddress {{
    {vip}/24
  }}
  track_script {{
    web
  }}
  notify /etc/keepalived/notify.sh
}}
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One line that the page tells an operator to type."""

    chapter: str
    host: str
    text: str
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """What the client saw of it, and who answered in the end."""

    title: str
    ping: Outage
    pages: Outage
    holder: str


def page_of(language: str) -> str:
    """The page that an operator reads."""
    return (Path(TREE) / PAGE[language]).read_text(encoding="utf-8")


def commands(page: str, language: str) -> list[Command]:
    """Those of the section of this page, in order."""
    found: list[Command] = []
    begun = chapter = fenced = ""
    for line in page.splitlines():
        if line.startswith("## "):
            begun = line if line == SECTION[language] else ""
        elif begun and line.startswith("### "):
            chapter = line.removeprefix("### ")
        elif begun and line.startswith("```"):
            fenced = "" if fenced else line
        elif fenced and (prompt := _PROMPT.fullmatch(line)):
            found.append(Command(chapter, prompt[1], prompt[2]))
        elif fenced:
            last = found.pop()
            found.append(Command(last.chapter, last.host, last.text, (*last.expected, line)))
    return found


class Migration:
    """A pair and its client."""

    def __init__(self, lab: Lab) -> None:
        """Make them; both run keepalived and their web server, and lb1 is MASTER."""
        self._lab = lab
        for host, address in OWN.items():
            lab.add_host(host, f"{address}/24")
        self.machines = {host: Machine(lab, host) for host in HOSTS}
        for host, machine in self.machines.items():
            web = routers.start_web(lab, host)
            (machine.run_directory / "web.pid").write_text(f"{web.pid}\n")
            machine.script("/etc/keepalived/check_web.sh", _CHECK)
            machine.script("/etc/keepalived/notify.sh", _NOTIFY)
            for each in HOSTS:
                (machine.etc / f"hafw/{each}.conf").write_text(_configuration(each))
            (machine.etc / "keepalived/keepalived.conf").write_text(_configuration(host))
            machine.must(f"cp {TREE}/deploy/systemd/hafw.service /etc/systemd/system")
            machine.must("systemctl enable keepalived && systemctl start keepalived")
        self.wait_for(LB1)
        self._ping = Ruler(lab, CLIENT, VIP, kind="ping", options=["--realtime"])
        self._pages = Ruler(lab, CLIENT, VIP, kind="pages")
        self._answered(time.time())

    def control(self) -> Chapter:
        """What keepalived loses by itself when it is stopped on the MASTER and started again."""
        since = time.time()
        self.machines[LB1].must("systemctl stop keepalived")
        self.wait_for(LB2)
        self.machines[LB1].must("systemctl start keepalived")
        self.wait_for(LB1)
        return self._measured(CONTROL, since)

    def run(self, page: Iterable[Command]) -> list[Chapter]:
        """All of it, chapter by chapter."""
        chapters: dict[str, list[Command]] = {}
        for command in page:
            chapters.setdefault(command.chapter, []).append(command)
        return [self._run_chapter(title, its_own) for title, its_own in chapters.items()]

    def wait_for(self, holder: str) -> None:
        """Until it alone has the address."""
        until(lambda: self.holders() == [holder], f"{VIP} on {holder} alone")

    def holders(self) -> list[str]:
        """Who has the address."""
        return [host for host in HOSTS if VIP in self._lab.addresses(host)]

    def _run_chapter(self, title: str, its_own: list[Command]) -> Chapter:
        since = time.time()
        for command in its_own:
            for host in HOSTS if command.host == "both" else (command.host,):
                _carry_out(self.machines[host], command)
        if its_own[-1].text == "systemctl start keepalived":  # what the page says comes next, and no command waits for
            self.wait_for(LB1)
        until(lambda: len(self.holders()) == 1, f"{title}: {VIP} in one place")
        return self._measured(title, since)

    def _measured(self, title: str, since: float) -> Chapter:
        (holder,) = self.holders()
        end = time.time()
        self._answered(end)
        return Chapter(title, self._ping.outage(since, end), self._pages.outage(since, end), holder)

    def _answered(self, since: float) -> None:
        """By then the fate of every probe before it is known."""
        for ruler in (self._ping, self._pages):
            if ruler.wait_for_answer(since=since + ruler.timeout, timeout=PATIENCE) is None:
                raise TimeoutError(f"{VIP} does not answer any more")


def _carry_out(machine: Machine, command: Command) -> None:
    """Run it, again while it fails or what it has to show is not there yet; what never works is shown."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = machine.shell(command.text)
        if not done.returncode and _shows(done, command.expected):
            return
        patient = command.expected or command.text.startswith("hafw handover")
        if not patient or time.monotonic() > deadline:
            raise RuntimeError(f"{machine.host}# {command.text}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def _shows(done: subprocess.CompletedProcess[str], expected: tuple[str, ...]) -> bool:
    """Every line that the page has begins a line of the output; ``...`` is whatever is there."""
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    patterns = [re.escape(" ".join(words.split())).replace(re.escape("..."), ".*") + "( |$)" for words in expected]
    return all(any(re.match(pattern, line) for line in lines) for pattern in patterns)


def _configuration(host: str) -> str:
    return _CONFIGURATION.format(
        host=host, state="MASTER" if host == LB1 else "BACKUP", priority=PRIORITY[host], vip=VIP
    )
