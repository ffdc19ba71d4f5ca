"""What adverts of ours look like: made once, sent again as long as they say the same."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hafw.vrrp.device import advert_mac
from hafw.vrrp.packet import MULTICAST_GROUP, encode
from hafw.vrrp.trailer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    messages: tuple[tuple[IPAddress, bytes], ...]
    letters: tuple[tuple[IPAddress, Letter], ...]

    def signed(self, signer: Signer) -> Speech:
        """As it leaves now."""
        hmac, primary = self.settings.hmac, self.primary
        assert hmac is not None
        messages = signer.sign_all(hmac, self.messages, primary, time.time())
        return replace(self, letters=_letters(self.socket, self.settings, messages, primary))


def _letters(
    socket: VrrpSocket, settings: RouterSettings, messages: Iterable[tuple[IPAddress, bytes]], source: IPAddress
) -> tuple[tuple[IPAddress, Letter], ...]:
    mac = advert_mac(settings)
    return tuple((to, socket.letter(message, source, to, mac)) for to, message in messages)


class Speeches:
    """The last one of each router."""

    def __init__(self, way: Callable[[RouterSettings], tuple[VrrpSocket | None, tuple[IPAddress, ...]]]) -> None:
        """``way``: by which socket, and to whom."""
        self._way = way
        self._said: dict[str, Speech] = {}
        self._signers: dict[str, Signer] = {}

    def clear(self) -> None:
        """A socket was closed, or a router is another."""
        self._said.clear()

    def speech(self, router: VirtualRouter, priority: int, form: Checksum) -> Speech | None:
        """What to send; ``None``: there is no way to send it. A signed one is for once."""
        said = self._speech(router, priority, form)
        hmac = router.settings.hmac
        if said is None or hmac is None or not hmac.signs:
            return said
        return said.signed(self._signers.setdefault(router.settings.name, Signer()))

    def elsewhere(self, router: VirtualRouter, form: Checksum) -> bytes:
        """A goodbye as it would stand on the router's own network, signed, to be carried over another one."""
        settings, primary = router.settings, router.primary
        assert settings.hmac is not None
        assert primary is not None
        group = settings.multicast_group or MULTICAST_GROUP[settings.family]
        signer = self._signers.setdefault(settings.name, Signer())
        message = encode(settings, 0, primary, group, form)
        ((_, signed),) = signer.sign_all(settings.hmac, [(group, message)], primary, time.time())
        return signed

    def _speech(self, router: VirtualRouter, priority: int, form: Checksum) -> Speech | None:
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
        messages = tuple((to, encode(settings, priority, primary, to, form)) for to in targets)
        letters = _letters(socket, settings, messages, primary)
        said = self._said[settings.name] = Speech(settings, primary, priority, form, socket, messages, letters)
        return said
