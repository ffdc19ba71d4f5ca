"""The daemon's VRRP sockets, as the guard keeps them open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.lifeline import rivals_heard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.lifeline import SharedSocket
    from hafw.will import Bequest
    from hafw.wire.sockets import VrrpSocket

Key = tuple[str, int, str]
"""Interface, family, group; no group: unicast."""


class SharedSockets:
    """Duplicates. They are not read while a daemon lives: what arrives is the daemon's."""

    def __init__(self) -> None:
        self._shared: dict[Key, SharedSocket] = {}
        self._opened: dict[Key, VrrpSocket] = {}

    @property
    def all(self) -> tuple[SharedSocket, ...]:
        """To be inherited by the next daemon."""
        return tuple(self._shared.values())

    def add(self, shared: SharedSocket) -> None:
        """The daemon opened this one; we own the descriptor."""
        self.drop(shared)
        key = (shared.interface, shared.family, shared.group)
        self._shared[key] = shared
        self._opened[key] = shared.adopt()

    def drop(self, shared: SharedSocket) -> None:
        """The daemon closed its own: nobody reads this one any more."""
        key = (shared.interface, shared.family, shared.group)
        self._shared.pop(key, None)
        opened = self._opened.pop(key, None)
        if opened is not None:
            opened.close()

    def clear(self) -> None:
        """Nobody is to inherit any of them."""
        for shared in self.all:
            self.drop(shared)

    def of(self, bequest: Bequest) -> VrrpSocket | None:
        """The one that this router spoke through."""
        return self._opened.get((bequest.interface, bequest.family, bequest.group))

    def rivals(self, bequests: Iterable[Bequest]) -> set[str]:
        """Routers of which another MASTER has been heard: adverts that the dead daemon had not read."""
        found = set()
        for key, opened in self._opened.items():
            concerned = [each for each in bequests if (each.interface, each.family, each.group) == key]
            found |= rivals_heard(opened, concerned)
        return found
