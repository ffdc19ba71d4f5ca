"""For each hook: the method that a new plugin begins with, its test, and what else these two need.

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
    """The option that the method reads: a key of ``OPTIONS``."""
    api: tuple[str, ...] = ()
    """Names of ``hafw.api`` that run."""
    typing: tuple[str, ...] = ()
    """Names of ``hafw.api`` in annotations only."""
    abstract: tuple[str, ...] = ()
    """Names of ``collections.abc`` in annotations only."""
    any: bool = False
    """Whether its annotations say ``Any``."""
    sleeps: bool = False
    """Whether it goes on for ever, with pauses."""
    values: tuple[str, ...] = ()
    """Names of ``hafw.api`` that the test builds its arguments from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A key of ``[plugin.NAME]`` that shows how one is declared, refused and used."""

    field: str
    mistakes: str
    """What ``configure`` refuses."""
    example: str
    """As config.toml sets it."""
    meaning: str
    wrong: str
    """A value that is refused, as Python."""
    said: str
    """Why, as Python: a whole line."""


OPTIONS: Final = {
    "drained": Option(
        field='''\
    drained: str = "/run/hafw-@name@.drained"
    """A file: while it exists, the check fails."""
''',
        mistakes="""\
        if not options.drained.startswith("/"):
            problem = f'= "{options.drained}": must be an absolute path'
            mistakes.append(("drained", problem))
""",
        example='drained = "/run/hafw-@name@.drained"\n',
        meaning="a file: while it exists, the check fails",
        wrong='Options(drained="here")',
        said="""'drained: = "here": must be an absolute path'""",
    ),
    "prefix": Option(
        field='''\
    prefix: str = ""
    """Stands before each line in the log."""
''',
        mistakes="""\
        if not options.prefix.isprintable():
            mistakes.append(("prefix", "must be one line of plain text"))
""",
        example='prefix = "@name@: "\n',
        meaning="stands before each line in the log",
        wrong='Options(prefix="two\\nlines")',
        said='"prefix: must be one line of plain text"',
    ),
}
SAY: Final = '''\

    def _say(self, text: str) -> None:
        """What is printed goes to hafw's log, with the name of the plugin."""
        print(f"{self._options.prefix}{text}", flush=True)
'''
DRAINED: Final = """\

    def _verdict(self) -> Verdict:
        drained = Path(self._options.drained).exists()
        return Verdict(not drained, "drained" if drained else "not drained")
"""
"""What the methods with this option share."""


def _state(hook: str, state: str, before: str, meaning: str) -> Piece:
    """The four hooks that hear of a transition differ in a word."""
    return Piece(
        method=f'''\

    @hookimpl
    def {hook}(self, router: Router, change: StateChange) -> None:
        """{meaning} May come twice, with one ``change.seq``."""
        self._say(f"{{router.name}} is {state}: {{change.reason}}")
''',
        test=f"""\


def test_{hook}_says_so(plugin: @class_name@, capsys: Capture) -> None:
    change = StateChange(
        seq=1,
        time="2026-11-22T21:14:02.118Z",
        instance="VI_1",
        old="{before}",
        new="{state}",
        reason="no-response",
        priority=100,
    )
    plugin.{hook}(ROUTER, change)
    assert capsys.readouterr().out == "test: VI_1 is {state}: no-response\\n"
""",
        sentence=f"says when an instance is {state}",
        typing=("Router", "StateChange"),
        values=("Router", "StateChange"),
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


def test_the_check_fails_while_drained(plugin: @class_name@, drained: Path) -> None:
    assert plugin.check() == Verdict(True, "not drained")
    drained.touch()
    assert plugin.check() == Verdict(False, "drained")
""",
        sentence="checks whether the service is healthy",
        option="drained",
        api=("Verdict",),
        values=("Verdict",),
    ),
    "monitor": Piece(
        method='''\

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> None:
        """Watch for ever, and report the moment something changes."""
        before = None
        while True:
            verdict = self._verdict()
            if verdict != before:
                report(verdict)
            before = verdict
            time.sleep(1.0)
''',
        test='''\


class Seen(Exception):
    """Ends what would go on for ever."""


def test_the_monitor_reports_what_it_sees(plugin: @class_name@, drained: Path) -> None:
    def report(verdict: Verdict) -> None:
        raise Seen(verdict)

    drained.touch()
    with pytest.raises(Seen) as seen:
        plugin.monitor(report)
    assert seen.value.args == (Verdict(False, "drained"),)
''',
        sentence="watches the service, and reports at once when it fails",
        option="drained",
        api=("Verdict",),
        abstract=("Callable",),
        sleeps=True,
        values=("Verdict",),
    ),
    "serve": Piece(
        method='''\

    @hookimpl
    def serve(self, ask: Callable[..., Mapping[str, Any]]) -> None:
        """Run for ever, and show others what the daemon knows."""
        while True:
            for each in ask("status")["instances"]:
                self._say(f"{each['name']} is {each['state']}")
            time.sleep(60.0)
