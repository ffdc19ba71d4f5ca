"""The kernel's routes and rules, through pyroute2."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, Final, Self

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hafw_routes.options import Wish

PROTOCOL: Final = 112
"""Who made a route or a rule, as the kernel keeps it: ``ip route show proto 112``. VRRP's own number."""

_GONE: Final = {errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EAFNOSUPPORT}
"""What deleting says of something that is not there."""


class Kernel:
    """One conversation; a context manager."""

    def __init__(self) -> None:
        self._ip = IPRoute()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ip.close()

    def has_any(self, addresses: Iterable[str]) -> bool:
        """Whether one of them is bound on this machine."""
        wanted = set(addresses)
        return any(dict(each["attrs"]).get("IFA_ADDRESS") in wanted for each in self._ip.get_addr())

    def have(self, wishes: Iterable[Wish]) -> list[str]:
        """Add what is missing; returns what could not be, in words."""
        return [*self._each(wishes, self._add)]

    def lack(self, wishes: Iterable[Wish]) -> list[str]:
        """Remove what is there and ours, last things first."""
        return [*self._each(reversed(tuple(wishes)), self._remove)]

    def _each(self, wishes: Iterable[Wish], do: Any) -> Iterator[str]:  # noqa: ANN401
        for wish in wishes:
            problem = do(wish)
            if problem:
                yield f"{wish.text}: {problem}"

    def _add(self, wish: Wish) -> str:
        if wish.is_rule and self._is_there(wish):  # the kernel would take the same rule twice, of another protocol
            return ""
        error = self._tell("add", wish)
        if error == errno.EEXIST and not wish.is_rule:
            ours = any(True for _ in self._ip.route("dump", **self._keys(wish)))
            return "" if ours else "is there already, and not ours: remove it, or give this one a metric of its own"
        return _words(error)

    def _remove(self, wish: Wish) -> str:
        error = self._tell("del", wish)
        return "" if error in _GONE else _words(error)

    def _is_there(self, wish: Wish) -> bool:
        return any(True for _ in self._ip.rule("dump", **self._keys(wish)))

    def _tell(self, command: str, wish: Wish) -> int:
        """The kernel's error; 0: done."""
        keys = self._keys(wish)
        if wish.device and "oif" not in keys:
            return errno.ENODEV
        try:
            (self._ip.rule if wish.is_rule else self._ip.route)(command, **keys)
        except NetlinkError as error:
            return int(error.code)
        return 0

    def _keys(self, wish: Wish) -> dict[str, Any]:
        if wish.is_rule:
            return {**wish.keys, "protocol": PROTOCOL}
        found = self._ip.link_lookup(ifname=wish.device) if wish.device else []
        return {**wish.keys, "proto": PROTOCOL, **({"oif": found[0]} if found else {})}


def _words(error: int) -> str:
    if error == errno.ENODEV:
        return "there is no such interface"
    if error == errno.ENETUNREACH:
        return "its gateway cannot be reached from here"
    return os.strerror(error).lower() if error else ""
