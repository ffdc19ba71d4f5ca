"""A fork bomb: every process starts others, which start others. At most 500 of them, and for a minute."""

import os
import time

from hafw.api import hookimpl

CHILDREN = 500


@hookimpl
def became_master():
    left = CHILDREN
    while left > 0:
        given = (left - 1) // 2
        if os.fork() == 0:
            left = given
        else:
            left -= given + 1
    time.sleep(60)
    os._exit(0)
