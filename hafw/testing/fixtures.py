"""What pytest loads at every start, so it imports nothing else: the fixtures, which import what they need when used."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.testing.harness import PluginUnderTest
    from hafw.testing.http import HttpReceiver
    from hafw.testing.lan import LanUnderTest
    from hafw.testing.simulation import Simulation
    from hafw.testing.smtp import SmtpServer


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
        instances: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("VI_1",),
        config: str = "",
        user: str = "",
        interval: str = "",
        deadline: float | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> PluginUnderTest:
        """Start it; raises ``PluginRefused`` with the lines of ``hafw check``.

        ``name``: of an installed plugin, or how the one in ``file`` is called. ``options``: its table.
        ``instances``: their names, or by name the keys that are not as usual. ``config``: a whole ``config.toml``
        instead of these. ``user``: who it runs as; as root without it, a plugin with ``check``, ``monitor`` or
        ``serve`` is nobody. ``interval``: ``"50ms"`` lets ``check`` and ``monitor`` run by themselves, and
        ``plugin.verdicts`` has what they say. ``deadline``: seconds of an event hook, also when the plugin declares
        more. ``answers``: what ``ask`` in ``serve`` gets, by its word: an answer, or a function of the request.
        """
        from hafw.testing.configuration import configuration, with_options  # noqa: PLC0415 - pytest starts without it
        from hafw.testing.harness import PluginUnderTest  # noqa: PLC0415

        called = _called(name, file)
        write = (
            partial(with_options, config, called)
            if config
            else partial(
                configuration,
                called,
                file=str(file),
                instances=instances,
                user=user,
                check={"interval": interval, "timeout": interval} if interval else None,
            )
        )
        plugin = PluginUnderTest(called, write, options or {}, deadline=deadline, answers=answers)
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


def _called(name: str, file: str | Path) -> str:
    if not name and not file:
        raise TypeError('name an installed plugin, or file="my_plugin.py"')
    return name or Path(file).stem
