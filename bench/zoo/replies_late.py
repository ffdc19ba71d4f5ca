"""Answers when nobody waits for it any more."""

import time

from hafw.api import Verdict, hookimpl


@hookimpl
def check():
    time.sleep(1)
    return Verdict(healthy=True)
