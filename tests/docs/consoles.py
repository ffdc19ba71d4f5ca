"""A ``console`` block of a page: its commands, and whether each of them can be what it says.

Every ``hafw`` command is parsed by the real command line: a wrong verb, option or value is found. One that needs
neither a daemon nor root, and whose files are there, is run, and what the page shows of it is compared. Every other
program stands in ``HOST`` with the reason why it is not run here. What needs a daemon is played by a lab: see lab.py.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.testing import CliRunner
from pages import ROOT

from hafw.cli.verbs import VERBS, cli

if TYPE_CHECKING:
    from pages import Block

HOSTS: Final = ("lb1", "lb2", "lb3", "both", "client")
_PROMPT: Final = re.compile(rf"(?:({'|'.join(HOSTS)})[#$]|[#$]) (.+)")
_HEREDOC: Final = re.compile(r"<<-?'?(\w+)'?")
_SEPARATORS: Final = {"|", "||", "&&", ";", "&", "(", ")", "$", "|&"}

CHANGES: Final = "it would change the machine that runs the tests"
LOOKS: Final = "what it prints depends on the machine"
NETWORK: Final = "it needs the hosts of the page"
TAKES_LONG: Final = "minutes, and `make test-long` or CI runs it"
EDITS: Final = "a step on the way to the command beside it"
HOST: Final = {
    **dict.fromkeys(("apt-get", "apt", "dnf", "pip", "python3", "git", "install", "useradd", "dpkg"), CHANGES),
    **dict.fromkeys(("systemctl", "nginx", "haproxy", "pkill", "kill", "sysctl", "nft", "iptables", "mv"), CHANGES),
    **dict.fromkeys(("firewall-cmd", "modprobe", "nmcli", "shutdown", "reboot", "docker", "podman"), CHANGES),
    **dict.fromkeys(("ln", "jobs", "chmod", "chown", "mkdir", "rm", "cp", "ln", "scp", "ssh", "bridge"), CHANGES),
    **dict.fromkeys(("journalctl", "date", "hostname", "ss", "ethtool", "timedatectl", "chronyc", "uname"), LOOKS),
    **dict.fromkeys(("systemd-analyze", "systemd-sysusers", "logger", "man", "ls", "df", "uptime", "top", "ps"), LOOKS),
    **dict.fromkeys(("ip", "ping", "arping", "tcpdump", "curl", "wget", "nc", "dig", "arp", "mtr"), NETWORK),
    **dict.fromkeys(("openssl", "sed", "cat", "echo", "grep", "tee", "head", "tail", "diff", "jq", "watch"), EDITS),
    **dict.fromkeys((".ci/run", "pytest"), TAKES_LONG),
    **dict.fromkeys(("sleep", "wait", "export", "cd", "test", "true", "touch", "printf", "for", "while", "wc"), EDITS),
}
"""Programs beside hafw that a page may name, each with the reason why this test only reads it."""
WRAPPERS: Final = {"sudo", "exec", "time", "nohup", "env"}
"""Programs that run another one."""
SYSTEMCTL: Final = {
    *("start", "stop", "restart", "reload", "status", "enable", "disable", "daemon-reload", "is-active", "edit", "cat"),
    *("show", "mask", "unmask", "try-restart", "reset-failed", "kill", "list-timers"),
}
UNITS: Final = {"hafw", "hafw-hardened", "keepalived", "nginx", "haproxy", "chrony", "systemd-timesyncd"}
PURE: Final = {"check", "listen", "explain", "sim", "schema", "completion", "import", "replay", "plan"}
"""Verbs that need no daemon; check only with --no-system, listen with --pcap."""


@dataclass(frozen=True)
class Command:
    """One line to type, with what the page shows below it."""

    text: str
    line: int
    """In the page."""
    host: str = ""
    shown: tuple[str, ...] = ()


def run(words: list[str], folder: Path, width: int) -> tuple[str, int]:
    """What it prints, both streams, in a terminal of so many columns, and its exit code.

    ``folder`` has the page's files.
    """
    variables = {"COLUMNS": str(width), "NO_COLOR": "1"}
    with _where(folder, words):
        done = CliRunner().invoke(cli, words, prog_name="hafw", env=variables)
    return done.output, done.exit_code


def is_console(block: Block) -> bool:
    """Also a block without a language that begins with a prompt."""
    return block.language == "console" or (block.language == "" and block.text.startswith("$ "))


def commands_of(block: Block) -> list[Command]:
    """Every command of a block; what has no prompt is what the command above it prints."""
    found: list[Command] = []
    lines = iter(enumerate(block.text.splitlines(), block.line + 1))
    for number, line in lines:
        prompt = _PROMPT.fullmatch(line)
        if prompt is None:
            if not found:
                raise ValueError(f"{block.place}: a console block begins with a prompt, not with {line!r}")
            last = found.pop()
            found.append(Command(last.text, last.line, last.host, (*last.shown, line)))
            continue
        text = prompt[2]
        while text.endswith("\\"):
            text = f"{text[:-1]}{next(lines)[1].removeprefix('> ').strip()}"
        if heredoc := _HEREDOC.search(text):
            for _, more in lines:
                text = f"{text}\n{more}"
                if more == heredoc[1]:
                    break
        found.append(Command(text, number, prompt[1] or ""))
    return found


# -- what a line consists of -------------------------------------------------------------------------------------


def simple_commands(text: str) -> list[list[str]]:
    """The programs that a line starts, each with its words: pipes and lists taken apart, redirections left out."""
    lexer = shlex.shlex(text.partition("\n")[0], posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.wordchars += "@:%+,{}^!*?[]~$"
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if word in _SEPARATORS or set(word) <= set("();&|"):
            found.append([])
        elif set(word) <= set("<>&"):
            if found[-1] and re.fullmatch(r"\d", found[-1][-1]):  # the 2 of 2>&1
                found[-1].pop()
            next(words, None)
        else:
            found[-1].append(word)
    return [words for each in found if (words := _unwrapped(each))]


def programs(text: str) -> list[str]:
    """What a line starts, as it is written there."""
    return [words[0] for words in simple_commands(text)]


def _unwrapped(words: list[str]) -> list[str]:
    """Without what stands before the program: variables, sudo, a namespace."""
    while words:
        if re.fullmatch(r"[A-Z_]+=.*|-.*", words[0]) or words[0] in WRAPPERS:
            words = words[1:]
        elif words[:3] == ["ip", "netns", "exec"]:
            words = words[4:]
        elif words[0] == "$" or words[0] in {"do", "done", "then", "fi", "if", "!"}:
            words = words[1:]
        else:
            break
    return words


def is_hafw(program: str) -> bool:
    return program in {"hafw", ".venv/bin/hafw", "/opt/hafw/bin/hafw"}


# -- what is wrong with it ---------------------------------------------------------------------------------------


def mistakes(text: str) -> list[str]:
    """What cannot be right about a line, whatever machine it is typed on."""
    try:
        parts = simple_commands(text)
    except ValueError as error:
        return [f"the shell would not read it: {error}"]
    return [wrong for words in parts for wrong in _mistakes(words)]


def _mistakes(words: list[str]) -> list[str]:
    program, *rest = words
    if is_hafw(program):
        return usage_errors(rest)
    if program == "make":
        targets = [each for each in rest if "=" not in each and not each.startswith("-")]
        return [f"make {each}: no such target" for each in targets if each not in _targets()]
    if program == "systemctl":
        return _systemctl(rest)
    if Path(program).name == "python" and rest:
        return _python(rest)
    name = Path(program).name
    if name in HOST or program in HOST or program.startswith("/etc/"):
        return []
    return [f"{program}: unknown here: add it to HOST in tests/docs/consoles.py, with the reason why it is not run"]


def usage_errors(words: list[str]) -> list[str]:
    """What the real command line says of these words before it does anything."""
    try:
        context = cli.make_context("hafw", list(words))
        while isinstance(context.command, click.Group):
            rest = [*context._protected_args, *context.args]
            name, command, rest = context.command.resolve_command(context, rest)
            assert command is not None
            context = command.make_context(name, rest, parent=context)
    except click.exceptions.Exit:
        return []
    except click.ClickException as error:
        return [f"hafw {shlex.join(words)}: {error.format_message()}"]
    except SystemExit:
        return [f"hafw {shlex.join(words)}: not built"]
    return []


def _python(words: list[str]) -> list[str]:
    """Only what lies in this tree."""
    path = ROOT / (words[1].replace(".", "/") if words[0] == "-m" else words[0])
    return [] if path.exists() or path.with_suffix(".py").exists() else [f"python {' '.join(words[:2])}: not here"]


def _systemctl(words: list[str]) -> list[str]:
    verb, *units = [each for each in words if not each.startswith("-")]
    wrong = [] if verb in SYSTEMCTL else [f"systemctl {verb}: no such verb"]
    names = [each.removesuffix(".service") for each in units]
    return [*wrong, *(f"systemctl {verb} {each}: unknown unit" for each in names if each not in UNITS)]


@cache
def _targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


# -- running it --------------------------------------------------------------------------------------------------


def words_to_run(command: Command, folder: Path) -> list[str] | None:
    """The arguments of a hafw command that can be run here and now; ``None``: it cannot."""
    parts = simple_commands(command.text)
    if len(parts) != 1 or not is_hafw(parts[0][0]) or re.search(r"[|<>&]", command.text.partition("#")[0]):
        return None
    words = parts[0][1:]
    if {"--help", "--version", "-h"} & set(words):
        return words
    verb = next((each for each in words if not each.startswith("-")), "")
    needed = {"check": "--no-system", "listen": "--pcap"}.get(verb)
    if verb not in PURE or (needed and needed not in words):
        return None
    files = [each for each in words[1:] if re.search(r"\.\w+$", each) and not each.startswith("-")]
    return words if all(_found(each, folder) for each in files) else None


def _found(name: str, folder: Path) -> bool:
    return (folder / name).exists() or (ROOT / name).exists()


@contextlib.contextmanager
def _where(folder: Path, words: list[str]):
    """The page's own folder where the files are there, and the top of the tree otherwise."""
    own = any((folder / each).is_file() for each in words if not each.startswith("-"))
    with contextlib.chdir(folder if own else ROOT):
        yield


