"""The commands that keepalived runs: how it splits them, and what the common ones are there for."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Files, Statement

_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|\\$|"(?:[^"\\]|\\.)*"|'[^']*')+|\S+""", re.DOTALL)
_PART = re.compile(
    r"""\\(?P<escape>x[0-9A-Fa-f]+|[0-7]{1,3}|.)|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<plain>[^"'\\]+|.)""",
    re.DOTALL,
)
_ESCAPES = {"a": "\a", "b": "\b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SHELL_WORDS = {"|", ">", ">>", "<", "&&", "||", "&", ";", "2>&1", "2>/dev/null", ">/dev/null"}
_SHELL = re.compile(r"\|\||&&|[|;]|\d?>>?\s*[/&]|\$\(|`")
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "env", "timeout")
_STOPS = re.compile(
    r"(?:systemctl|service|rc-service|invoke-rc\.d)\s+(?:\S+\s+)*?(?:(?:stop|kill|restart)\s+keepalived|keepalived\s+(?:stop|restart))"
    r"|/etc/(?:rc\.d/)?init\.d/keepalived\s+(?:stop|restart)"
    r"|\b(?:killall|pkill)\b[^\n;|&]*\bkeepalived"
    r"|\bkill\b[^\n;&]*(?:keepalived|pidof\s+keepalived)"
)
_STARTS = re.compile(
    r"(?:systemctl\s+(?:re)?start\s+(\w[\w.@-]*)|service\s+(\w[\w.@-]*)\s+(?:re)?start|^\s*\S*/(nginx)\s*(?:$|[;>&]))",
    re.MULTILINE,
)
_PROCESS = re.compile(
    r"\b(?:killall\s+-0|pidof(?:\s+-\w+)*|pgrep(?:\s+-\w+)*|ps\s+-C)\s+[\"']?(?:\S*/)?([\w.-]+)"
    r"|\bps\s+-?\w+[^\n]*?\|\s*grep\s+(?:-\w+\s+)*[\"']?([\w.-]+)"
)
_UNIT = re.compile(r"systemctl\s+(?:-\w+\s+|--\w+\s+)*(?:is-active|status)\s+(?:-\w+\s+|--\w+\s+)*([\w.@-]+)")
_URL = re.compile(
    r"\b(?:curl|wget)\b[^\n]*?\b(https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?[^\s\"';|)]*)|\b(?:curl|wget)\s[^\n]*?\s((?:127\.0\.0\.1|localhost)(?::\d+)?[^\s\"';|)]*)"
)
_PORT = re.compile(r"/dev/tcp/([^/\s]+)/(\d+)|\bnc\s+(?:-\w+\s+)*-?z?\w*\s*(127\.0\.0\.1|localhost)\s+(\d+)")
_READ_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a check script looks at, as far as its text tells."""

    process: str = ""
    unit: str = ""
    url: str = ""
    port: str = ""
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
    process, unit, url, port = (each.search(whole) for each in (_PROCESS, _UNIT, _URL, _PORT))
    starts = _STARTS.search(whole)
    names = [each for each in process.groups() if each] if process else []
    return Purpose(
        process=names[0] if names and names[0] != "keepalived" else "",
        unit=unit[1].removesuffix(".service") if unit else "",
        url=_first(url),
        port=(port[2] or port[4] or "") if port else "",
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
