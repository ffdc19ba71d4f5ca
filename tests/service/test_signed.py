"""Signed adverts through the real daemon: who is believed, and how a pair gets there without a failover."""

import sys
import time

import pytest

pytestmark = pytest.mark.wire

VIP, OUTSIDER = "10.77.0.250", "10.77.0.9"
KEY, NEW_KEY = "hex:" + "17" * 32, "another key of at least thirty-two octets"
FORGERY = """
import socket, sys, time
from ipaddress import ip_address
from hafw.vrrp.packet import MULTICAST_GROUP, Checksum, encode, with_trailer
from hafw.vrrp.settings import HmacSettings, RouterSettings
from hafw.vrrp.trailer import Signer
from hafw.wire.sockets import VrrpSocket

group, own = MULTICAST_GROUP[4], ip_address("10.77.0.9")
router = RouterSettings(name="x", interface="eth0", vrid=51, advertisement_interval=0.1,
                        virtual_addresses=(ip_address("10.77.0.250"),))
right, wrong = bytes.fromhex("17" * 32), bytes(32)

def signed(priority, key, number, clock):
    message = encode(router, priority, own, group, Checksum.PSEUDO_HEADER)
    hmac = HmacSettings(keys={number: key}, active=number)
    return with_trailer(message, Signer().sign(hmac, message, own, clock), own, group)

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
    wire.bind(("eth0", 0x0800))
    heard = []
    while len(heard) < 3:
        frame = wire.recv(2048)
        if frame[23] == 112:
            heard.append(frame)
    wire.send(heard[0])
speaks = VrrpSocket.open("eth0", socket.if_nametoindex("eth0"), 4, group)
for payload in (
    encode(router, 254, own, group, Checksum.PSEUDO_HEADER),
    encode(router, 0, own, group, Checksum.PSEUDO_HEADER),
    signed(254, wrong, 1, time.time()),
    signed(254, right, 9, time.time()),
    signed(254, right, 1, time.time() - 60),
):
    speaks.send(payload, own, group)
"""


@pytest.fixture
def keys(tmp_path):
    """The sources of two keys."""
    sources = []
    for name, key in {"old": KEY, "new": NEW_KEY}.items():
        file = tmp_path / name
        file.touch(mode=0o600)
        file.write_text(f"{key}\n")
        sources.append(f"file:{file}")
    return sources


@pytest.fixture
def signing(keys, tools):
    """An instance of the configuration with signed adverts."""

    def instance(*, interval="100ms", **auth):
        auth = {"type": "hmac", "keys": {"1": keys[0]}, **auth}
        return tools.instance(auth=auth, advertisement_interval=interval)

    return instance


def refusals(router):
    """How many adverts were refused for their trailer, by reason."""
    counters = router.instance()["counters"]
    return {reason: count for reason, count in counters.items() if reason.startswith("hmac")}


def take_everywhere(pair, text):
    for router in pair:
        router.write(text)
        assert router.ask("reload").keys() == {"changes"}


def test_roll_out_and_rotation_cost_no_failover(pair, tools, signing, keys):
    slowly = "300ms"  # seven reloads and a busy machine are no reason for a failover
    tools.elect(*pair, tools.instance(advertisement_interval=slowly))
    capture = pair[0].lab.capture()
    began = time.time()
    for mode in ("receive-only", "permissive", "enforce"):
        take_everywhere(pair, signing(mode=mode, interval=slowly))
    both = {"1": keys[0], "2": keys[1]}
    take_everywhere(pair, signing(keys=both, active=1, interval=slowly))
    take_everywhere(pair, signing(keys=both, active=2, interval=slowly))
    take_everywhere(pair, signing(keys={"2": keys[1]}, interval=slowly))
    last = time.time()
    assert capture.wait_for_advert(lambda each: each.time > last + 1.0, since=last, timeout=5)
    assert capture.adverts("lb2", began) == []
    assert refusals(pair[1]) == {}


@pytest.mark.requirement("C-SEC-02")
def test_who_has_no_key_is_not_believed_and_why_is_counted(pair, tools, signing):
    tools.elect(*pair, signing())
    lb2 = pair[1]
    lb2.lab.add_host("outsider", f"{OUTSIDER}/24")
    process = lb2.lab.popen("outsider", [sys.executable, "-c", FORGERY], env=lb2.variables)
    assert process.wait(10) == 0
    wanted = {"hmac-replayed": 1, "hmac-missing": 2, "hmac-invalid": 1, "hmac-unknown-key": 1, "hmac-stale": 1}
    tools.until(lambda: refusals(lb2) == wanted)
    assert lb2.instance()["state"] == "BACKUP"


def test_a_daemon_that_is_killed_goes_on_signing(pair, tools, signing):
    tools.elect(*pair, signing(interval="400ms"))
    master, backup = pair
    tools.until(master.will.exists)
    capture = master.lab.capture()
    began = time.time()
    master.kill_daemon()
    master.wait_until_ready()
    with master.stream() as again:
        assert again.wait("resumed")["cause"] == "killed by SIGKILL"
    assert capture.adverts("lb2", began) == []
    assert refusals(backup) == {}


def test_the_last_will_is_signed(pair, tools, signing):
    tools.elect(*pair, signing(interval="400ms"))
    master, backup = pair
    tools.until(master.will.exists)
    daemon = master.pid
    with backup.news() as heard:
        master.lab.kill(master.guard)
        tools.until(lambda: tools.gone(daemon))
        done = master.hafw("cleanup")
        assert "event=will_done" in done.stderr
        assert heard.state("MASTER")["reason"] == "master-resigned"
    assert KEY not in master.log()
