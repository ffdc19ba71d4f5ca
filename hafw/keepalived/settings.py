"""``global_defs``: what holds for every instance and for the host."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.config.addresses import parse_ip
from hafw.config.values import format_duration
from hafw.keepalived.scripts import command, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.keepalived.draft import Section
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router

DAY = 86_400.0
_SECONDS = re.compile(r"\d{1,4}(\.\d{1,6})?", re.ASCII)
SCRIPT_USER = "keepalived_script"


@dataclass
class Mail:
    """What ``global_defs`` says of mail; whether any is sent, instances and groups decide too."""

    to: list[str] = field(default_factory=list)
    sender: str = ""
    server: str = ""
    timeout: float = 30.0
    no_faults: bool = False
    alert: bool = False
    statements: list[Statement] = field(default_factory=list)


@dataclass
class Settings:
    """Everything that ``global_defs`` says and instances look up."""

    version: int = 2
    strict: Statement | None = None
    interface: str = ""
    user: str = ""
    user_given: bool = False
    garp: dict[str, float] = field(default_factory=dict)
    """``delay``, ``repeat``, ``refresh``, ``interval``, ``min``: as far as they are given."""
    down_timer_adverts: int = 3
    checksum: bool = False
    groups: dict[int, str] = field(default_factory=dict)
    """Multicast groups by family."""
    mail: Mail = field(default_factory=Mail)
    startup_delay: float = 0.0
    link_delays: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By interface: how long it must be down, and up again, until that counts."""


