"""For each hook: the method that a new plugin begins with, its test, and the option that it reads.

Every piece is text of the package that is written, indented as it stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one hook brings into the package."""

    method: str
    test: str
    sentence: str
    """What the plugin does, for its README."""
    option: str = "prefix"
    """What the method reads: a key of ``OPTIONS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Keys of ``[plugin.NAME]`` that show how one is declared, refused and used."""

    fields: str
    mistakes: str
    """What ``configure`` refuses."""
    example: str
    """As config.toml sets it."""
    rows: str
    """Of the table of options: key, default, meaning."""
    wrong: str
    """A value that is refused, as Python."""
    said: str
    """Why, as the end of a line of ``hafw check``, in a string of Python."""


OPTIONS: Final = {
    "free": Option(
        fields='''\
    path: str = "/"
    """A folder of the file system that is looked at."""
    free: float = 5.0
    """Percent of it that must be free, from 0 to 100."""
''',
        mistakes="""\
        if not options.path.startswith("/"):
            mistakes.append(("path", f'= "{options.path}": must be an absolute path'))
        if not 0 <= options.free <= 100:
            mistakes.append(("free", f"= {options.free:g}: must be 0 to 100"))
""",
        example='path = "/"\nfree = 5.0\n',
        rows=(
            '| `path` | `"/"` | a folder of the file system that is looked at |\n'
            "| `free` | `5.0` | percent of it that must be free, from 0 to 100 |\n"
        ),
        wrong='{"free": 101.0}',
        said="free = 101: must be 0 to 100",
    ),
    "prefix": Option(
        fields='''\
    prefix: str = ""
    """Stands before each line."""
''',
        mistakes="""\
        if not options.prefix.isprintable():
            mistakes.append(("prefix", "must be one plain line"))
""",
        example='prefix = "@name@: "\n',
        rows='| `prefix` | `""` | stands before each line |\n',
        wrong='{"prefix": "two\\nlines"}',
        said="prefix: must be one plain line",
    ),
}
TOLD: Final = '''\

    def _told(self, text: str) -> Mapping[str, Any]:
        """What comes back is logged and kept for `hafw plugins`; an exit but 0 has failed."""
        return {"output": f"{self._options.prefix}{text}", "exit": 0}
'''
"""What the event hooks share."""
VERDICT: Final = """\

    def _verdict(self) -> Verdict:
        usage = shutil.disk_usage(self._options.path)
        free = 100 * usage.free / usage.total
        return Verdict(free >= self._options.free, f"{self._options.path}: {free:.0f}% free")
"""
"""What the checks share."""


def _state(hook: str, state: str, done: str, reason: str, meaning: str) -> Piece:
    """The four hooks that hear of a transition differ in a word."""
    return Piece(
        method=f'''\

    @hookimpl
    def {hook}(self, router: Router, change: StateChange) -> Mapping[str, Any]:
        """{meaning} May come twice, with one ``change.seq``."""
        return self._told(f"{{router.name}} is {state}: {{change.reason}}")
''',
        test=f"""\


def test_{hook}_is_told(hafw_plugin: StartsPlugin) -> None:
    plugin = hafw_plugin("@plugin@", options={{"prefix": "test: "}})
    told = plugin.{done}
    assert told.output == "test: VI_1 is {state}: {reason}"
""",
        sentence=f"tells when an instance is {state}",
    )


