"""``--watch``: the same again every second, on a screen that does not flicker."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.cli.client import Unreachable

EVERY = 1.0
"""Seconds."""
_HOME, _REST_OF_LINE, _REST_OF_SCREEN, _CLEAR = "\033[H", "\033[K", "\033[J", "\033[2J"
_CUT, _WRAP = "\033[?7l", "\033[?7h"
"""Lines that are too long are cut while we draw: wrapped ones would push the others out of the screen."""


def look_again_and_again(look: Callable[[], tuple[str, Unreachable | None]], *, clears: bool) -> None:
    """Show it until Ctrl-C. A daemon that does not answer is waited for: that it is gone is what is shown."""
    drawn = clears and sys.stdout.isatty()
    try:
        if drawn:
            click.echo(_CUT + _CLEAR, nl=False)
        while True:
            text, why = look()
            shown = "\n".join(part for part in (text, f"hafw: {why.message}" if why and clears else "") if part)
            click.echo(drawing(shown, datetime.now().astimezone()) if drawn else shown, nl=not drawn)
            time.sleep(EVERY)
    except KeyboardInterrupt:
        return
    finally:
        if drawn:
            click.echo(_WRAP)


def drawing(text: str, now: datetime) -> str:
    """Over what was there: each line replaces one, and the rest of the screen is emptied."""
    lines = [f"{now:%H:%M:%S}   every {EVERY:g}s, Ctrl-C ends", "", *text.splitlines()]
    return _HOME + "".join(f"{line}{_REST_OF_LINE}\n" for line in lines) + _REST_OF_SCREEN
