"""One router: from the statements of its keepalived.conf to a draft of config.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.keepalived.announce import read_group
from hafw.keepalived.checks import WatchReading
from hafw.keepalived.complete import Completion
from hafw.keepalived.groups import GroupReading
from hafw.keepalived.instance import InstanceReading
from hafw.keepalived.notify import NotifyReading
from hafw.keepalived.proposals import propose
from hafw.keepalived.routes import RouteReading
from hafw.keepalived.settings import GlobalReading, read_link_delays
from hafw.keepalived.track import Tracking
from hafw.keepalived.words import WORDS

if TYPE_CHECKING:
    from hafw.keepalived.checks import Kind
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router

_WATCHED: dict[str, Kind] = {
    "vrrp_script": "script",
    "track_file": "file",
    "vrrp_track_file": "file",
    "vrrp_track_process": "process",
}
Block = tuple["Statement", list["Statement"]]


class Conversion:
    """Everything that one router's file says, block by block."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._blocks: dict[str, list[Block]] = {}
        self._globals = GlobalReading(router)
        self._watch = WatchReading(router, self._globals.settings)
        self._instances = InstanceReading(router, self._globals.settings)
        self._notify = NotifyReading(router, self._globals.settings)
        self._groups = GroupReading(router)
        self._rates: dict[str, float] = {}

    def run(self) -> None:
        """Fill the router's draft and its report."""
        self._sort()
        self._read_globals()
        for statement, _ in self._blocks.get("interface_up_down_delays", ()):
            self._globals.settings.link_delays.update(read_link_delays(self._router, statement))
        for word, kind in _WATCHED.items():
            for statement, body in self._blocks.get(word, ()):
                self._watch.read(statement, body, kind)
        for _, body in self._blocks.get("garp_group", ()):
            self._rates.update(read_group(self._router, body))
        for statement, body in self._blocks.get("vrrp_instance", ()):
            self._instances.read(statement, body)
        self._spread_strays()
        for statement, body in self._blocks.get("vrrp_sync_group", ()):
            self._groups.read(statement, body)
        self._complete()

    def _sort(self) -> None:
        """Every block with its statements; one that stands behind its block's end still belongs to it."""
        last: tuple[Statement, list[Statement]] | None = None
        for each in self._router.tree:
            if last is not None and each.word not in WORDS[""] and each.word in WORDS.get(last[0].word, {}):
                why = f"a brace too many before it: it belongs to `{last[0].text}`; keepalived ignored it"
                self._router.report.add(each.place, each.text, "changed", why)
                last[1].extend(self._router.known(each, last[0].word))
                continue
            for statement in self._router.known(each, ""):
                body = list(self._router.block(statement, statement.word)) if statement.word in WORDS else []
                last = (statement, body)
                self._blocks.setdefault(statement.word, []).append(last)

    def _read_globals(self) -> None:
        for _, body in self._blocks.get("global_defs", ()):
            for each in body:
                self._globals.read(each)
        for block, each in self._router.strays:
            if block == "global_defs":
                for known in self._router.known(each, "global_defs"):
                    self._globals.read(known)
        self._globals.finish()

    def _spread_strays(self) -> None:
        """What belongs into an instance and stands elsewhere: plain if there is one, or if all can have it."""
        instances = list(self._instances.found.values())
        for block, each in self._router.strays:
            if block != "vrrp_instance":
                continue
            if len(instances) == 1 or (instances and each.word.startswith(("notify", "smtp_alert", "track_"))):
                names = ", ".join(instance.name for instance in instances)
                why = f"belongs into vrrp_instance; keepalived ignored it here, and hafw takes it for {names}"
                self._router.report.add(each.place, each.text, "changed", why)
                for instance in instances:
                    for known in self._router.known(each, "vrrp_instance"):
                        self._instances.take(instance, known)
            else:
                self._router.note(
                    each, "decide", "belongs into vrrp_instance; keepalived ignored it here: into which one?"
                )

    def _complete(self) -> None:
        tracking = Tracking(self._router, self._watch, self._groups.of_instance)
        routes = RouteReading(self._router)
        for instance in self._instances.found.values():
            Completion(self._router, self._globals.settings, self._rates, instance).put()
            self._notify.read(("instance", instance.name), instance.notifies)
            for each in instance.routes:
                routes.read(instance.name, each)
        for group in self._groups.complete(self._instances.found):
            for each in group.tracks:
                tracking.of_group(group, each)
            self._notify.read(("group", group.name), group.notifies)
        for instance in self._instances.found.values():
            for each in instance.tracks:
                tracking.of_instance(instance, each)
        self._watch.finish()
        self._notify.finish()
        propose(self._router, self._watch.all())
