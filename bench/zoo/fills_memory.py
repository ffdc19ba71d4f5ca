"""Takes memory without end, and touches all of it."""

from hafw.api import hookimpl


@hookimpl
def became_master():
    hoard = []
    while True:
        hoard.append(b"x" * 10_000_000)
