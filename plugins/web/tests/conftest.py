"""A real daemon, which binds and sends nothing, and the real server in front of it, asked through real sockets."""

from __future__ import annotations

import contextlib
import functools
import http.client
import io
import json
import socket
import sys
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from hafw_web.known import Known
from hafw_web.options import Place, socket_of
from hafw_web.routes import Routes
from hafw_web.server import Server
from hafw_web.stream import Newsroom

from hafw.config.model import CheckConfig, Config, InstanceConfig
from hafw.daemon.observe import LogWriter
from hafw.daemon.run import Daemon
from hafw.node import CheckSettings
from hafw.pipe import Address
from hafw.vrrp.events import LinkChanged, PlanReported, Startup, VerdictReported
from hafw.vrrp.settings import RouterSettings

sys.path.insert(0, str(Path(__file__).parent))  # where the browser is

PATIENCE = 10
EPOCH = "4711"


class House:
    """A daemon with two instances that are MASTER as soon as they start, and with a check of the first one."""

    def __init__(self, tmp_path, writer):
        check = CheckSettings(name="nginx", critical=True, rise=1, fall=1)
        self.daemon = Daemon(
            Config(
                path=str(tmp_path / "config.toml"),
                node_name="lb1",
                instances={
                    "VI_1": self.instance("VI_1", 51, CheckConfig(settings=check, plugin="n", interval=1, timeout=1)),
                    "VI_2": self.instance("VI_2", 52),
                },
                plugins={},
            ),
            writer,
            dry_run=True,
        )
        self.silent = False
        self.asked = []

    @staticmethod
    def instance(name, vrid, *checks):
        address = f"192.0.2.{vrid}"
        settings = RouterSettings(
            name=name, interface="eth0", vrid=vrid, priority=255, owner=True, virtual_addresses=(ip_address(address),)
        )
        addresses = (Address(address=address, prefixlen=32, interface="eth0"),)
        return InstanceConfig(router=settings, addresses=addresses, checks=checks)

    def start(self, *names):
        self.daemon.dispatch(LinkChanged("eth0", up=True, primary={4: ip_address("192.0.2.1")}))
        for name in names or ("VI_1", "VI_2"):
            self.daemon.dispatch(PlanReported(name))
            self.daemon.dispatch(Startup(name))
        self.verdict(healthy=True)

    def verdict(self, *, healthy):
        detail = "" if healthy else "connection refused"
        self.daemon.dispatch(VerdictReported("VI_1", "nginx", healthy, detail=detail, duration=0.012))

    def say(self, kind, **fields):
        return self.daemon.observer.event({"type": kind, **fields})

    def ask(self, do, *, patience=5.0, **request):
        """As the ``serve`` hook asks, from another thread."""
        self.asked.append(do)
        if self.silent:
            raise TimeoutError(f"the daemon did not answer within {patience:g}s")
        return json.loads(json.dumps(trio.from_thread.run(self.daemon.answers.for_plugins[do], request)))


@pytest.fixture
async def house(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path / "run"))
    writer = LogWriter(io.StringIO())
    made = House(tmp_path, writer)
    yield made
    writer.close()


@pytest.fixture
async def status(house):
    """What the daemon says when both instances are MASTER."""
    house.start()
    return json.loads(json.dumps(await house.daemon.answers.status({})))


class Site:
    """A server that runs, and clients that talk to it from threads."""

    def __init__(self, house, place, known, newsroom):
        self.house, self.place, self.known, self.newsroom = house, place, known, newsroom
        self.clients = []

    async def get(self, path, method="GET", **headers):
        return await trio.to_thread.run_sync(functools.partial(self._get, path, method, headers))

    def _get(self, path, method, headers):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=PATIENCE)) as line:
            line.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
            answer = line.getresponse()
            answer.text = answer.read().decode()
            return answer

    async def talk(self, sent: bytes) -> bytes:
        """Everything that is answered to these octets until the server hangs up."""
        stream = await self.connect()
        async with stream:
            await stream.send_all(sent)
            with trio.fail_after(PATIENCE):
                return b"".join([bytes(data) async for data in stream])

    async def connect(self):
        self.clients.append(await trio.open_tcp_stream("127.0.0.1", self.place.port))
        return self.clients[-1]

    async def listen(self, query="", **headers):
        """An event stream, as a list of frames that grows, and what ends it."""
        stream = await self.connect()
        lines = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in headers.items())
        await stream.send_all(f"GET /events{query} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        return Listener(stream)


class Listener:
    """One client of the event stream."""

    def __init__(self, stream):
        self.stream, self._rest = stream, b""

    async def frame(self, kind=""):
        """The next frame, or the next of this kind, as its fields; the chunks of HTTP are no lines of it."""
        with trio.fail_after(PATIENCE):
            while True:
                while b"\n\n" not in self._rest:
                    data = await self.stream.receive_some(65536)
                    assert data, "the stream ended"
                    self._rest += bytes(data)
                frame, _, self._rest = self._rest.partition(b"\n\n")
                lines = [line for line in frame.decode().splitlines() if line.partition(": ")[0] in FIELDS]
                fields = dict(line.split(": ", 1) for line in lines)
                if fields.get("event", "") == kind or not kind:
                    return {**fields, "data": json.loads(fields["data"])} if "data" in fields else fields


FIELDS = {"id", "event", "data", "retry"}


@pytest.fixture
async def site(house):
    async with site_of(house) as made:
        yield made


@pytest.fixture
def open_site():
    return site_of


@contextlib.asynccontextmanager
async def site_of(house, connections=200, patience=5.0):
    known = Known(house.ask)
    newsroom = Newsroom(known, EPOCH)
    house.daemon.observer.subscribe(lambda _event: newsroom.poke())
    routes = Routes(known, newsroom, {"localhost", "lb1"})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = Place(ip_address("127.0.0.1"), probe.getsockname()[1])
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket_of(place)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(newsroom.run)
        nursery.start_soon(Server(routes.answer, connections, patience).run, [listener])
        made = Site(house, place, known, newsroom)
        yield made
        nursery.cancel_scope.cancel()
    for client in made.clients:
        await client.aclose()


@pytest.fixture
def eventually():
    async def eventually(condition):
        """Look again until it holds."""
        deadline = time.monotonic() + PATIENCE
        while not (seen := await condition()):
            assert time.monotonic() < deadline, "did not happen"
            await trio.sleep(0.02)
        return seen

    return eventually
