"""What the daemon finds out on the segment: who else answers, whether the gateway does, and that there were two."""

import json

import pytest

from hafw.lab.network import _port

pytestmark = pytest.mark.wire

VIP, GATEWAY = "10.77.0.250", "10.77.0.254"
DROP = (
    "add table ip hafwtest; add chain ip hafwtest in { type filter hook input priority 0; };"
    "add rule ip hafwtest in ip protocol 112 drop"
)


def part(lab, *, on=True):
    """The switch passes nothing between the two; their links stay up, and others reach both."""
    for host in ("lb1", "lb2"):
        lab._ip(lab._switch, f"link set {_port(host, 'eth0')} type bridge_slave isolated {'on' if on else 'off'}")


def block(router, *, on=True):
    """VRRP alone: ARP still passes."""
    words = ["nft", DROP] if on else ["nft", "delete table ip hafwtest"]
    router.lab.run(router.host, words)


@pytest.fixture
def gateway(pair):
    """A third host, through which both have their default route."""
    lb1, lb2 = pair
    lb1.lab.add_host("gw", f"{GATEWAY}/24")
    for router in (lb1, lb2):
        router.ip("route", "add", "default", "via", GATEWAY)
    return lb1.lab


def test_the_gateway_is_asked_and_its_answer_told(pair, gateway, tools):
    lb1, _ = pair
    lb1.start(tools.instance())
    with lb1.stream() as stream:
        told = stream.wait("announced")
    assert (told["address"], told["target"], told["answered"], told["echo"]) == (VIP, GATEWAY, True, True)
    assert told["ms"] > 0
    tools.until(lambda: lb1.instance()["addresses"][0]["verified"], "verified")
    assert f"{VIP} verified" in lb1.hafw("status").stdout
    assert "nobody else answers (asked " in lb1.hafw("status", "VI_1").stdout
    assert f"{GATEWAY} asked by {VIP}" in lb1.hafw("status", "VI_1").stdout


@pytest.mark.long
def test_a_gateway_that_does_not_answer_is_told_of(pair, gateway, tools):
    lb1, _ = pair
    gateway.run("gw", ["ip", "link", "set", "eth0", "down"])
    lb1.start(tools.instance())
    with lb1.stream() as stream:
        told = stream.wait("announced")
    assert (told["target"], told["answered"], told["attempts"]) == (GATEWAY, False, 4)
    done = lb1.hafw("status").stdout
    assert f"{VIP} NOT CONFIRMED" in done
    assert f"VI_1: {GATEWAY} did not answer {VIP}, asked 4 times" in done


@pytest.mark.long
def test_a_gateway_that_heeds_no_announcement_is_found_out(pair, gateway, tools):
    lb1, _ = pair
    wrong = ["neighbour", "add", VIP, "lladdr", "02:00:00:00:00:77", "dev", "eth0", "nud", "permanent"]
    gateway.run("gw", ["ip", *wrong])
    lb1.start(tools.instance())
    with lb1.stream() as stream:
        told = stream.wait("announced")
    assert (told["answered"], told["echo"]) == (True, False)
    shown = lb1.hafw("status").stdout
    assert f"{GATEWAY} sends its packets for {VIP} to another MAC" in shown
    assert f"{VIP} NOT CONFIRMED" in shown
    assert lb1.instance()["addresses"][0]["verified"] is False


@pytest.mark.long
def test_without_a_gateway_it_is_said_that_nobody_was_asked(pair, tools):
    lb1, _ = pair
    lb1.start(tools.instance())
    with lb1.stream() as stream:
        told = stream.wait("announced")
    assert "target" not in told
    assert told["detail"] == "no default gateway on eth0: name a host in instance.VI_1.announce.verify"


def test_two_masters_that_do_not_hear_each_other_see_each_others_claims_and_both_tell_of_it(both, tools):
    lb1, lb2 = both
    with lb1.news() as first, lb2.news() as second:
        for router in both:
            block(router)
        second.state("MASTER")
        there = [stream.wait("split_brain", evidence="claim") for stream in (first, second)]
        assert [each["address"] for each in there] == [VIP, VIP]
        assert "SPLIT BRAIN" in lb2.hafw("status").stdout
        tools.until(
            lambda: "is silent for" in lb2.hafw("status").stdout, "the silent peer, once its host has been asked"
        )
        for router in both:
            block(router, on=False)
        over = second.wait("split_brain_over", evidence="claim")
        assert over["yielded"] == "this router"
        second.state("BACKUP")


def test_after_a_partition_both_sides_tell_of_the_split_brain_and_who_gave_way(pair, tools):
    lb1, lb2 = pair
    tools.elect(lb1, lb2, tools.instance(), 'announce = { repeat = ["0s"], refresh = "0s" }')
    with lb1.news() as first, lb2.news() as second:
        part(lb1.lab)
        second.state("MASTER")
        tools.until(lambda: lb2.instance()["peer_alive"] is False, "lb1 is out of reach")
        part(lb1.lab, on=False)
        lost, over = second.wait("split_brain"), second.wait("split_brain_over")
        assert (lost["peer"], lost["yielded"]) == ("10.77.0.1", "this router")
        assert over["seconds"] > 0
        won = first.wait("split_brain_over")
        assert (won["peer"], won["yielded"]) == ("10.77.0.2", "peer")
        second.wait("vip_released")
    assert lb1.instance()["state"] == "MASTER"


@pytest.mark.long
def test_a_preemption_is_no_split_brain(pair, tools):
    lb1, lb2 = pair
    lb2.start(tools.instance())
    lb2.wait_until_it_serves()
    with lb2.news() as stream:
        lb1.start(tools.instance())
        stream.state("BACKUP", reason="higher-priority")
        stream.wait("vip_released")
        assert [each for each in stream.events if each["type"].startswith("split_brain")] == []


@pytest.mark.long
def test_a_stranger_with_our_vrid_is_told_of_and_not_fought_with(pair, tools):
    lb1, lb2 = pair
    lb1.start(tools.instance())
    lb1.wait_until_it_serves()
    lb2.start(tools.instance(virtual_addresses=["10.77.0.199"]))
    with lb1.stream() as first, lb2.stream() as second:
        told = [stream.wait("vrid_collision") for stream in (second,)]
        assert (told[0]["peer"], told[0]["cause"]) == ("10.77.0.1", "addresses")
        differs = second.wait("peer_mismatch")
        assert (differs["field"], differs["ours"], differs["theirs"]) == ("addresses", "10.77.0.199", VIP)
        assert differs["key"] == "instance.VI_1.virtual_addresses"
        assert first is not None
    shown = json.loads(lb2.hafw("status", "--json").stdout)["instances"][0]["differences"]
    assert [(each["peer"], each["field"]) for each in shown] == [("10.77.0.1", "addresses")]
