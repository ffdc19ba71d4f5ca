"""Packets by the million that nobody should send, through the way that every received packet takes, to a real Node.

Random octets, and adverts with some octets changed, from thousands of sources, with a fixed seed. Nothing may raise,
every packet is counted once, the log stays short, and only time and valid adverts may move a router.
"""

import io
import random
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address

import pytest
import trio

from hafw.daemon.clock import VirtualTimer
from hafw.daemon.loop import Election
from hafw.daemon.mismatches import PEERS_KEPT
from hafw.daemon.observe import BAD_PACKET_EVERY, SUSPECTS_KEPT, Observer, start_logging
from hafw.daemon.sockets import Wire, socket_key
from hafw.node import InstanceSettings, Node
from hafw.vrrp.events import AddressesInstalled, LinkChanged, PlanReported, Startup
from hafw.vrrp.packet import REASONS, Datagram, encode
from hafw.vrrp.settings import Checksum, RouterSettings, State

STEP = 10_000
"""Packets per second of virtual time."""
SEED = 9568
GROUP = ip_address("224.0.0.18")
OWN = ip_address("192.0.2.1")
SOURCES = [OWN + number for number in range(5000)]
TTLS = [255] * 29 + [254, 0, None]
DESTINATIONS = [GROUP] * 29 + [OWN, ip_address("224.0.0.5"), None]
OWNER = RouterSettings(
    name="VI_1", interface="eth0", vrid=51, owner=True, priority=255, virtual_addresses=(ip_address("192.0.2.250"),)
)
STANDBY = RouterSettings(
    name="VI_2", interface="eth0", vrid=52, priority=1, virtual_addresses=(ip_address("192.0.2.251"),)
)
TEMPLATES = [
    encode(replace(settings, version=version, password=password), priority, OWN, GROUP, Checksum.RFC9568)
    for settings in (OWNER, STANDBY)
    for version, password in ((3, None), (3, None), (3, None), (2, None), (2, b"secret"))
    for priority in (0, 1, 100, 254)
]


class Host:
    """A real Node behind a real Wire, without a socket: what it sends goes nowhere, and is counted."""

    def __init__(self):
        self.log = io.StringIO()
        self.writer = start_logging(self.log, "json")
        self.observer = Observer(self.writer)
        self.node = Node([InstanceSettings(router=each) for each in (OWNER, STANDBY)], trio.current_time())
        routers = {name: instance.router for name, instance in self.node.instances.items()}
        self.wire = Wire(routers, self.hear, self.observer)
        self.election = Election(
            self.node,
            self.wire,
            self.observer,
            set_addresses=self.install,
            announce=lambda _router: None,
            changed=lambda _router, change: self.moves.update([change.reason]),
            timer=VirtualTimer(),
        )
        self.heard, self.moves = Counter(), Counter()
        self.in_turn = False
        self.key = socket_key(OWNER)
        for name in routers:
            self.election.dispatch(Startup(name))
        self.election.dispatch(LinkChanged("eth0", up=True, primary={4: OWN}))
        for name in routers:
            self.election.dispatch(PlanReported(name))

    def install(self, action):
        if action.bound:
            self.election.dispatch(AddressesInstalled(action.router))

    def hear(self, event, at):
        """What passed every check."""
        assert event.source != OWN
        self.heard[event.router] += 1
        self.in_turn = True
        self.election.dispatch(event, at)

    def states(self):
        return [each.router.state for each in self.node.instances.values()]

    def take(self, datagrams):
        """As the loop does it when a socket is readable; only an advert that was heard may move anybody."""
        for datagram in datagrams:
            moves, self.in_turn = self.moves.total(), False
            self.wire._take_untrusted(self.key, datagram, trio.current_time())
            assert self.moves.total() == moves or self.in_turn


def packets(chance, amount):
    """A third random octets, then damaged adverts, some with a checksum that is right again, and a few good ones."""
    for _ in range(amount):
        kind = chance.random()
        if kind < 0.3:
            payload = bytearray(chance.randbytes(int(chance.random() * 64)))
            if kind < 0.2:
                payload[1:2] = bytes([51 + (kind < 0.1)])
        else:
            payload = bytearray(TEMPLATES[int(chance.random() * len(TEMPLATES))])
            if kind < 0.98:
                for _ in range(1 + int(kind * 1000) % 3):
                    payload[int(chance.random() * len(payload))] = int(chance.random() * 256)
            if kind > 0.9:
                payload[6:8] = b"\0\0"
                payload[6:8] = (-int.from_bytes(payload, "big") % 0xFFFF).to_bytes(2, "big")
            if kind < 0.4:
                payload = payload[: int(chance.random() * len(payload))] * 2
        pick = chance.getrandbits(10)
        source = SOURCES[int(chance.random() * len(SOURCES))]
        yield Datagram(payload=bytes(payload), source=source, destination=DESTINATIONS[pick & 31], ttl=TTLS[pick >> 5])


@pytest.fixture
async def host():
    made = Host()
    yield made
    made.writer.close()


@pytest.mark.requirement("C-SIM-08")
@pytest.mark.parametrize("total", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
async def test_c_rx_27_bad_packets_by_the_million_move_nobody_and_are_counted_exactly(autojump_clock, host, total):
    chance = random.Random(SEED)
    assert host.states() == [State.MASTER, State.BACKUP]
    for _ in range(total // STEP):
        host.take(packets(chance, STEP))
        await trio.sleep(1)
        host.election.tick()
    counters = host.observer.counters
    refused = Counter()
    for (_, name), amount in counters.items():
        if name in REASONS:
            refused[name] += amount
    accepted = {name: counters[name, "advertisement-rcvd"] for name in host.node.instances}
    assert refused.total() + sum(accepted.values()) == total
    assert accepted == host.heard
    assert min(accepted.values()) > total / 1000
    assert refused.keys() > {"vrid-errors", "version-errors", "checksum-errors", "packet-length-errors", "own-source"}
    for _ in range(200):  # an interval is 40.95 s at most
        await trio.sleep(1)
        host.election.tick()
    assert host.states() == [State.MASTER, State.MASTER], "when it is quiet again, nobody else is there"


async def test_c_rx_20_a_flood_costs_neither_log_nor_memory(autojump_clock, host):
    chance = random.Random(SEED)
    seconds = 15
    for _ in range(seconds):
        host.take(packets(chance, STEP // 2))
        await trio.sleep(1)
    said = SUSPECTS_KEPT * (seconds // BAD_PACKET_EVERY + 1)
    others = [event for event in host.observer.events if event["type"] != "peer_mismatch"]
    host.writer.close()
    assert said / 2 < host.log.getvalue().count("\n") + host.observer.log_lines_dropped <= said + len(others)
    assert len(host.wire.mismatches.words("VI_2")) == PEERS_KEPT
