"""Never answers."""

import threading

from hafw.api import hookimpl


@hookimpl
def check():
    threading.Event().wait()
