"""`hafw listen -i` in a namespace of its own: silence, our own address from elsewhere, a link that goes."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRPv3

from hafw.cli.verbs import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.wire

CONFIG = """\
[instance.VI_1]
interface = "near"
vrid = 51
priority = 100
virtual_addresses = ["192.0.2.250"]
"""


@pytest.fixture
def config(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("HAFW_SOCKET", str(tmp_path / "nobody"))
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return str(path)


def listen(*words: str):
    return CliRunner().invoke(cli, ["listen", *words])


@pytest.fixture
def chatter(segment) -> Iterator[None]:
    """An advert every now and then, from an address that is ours too."""
    packet = IP(src="192.0.2.1", dst="224.0.0.18", ttl=255, proto=112)
    frame = bytes(
        Ether(src=segment.far_mac, dst="01:00:5e:00:00:12") / packet / VRRPv3(vrid=51, addrlist=["192.0.2.250"])
    )
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.02):
            segment.inject(frame)

    speaker = threading.Thread(target=speak)
    speaker.start()
    yield
    over.set()
    speaker.join()


def test_silence_is_told_with_what_to_look_at(segment, config):
    done = listen(config, "--for", "50ms")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "hafw listen: no VRRP on near in 0.05s: is a MASTER there, is it this interface and VLAN" in done.stderr


def test_a_scan_of_a_silent_segment_is_no_failure(segment, config):
    done = listen("-i", "near", "--scan", "--for", "50ms")
    assert (done.exit_code, done.stdout.splitlines()[:2]) == (
        0,
        ["no VRID is in use here: nobody was heard for 50ms", "free for IPv4 and IPv6: vrid = 10"],
    )


def test_c_rx_22_our_own_address_from_elsewhere_is_refused_as_the_daemon_refuses_it(chatter, config):
    done = listen(config, "-n", "1", "--json")
    heard = json.loads(done.stdout)
    assert (heard["verdict"], heard["reason"], heard["interface"]) == ("refused", "own-source", "near")
    assert heard["detail"] == "source 192.0.2.1 is our own address: a loop, or another host uses it"


def test_a_link_that_is_down_is_told_before_anything_is_heard(segment, config):
    segment.ip("link set near down")
    done = listen(config, "--for", "50ms")
    assert done.stderr.startswith("near: administratively down: nothing is heard until that ends\n")


def test_an_interface_without_an_instance_is_told(segment, config):
    done = listen(config, "-i", "far", "--for", "50ms")
    assert done.stderr.startswith(f"{config} has no instance on far, but on near\n")
