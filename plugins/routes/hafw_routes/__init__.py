"""Routes and policy rules that are there while an instance is MASTER: keepalived's ``virtual_routes`` and its rules.

Nothing of an operator's own is replaced or removed: what this plugin adds bears a protocol number of its own, and only
that is taken away again. What somebody removes meanwhile is put back.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypedDict

from hafw.api import Router, StateChange, VipChange, hookimpl, refuse
from hafw_routes.kernel import Kernel
from hafw_routes.options import Options, mistakes, wishes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafw_routes.options import Wish


class Outcome(TypedDict):
    """What could not be done."""

    output: str
    exit: int


class Routes:
    """The routes and rules of this machine, by instance."""

    needs_root = True
    """CAP_NET_ADMIN."""

    def __init__(self) -> None:
        self._refresh = 0.0
        self._wishes: dict[str, tuple[Wish, ...]] = {}
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._serving: dict[str, bool] = {}
        """As events have said; of an instance without one its addresses tell."""
        self._lock = threading.Lock()
        self._watching = False

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.routes]``."""
        return Options

    @hookimpl
    def configure(self, options: Options, routers: Sequence[Router]) -> None:
        """Refuse what cannot work; nothing is changed yet."""
        refuse(mistakes(options, [router.name for router in routers]))
        self._refresh = float(options.refresh)
        self._addresses = {router.name: tuple(each.address for each in router.addresses) for router in routers}
        self._wishes = wishes(options)

    @hookimpl
    def vip_changed(self, router: Router, change: VipChange) -> Outcome | None:
        """Once an address is there, routes may name it as their source."""
        if change.change == "vip_bound":
            self._serving[router.name] = True
        return self._settle(router.name)

    @hookimpl
    def became_backup(self, router: Router, change: StateChange) -> Outcome | None:  # noqa: ARG002 - of the hook
        """Take them away."""
        return self._leave(router.name)

    @hookimpl
    def faulted(self, router: Router, change: StateChange) -> Outcome | None:  # noqa: ARG002
        """Take them away."""
        return self._leave(router.name)

    @hookimpl
    def stopped(self, router: Router, change: StateChange) -> Outcome | None:  # noqa: ARG002
        """Take them away."""
        return self._leave(router.name)

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Any event shows that hafw runs: from the first one on, watch over what there should be."""
        if not self._watching and self._refresh:
            self._watching = True
            threading.Thread(target=self._watch, name="routes", daemon=True).start()

    def _leave(self, name: str) -> Outcome | None:
        self._serving[name] = False
        return self._settle(name)

    def _watch(self) -> None:
        pause = threading.Event()
        while True:
            for name in self._wishes:
                problem = self._settle(name)
                if problem is not None:
                    print(f"{name}: {problem['output']}", flush=True)  # noqa: T201 - goes to hafw's log
            pause.wait(self._refresh)

    def _settle(self, name: str) -> Outcome | None:
        """Make the kernel have all of them, or none; what is so already costs one look."""
        wanted = self._wishes.get(name, ())
        if not wanted:
            return None
        with self._lock, Kernel() as kernel:
            serving = self._serving.get(name)
            if serving is None:  # this process is new, the daemon is not: the addresses tell
                serving = kernel.has_any(self._addresses.get(name, ()))
            problems = kernel.have(wanted) if serving else kernel.lack(wanted)
        return Outcome(output="; ".join(problems), exit=1) if problems else None


plugin = Routes()
