"""What adverts of ours look like: made once, sent again as long as they say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hafw.vrrp.packet import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import Checksum, IPAddress, RouterSettings
    from hafw.wire.sockets import Letter, VrrpSocket


@dataclass(frozen=True, slots=True)
class Speech:
    """One advert, to everybody whom it is for, and what it was made of."""

    settings: RouterSettings
    primary: IPAddress
    priority: int
    form: Checksum
    socket: VrrpSocket
    letters: tuple[tuple[IPAddress, Letter], ...]


class Speeches:
    """The last one of each router."""

    def __init__(self, way: Callable[[RouterSettings], tuple[VrrpSocket | None, tuple[IPAddress, ...]]]) -> None:
        """``way``: by which socket, and to whom."""
        self._way = way
        self._said: dict[str, Speech] = {}

    def clear(self) -> None:
        """A socket was closed, or a router is another."""
        self._said.clear()

    def speech(self, router: VirtualRouter, priority: int, form: Checksum) -> Speech | None:
        """What to send; ``None``: there is no way to send it."""
        settings, primary = router.settings, router.primary
        said = self._said.get(settings.name)
        if (
            said is not None
            and said.settings is settings
            and said.primary is primary
            and said.priority == priority
            and said.form is form
        ):
            return said
        socket, targets = self._way(settings)
        if socket is None or primary is None:
            return None
        messages = [(to, encode(settings, priority, primary, to, form)) for to in targets]
        letters = tuple((to, socket.letter(message, primary, to)) for to, message in messages)
        speech = self._said[settings.name] = Speech(settings, primary, priority, form, socket, letters)
        return speech
