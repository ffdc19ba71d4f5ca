"""``hafw completion``: click's own completion, printed for the shell that asks."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script: eval "$(hafw completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None
    source = kind(ctx.find_root().command, {}, "hafw", "_HAFW_COMPLETE").source()
    # As a file _hafw of zsh's folders, click's script completes at the first TAB, and at the second it only registers.
    click.echo(source.replace("== loadautofunc ]]", "== loadautofunc || $funcstack[1] == _hafw ]]"))
