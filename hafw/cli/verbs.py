"""The verbs. Each lives in a module that is imported only when it is used: ``--help`` stays fast."""

from __future__ import annotations

import difflib
import importlib
import keyword

import click
from click.shell_completion import CompletionItem

import hafw

VERBS = {
    "run": ("hafw.cli.run", "run the daemon in the foreground"),
    "check": ("hafw.cli.check", "check a configuration: syntax, plugins, system"),
    "doctor": ("hafw.cli.doctor", "what on this machine keeps a configuration from working, and how to mend it"),
    "plan": ("hafw.cli.plan", "show what would be done on becoming MASTER and on leaving"),
    "reload": ("hafw.cli.control", "read the configuration again: all of it, or nothing"),
    "handover": ("hafw.cli.handover", "let another router take over, without a gap"),
    "maintenance": ("hafw.cli.handover", "stay BACKUP whatever happens, until told otherwise"),
    "reexec": ("hafw.cli.control", "let the running daemon go on with the installed code, without a failover"),
    "cleanup": ("hafw.cli.control", "release what a dead daemon left behind"),
    "status": ("hafw.cli.status", "who is MASTER, since when, why"),
    "events": ("hafw.cli.events", "what happens, as it happens"),
    "history": ("hafw.cli.status", "transitions with their reasons"),
    "listen": ("hafw.cli.listen", "the adverts on the wire or in a capture, and why they are refused"),
    "plugins": ("hafw.cli.plugged", "plugins, their state and failures"),
    "demo": ("hafw.cli.demo", "three routers, a client and nginx on this machine, with measured outages"),
    "sim": ("hafw.cli.sim", "the same election on a simulated LAN, as a timeline"),
    "explain": ("hafw.cli.explain", "which failures of a configuration move the address where"),
    "replay": ("hafw.cli.replay", "a recorded journal through today's code"),
    "import": ("hafw.cli.importing", "keepalived.conf as config.toml, and what became of each line"),
    "schema": ("hafw.cli.check", "print the JSON schema of the configuration"),
    "completion": ("hafw.cli.completion", "print the completion script for bash, zsh or fish"),
}
ELSEWHERE = {
    **dict.fromkeys(("start", "restart"), "`systemctl {} hafw`, or `hafw run CONFIG` in the foreground"),
    **dict.fromkeys(("stop", "kill", "shutdown"), "`systemctl stop hafw`, or SIGTERM to `hafw run`"),
    **dict.fromkeys(("log", "logs", "journal"), "`journalctl -u hafw`; what happened lately: `hafw events -n 20`"),
    **dict.fromkeys(("failover", "switchover", "release"), "`hafw handover`"),
    "version": "`hafw --version`",
    "help": "`hafw --help`",
}
"""Verbs that people try, and what they are called here."""


class Verbs(click.Group):
    """Finds a verb's module when the verb is used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let ``--socket`` stand behind the verb too."""
        for index, word in enumerate(args):
            if index and word == "--socket" and index + 1 < len(args):
                args = [word, args[index + 1], *args[:index], *args[index + 2 :]]
                break
        return super().parse_args(ctx, args)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of the table: the way an operator meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of this verb."""
        if name not in VERBS:
            if name in ELSEWHERE:
                ctx.fail(f"no such command: {name}: use {ELSEWHERE[name].format(name)}")
            near = difflib.get_close_matches(name, VERBS, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            ctx.fail(f"no such command: {name}{hint}")
        command = getattr(importlib.import_module(VERBS[name][0]), f"{name}_" if keyword.iskeyword(name) else name)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs from the table too: a shell asks at every TAB."""
        verbs = [CompletionItem(name, help=text) for name, (_, text) in VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None})
@click.version_option(hafw.__version__, prog_name="hafw")
@click.option(
    "--socket",
    envvar="HAFW_SOCKET",
    default="",
    metavar="PATH",
    help="Control socket of the daemon (default: /run/hafw/control.sock).",
)
@click.pass_context
def cli(ctx: click.Context, socket: str) -> None:
    """Hafw: a virtual IP that moves to a healthy machine, with VRRP.

    Two commands to try it: `hafw demo`, and `hafw check examples/classic/config.toml`.
    """
    ctx.obj = socket