def same(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a page shows what was printed.

    ``...`` alone in a line stands for any lines, within a line for anything. Blanks at the end do not count, and how
    many blanks stand between two words neither, since columns move with their longest cell.
    """
    lines = [" ".join(line.split()) for line in printed.strip("\n").splitlines()]
    wanted = [" ".join(line.split()) for line in "\n".join(shown).strip("\n").splitlines()]
    return _match(wanted, lines)


def _match(wanted: list[str], lines: list[str]) -> bool:
    if not wanted:
        return not lines
    if wanted[0] == "...":
        return any(_match(wanted[1:], lines[at:]) for at in range(len(lines) + 1))
    return bool(lines) and line_matches(wanted[0], lines[0]) and _match(wanted[1:], lines[1:])


def line_matches(wanted: str, line: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in wanted.split("..."))
    return re.fullmatch(pattern, line) is not None


def complaints(block: Block, folder: Path) -> list[str]:
    """Everything that is wrong with a console block; what a lab plays, or another test, is only parsed here."""
    found = []
    for command in commands_of(block):
        at = f"line {command.line}"
        wrong = mistakes(command.text)
        found += [f"{at}: {each}" for each in wrong]
        words = None if wrong or command.host else words_to_run(command, folder)
        if words is not None:
            printed, status = run(words, folder, int(block.marks.get("width", "80")))
            if status and not command.shown:
                found.append(f"{at}: `{command.text}` fails with {status}:\n{printed}")
            if command.shown and not same(command.shown, printed):
                found.append(f"{at}: `{command.text}` prints something else:\n{printed}")
        elif command.shown and not wrong and not _is_compared_elsewhere(block, command):
            found.append(f"{at}: what `{command.text}` prints is shown, and nothing compares it: see docs/testing.md")
    return found


def _is_compared_elsewhere(block: Block, command: Command) -> bool:
    """By another test, by a lab that plays this command, or by nobody, with a reason."""
    played = {"tutorial": True, "pair": command.host in {"lb1", "lb2", "both"}}
    return bool(block.marks.get("shown") or block.marks.get("run")) or played.get(block.marks.get("lab", ""), False)


def rewritten(block: Block, folder: Path, page: str) -> str:
    """The page with what the commands of this block print now; what has ``...`` in it is left to its author."""
    for command in commands_of(block):
        words = None if command.host else words_to_run(command, folder)
        if words is None or not command.shown or "..." in "\n".join(command.shown):
            continue
        printed = run(words, folder, int(block.marks.get("width", "80")))[0].rstrip("\n")
        page = page.replace("\n".join((command.text, *command.shown)), f"{command.text}\n{printed}")
    return page


# -- commands in running text ------------------------------------------------------------------------------------

_INLINE: Final = re.compile(r"`(?:sudo )?hafw ([a-z][a-z-]*)((?: [^`\n]*)?)`")


def inline_mistakes(text: str) -> list[str]:
    """`` `hafw verb --option` `` in the prose: is there such a verb, and has it such an option?"""
    found = []
    for verb, rest in _INLINE.findall(text):
        if verb not in VERBS:
            found.append(f"`hafw {verb}`: no such verb")
            continue
        known = _options(verb)
        given = re.findall(r"(?<=\s)(--?[a-z][a-z-]*)", rest)
        found += [f"`hafw {verb}{rest}`: no such option: {each}" for each in given if each not in known]
    return found


@cache
def _options(verb: str) -> set[str]:
    context = click.Context(cli)
    command = cli.get_command(context, verb)
    assert command is not None
    under = command.list_commands(context) if isinstance(command, click.Group) else []
    commands = [command, *filter(None, (command.get_command(context, each) for each in under))]
    found = {name for each in commands for option in each.params for name in (*option.opts, *option.secondary_opts)}
    return found | {"--help", "-h", "--socket"}
