"""The command line."""

from __future__ import annotations

import os
import sys


def main(args: list[str] | None = None) -> None:
    """Entry point of the ``hafw`` command.

    ``hafw run`` becomes the guard, which starts the daemon as its child and must stay small: so nothing else is
    imported on that way, and whatever the words after ``run`` mean is left to the child.
    """
    words = sys.argv[1:] if args is None else args
    if "run" in words[:3] and not {"-h", "--help"} & set(words):
        if "HAFW_GUARDED" not in os.environ:
            from hafw.guard import guard  # noqa: PLC0415

            sys.exit(guard(words))
        from hafw.cli.orphan import obey_guard  # noqa: PLC0415

        obey_guard(words)
        # What a dead daemon was MASTER of is spoken for before anything that takes time is imported.
        from hafw.daemon.resume import life  # noqa: PLC0415

        life()
    from hafw.cli.verbs import cli  # noqa: PLC0415

    cli.main(args=words, prog_name="hafw")