class GlobalReading:
    """Reads ``global_defs``."""

    def __init__(self, router: Router) -> None:
        self.settings = Settings()
        self._router = router
        self._readers: dict[str, Callable[[Statement], None]] = {
            "router_id": self._router_id,
            "notification_email": self._mail_to,
            "notification_email_from": self._mail_from,
            "smtp_server": self._mail_server,
            "smtp_connect_timeout": self._mail_timeout,
            "smtp_alert": self._mail_alert,
            "smtp_alert_vrrp": self._mail_alert,
            "no_email_faults": self._mail_no_faults,
            "script_user": self._script_user,
            "vrrp_version": self._version,
            "vrrp_mcast_group4": self._multicast,
            "vrrp_mcast_group6": self._multicast,
            "vrrp_strict": self._strict,
            "v3_checksum_as_v2": self._checksum,
            "vrrp_down_timer_adverts": self._down_timer,
            "default_interface": self._interface,
            "vrrp_rt_priority": self._realtime,
            "vrrp_no_swap": self._no_swap,
            "vrrp_cpu_affinity": self._cpus,
            "vrrp_startup_delay": self._startup_delay,
            "vrrp_delay_after_boot": self._startup_delay,
            "notify_fifo": self._fifo,
            "vrrp_notify_fifo": self._fifo,
            "notify_fifo_script": self._fifo_script,
            "vrrp_notify_fifo_script": self._fifo_script,
            **dict.fromkeys(
                (
                    *("vrrp_garp_master_delay", "vrrp_garp_master_repeat", "vrrp_garp_master_refresh"),
                    *("vrrp_garp_interval", "vrrp_gna_interval", "vrrp_min_garp"),
                ),
                self._garp,
            ),
        }

    def read(self, statement: Statement) -> None:
        """One statement of the block, or one that belongs there."""
        self._readers[statement.word](statement)

    def _router_id(self, statement: Statement) -> None:
        words = self._router.only(statement, 99)
        name = " ".join(words).strip()
        if name and name.isprintable():
            self._router.draft.section("node").put("name", name, statement.place)
        else:
            self._router.note(statement, "decide", "needs a name: hafw takes the short host name")

    def _mail_to(self, statement: Statement) -> None:
        mail = self._mail(statement)
        for line, words in [(statement, statement.arguments), *((each, each.words) for each in statement.body or ())]:
            line.told = True
            for address in words:
                if is_mail_address(address):
                    mail.to.append(address)
                else:
                    why = f"`{address}` is no mail address that leaves this host: left out"
                    self._router.report.add(line.place, line.text, "decide", why)

    def _mail_from(self, statement: Statement) -> None:
        mail = self._mail(statement)
        given = " ".join(self._router.only(statement, 99))
        if is_mail_address(given):
            mail.sender = given
        else:
            self._router.note(statement, "changed", f"`{given}` is no mail address: keepalived@localhost stands for it")
            mail.sender = "keepalived@localhost"

    def _mail_server(self, statement: Statement) -> None:
        given = self._router.only(statement, 2)
        if not given:
            self._router.note(statement, "decide", "needs the address of a mail server")
            return
        host = f"[{given[0]}]" if ":" in given[0] else given[0]
        port = given[1] if len(given) > 1 and given[1].isdecimal() and 0 < int(given[1][:6]) < 65536 else "25"
        self._mail(statement).server = f"{host}:{port}"

    def _mail_timeout(self, statement: Statement) -> None:
        found = self._router.number(statement, 1, 600)
        if found is not None:
            self._mail(statement).timeout = found

    def _mail_alert(self, statement: Statement) -> None:
        self.settings.mail.alert = bool(self._router.switch(statement))

    def _mail_no_faults(self, statement: Statement) -> None:
        self._router.only(statement, 0)
        self.settings.mail.no_faults = True

    def _mail(self, statement: Statement) -> Mail:
        self.settings.mail.statements.append(statement)
        return self.settings.mail

    def _script_user(self, statement: Statement) -> None:
        name = user_of(self._router, statement, statement.arguments)
        if name:
            self.settings.user, self.settings.user_given = name, True

    def _version(self, statement: Statement) -> None:
        found = self._router.whole(statement, 2, 3)
        self.settings.version = found or 2

    def _multicast(self, statement: Statement) -> None:
        given = self._router.only(statement)
        try:
            group = parse_ip(given[0] if given else "")
        except ValueError as error:
            self._router.note(statement, "decide", str(error))
            return
        if not group.is_multicast or group.version != int(statement.word[-1]):
            self._router.note(
                statement, "decide", "must be a multicast address of this family: keepalived's default counts"
            )
        elif str(group) not in ("224.0.0.18", "ff02::12"):
            self.settings.groups[group.version] = str(group)

    def _strict(self, statement: Statement) -> None:
        if self._router.switch(statement) is not True:
            return
        self.settings.strict = statement
        why = (
            "hafw has no such mode. Strict, keepalived dropped every packet to the virtual addresses, so that they "
            "could not be pinged or used; here they answer. It also ignored passwords, so they are left out"
        )
        self._router.note(statement, "changed", why)

    def _checksum(self, statement: Statement) -> None:
        self.settings.checksum = bool(self._router.switch(statement))

    def _down_timer(self, statement: Statement) -> None:
        self.settings.down_timer_adverts = self._router.whole(statement, 1, 100) or 3

    def _interface(self, statement: Statement) -> None:
        self.settings.interface = next(iter(self._router.only(statement)), "")

    def _garp(self, statement: Statement) -> None:
        name = statement.word.removeprefix("vrrp_").removeprefix("garp_master_")
        if name == "min_garp":
            self.settings.garp["min"] = float(bool(self._router.switch(statement)))
            return
        found = self._router.number(statement, 0, DAY)
        if found is not None:
            self.settings.garp["interval" if name.endswith("interval") else name] = found

    def _realtime(self, statement: Statement) -> None:
        found = self._router.whole(statement, 1, 99)
        if found is not None:
            self._router.draft.section("process").put("realtime", found, statement.place)

    def _no_swap(self, statement: Statement) -> None:
        self._router.only(statement, 0)
        self._router.draft.section("process").put("lock_memory", value=True, place=statement.place)

    def _cpus(self, statement: Statement) -> None:
        words = [each for each in statement.arguments if each.isdecimal() and int(each[:5]) < 8192]
        if words and len(words) == len(statement.arguments):
            self._router.draft.section("process").put(
                "cpus", [int(each) for each in dict.fromkeys(words)], statement.place
            )
        else:
            self._router.note(statement, "decide", "needs the numbers of processors, counted from 0")

    def _startup_delay(self, statement: Statement) -> None:
        found = self._router.number(statement, 0, 3600)
        if not found:
            return
        self.settings.startup_delay = max(found, self.settings.startup_delay)
        value = format_duration(self.settings.startup_delay)
        self._router.draft.section("node").put("startup_delay", value, statement.place)

    def _fifo(self, statement: Statement) -> None:
        given = self._router.only(statement, 3)
        if not given or not given[0].startswith("/"):
            self._router.note(statement, "decide", "needs the absolute path of a FIFO")
            return
        self._fifo_section(statement).put("path", given[0], statement.place)
        if given[1:]:
            why = f"`{' '.join(given[1:])}`: the pipe belongs to the plugin's `user`; `group` says who may read it"
            self._router.report.add(statement.place, statement.text, "changed", why)

    def _fifo_script(self, statement: Statement) -> None:
        argv = split(next(iter(statement.arguments), ""))
        if not argv:
            self._router.note(statement, "decide", "names no command")
            return
        section = self._fifo_section(statement)
        section.put("script", command(argv), statement.place)
        user = user_of(self._router, statement, statement.arguments[1:]) if statement.arguments[1:] else ""
        section.put("user", user or self.settings.user or "root", statement.place)

    def _fifo_section(self, statement: Statement) -> Section:
        """A second pipe, of VRRP alone, is a second plugin: here both tell the same."""
        name = "vrrp_fifo" if statement.word.startswith("vrrp_") else "fifo"
        section = self._router.draft.section("plugin", name, place=statement.place)
        if name == "vrrp_fifo":
            section.put("plugin", "fifo", statement.place)
        return section

    def finish(self) -> None:
        """A reader without a pipe is none."""
        for name in ("fifo", "vrrp_fifo"):
            section = self._router.draft.sections.get(("plugin", name))
            if section is not None and section.get("path") is None:
                del self._router.draft.sections["plugin", name]
                if section.place is not None:
                    self._router.report.add(section.place, "", "decide", "there is no FIFO for it to read")


