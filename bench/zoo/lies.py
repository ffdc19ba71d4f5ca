"""Speaks with the daemon behind hafw's back: an answer to no question, a line without end, and what is no JSON."""

import os
import sys
import threading
from pathlib import Path

from hafw.api import hookimpl

LIES = (b'{"id": 4711}\n', b"x" * 70_000, b"\xff\xfe\n")
COUNT = Path(__file__).with_suffix(".count")

lives = int(COUNT.read_text()) if COUNT.exists() else 0
COUNT.write_text(str(lives + 1))


@hookimpl
def became_master():
    os.write(int(sys.argv[1]), LIES[lives % len(LIES)])
    threading.Event().wait()