''',
        test='''\


class Paused(Exception):
    """Ends what would go on for ever."""


def test_serve_says_how_it_is(
    plugin: @class_name@, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pause(_seconds: float) -> None:
        raise Paused

    monkeypatch.setattr("time.sleep", pause)
    with pytest.raises(Paused):
        plugin.serve(lambda _what: {"instances": [{"name": "VI_1", "state": "MASTER"}]})
    assert capsys.readouterr().out == "test: VI_1 is MASTER\\n"
''',
        sentence="shows others what the daemon knows",
        abstract=("Callable", "Mapping"),
        any=True,
        sleeps=True,
    ),
    "takeover": Piece(
        method='''\

    @hookimpl
    def takeover(self, router: Router) -> list[Address | Frame]:
        """What to bind and what to send on becoming MASTER; asked before it is needed."""
        return [address for address in router.addresses if address.advertised]
''',
        test="""\


def test_the_addresses_of_the_router_are_bound(plugin: @class_name@) -> None:
    assert plugin.takeover(ROUTER) == list(ROUTER.addresses)
""",
        sentence="binds the addresses, in place of the plugin `vip`",
        typing=("Address", "Frame", "Router"),
        values=("Router",),
    ),
    "became_master": _state("became_master", "MASTER", "BACKUP", "The addresses are here, or about to be."),
    "became_backup": _state("became_backup", "BACKUP", "MASTER", "Another router is MASTER."),
    "faulted": _state("faulted", "FAULT", "MASTER", "This router cannot serve."),
    "stopped": _state("stopped", "STOP", "MASTER", "The daemon ends, the addresses are gone."),
    "vip_changed": Piece(
        method='''\

    @hookimpl
    def vip_changed(self, router: Router, change: VipChange) -> None:
        """One address was bound, lost, restored or released."""
        self._say(f"{router.name}: {change.address}: {change.change}")
''',
        test="""\


def test_the_loss_of_an_address_is_said(plugin: @class_name@, capsys: Capture) -> None:
    change = VipChange(
        seq=1,
        time="2026-11-22T21:14:02.118Z",
        instance="VI_1",
        address="192.0.2.250",
        change="vip_lost",
    )
    plugin.vip_changed(ROUTER, change)
    assert capsys.readouterr().out == "test: VI_1: 192.0.2.250: vip_lost\\n"
""",
        sentence="says what becomes of each address",
        typing=("Router", "VipChange"),
        values=("Router", "VipChange"),
    ),
    "group_changed": Piece(
        method='''\

    @hookimpl
    def group_changed(self, group: Group, change: GroupChange) -> None:
        """The state of a sync group changed, after its members were told."""
        self._say(f"group {group.name} is {change.new}: {change.reason}")
''',
        test="""\


def test_a_group_that_serves_is_said(plugin: @class_name@, capsys: Capture) -> None:
    change = GroupChange(
        seq=1,
        time="2026-11-22T21:14:02.118Z",
        group="site",
        members=("VI_1", "VI_2"),
        old="BACKUP",
        new="MASTER",
        reason="no-response",
    )
    plugin.group_changed(Group(name="site", members=("VI_1", "VI_2")), change)
    assert capsys.readouterr().out == "test: group site is MASTER: no-response\\n"
""",
        sentence="says when the state of a sync group changes",
        typing=("Group", "GroupChange"),
        values=("Group", "GroupChange"),
    ),
    "event": Piece(
        method='''\

    @hookimpl
    def event(self, event: Mapping[str, Any]) -> None:
        """Hears every event, as `hafw events --json` shows it."""
        self._say(f"{event['type']} {event.get('instance', '')}".rstrip())
''',
        test="""\


def test_every_event_is_said(plugin: @class_name@, capsys: Capture) -> None:
    plugin.event({"seq": 1, "type": "takeover_complete", "instance": "VI_1"})
    assert capsys.readouterr().out == "test: takeover_complete VI_1\\n"
""",
        sentence="hears every event",
        abstract=("Mapping",),
        any=True,
    ),
    "before_release": Piece(
        method='''\

    @hookimpl
    def before_release(self, router: Router, budget: float) -> None:
        """A planned handover comes: prepare within ``budget`` seconds, go on serving."""
        self._say(f"{router.name} hands over, {budget:g} s to prepare")
''',
        test="""\


def test_a_handover_is_said_before(plugin: @class_name@, capsys: Capture) -> None:
    plugin.before_release(ROUTER, 5.0)
    assert capsys.readouterr().out == "test: VI_1 hands over, 5 s to prepare\\n"
""",
        sentence="prepares for a planned handover",
        typing=("Router",),
        values=("Router",),
    ),
}
