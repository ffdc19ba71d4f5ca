"""Two routers with a virtual MAC on a switch that learns: what its neighbours and the switch see of them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether

from hafw.lab import namespaces

pytestmark = pytest.mark.wire

VIP, VIP6, GLOBAL6 = "10.77.0.250", "fe80::77:250", "2001:db8:77::250"
OWN, OWN6, OWNG6 = "10.77.0.9", "fe80::9", "2001:db8:77::9"
BEYOND, HOST = "10.88.0.9", "10.88.0.1"
MAC4, MAC6 = "00:00:5e:00:01:33", "00:00:5e:00:02:34"
BEST, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
NEIGHBOUR = "02:00:00:00:00:03"
EVERYBODY = "ff:ff:ff:ff:ff:ff"
VRRP = 112
PATIENCE = 30.0
TALK = f"""
import socket
for family, address in ((socket.AF_INET, "{VIP}"), (socket.AF_INET6, "{GLOBAL6}")):
    with socket.create_server((address, 4711), family=family) as server:
        socket.create_connection((address, 4711), {PATIENCE}).close()
"""


class Port:
    """A socket for whole frames on a link of the lab; what it sends itself it does not hear."""

    def __init__(self, network, interface):
        with namespaces.inside(network):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
            self._socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            self._socket.bind((interface, 3))
        self._socket.settimeout(PATIENCE)

    def close(self):
        self._socket.close()

    def send(self, *frames):
        for frame in frames:
            self._socket.send(bytes(frame))

    def hear(self, wanted):
        """The next frame that is wanted, and what came before it."""
        before, deadline = [], time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            frame = Ether(self._socket.recv(65536))
            if wanted(frame):
                return frame, before
            before.append(frame)
        raise TimeoutError([each.summary() for each in before[-20:]])

    def so_far(self):
        """What has come."""
        frames = []
        self._socket.setblocking(False)
        try:
            while True:
                frames.append(Ether(self._socket.recv(65536)))
        except BlockingIOError:
            self._socket.settimeout(PATIENCE)
            return frames


def who_has(address, by=OWN):
    return Ether(src=NEIGHBOUR, dst=EVERYBODY) / ARP(op=1, hwsrc=NEIGHBOUR, psrc=by, pdst=address)


def solicitation(address):
    packet = IPv6(src=OWN6, dst="ff02::1:ff77:250", hlim=255) / ICMPv6ND_NS(tgt=address)
    return Ether(src=NEIGHBOUR, dst="33:33:ff:77:02:50") / packet / ICMPv6NDOptSrcLLAddr(lladdr=NEIGHBOUR)


def ping(mac, to, by=OWN, number=1):
    return Ether(src=NEIGHBOUR, dst=mac) / IP(src=by, dst=to) / ICMP(id=7, seq=number)


def is_pong(frame, by, number=1):
    return ICMP in frame and (frame[ICMP].type, frame[IP].src, frame[ICMP].seq) == (0, by, number)


def is_advert(frame, vrid, priority=None):
    if IP in frame and frame[IP].proto == VRRP:
        said = bytes(frame[IP].payload)
    elif IPv6 in frame and frame[IPv6].nh == VRRP:
        said = bytes(frame[IPv6].payload)
    else:
        return False
    return said[1] == vrid and priority in (None, said[2])


def devices(router):
    links = json.loads(router.ip("-json", "link", "show", "type", "macvlan"))
    return {each["address"]: "UP" in each["flags"] for each in links}


def settings(router):
    names = [f"net.ipv4.conf.eth0.{name}" for name in ("arp_ignore", "arp_announce")]
    return router.lab.run(router.host, ["sysctl", "-n", *names]).split()


@pytest.fixture(scope="module")
def lan(tools):
    """lb1, MASTER of an address of each family, lb2, their BACKUP, both of which forward; a neighbour; the ports."""
    with tools.two_routers() as (lb1, lb2), contextlib.ExitStack() as stack:
        lab = lb1.lab
        lab.add_host("neighbour", f"{OWN}/24", f"{OWN6}/64", f"{OWNG6}/64")
        for number, router in enumerate((lb1, lb2), 1):
            router.ip("address", "add", f"2001:db8:77::{number}/64", "dev", "eth0", "nodad")
            router.ip("address", "add", f"{HOST}/24", "dev", "lo")
            lab.run(router.host, ["sysctl", "-qw", "net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1"])
        port = stack.enter_context(contextlib.closing(Port(lab._hosts["neighbour"].network, "eth0")))
        parts = (
            tools.instance(virtual_mac=True),
            tools.instance("VI_2", vrid=52, virtual_mac=True, virtual_addresses=[VIP6, GLOBAL6]),
        )
        tools.elect(lb1, lb2, *parts)
        lb1.wait_until_it_serves("VI_2")
        lb2.wait_until_it_follows("VI_2")
        yield SimpleNamespace(lb1=lb1, lb2=lb2, lab=lab, port=port, begin=port.so_far(), parts=parts)


def from_the_switch(lab, mac):
    """The port where the switch has learnt this MAC."""
    with namespaces.inside(lab._switch):
        table = json.loads(subprocess.run(["bridge", "-json", "fdb", "show"], check=True, capture_output=True).stdout)
    return [each["ifname"] for each in table if each["mac"] == mac and each.get("state") != "permanent"]


@pytest.mark.requirement("C-ARP-05", "C-ARP-08", "C-ND-05", "C-IO-04")
def test_c_pkt_18_c_arp_06_adverts_and_announcements_come_from_the_virtual_mac(lan):
    adverts = {vrid: [each for each in lan.begin if is_advert(each, vrid)] for vrid in (51, 52)}
    assert {each.src for each in adverts[51]} == {MAC4}
    assert {each.src for each in adverts[52]} == {MAC6}
    assert {(each.dst, each[IP].ttl) for each in adverts[51]} == {("01:00:5e:00:00:12", 255)}
    assert {each[IP].src for each in adverts[51]} <= {"10.77.0.1", "10.77.0.2"}
    assert {(each.dst, each[IPv6].hlim) for each in adverts[52]} == {("33:33:00:00:00:12", 255)}
    assert {each[IPv6].src for each in adverts[52]} <= {"fe80::1", "fe80::2"}
    claims = [each for each in lan.begin if ARP in each and each[ARP].psrc == VIP]
    assert {(each.src, each.dst, each[ARP].hwsrc, each[ARP].pdst) for each in claims} == {(MAC4, EVERYBODY, MAC4, VIP)}
    told = [each for each in lan.begin if ICMPv6ND_NA in each and each[ICMPv6ND_NA].tgt in {VIP6, GLOBAL6}]
    assert {each[ICMPv6ND_NA].tgt for each in told} == {VIP6, GLOBAL6}
    flags = {(each.src, each.lladdr, each[ICMPv6ND_NA].R, each[ICMPv6ND_NA].S, each[ICMPv6ND_NA].O) for each in told}
    assert flags == {(MAC6, MAC6, 1, 0, 1)}
    reports = [each for each in lan.begin if each.src in {MAC4, MAC6} and IPv6 in each and ICMPv6ND_NA not in each]
    assert all(ICMPv6MLReport2 in each or is_advert(each, 52) for each in reports)  # of its own groups, no question


def test_c_arp_01_c_arp_02_c_arp_04_the_virtual_mac_alone_answers_arp_requests(lan):
    own = [who_has("10.77.0.1"), who_has("10.77.0.2")]
    heard = []

    def is_answer(each):
        return ARP in each and each[ARP].op == 2 and each.dst == NEIGHBOUR

    for questions in ([who_has(VIP), *own], own):  # by the second answers of its own each router has given all others
        lan.port.send(*questions)
        heard += [lan.port.hear(is_answer)[0] for _ in questions]
    answers = [(each[ARP].psrc, each[ARP].hwsrc, each.src) for each in heard]
    twice = [("10.77.0.1", BEST, BEST)] * 2 + [("10.77.0.2", OTHER, OTHER)] * 2
    assert sorted(answers) == [*twice, (VIP, MAC4, MAC4)]


@pytest.mark.requirement("C-ND-04")
@pytest.mark.parametrize("address", [VIP6, GLOBAL6])
def test_c_nd_01_c_nd_02_c_nd_03_the_virtual_mac_alone_answers_neighbour_solicitations_as_a_router(lan, address):
    lan.port.so_far()
    lan.port.send(solicitation(address), solicitation(address))
    heard = [lan.port.hear(lambda each: ICMPv6ND_NA in each and each[ICMPv6ND_NA].S)[0] for _ in range(2)]
    answers = {(each[ICMPv6ND_NA].tgt, each[ICMPv6ND_NA].R, each.src, each.lladdr) for each in heard}
    assert answers == {(address, 1, MAC6, MAC6)}
    device = json.loads(lan.lb1.ip("-json", "address", "show", "type", "macvlan"))
    named = {info["local"] for each in device for info in each.get("addr_info", ())}
    assert named == {VIP, VIP6, GLOBAL6}  # C-ND-16: none that the kernel made of the MAC


def test_c_arp_08_what_the_master_asks_for_its_address_comes_from_its_own(lan):
    """The reply to a neighbour that it does not know yet: the question must not tie the address to its own MAC."""
    lan.lb1.ip("neighbour", "flush", "dev", "eth0")
    lan.port.so_far()
    lan.port.send(ping(MAC4, VIP, by="10.77.0.77"))
    asked, _ = lan.port.hear(lambda each: ARP in each and each[ARP].op == 1 and each[ARP].pdst == "10.77.0.77")
    assert (asked[ARP].psrc, asked[ARP].hwsrc, asked.src) == ("10.77.0.1", BEST, BEST)


def test_c_fwd_01_c_fwd_02_the_master_forwards_what_is_sent_to_the_virtual_mac_and_the_backup_discards_it(lan):
    """By way of a route that only forwarding serves: back to the neighbour, under another address."""
    for router in (lan.lb1, lan.lb2):
        router.ip("route", "replace", "10.99.0.0/24", "via", OWN)
    lan.port.so_far()
    through = Ether(src=NEIGHBOUR, dst=MAC4) / IP(src=OWN, dst="10.99.0.5", ttl=9) / ICMP(id=9, seq=5)
    lan.port.send(through, ping(BEST, "10.77.0.1", number=8), ping(OTHER, "10.77.0.2", number=8))
    heard, missing = [], {"10.77.0.1", "10.77.0.2"}
    while missing:
        frame, _ = lan.port.hear(lambda each: ICMP in each and each.src in {BEST, OTHER, MAC4})
        if frame[IP].dst == "10.99.0.5":
            heard.append((frame.src, frame[IP].ttl))
        else:
            missing.discard(frame[IP].src)
    assert heard == [(BEST, 8)]
    assert (devices(lan.lb1), devices(lan.lb2)) == ({MAC4: True, MAC6: True}, {MAC4: False, MAC6: False})


def test_it_answers_pings_of_both_families_and_its_own_host(lan):
    lan.port.send(ping(MAC4, VIP, number=3))
    lan.port.hear(lambda each: is_pong(each, VIP, 3))
    for address, own in ((VIP6, OWN6), (GLOBAL6, OWNG6)):
        lan.port.send(Ether(src=NEIGHBOUR, dst=MAC6) / IPv6(src=own, dst=address) / ICMPv6EchoRequest(id=7))
        lan.port.hear(lambda each, by=address: ICMPv6EchoReply in each and each[IPv6].src == by)
    lan.lab.run("lb1", [sys.executable, "-c", TALK])


def test_status_plan_and_check_show_the_device(lan):
    device = lan.lb1.instance()["device"]
    assert (device["mac"], device["up"]) == (MAC4, True)
    assert f"VI_1: answers from {MAC4} on {device['name']}\n" in lan.lb1.hafw("status").stdout
    assert MAC4 not in lan.lb2.hafw("status").stdout
    plan = lan.lb2.hafw("plan", str(lan.lb2.config), "--node", "lb2").stdout
    assert (
        f"    device    {device['name']} on eth0 with {MAC4}: up\n    bind      {VIP}/32 on {device['name']}\n" in plan
    )
    assert "    sysctl    net.ipv4.conf.eth0.arp_ignore = 1, if it is less\n" in plan
    assert "    announce  2 frames at" in plan
    on_device = lan.lb1.config.read_text().replace('interface = "eth0"', f'interface = "{device["name"]}"')
    other = lan.lab.path("lb1", "other.toml")
    other.write_text(on_device)
    done = lan.lb1.hafw("check", str(other), "--node", "lb1")
    assert f"instance.VI_1.virtual_mac = true: {device['name']} is itself of kind macvlan" in done.stderr
    assert done.returncode == 3


def test_a_device_that_is_switched_off_or_taken_away_is_put_back(lan, tools):
    name = lan.lb1.instance()["device"]["name"]
    for words in (["set", name, "down"], ["del", name]):
        with lan.lb1.news() as news:
            lan.lb1.ip("link", *words)
            news.wait("vip_lost", instance="VI_1")
            news.wait("vip_restored", instance="VI_1")
        tools.until(lambda: devices(lan.lb1).get(MAC4), "the device up again")
        assert lan.lb1.has(VIP)
    backup = lan.lb2.instance()["device"]["name"]
    lan.lb2.ip("link", "set", backup, "up")
    tools.until(lambda: not devices(lan.lb2)[MAC4], "the backup's device down again")


def test_the_switch_learns_where_the_virtual_mac_is_and_nothing_of_who_left(lan, tools):
    """Once its device is off, who left says nothing from the virtual MAC, not even of the groups that it left (MLD)."""
    tools.until(lambda: from_the_switch(lan.lab, MAC6) == ["lb1"], "learnt")
    with contextlib.ExitStack() as stack:
        named = {name: Port(lan.lab._switch, name) for name in ("lb1", "lb2")}
        ports = {name: stack.enter_context(contextlib.closing(port)) for name, port in named.items()}
        lan.lb1.hafw("handover", "--wait")
        for vrid, mac in ((51, MAC4), (52, MAC6)):
            ports["lb2"].hear(lambda each, vrid=vrid: is_advert(each, vrid))
            tools.until(lambda mac=mac: from_the_switch(lan.lab, mac) == ["lb2"], "learnt anew")
        tools.until(lambda: devices(lan.lb1) == {MAC4: False, MAC6: False}, "lb1's devices down")
        goodbyes = [each for each in ports["lb1"].so_far() if is_advert(each, 51, 0) or is_advert(each, 52, 0)]
        for vrid in (51, 52):
            ports["lb2"].hear(lambda each, vrid=vrid: is_advert(each, vrid))
        after = [each.summary() for each in ports["lb1"].so_far() if each.src in {MAC4, MAC6}]
    assert (len(goodbyes), after) == (2, [])
    lan.lb2.hafw("handover", "--wait")
    tools.until(lambda: lan.lb1.instance()["state"] == lan.lb1.instance("VI_2")["state"] == "MASTER", "back")


def test_a_daemon_that_dies_leaves_the_device_to_the_next_one_and_with_the_last_everything_goes(lan, tools):
    """By SIGKILL the guard takes over, and a reload, a stop or ``hafw cleanup`` leave the host as it was."""
    lb1, lb2 = lan.lb1, lan.lb2
    name = lb1.instance()["device"]["name"]
    made = json.loads(lb1.ip("-json", "link", "show", name))[0]["ifindex"]
    lb1.kill_daemon()
    lb1.wait_until_ready()
    tools.until(lambda: lb1.instance()["state"] in {"MASTER", "BACKUP"}, "elected")
    assert json.loads(lb1.ip("-json", "link", "show", name))[0]["ifindex"] == made
    assert (settings(lb1), set(devices(lb1))) == (["1", "2"], {MAC4, MAC6})
    tools.until(lambda: lb2.instance()["state"] == "BACKUP" or lb1.instance()["state"] == "BACKUP", "one MASTER")
    lb2.write(lan.parts[1], tools.instance())
    assert "virtual_mac True -> False (hands over and starts anew)" in lb2.hafw("reload").stdout
    tools.until(lambda: (set(devices(lb2)), settings(lb2)) == ({MAC6}, ["0", "0"]), "undone")
    assert lb2.stop() == 0
    assert (devices(lb2), settings(lb2)) == ({}, ["0", "0"])
    lb1.kill_both()
    assert (set(devices(lb1)), settings(lb1)) == ({MAC4, MAC6}, ["1", "2"])
    assert lb1.hafw("cleanup").returncode == 0
    assert (devices(lb1), settings(lb1)) == ({}, ["0", "0"])
