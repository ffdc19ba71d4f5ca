"""A MASTER whose addresses or interface are taken away: it keeps them, or it makes room; never a black hole."""

import time

import pytest

pytestmark = pytest.mark.wire

VIP, SECOND = "10.77.0.250", "10.77.0.251"


def goodbyes(capture, host, since):
    return [advert for advert in capture.adverts(host, since) if advert.priority == 0]


def test_an_address_that_is_removed_comes_back_and_the_master_stays(master, tools):
    with master.news() as stream:
        master.ip("address", "delete", f"{VIP}/32", "dev", "eth0")
        assert stream.wait("vip_lost")["addresses"] == VIP
        assert stream.wait("vip_restored")["seconds"] < 1
        assert master.has(VIP)
        assert [event["type"] for event in stream.events] == ["vip_lost", "vip_restored"]
    assert master.instance()["state"] == "MASTER"


def test_an_address_that_is_removed_again_and_again_ends_in_fault(master):
    capture = master.lab.capture()
    with master.news() as stream:
        began = time.time()
        for _ in range(11):
            master.ip("address", "delete", f"{VIP}/32", "dev", "eth0")
            stream.wait("vip_restored")
        restored = [event["seconds"] for event in stream.events if event["type"] == "vip_restored"]
        assert max(restored[:3]) < 0.25 < restored[3] < restored[6] < restored[10]
        master.ip("address", "delete", f"{VIP}/32", "dev", "eth0")
        assert stream.state("FAULT")["reason"] == "address-removed"
    assert len(goodbyes(capture, "lb1", began)) == 1
    assert master.instance()["detail"] == f"somebody keeps removing {VIP}"
    assert f"VI_1: FAULT: address-removed: somebody keeps removing {VIP}" in master.hafw("status").stdout


def refuse_ipv6(router):
    """Linux has none on an interface whose MTU is below 1280."""
    router.ip("link", "set", "eth0", "mtu", "1200")


def test_a_master_whose_address_is_refused_says_so_and_makes_room(pair, tools):
    router = pair[0]
    capture = router.lab.capture()
    refuse_ipv6(router)
    router.start(tools.instance(excluded_addresses=["2001:db8::250"]))
    with router.stream() as stream:
        stream.state("MASTER")
        assert stream.state("FAULT")["reason"] == "address-refused"
    seen = router.instance()
    assert seen["detail"].startswith("2001:db8::250: ")
    assert f"VI_1: FAULT: address-refused: {seen['detail']}" in router.hafw("status").stdout
    tools.until(lambda: not router.has(VIP))
    assert [advert.priority for advert in capture.adverts("lb1")] == [200, 0]


def test_a_live_master_is_not_preempted_by_one_whose_address_is_refused_until_it_fits(pair, tools):
    refused, serving = pair
    capture = refused.lab.capture()
    refuse_ipv6(refused)
    serving.start(tools.instance())
    serving.wait_for("MASTER")
    refused.start(tools.instance(excluded_addresses=["2001:db8::250"]))
    with refused.stream() as stream:
        assert stream.state("FAULT")["reason"] == "address-refused"
        tools.until(lambda: not refused.has(VIP))
        assert capture.adverts("lb1") == []
        assert serving.has(VIP)
        refused.ip("link", "set", "eth0", "mtu", "1500")
        refused.lab.cut("lb1")
        tools.until(lambda: len(refused.instance()["causes"]) == 2)
        refused.lab.mend("lb1")
        assert stream.state("MASTER")["reason"] == "preempted"
    tools.until(lambda: refused.has(VIP) and refused.has("2001:db8::250"))


def test_an_interface_that_does_not_exist_yet_is_a_fault_until_it_appears(pair, tools):
    router = pair[0]
    router.start(tools.instance(interface="late0"))
    with router.stream() as stream:
        assert stream.state("FAULT")["reason"] == "interface-down"
        assert router.instance()["detail"] == "late0 does not exist"
        router.ip("link", "add", "late0", "type", "veth", "peer", "name", "late1")
        tools.until(lambda: router.instance()["detail"] == "late0 administratively down")
        for end in ("late0", "late1"):
            router.ip("link", "set", end, "addrgenmode", "none", "up")
        tools.until(lambda: "no IPv4 address of its own" in router.instance()["detail"])
        router.ip("address", "add", "10.78.0.1/24", "dev", "late0")
        stream.state("BACKUP")
        stream.state("MASTER")
    tools.until(lambda: router.has(VIP))


