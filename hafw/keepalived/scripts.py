"""The commands that keepalived runs: how it splits them, and what the common ones are there for."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Files, Statement

_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|\\$|"(?:[^"\\]|\\.)*"|'[^']*'|["'])+""", re.DOTALL)
_PART = re.compile(
    r"""\\(?P<escape>x[0-9A-Fa-f]+|[0-7]{1,3}|.)|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<plain>[^"'\\]+|.)""",
    re.DOTALL,
)
_ESCAPES = {"a": "\a", "b": "\b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SHELL_WORDS = {"|", ">", ">>", "<", "&&", "||", "&", ";", "2>&1", "2>/dev/null", ">/dev/null"}
_SHELL = re.compile(r"\|\||&&|[|;]|\d?>>?\s*[/&]|\$\(|`")
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "env", "timeout")
_STOPS = re.compile(
    r"(?:systemctl|service|rc-service|invoke-rc\.d)(?:[ \t]{1,9}[^\s;|&]{1,60}){0,4}?[ \t]{1,9}"
    r"(?:(?:stop|kill|restart)[ \t]+keepalived|keepalived(?:\.service)?[ \t]+(?:stop|restart))"
    r"|/etc/(?:rc\.d/)?init\.d/keepalived[ \t]+(?:stop|restart)"
    r"|\b(?:killall|pkill|kill)\b[^\n;&]{0,100}?\bkeepalived"
)
_STARTS = re.compile(
    r"systemctl[ \t]{1,9}(?:re)?start[ \t]{1,9}(\w[\w.@-]{0,60})"
    r"|service[ \t]{1,9}(\w[\w.@-]{0,60})[ \t]{1,9}(?:re)?start"
    r"|^[ \t]{0,40}\S{0,200}/(nginx)[ \t]*(?:$|[;>&])",
    re.MULTILINE,
)
_PROCESS = re.compile(
    r"\b(?:killall[ \t]+-0|pidof(?:[ \t]+-\w+){0,4}|pgrep(?:[ \t]+-\w+){0,4}|ps[ \t]+-C)[ \t]+[\"']?"
    r"(?:[^\s;|&]{0,100}/)?([\w.-]{1,60})"
    r"|\bps[ \t]+-?\w{1,9}[^\n]{0,100}?\|[ \t]*grep[ \t]+(?:-\w+[ \t]+){0,4}[\"']?([\w.-]{1,60})"
)
_UNIT = re.compile(
    r"systemctl(?:[ \t]+-[\w-]+){0,4}[ \t]+(?:is-active|status)(?:[ \t]+-[\w-]+){0,4}[ \t]+([\w.@-]{1,60})"
)
_HERE = r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?[^\s\"';|)]{0,200}"
_URL = re.compile(
    rf"\b(?:curl|wget)\b[^\n]{{0,200}}?\b(https?://{_HERE})|\b(?:curl|wget)[ \t][^\n]{{0,200}}?[ \t]({_HERE})"
)
"""Each looks a bounded way ahead: what it reads is anybody's."""
_READ_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a check script looks at, as far as its text tells."""

    process: str = ""
    unit: str = ""
    url: str = ""
    stops_keepalived: bool = False
    starts: str = ""
    """The service that it starts by itself."""


NO_PURPOSE = Purpose()


def split(text: str) -> list[str]:
    """Arguments as keepalived makes them: by blanks, with ``"``, ``'`` and escapes; there is no shell."""
    return [_argument(found[0]) for found in _WORD.finditer(text)]


def _argument(word: str) -> str:
    parts = []
    for found in _PART.finditer(word):
        if found["escape"] is not None:
            parts.append(_escape(found["escape"]))
        elif found["double"] is not None:
            parts.append(re.sub(r"\\(x[0-9A-Fa-f]+|[0-7]{1,3}|.)", lambda each: _escape(each[1]), found["double"]))
        else:
            parts.append(found["single"] if found["single"] is not None else found["plain"])
    return "".join(parts).replace("\0", "")


def _escape(text: str) -> str:
    if text[0] == "x" and len(text) > 1:
        return chr(int(text[1:], 16) & 0xFF)
    if text.isascii() and text.isdigit() and text[0] < "8":
        return chr(int(text, 8) & 0xFF)
    return _ESCAPES.get(text, text)


def command(argv: list[str]) -> Value:
    """As config.toml has it: a string where hafw splits it into the same words, otherwise a list."""
    text = " ".join(argv)
    try:
        if shlex.split(text) == argv:
            return text
    except ValueError:
        pass
    return list(argv)


def wants_shell(argv: list[str], text: str) -> bool:
    """Whether a command only makes sense in a shell, which keepalived does not start."""
    if not argv or argv[0].rsplit("/", 1)[-1] in _SHELLS:
        return False
    outside = re.sub(r"""'[^']*'|"(?:[^"\\]|\\.)*\"""", "", text)
    return bool(_SHELL_WORDS & set(argv[1:]) or _SHELL.search(outside) or argv[0].startswith("<"))


def in_shell(text: str) -> list[str]:
    """The command that has a shell run it; only bash knows ``/dev/tcp``."""
    return ["/bin/bash" if "/dev/tcp/" in text else "/bin/sh", "-c", text.strip()]


def purpose_of(text: str, files: Files, argv: list[str]) -> Purpose:
    """What a command is for, its own text and that of the script that it names taken together."""
    read = [files.read(word) or "" for word in argv[:3] if word.startswith("/")]
    whole = "\n".join([text, *(_without_comments(each[:_READ_MAX]) for each in read)])
    process, unit, url = (each.search(whole) for each in (_PROCESS, _UNIT, _URL))
    starts = _STARTS.search(whole)
    names = [each for each in process.groups() if each] if process else []
    return Purpose(
        process=names[0] if names and names[0] != "keepalived" else "",
        unit=unit[1].removesuffix(".service") if unit else "",
        url=_first(url),
        stops_keepalived=bool(_STOPS.search(whole)),
        starts=_first(starts).removesuffix(".service"),
    )


def _first(found: re.Match[str] | None) -> str:
    return next((each for each in found.groups() if each), "") if found else ""


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)(?:^|(?<=\s))#(?!!).*$", "", text)


def text_of(statement: Statement) -> tuple[str, list[str]]:
    """The command of ``script`` or ``notify``, and the words behind it that are no part of it."""
    if len(statement.words) < 2:
        return "", []
    return statement.words[1], list(statement.words[2:])
