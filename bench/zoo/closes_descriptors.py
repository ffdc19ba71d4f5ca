"""Closes everything that it has, the pipe to the daemon among it."""

import os

from hafw.api import hookimpl


@hookimpl
def became_master():
    os.closerange(0, 1024)