def test_a_master_that_loses_its_carrier_is_replaced_and_returns_with_it(both, tools):
    master, backup = both
    with master.news() as stream, backup.news() as heard:
        master.lab.cut("lb1")
        assert stream.state("FAULT")["reason"] == "interface-down"
        assert master.instance()["detail"] == "eth0 no carrier"
        assert heard.state("MASTER")["reason"] == "no-response"
        tools.until(lambda: not master.has(VIP))
        master.lab.mend("lb1")
        stream.state("BACKUP")
        assert stream.state("MASTER")["reason"] == "preempted"
        heard.state("BACKUP")
    tools.until(lambda: master.has(VIP) and not backup.has(VIP))


def test_a_master_whose_own_address_vanishes_is_replaced_and_returns_with_it(both, tools):
    master, backup = both
    with master.news() as stream, backup.news() as heard:
        master.ip("address", "delete", "10.77.0.1/24", "dev", "eth0")
        assert stream.state("FAULT")["reason"] == "no-primary-address"
        assert master.instance()["detail"] == "eth0 has no IPv4 address of its own"
        heard.state("MASTER")
        tools.until(lambda: not master.has(VIP))
        master.ip("address", "add", "10.77.0.1/24", "dev", "eth0")
        stream.state("MASTER")
        heard.state("BACKUP")
    tools.until(lambda: master.has(VIP) and not backup.has(VIP))


def test_two_instances_on_one_interface_have_a_master_each(pair, tools):
    parts = (
        tools.instance(),
        tools.instance("VI_2", vrid=52, priority={"lb1": 100, "lb2": 200}, virtual_addresses=[SECOND]),
    )
    tools.elect(*pair, *parts)
    pair[1].wait_for("MASTER", "VI_2")
    tools.until(lambda: pair[0].has(VIP) and pair[1].has(SECOND))
    tools.until(lambda: not pair[0].has(SECOND) and not pair[1].has(VIP))
    assert [router.instance(name)["state"] for router in pair for name in ("VI_1", "VI_2")] == [
        "MASTER",
        "BACKUP",
        "BACKUP",
        "MASTER",
    ]


def test_an_interface_that_is_deleted_under_a_master_is_waited_for_and_used_again(pair, tools):
    router = pair[0]
    router.ip("link", "add", "mv0", "link", "eth0", "type", "macvlan", "mode", "bridge")
    appear = [["address", "add", "10.77.0.9/24", "dev", "mv0"], ["link", "set", "mv0", "up"]]
    for words in appear:
        router.ip(*words)
    router.start(tools.instance(interface="mv0"))
    with router.stream() as stream:
        stream.state("MASTER")
        router.ip("link", "delete", "mv0")
        stream.state("FAULT")  # the kernel takes the addresses first, then the link: either may be noticed first
        tools.until(lambda: "mv0 does not exist" in [cause["detail"] for cause in router.instance()["causes"]])
        router.ip("link", "add", "mv0", "link", "eth0", "type", "macvlan", "mode", "bridge")
        for words in appear:
            router.ip(*words)
        stream.state("MASTER")
    tools.until(lambda: router.has(VIP))
    assert router.stop() == 0


def test_a_router_of_ipv6_where_there_is_none_is_a_fault_until_there_is(pair, tools):
    router = pair[0]
    refuse_ipv6(router)
    router.start(tools.instance(virtual_addresses=["fe80::250", "2001:db8::250"]))
    with router.stream() as stream:
        assert stream.state("FAULT")["reason"] == "no-primary-address"
        router.ip("link", "set", "eth0", "mtu", "1500")
        router.ip("address", "add", "fe80::1/64", "dev", "eth0", "nodad")
        stream.state("MASTER")
    tools.until(lambda: router.has("2001:db8::250"))
