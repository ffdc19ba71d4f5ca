"""What pytest loads at every start, so it imports nothing else: the fixtures, which import what they need when used."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hafw.testing.harness import PluginUnderTest
    from hafw.testing.http import HttpReceiver
    from hafw.testing.lan import LanUnderTest
    from hafw.testing.simulation import Simulation
    from hafw.testing.smtp import SmtpServer


USUAL_INSTANCES = ("VI_1",)


class StartsPlugin:
    """The fixture ``hafw_plugin``."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def __call__(  # noqa: PLR0913 - all but the first by keyword
        self,
        name: str = "",
        *,
        file: str | Path = "",
        options: Mapping[str, Any] | None = None,
        instances: Sequence[str] | Mapping[str, Mapping[str, Any]] = USUAL_INSTANCES,
        config: str | Path = "",
        node: str = "",
        user: str = "",
        interval: str = "",
        deadline: float | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> PluginUnderTest:
        """Start it; raises ``PluginRefused`` with the lines of ``hafw check``.

        ``name``: of an installed plugin, of a table of ``config``, or how the one in ``file`` is called. ``options``:
        its table, or more keys for it. ``instances``: their names, or by name the keys that are not as usual.
        ``config``: the text of a whole ``config.toml`` or its path; it has the instances, the user and the checks.
        ``node``: which router this is; without it ``lb1``, or what ``config`` says. ``user``: who it runs as; as root
        without it, a plugin with ``check``, ``monitor`` or ``serve`` is nobody. ``interval``: ``"50ms"`` lets ``check``
        and ``monitor`` run by themselves, and ``plugin.verdicts`` has what they say. ``deadline``: seconds of an event
        hook, also when the plugin declares more. ``answers``: what ``ask`` in ``serve`` gets, by its word: an answer,
        or a function of the request.
        """
        from hafw.testing.configuration import configuration, with_options  # noqa: PLC0415 - pytest starts without it
        from hafw.testing.harness import PluginUnderTest  # noqa: PLC0415

        called = _called(name, file, config)
        place: Path | None = None
        write: Callable[[Mapping[str, Any]], str]
        if config:
            _refuse_beside_config(instances=instances != USUAL_INSTANCES, user=user, interval=interval)
            place = config.absolute() if isinstance(config, Path) else None
            text = config.read_text("utf-8") if isinstance(config, Path) else config
            write = partial(with_options, text, called, file=str(Path(file).absolute()) if file else "")
        else:
            write = partial(
                configuration,
                called,
                file=str(file),
                instances=instances,
                node=node,
                user=user,
                check={"interval": interval, "timeout": interval} if interval else None,
            )
        plugin = PluginUnderTest(
            called, write, options or {}, node=node, place=place, deadline=deadline, answers=answers
        )
        return self._stack.enter_context(plugin)


class Simulates:
    """The fixture ``hafw_sim``."""

    def __call__(  # noqa: PLR0913 - all but the first by keyword
        self,
        routers: Mapping[str, int] = MappingProxyType({"lb1": 200, "lb2": 100}),
        *,
        critical: bool = True,
        weight: int = 0,
        rise: int = 2,
        fall: int = 2,
        interval: float = 1.0,
        seed: int = 0,
        **settings: Any,  # noqa: ANN401
    ) -> Simulation:
        """Routers by name, with their priorities. Each has one check, which is run every ``interval`` seconds.

        ``weight``: then it is not critical. ``settings``: what the file has for an instance, as values, such as
        ``preempt=False``, ``advertisement_interval=0.1`` and ``last_resort=False``.
        """
        from hafw.testing.simulation import Simulation  # noqa: PLC0415 - as above

        return Simulation(
            routers,
            critical=critical and not weight,
            weight=weight,
            rise=rise,
            fall=fall,
            interval=interval,
            seed=seed,
            **settings,
        )


class BuildsLan:
    """The fixture ``hafw_lan``."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def __call__(  # noqa: PLR0913 - all but the first by keyword
        self,
        name: str = "",
        *,
        file: str | Path = "",
        options: Mapping[str, Any] | None = None,
        check: Mapping[str, Any] | None = None,
        user: str = "",
        routers: Mapping[str, int] = MappingProxyType({"lb1": 150, "lb2": 100}),
        instance: Mapping[str, Any] | None = None,
    ) -> LanUnderTest:
        """Real daemons, each with the plugin, on hosts of a network of their own.

        ``options`` may say ``{folder}``: where each router keeps its files. ``check``: the table of a check of the
        plugin, such as ``{"critical": True, "interval": "200ms"}``. ``routers``: with their priorities. ``instance``:
        keys of ``[instance.VI_1]`` that shall not be as usual.
        """
        from hafw.testing.lan import LanRefused, LanUnderTest, configuration  # noqa: PLC0415 - as above

        write = partial(
            configuration,
            routers,
            _called(name, file),
            file=str(file),
            options=options or {},
            check=check,
            user=user,
            own=instance or {},
        )
        try:
            lan = LanUnderTest(routers, write)
        except LanRefused as refused:
            pytest.skip(str(refused))
        return self._stack.enter_context(lan)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Only who asks for it gets a lab: it takes seconds, and network namespaces."""
    group = parser.getgroup("hafw")
    group.addoption("--hafw-lan", action="store_true", help="run tests with hafw_lan: real daemons, in namespaces")


def pytest_configure(config: pytest.Config) -> None:
    """Known to ``--strict-markers``."""
    config.addinivalue_line("markers", "hafw_lan: uses the fixture hafw_lan; runs with --hafw-lan")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """So that ``-m hafw_lan`` chooses them."""
    for item in items:
        if "hafw_lan" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.hafw_lan)


@pytest.fixture
def hafw_plugin() -> Iterator[StartsPlugin]:
    """A factory: starts a plugin in its real process, driven by the test. It ends with the test."""
    with contextlib.ExitStack() as stack:
        yield StartsPlugin(stack)


@pytest.fixture
def hafw_sim() -> Simulates:
    """A factory: routers on a simulated LAN in virtual time."""
    return Simulates()


@pytest.fixture
def hafw_lan(request: pytest.FixtureRequest) -> Iterator[BuildsLan]:
    """A factory: real daemons with a plugin, in network namespaces; skipped without ``--hafw-lan``."""
    if not request.config.getoption("hafw_lan"):
        pytest.skip("it runs real daemons in network namespaces: ask for it with --hafw-lan")
    with contextlib.ExitStack() as stack:
        yield BuildsLan(stack)


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """A mail server on loopback that keeps what it is sent, and fails as the test says."""
    from hafw.testing.smtp import SmtpServer  # noqa: PLC0415 - as above

    with SmtpServer() as server:
        yield server


@pytest.fixture
def http_receiver() -> Iterator[HttpReceiver]:
    """A web server on loopback that keeps what it is asked, and answers as the test says."""
    from hafw.testing.http import HttpReceiver  # noqa: PLC0415 - as above

    with HttpReceiver() as receiver:
        yield receiver


def _called(name: str, file: str | Path, config: str | Path = "") -> str:
    if not name and not file:
        if config:
            raise TypeError('name the plugin of config= that is to be tested: hafw_plugin("NAME", config=...)')
        raise TypeError('name an installed plugin, or file="my_plugin.py"')
    return name or Path(file).stem


def _refuse_beside_config(**given: object) -> None:
    """What would be read by nobody."""
    for key, value in given.items():
        if value:
            raise TypeError(f"{key}= beside config=: that file says it: leave one of them out")
