"""Never answers, on a processor of its own, and holds the interpreter's lock all the time."""

import re

from hafw.api import hookimpl


@hookimpl
def check():
    re.match(r"(a+)+$", "a" * 40 + "b")
