"""``notify_*`` and ``smtp_alert``: scripts and mail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.config.values import format_duration
from hafw.keepalived.scripts import command, in_shell, split, wants_shell

if TYPE_CHECKING:
    from collections.abc import Collection

    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router
    from hafw.keepalived.settings import Settings

_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}\$?")
_NO_USERS = {"master", "backup", "fault", "stop", "start", "notify", "slave"}
_KEYS = (
    *("notify", "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted"),
    "notify_master_rx_lower_pri",
)
Owner = tuple[str, str]
"""``("instance", "VI_1")`` or ``("group", "VG_1")``."""


@dataclass
class Scripts:
    """What one instance or group runs."""

    commands: dict[str, tuple[Value, Statement]] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    """Of the commands that name one."""


class NotifyReading:
    """Reads the scripts and the mail of every instance and group, and puts them together."""

    def __init__(self, router: Router, settings: Settings) -> None:
        self._router = router
        self._settings = settings
        self._scripts: dict[Owner, Scripts] = {}
        self._alerts: dict[Owner, tuple[bool, Statement]] = {}

    def read(self, owner: Owner, statements: list[Statement]) -> None:
        """All statements of one instance or group."""
        scripts = self._scripts[owner] = Scripts()
        for each in statements:
            if each.word == "smtp_alert":
                found = self._router.switch(each)
                if found is not None:
                    self._alerts[owner] = (found, each)
            else:
                self._command(scripts, each)

    def _command(self, scripts: Scripts, statement: Statement) -> None:
        key = statement.word
        if len(statement.words) < 2:
            if key == "notify_deleted":
                self._router.note(statement, "changed", "names no command: its removal is told as FAULT, as without it")
            else:
                self._router.note(statement, "decide", "names no command")
            return
        argv = self._argv(scripts, statement)
        if not argv or not argv[0]:
            self._router.note(statement, "decide", "names no command")
        elif key in scripts.commands:
            self._again(scripts, statement)
        else:
            scripts.commands[key] = (command(argv), statement)

    def _argv(self, scripts: Scripts, statement: Statement) -> list[str]:
        """The command; what stands behind its quotes is a user, if it can be one, else more arguments."""
        text, extra = statement.words[1], list(statement.words[2:])
        if extra and (extra[0] in _NO_USERS or not _USER.fullmatch(extra[0]) or len(extra) > 2):
            why = f"keepalived took `{extra[0]}` for a user and ignored the line; here it is an argument"
            self._router.report.add(statement.place, statement.text, "changed", why)
            text = " ".join([text, *extra])
        elif extra:
            scripts.users.setdefault(statement.word, extra[0])
            if len(extra) > 1 and extra[1] != extra[0]:
                why = f"a script has the groups of its user: that it runs with group `{extra[1]}` is not carried over"
                self._router.report.add(statement.place, statement.text, "not carried over", why)
        argv = split(text)
        if not wants_shell(argv, text):
            return argv
        why = "keepalived starts no shell, so it was all arguments; here a shell runs it, as it was meant"
        self._router.report.add(statement.place, statement.text, "changed", why)
        return in_shell(text)

    def _again(self, scripts: Scripts, statement: Statement) -> None:
        """A second one of a kind: keepalived ignores it. Often it was meant for another state."""
        text = " ".join(statement.arguments).lower()
        for state in ("backup", "fault", "stop"):
            key = f"notify_{state}"
            if state in text and key not in scripts.commands:
                why = f"stands there twice, and keepalived ignored this one: taken as {key}, by what it runs"
                self._router.report.add(statement.place, statement.text, "changed", why)
                scripts.commands[key] = (command(split(statement.words[1])), statement)
                return
        self._router.note(statement, "decide", "stands there twice: keepalived ignored this one, and so does hafw")

    def finish(self) -> None:
        """Write ``[plugin.notify_script]`` and ``[plugin.notify_email]``."""
        self._put_scripts()
        self._put_mail()

    def _put_scripts(self) -> None:
        told = {owner: scripts for owner, scripts in self._scripts.items() if scripts.commands}
        if not told:
            return
        instances = [owner for owner in self._scripts if owner[0] == "instance"]
        first = next(iter(told.values()))
        same = {owner: _texts(each) for owner, each in told.items()}
        alike = set(told) == set(instances) and all(each == _texts(first) for each in same.values())
        if alike:
            self._put_table(("plugin", "notify_script"), first)
        else:
            for (kind, name), scripts in told.items():
                self._put_table(("plugin", "notify_script", kind, name), scripts)
        self._put_user(told.values())

    def _put_table(self, path: tuple[str, ...], scripts: Scripts) -> None:
        _, statement = next(iter(scripts.commands.values()))
        section = self._router.draft.section(*path, place=statement.place)
        for key in _KEYS:
            if key in scripts.commands:
                value, statement = scripts.commands[key]
                section.put(key, value, statement.place)

    def _put_user(self, told: Collection[Scripts]) -> None:
        """One user runs them all: hafw starts one process for them."""
        lines = [
            (scripts.users.get(key, self._settings.user) or "root", statement)
            for scripts in told
            for key, (_, statement) in scripts.commands.items()
        ]
        chosen = lines[0][0]
        for user, statement in lines:
            if user != chosen:
                why = f"ran as {user}; here all these scripts run as {chosen}: is that right?"
                self._router.report.add(statement.place, statement.text, "decide", why)
        if chosen != "root" or self._settings.user or any(scripts.users for scripts in told):
            self._router.draft.section("plugin", "notify_script").put("user", chosen, lines[0][1].place)

    def _put_mail(self) -> None:
        mail, router = self._settings.mail, self._router
        instances = [owner for owner in self._scripts if owner[0] == "instance"]
        wanted = {owner: self._alerts.get(owner, (mail.alert, None))[0] for owner in instances}
        groups = any(found for owner, (found, _) in self._alerts.items() if owner[0] == "group")
        lines = [statement for _, statement in self._alerts.values()]
        if not (any(wanted.values()) or groups):
            why = "without smtp_alert keepalived sent no mail of VRRP, and hafw does not either"
            for each in [*mail.statements, *lines]:
                router.note(each, "dropped", why)
            return
        if not mail.to or not mail.server:
            missing = "notification_email" if not mail.to else "smtp_server"
            for each in [*mail.statements, *lines]:
                router.note(each, "decide", f"there is no {missing} to send by, so keepalived sent nothing")
            return
        if not all(wanted.values()):
            for owner, (_, each) in self._alerts.items():
                if owner[0] == "instance":
                    router.report.add(each.place, each.text, "changed", "mail is sent of every instance")
        section = router.draft.section("plugin", "notify_email", place=mail.statements[0].place)
        section.put("from", mail.sender or "keepalived@localhost", mail.statements[0].place)
        section.put("to", list(dict.fromkeys(mail.to)), mail.statements[0].place)
        if mail.server != "localhost:25":
            section.put("smtp", mail.server)
        section.put("on", ["master", "backup", *([] if mail.no_faults else ["fault"])])
        if mail.timeout != 30.0:
            section.put("timeout", format_duration(mail.timeout))


def _texts(scripts: Scripts) -> dict[str, Value]:
    return {key: value for key, (value, _) in scripts.commands.items()}
