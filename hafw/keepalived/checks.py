"""``vrrp_script``, ``track_file`` and ``vrrp_track_process``: what is watched, and the checks that track it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, NamedTuple

from hafw.config.values import format_duration
from hafw.keepalived.scripts import NO_PURPOSE, Purpose, command, in_shell, purpose_of, split, text_of, wants_shell
from hafw.keepalived.settings import SCRIPT_USER, user_of

if TYPE_CHECKING:
    from hafw.keepalived.draft import Path, Section, Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router
    from hafw.keepalived.settings import Settings

Kind = Literal["script", "file", "process", "interface"]
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_TAKEN = (
    "vip",
    "arp",
    "nginx",
    "script",
    "notify_script",
    "notify_email",
    "interface",
    "file",
    "process",
    "fifo",
    "routes",
)
_SHELL = (
    "keepalived starts no shell, so everything from the first such sign on was an argument; here a shell runs it, as it"
    " was meant: see whether it then says what it should"
)
_DEV_TCP = "keepalived ran it with /bin/sh, which knows /dev/tcp only where it is bash; here bash runs it"
_LONGEST = 3600.0
_WEIGHT_MAX = 253
_DELAYS = {"delay": ("down_delay", "up_delay"), "terminate_delay": ("down_delay",), "fork_delay": ("up_delay",)}


_COUNTS: dict[Kind, tuple[str, ...]] = {"script": ("rise", "fall"), "process": ("rise",), "file": (), "interface": ()}
"""What is counted: of the others every change counts at once."""


@dataclass
class Watched:
    """Something that instances track, by the name that keepalived gives it."""

    kind: Kind
    name: str
    statement: Statement
    key: str = ""
    """The name of the check and of its plugin."""
    weight: int = 0
    reverse: bool = False
    interval: float = 1.0
    timeout: float | None = None
    rise: int = 1
    fall: int = 1
    user: str = ""
    options: dict[str, Value] = field(default_factory=dict)
    """Of its plugin."""
    comment: str = ""
    purpose: Purpose = NO_PURPOSE
    tracked: bool = False
    tells_nothing: bool = False
    """No command, no file: nothing can be checked."""


class Tracked(NamedTuple):
    """What a line of a tracking block says."""

    watched: Watched
    weight: int
    reverse: bool
    line: Statement


class WatchReading:
    """Reads the three blocks that define something to watch."""

    def __init__(self, router: Router, settings: Settings) -> None:
        self.found: dict[tuple[Kind, str], Watched] = {}
        self.nameless: list[Watched] = []
        self._router = router
        self._settings = settings
        self._keys: set[str] = set(_TAKEN)

    def read(self, statement: Statement, body: list[Statement], kind: Kind) -> None:
        """One block, whose statements are known to belong there."""
        name = " ".join(statement.arguments)
        watched = Watched(kind, name, statement, weight=1 if kind == "file" else 0)
        if name and (kind, name) in self.found:
            self._router.note(
                statement, "decide", f"`{name}` is defined before: keepalived ignored this one, and so does hafw"
            )
            return
        for each in body:
            self._key(watched, each)
        self._complete(watched)
        if name:
            self.found[kind, name] = watched
        else:
            self.nameless.append(watched)

    def _key(self, watched: Watched, statement: Statement) -> None:
        match statement.word:
            case "script":
                self._script(watched, statement)
            case "interval" | "timeout":
                self._seconds(watched, statement)
            case "rise" | "fall":
                found = self._router.whole(statement, 1, 2**31 - 1)
                setattr(watched, statement.word, min(found or 1, 1000))
            case "weight":
                watched.weight, watched.reverse = weight_of(
                    self._router, statement, list(statement.arguments), watched.weight
                )
            case "user":
                watched.user = user_of(self._router, statement, statement.arguments)
            case "file":
                watched.options["path"] = next(iter(self._router.only(statement)), "")
            case "process":
                self._process(watched, statement)
            case _:
                self._option(watched, statement)

    def _script(self, watched: Watched, statement: Statement) -> None:
        text, extra = text_of(statement)
        if extra:
            text = " ".join(map(_requoted, statement.arguments))
            why = f"without quotes keepalived ran `{statement.words[1]}` alone; here `{' '.join(extra)}` belongs to it"
            self._router.report.add(statement.place, statement.text, "changed", why)
        argv = split(text)
        if not argv or not argv[0]:
            self._router.note(statement, "decide", "names no command")
            return
        watched.purpose = purpose_of(text, self._router.files, argv)
        if wants_shell(argv, text):
            argv = in_shell(text)
            self._router.report.add(
                statement.place, statement.text, "changed", _DEV_TCP if text.startswith("<") else _SHELL
            )
        watched.options["command"] = command(argv)
        self._stops(watched, statement)

    def _stops(self, watched: Watched, statement: Statement) -> None:
        if watched.purpose.stops_keepalived:
            why = (
                "the script stops keepalived when the check fails. Here that would do nothing: the exit status has to "
                "say it. Take out what starts and stops services and let it end with exit 1"
            )
            self._router.report.add(statement.place, statement.text, "decide", why)
            watched.comment = "stops keepalived: must end with exit 1 instead"

    def _seconds(self, watched: Watched, statement: Statement) -> None:
        found = self._router.number(statement, 0.000001, 1_000_000)
        if found is None:
            return
        bounded = min(max(found, 0.01), _LONGEST)
        if bounded != found:
            self._router.report.add(
                statement.place, statement.text, "changed", f"must be 10ms to 1h: {format_duration(bounded)}"
            )
        setattr(watched, statement.word, bounded)

    def _process(self, watched: Watched, statement: Statement) -> None:
        words = list(statement.arguments)
        if not words:
            self._router.note(statement, "decide", "names no process")
            return
        watched.options["process"] = command(words)

    def _option(self, watched: Watched, statement: Statement) -> None:
        word = statement.word
        if word in ("quorum", "quorum_max"):
            found = self._router.whole(statement, 0, 65535)
            if word == "quorum_max" and found == 0:
                why = "that none must run is `reverse = true` here"
                self._router.report.add(statement.place, statement.text, "changed", why)
                watched.reverse = not watched.reverse
            elif found:
                watched.options[word] = found
        elif word.endswith("delay"):
            seconds = self._router.number(statement, 0, _LONGEST)
            for key in _DELAYS[word] if seconds else ():
                watched.options[key] = format_duration(seconds or 0)
        elif word == "param_match":
            self._match(watched, statement)
        else:
            self._missing(watched, statement)

    def _match(self, watched: Watched, statement: Statement) -> None:
        given = next(iter(self._router.only(statement)), "")
        watched.options["match"] = "initial"
        if given == "initial":
            why = "the last argument has to be whole here; the process may have more behind it"
            self._router.report.add(statement.place, statement.text, "changed", why)
        elif given != "partial":
            self._router.note(statement, "decide", "must be initial or partial: left out")
            del watched.options["match"]

    def _missing(self, watched: Watched, statement: Statement) -> None:
        """``init_file [VALUE] [overwrite]``."""
        given = [each for each in statement.arguments if each != "overwrite"]
        number = given[0] if given and re.fullmatch(r"[+-]?\d{1,3}", given[0]) else "0"
        why = f"hafw writes no file that it watches: one that is not there stands for {int(number)}"
        self._router.report.add(statement.place, statement.text, "changed", why)
        if int(number):
            watched.options["missing"] = max(-254, min(254, int(number)))

    def _complete(self, watched: Watched) -> None:
        needed = {"script": "command", "file": "path", "process": "process"}.get(watched.kind, "")
        watched.tells_nothing = bool(needed and not watched.options.get(needed))
        if watched.tells_nothing:
            word = {"path": "file"}.get(needed, watched.kind)
            self._router.report.add(watched.statement.place, watched.statement.text, "decide", f"has no `{word}`")
        watched.key = self._key_of(watched)
        if watched.user == "" and watched.kind == "script":
            watched.user = self._settings.user

    def _key_of(self, watched: Watched, *, quiet: bool = False) -> str:
        """A name that a plugin may have, and that no other one has."""
        wanted = watched.name or f"{watched.kind}_{len(self.nameless) + 1}"
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", wanted).lstrip("-")[:60] or watched.kind
        if name in self._keys:
            name = f"check_{name}"[:60]
        number = 2
        while name in self._keys:
            name, number = f"{name[:56]}_{number}", number + 1
        self._keys.add(name)
        if name != watched.name and watched.name and not quiet:
            why = f"here it is called {name}: a check's name is its plugin's too"
            self._router.report.add(watched.statement.place, watched.statement.text, "changed", why)
        return name

    def lookup(self, kind: Kind, name: str, statement: Statement) -> Watched | None:
        """What an instance tracks by this name; ``None``: nothing, and the report says so."""
        if (kind, name) in self.found:
            self._order(self.found[kind, name], statement)
            return self.found[kind, name]
        word = {"script": "vrrp_script", "file": "track_file", "process": "vrrp_track_process"}[kind]
        free = [each for each in self.nameless if each.kind == kind and not each.tracked]
        if len(free) == 1:
            watched = free[0]
            watched.name = watched.key = name if _NAME.fullmatch(name) and name not in self._keys else watched.key
            self.found[kind, name] = watched
            self.nameless.remove(watched)
            why = f"no {word} has this name, and one has none: keepalived watched nothing; here they belong together"
            self._router.report.add(statement.place, statement.text, "changed", why)
            self._router.report.add(
                watched.statement.place, watched.statement.text, "changed", f"has no name: taken for `{name}`"
            )
            return watched
        unused = [each.name for each in self.found.values() if each.kind == kind and not each.tracked]
        near = get_close_matches(name, unused, 1, 0.75)
        if near:
            why = (
                f"no {word} has this name: taken for `{near[0]}`, which nobody else tracks; keepalived watched nothing"
            )
            self._router.report.add(statement.place, statement.text, "changed", why)
            return self.found[kind, near[0]]
        why = f"no {word} has this name: keepalived left it out without a word more and watched nothing. Define it"
        self._router.note(statement, "decide", f"{why}, or take it out")
        return None

    def _order(self, watched: Watched, line: Statement) -> None:
        """Something that is defined further down is not there yet for keepalived."""
        defined = watched.statement.place
        if defined.file == line.place.file and defined.line > line.place.line:
            why = f"defined further down, in line {defined.line}, where keepalived did not find it: it watched nothing"
            self._router.report.add(line.place, line.text, "changed", why)

    def interface(self, name: str, line: Statement) -> Watched:
        """A link that an instance tracks: keepalived defines none."""
        if ("interface", name) not in self.found:
            watched = Watched("interface", f"link_{name}", line, options={"interfaces": [name]})
            down, up = self._settings.link_delays.get(name, ("", ""))
            watched.options |= {key: value for key, value in (("down_delay", down), ("up_delay", up)) if value}
            watched.key = self._key_of(watched, quiet=True)
            self.found["interface", name] = watched
        return self.found["interface", name]

    def all(self) -> list[Watched]:
        """Everything that is defined."""
        return [*self.found.values(), *self.nameless]

    def finish(self) -> None:
        """Say what nobody tracks."""
        for each in self.all():
            if each.tracked:
                continue
            name = "has no name, so nothing can track it" if not each.name else "no instance and no group tracks it"
            self._router.note(each.statement, "dropped", f"{name}: keepalived never ran it, and hafw does not either")


def _requoted(word: str) -> str:
    return f'"{word}"' if any(each.isspace() for each in word) else word


def weight_of(router: Router, statement: Statement, words: list[str], default: int) -> tuple[int, bool]:
    """``N [reverse|noreverse]``."""
    reverse = "reverse" in words
    for extra in words[1:]:
        if extra not in ("reverse", "noreverse"):
            router.report.add(statement.place, statement.text, "dropped", f"`{extra}` has no meaning here")
    try:
        weight = int(words[0]) if len(words[0]) < 9 else 999
    except (IndexError, ValueError):
        router.report.add(
            statement.place, statement.text, "decide", f"needs a number as weight: {default} stands for it"
        )
        return default, reverse
    if abs(weight) > _WEIGHT_MAX + 1:
        router.report.add(
            statement.place, statement.text, "decide", f"a weight must be -253 to 253: {default} stands for it"
        )
        return default, reverse
    return max(-_WEIGHT_MAX, min(_WEIGHT_MAX, weight)), reverse


def put_check(router: Router, owner: Path, tracked: Tracked) -> bool:
    """``[instance.X.check.NAME]`` or ``[group.X.check.NAME]``, and the plugin behind it; whether hafw can."""
    watched, weight, reverse, line = tracked
    if reverse and weight and watched.kind == "file":
        weight, reverse = -weight, False  # a number is not turned round, but what is made of it
    if watched.tells_nothing:
        router.note(line, "decide", "what it names has nothing to check: see there")
        watched.tracked = True
        return False
    section = router.draft.section(*owner, "check", watched.key, place=line.place)
    section.put("weight", weight, line.place) if weight else section.put("critical", value=True, place=line.place)
    if reverse:
        section.put("reverse", value=True, place=line.place)
    _put_times(section, watched)
    if ("plugin", watched.key) not in router.draft.sections:
        _put_plugin(router, watched)
    watched.tracked = True
    return True


def _put_times(section: Section, watched: Watched) -> None:
    place = watched.statement.place
    if watched.kind == "script":
        timeout = watched.timeout or watched.interval
        if watched.interval != 1.0:
            section.put("interval", format_duration(watched.interval), place)
        section.put("timeout", format_duration(timeout), place)
    for key in _COUNTS[watched.kind]:
        if getattr(watched, key) != 2:
            section.put(key, getattr(watched, key), place)


def _put_plugin(router: Router, watched: Watched) -> None:
    place = watched.statement.place
    section = router.draft.section("plugin", watched.key, place=place)
    section.put("plugin", watched.kind, place)
    for key, value in watched.options.items():
        section.put(key, value, place, watched.comment if key == "command" else "")
    if watched.kind == "script":
        timeout = watched.timeout or watched.interval
        section.put("timeout", format_duration(round(timeout - min(0.1, timeout / 10), 3)), place)
        if watched.user:
            section.put("user", watched.user, place)
        else:
            why = (
                f"runs as root, as keepalived ran it where there is no user {SCRIPT_USER}: a `user` of its own is safer"
            )
            if not any(each.get("user") == "root" for each in router.draft.children("plugin").values()):
                router.report.add(place, watched.statement.text, "advice", why)
            comment = f"keepalived ran it as {SCRIPT_USER} if there is such a user, otherwise as root"
            section.put("user", "root", place, comment)
