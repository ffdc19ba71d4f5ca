"""Prints megabytes."""

from hafw.api import hookimpl


@hookimpl
def became_master():
    for _ in range(20_000):
        print("x" * 100)