HOOKS: Final = {
    "check": Piece(
        method='''\

    @hookimpl
    def check(self) -> Verdict:
        """Whether your service is healthy, now. Ask it here."""
        return self._verdict()
''',
        test="""\


def test_the_check_fails_when_too_little_is_free(hafw_plugin: StartsPlugin) -> None:
    assert hafw_plugin("@plugin@", options={"free": 0.0}).check().healthy
    assert not hafw_plugin("@plugin@", options={"free": 100.0}).check().healthy
""",
        sentence="checks that a file system has space",
        option="free",
    ),
    "monitor": Piece(
        method='''\

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> None:
        """Watch for ever, and report the moment something changes."""
        before = None
        while True:
            verdict = self._verdict()
            if before is None or verdict.healthy != before.healthy:
                report(verdict)
            before = verdict
            time.sleep(1.0)
''',
        test="""\


def test_the_monitor_reports_what_it_sees(hafw_plugin: StartsPlugin) -> None:
    assert not hafw_plugin("@plugin@", options={"free": 100.0}).monitor().next().healthy
""",
        sentence="watches the space of a file system",
        option="free",
    ),
    "serve": Piece(
        method='''\

    @hookimpl
    def serve(self, ask: Callable[..., Mapping[str, Any]]) -> None:
        """Run for ever, and show others what the daemon knows. What is printed is logged."""
        while True:
            for each in ask("status")["instances"]:
                print(f"{self._options.prefix}{each['name']} is {each['state']}", flush=True)
            time.sleep(60.0)
''',
        test="""\


def test_it_shows_how_the_instances_are(hafw_plugin: StartsPlugin) -> None:
    answers = {"status": {"instances": [{"name": "VI_1", "state": "MASTER"}]}}
    plugin = hafw_plugin("@plugin@", options={"prefix": "test: "}, answers=answers)
    plugin.wait_for(lambda: "test: VI_1 is MASTER" in plugin.printed)
""",
        sentence="shows others what the daemon knows",
    ),
    "takeover": Piece(
        method='''\

    @hookimpl
    def takeover(self, router: Router) -> list[Address | Frame]:
        """What to bind and what to send on becoming MASTER; asked before it is needed."""
        return [address for address in router.addresses if address.advertised]
''',
        test="""\


def test_the_addresses_of_the_router_are_bound(hafw_plugin: StartsPlugin) -> None:
    plugin = hafw_plugin("@plugin@")
    assert list(plugin.takeover().addresses.values()) == list(plugin.router().addresses)
""",
        sentence="binds the addresses, in place of the plugin `vip`",
    ),
    "became_master": _state(
        *("became_master", "MASTER", 'become("MASTER", reason="no-response")', "no-response"),
        meaning="The addresses are here, or about to be.",
    ),
    "became_backup": _state(
        "became_backup", "BACKUP", 'backup(reason="higher-priority")', "higher-priority", "Another router is MASTER."
    ),
    "faulted": _state("faulted", "FAULT", 'fault("check-failed")', "check-failed", "This router cannot serve."),
    "stopped": _state("stopped", "STOP", "stop()", "shutdown", "The daemon ends, the addresses are gone."),
    "vip_changed": Piece(
        method='''\

    @hookimpl
    def vip_changed(self, router: Router, change: VipChange) -> Mapping[str, Any]:
        """One address was bound, lost, restored or released."""
        return self._told(f"{router.name}: {change.address}: {change.change}")
''',
        test="""\


def test_the_loss_of_an_address_is_told(hafw_plugin: StartsPlugin) -> None:
    plugin = hafw_plugin("@plugin@")
    address = plugin.router().addresses[0].address
    assert plugin.vip("vip_lost").output == f"VI_1: {address}: vip_lost"
""",
        sentence="tells what becomes of each address",
    ),
    "group_changed": Piece(
        method='''\

    @hookimpl
    def group_changed(self, group: Group, change: GroupChange) -> Mapping[str, Any]:
        """The state of a sync group changed, after its members were told."""
        return self._told(f"group {group.name} is {change.new}: {change.reason}")
''',
        test="""\


def test_a_group_that_serves_is_told(hafw_plugin: StartsPlugin) -> None:
    plugin = hafw_plugin("@plugin@", instances={"A": {"group": "G"}, "B": {"group": "G"}})
    assert plugin.group("MASTER", reason="no-response").output == "group G is MASTER: no-response"
""",
        sentence="tells when the state of a sync group changes",
    ),
    "event": Piece(
        method='''\

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hears every event, as `hafw events --json` shows it."""
        return self._told(f"{event['type']} {event.get('instance', '')}".rstrip())
''',
        test="""\


def test_every_event_is_told(hafw_plugin: StartsPlugin) -> None:
    plugin = hafw_plugin("@plugin@")
    assert plugin.event({"type": "split_brain", "instance": "VI_1"}).output == "split_brain VI_1"
""",
        sentence="hears every event",
    ),
    "before_release": Piece(
        method='''\

    @hookimpl
    def before_release(self, router: Router, budget: float) -> Mapping[str, Any]:
        """A planned handover comes: prepare within ``budget`` seconds, go on serving."""
        return self._told(f"{router.name} hands over, {budget:g} s to prepare")
''',
        test="""\


def test_a_handover_is_told_before(hafw_plugin: StartsPlugin) -> None:
    plugin = hafw_plugin("@plugin@")
    assert plugin.before_release(5.0).output == "VI_1 hands over, 5 s to prepare"
""",
        sentence="prepares for a planned handover",
    ),
}
