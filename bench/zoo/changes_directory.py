"""Works somewhere else."""

import os

from hafw.api import Verdict, hookimpl

os.chdir("/usr")


@hookimpl
def check():
    return Verdict(healthy=True)