def read_link_delays(router: Router, statement: Statement) -> dict[str, tuple[str, str]]:
    """``interface_up_down_delays { eth1 2 5 }``: seconds down, and up."""
    found = {}
    for each in statement.body or ():
        each.told = True
        numbers = [word for word in each.arguments if _SECONDS.fullmatch(word)]
        if not numbers or len(numbers) != len(each.arguments):
            router.note(each, "decide", "needs seconds: how long it must be down, and how long up")
            continue
        delays = [format_duration(min(float(word), 3600.0)) for word in (numbers * 2)[:2]]
        found[each.word] = (delays[0], delays[1])
    return found


def user_of(router: Router, statement: Statement, words: tuple[str, ...]) -> str:
    """The user of ``USER [GROUP]``; a group of its own is not carried over."""
    if not words:
        router.note(statement, "decide", "needs the name of a user")
        return ""
    name, group = words[0].rstrip(":"), next(iter(words[1:]), "")
    if group and group not in (name, ":"):
        why = f"a script has the groups of its user: that it runs with group `{group}` is not carried over"
        router.report.add(statement.place, statement.text, "not carried over", why)
    return name


def is_mail_address(text: str) -> bool:
    """Whether a mail server may take it: as the mail plugin wants it."""
    local, at, domain = text.rpartition("@")
    fine = text.isascii() and text.isprintable() and not set(text) & {" ", ",", "<", ">"}
    return bool(at and local and domain and fine)
