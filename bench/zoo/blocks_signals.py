"""Hears no signal, and neither does what it starts."""

import signal

from hafw.api import Verdict, hookimpl

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})


@hookimpl
def check():
    return Verdict(healthy=True)
