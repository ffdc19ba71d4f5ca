"""This host: its virtual routers and their health. Pure: events and the time go in, actions come out.

A ``Node`` routes each event to its router, counts rise and fall, and turns everything that keeps a router from serving
into *causes*. There is one ``deadline`` for the whole host.
"""

from __future__ import annotations

from hafw.node.group import Group
from hafw.node.host import Node
from hafw.node.instance import RETRY_FIRST, RETRY_MAX, Cause, CheckStatus, Instance
from hafw.node.settings import (
    PRIORITY_MAX,
    PRIORITY_MIN,
    CheckSettings,
    ConfigurationReplaced,
    InstanceSettings,
    same_router,
)

__all__ = [
    "PRIORITY_MAX",
    "PRIORITY_MIN",
    "RETRY_FIRST",
    "RETRY_MAX",
    "Cause",
    "CheckSettings",
    "CheckStatus",
    "ConfigurationReplaced",
    "Group",
    "Instance",
    "InstanceSettings",
    "Node",
    "same_router",
]
