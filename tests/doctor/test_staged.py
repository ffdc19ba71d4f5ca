"""Every finding that a namespace can have: it is not there, it is staged, its own commands are run, it is gone."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
import time
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from hafw.vrrp.packet import encode
from hafw.vrrp.settings import Checksum, HmacSettings, RouterSettings
from hafw.vrrp.trailer import Signer
from hafw.wire.claims import FrameSender
from hafw.wire.frames import advert_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.wire

IPV4 = '[instance.VI_1]\ninterface = "near"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'
IPV6 = IPV4.replace('"192.0.2.250"', '"fe80::250", "2001:db8::250"')
UNICAST = f'{IPV4}unicast_peers = ["192.0.2.2"]\nsource_address = "192.0.2.1"\n'
OWN_GROUP = f'{IPV4}multicast_group = "239.1.2.3"\n'
MANY = IPV4.replace('"192.0.2.250"', ", ".join(f'"192.0.2.{each}"' for each in range(100, 200)))
ON_ANOTHER = IPV4.replace('"192.0.2.250"', '{ address = "192.0.2.250", interface = "lo" }')
BRIDGE = IPV4.replace('"near"', '"br0"')

INPUT = "nft add table inet f; nft 'add chain inet f in { type filter hook input priority 0; policy drop; }'"
RULES = (
    "nft add rule inet f in ct state established,related accept; nft add rule inet f in iif lo accept;"
    " nft add rule inet f in meta l4proto { tcp, udp, icmp, igmp, ipv6-icmp } accept"
)
SECOND = (
    "ip link add eth1 type veth peer name eth1p; ip link set eth1p up; ip link set eth1 up;"
    " ip address add 192.0.2.3/24 dev eth1"
)
SWITCH = (
    "ip -4 address flush dev near; ip link add br0 type bridge;"
    " for each in 1 2; do ip link add p$each type veth peer name q$each;"
    " ip link set p$each master br0 up; ip link set q$each up; done; ip link set br0 up;"
    " ip address add 192.0.2.9/24 dev br0"
)


def staged(name: str, text: str, words: str, *commands: str, before: str = ""):
    return pytest.param(text, before, commands, words.split(), id=name)


@pytest.mark.parametrize(
    ("text", "before", "commands", "words"),
    [
        staged("down", IPV4, "interface-down", "ip link set near down"),
        staged("multicast", IPV4, "multicast-off", "ip link set near multicast off"),
        staged("memberships", IPV4, "group-refused", "sysctl -w net.ipv4.igmp_max_memberships=0"),
        staged("arp", IPV4, "arp-off", "ip link set near arp off"),
        staged("mtu", MANY, "mtu-too-small", "ip link set near mtu 400"),
        staged(
            "source IPv6",
            IPV6,
            "no-source-address",
            "sysctl -w net.ipv6.conf.near.addr_gen_mode=1",
            "ip -6 address flush dev near",
        ),
        staged("IPv6 off", IPV6, "ipv6-disabled no-source-address", "sysctl -w net.ipv6.conf.near.disable_ipv6=1"),
        staged("nft policy", IPV4, "firewall-drops-incoming", INPUT, RULES),
        staged("nft policy IPv6", IPV6, "firewall-drops-incoming", INPUT, RULES),
        staged("nft policy unicast", UNICAST, "firewall-drops-incoming", INPUT, RULES),
        staged(
            "nft rules",
            IPV4,
            "firewall-drops-incoming firewall-drops-outgoing",
            "nft -f - <<E\ntable ip raw {\n set bad { type inet_proto; elements = { 112, 89 } }\n"
            " chain pre { type filter hook prerouting priority raw; ip protocol @bad counter drop; }\n"
            " chain out { type filter hook output priority raw; meta l4proto vmap { tcp : accept, vrrp : jump no }; }\n"
            " chain no { ip daddr 224.0.0.0/4 reject; }\n}\nE",
        ),
        staged(
            "nft netdev",
            IPV4,
            "firewall-drops-incoming",
            "nft add table netdev d",
            "nft 'add chain netdev d in { type filter hook ingress device near priority 0; }'",
            "nft add rule netdev d in ip protocol 112 ip ttl 255 drop",
        ),
        staged(
            "iptables-nft",
            IPV4,
            "firewall-drops-incoming",
            "iptables-nft -A INPUT -p vrrp -m conntrack --ctstate NEW -j DROP",
        ),
        staged(
            "ip6tables-nft",
            IPV6,
            "firewall-drops-outgoing",
            "ip6tables-nft -A OUTPUT -p 112 -m pkttype --pkt-type multicast -j DROP",
        ),
        staged(
            "iptables-legacy",
            IPV4,
            "firewall-drops-incoming firewall-drops-outgoing",
            "iptables-legacy -P INPUT DROP",
            "iptables-legacy -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "iptables-legacy -N outside",
            "iptables-legacy -A OUTPUT -o ne+ -j outside",
            "iptables-legacy -A outside ! -d 10.0.0.0/8 -p 112 -j REJECT",
        ),
        staged(
            "iptables-legacy IPv6",
            IPV6,
            "firewall-drops-incoming",
            "ip6tables-legacy -t mangle -A INPUT ! -p tcp -j DROP",
        ),
        staged("flux", IPV4, "arp-flux", SECOND),
        staged(
            "rp_filter",
            IPV4,
            "arp-flux rp-filter",
            "ip route del 192.0.2.0/24 dev near",
            SECOND,
            "sysctl -w net.ipv4.conf.near.rp_filter=1",
            before="sysctl -w net.ipv4.conf.all.rp_filter=0",
        ),
        staged(
            "arp_filter",
            IPV4,
            "arp-filter arp-flux",
            "ip route del 192.0.2.0/24 dev near",
            SECOND,
            "sysctl -w net.ipv4.conf.all.arp_filter=1",
            before="sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.near.rp_filter=0",
        ),
        staged("arp_ignore", IPV4, "arp-ignore", "sysctl -w net.ipv4.conf.all.arp_ignore=8"),
        staged("arp_ignore beside", ON_ANOTHER, "arp-ignore", "sysctl -w net.ipv4.conf.near.arp_ignore=1"),
        staged(
            "flood", BRIDGE, "bridge-port-floods-no-multicast", "bridge link set dev p1 mcast_flood off", before=SWITCH
        ),
        staged(
            "querier",
            BRIDGE + 'multicast_group = "239.1.2.3"\n',
            "bridge-snooping-without-querier",
            "ip link set br0 type bridge mcast_snooping 1",
            before=f"{SWITCH}; ip link set br0 type bridge mcast_snooping 0",
        ),
    ],
)
def test_a_finding_is_gone_when_its_own_commands_were_run(patient, text, before, commands, words):
    patient.configure(text)
    if before:
        patient.run(before)
        patient.until()
    patient.run(*commands)
    patient.cure(patient.until(*words))
    patient.until()


def test_bridge_floods_the_usual_group_whatever_it_snooped(patient):
    patient.configure(BRIDGE)
    patient.run(SWITCH, "ip link set br0 type bridge mcast_snooping 1")
    patient.until()


def test_nothing_is_found_on_a_healthy_machine_and_nothing_was_left_unseen(patient):
    for text in (IPV4, IPV6, UNICAST, OWN_GROUP, MANY):
        patient.configure(text)
        patient.until()
    assert patient.look(listen=True) == ([], [])


@pytest.mark.parametrize(
    "rule",
    [
        "ip protocol vrrp accept",
        "ip daddr 224.0.0.0/24 accept",
        "ip daddr 224.0.0.18 ip saddr 192.0.2.0/24 ip ttl 255 accept",
        "iifname { near, lo } meta l4proto { 112, 89 } accept",
        "iifname . meta l4proto { near . vrrp } accept",
        "iifname ne* meta pkttype multicast accept",
        "meta l4proto != tcp accept",
        "meta mark 0 accept",
        "meta mark & 0x8000 == 0 ip protocol 112 accept",
        "ct state vmap { established : accept, invalid : drop, new : accept }",
    ],
)
def test_a_rule_that_lets_adverts_in_is_understood(patient, rule: str):
    patient.configure(IPV4)
    patient.run(f"{INPUT}; {RULES}; nft 'add rule inet f in {rule}'")
    patient.until()


@pytest.mark.parametrize(
    "rule",
    ["ip saddr 192.0.2.7 ip protocol vrrp accept", "ip protocol 112 limit rate 1/second accept"],
)
def test_a_rule_that_cannot_be_judged_is_told_and_its_way_out_decides(patient, rule: str):
    patient.configure(IPV4)
    patient.run(f"{INPUT}; {RULES}; nft add rule inet f in {rule}")
    findings, (unseen,) = patient.look()
    assert findings == []
    assert unseen.what == "whether incoming adverts of VI_1 on near pass the firewall"
    assert "depends on what cannot be known from here: nft table inet f" in unseen.why
    patient.run(unseen.way_out.removeprefix("a rule of your own at its head decides: "))
    patient.until()


def test_untracked_adverts_pass_what_asks_for_a_state(patient):
    patient.configure(IPV4)
    patient.run(f"{INPUT}; nft add rule inet f in ct state untracked accept")
    patient.until("firewall-drops-incoming")
    patient.run("nft add table inet r; nft 'add chain inet r p { type filter hook prerouting priority raw; }'")
    patient.run("nft add rule inet r p ip protocol 112 notrack")
    patient.until()


def test_a_link_without_carrier_is_told_and_an_interface_that_is_not_there(patient):
    patient.configure(IPV4)
    patient.run("ip link set far down", far=True)
    patient.until("no-carrier")
    patient.configure(IPV4.replace("near", "nowhere"))
    patient.until("interface-missing")


def test_a_peer_without_a_route_is_told(patient):
    patient.configure(UNICAST.replace('"192.0.2.2"', '"192.0.2.2", "203.0.113.9"'))
    (finding,) = patient.until("no-route")
    assert finding.what == "the kernel has no route to 203.0.113.9 (unicast_peers)"
    patient.run("ip route add 203.0.113.9 via 192.0.2.2")
    patient.until()


def test_own_address_that_somebody_else_has_is_told(patient):
    patient.configure(IPV6)
    patient.run("sysctl -w net.ipv6.conf.far.accept_dad=0", "ip address add fe80::9/64 dev far nodad", far=True)
    patient.run("sysctl -w net.ipv6.conf.near.accept_dad=1", "ip address add fe80::9/64 dev near")
    findings = patient.until("duplicate-own-address")
    patient.run("ip address del fe80::9/64 dev far", far=True)
    patient.cure(findings)
    patient.until()


@pytest.mark.peer("nginx")
@pytest.mark.parametrize("text", [IPV4, IPV6])
def test_nginx_that_listens_on_a_virtual_address_starts_when_the_setting_is_made(patient, text: str):
    vip = "192.0.2.250" if text == IPV4 else "[2001:db8::250]"
    conf = patient.root / "etc/nginx/nginx.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        f"pid {patient.root}/pid; error_log {patient.root}/log;\nevents {{}}\nhttp {{\n access_log off;\n"
        f" server {{ listen {vip}:8080; }}\n}}\n"
    )
    real = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    (patient.root / "bin/nginx").write_text(f'#!/bin/sh\nexec {real} -c {conf} "$@"\n')
    patient.configure(text)
    findings = patient.until("nonlocal-bind")
    assert f"/etc/nginx/nginx.conf:5 listens on {vip}:8080" in findings[0].what
    patient.cure(findings)
    patient.until()
    patient.run(f"{patient.root}/bin/nginx -t")


# -- the wire ---------------------------------------------------------------------------------------------------


def settings(vrid: int, *addresses: str, **changed: Any) -> RouterSettings:
    wanted = tuple(map(ip_address, addresses))
    return RouterSettings(name="x", interface="far", vrid=vrid, virtual_addresses=wanted, **changed)


def frame(settings: RouterSettings, clock: float = 0.0) -> bytes:
    """An advert of 192.0.2.2, from the MAC of ``far``."""
    source, group = ip_address("192.0.2.2"), ip_address("224.0.0.18")
    message = encode(settings, 100, source, group, Checksum.PSEUDO_HEADER)
    if settings.hmac:
        ((_, message),) = Signer().sign_all(settings.hmac, [(group, message)], source, clock)
    return advert_frame(message, source, group, bytes.fromhex("020000000002"))


@contextmanager
def sending(patient, *frames: bytes) -> Iterator[None]:
    """Again and again, from the far end."""
    done = threading.Event()

    def send() -> None:
        with patient.beyond(), FrameSender(socket.if_nametoindex("far")) as sender:
            while not done.wait(0.05):
                sender.send_some(frames, len(frames))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def instance(vrid: int, *addresses: str, more: str = "") -> str:
    listed = ", ".join(f'"{each}"' for each in addresses)
    return f'[instance.V{vrid}]\ninterface = "near"\nvrid = {vrid}\nvirtual_addresses = [{listed}]\n{more}\n'


def test_adverts_are_judged_as_the_daemon_judges_them_even_behind_a_firewall_and_strangers_are_found(patient):
    key = patient.root / "key"
    key.write_text("k" * 32)
    key.chmod(0o600)
    hmac = HmacSettings(keys={1: b"k" * 32}, active=1)
    signed = f'auth = {{ type = "hmac", keys = {{ 1 = "file:{key}" }} }}'
    patient.configure(
        instance(51, "192.0.2.51")
        + instance(52, "192.0.2.52")
        + instance(53, "192.0.2.53")
        + instance(54, "192.0.2.54")
        + instance(55, "192.0.2.55")
        + instance(56, "192.0.2.56")
        + instance(57, "fe80::57", "2001:db8::57")
        + instance(58, "192.0.2.58", more=signed)
    )
    patient.run(INPUT)
    strangers = ("192.0.2.51/24", "192.0.2.56/24", "2001:db8::57/64 nodad")
    patient.run("sysctl -w net.ipv6.conf.far.accept_dad=0", far=True)
    patient.run(*(f"ip address add {each.split()[0]} dev far {each.partition(' ')[2]}" for each in strangers), far=True)
    frames = (
        frame(settings(51, "192.0.2.51")),
        frame(settings(52, "192.0.2.52", version=2)),
        frame(settings(53, "192.0.2.53", advertisement_interval=2.0)),
        frame(settings(54, "192.0.2.54", "192.0.2.254")),
        frame(settings(55, "192.0.2.77")),
        frame(settings(58, "192.0.2.58", hmac=hmac), clock=time.time() - 900),
        frame(settings(99, "192.0.2.99", version=2)),
    )
    with sending(patient, *frames):
        findings, unseen = patient.look(listen=True)
    passing = {"firewall-drops-incoming", "clock-unsynchronised"}
    found = {each.where.partition(" ")[0]: each for each in findings if each.id not in passing}
    assert {where: each.id for where, each in found.items()} == {
        "V52": "peer-refused",
        "V53": "peer-disagrees",
        "V54": "peer-disagrees",
        "V55": "vrid-collision",
        "V56": "address-in-use",
        "V57": "address-in-use",
        "V58": "clock-differs",
    }
    assert "(version-errors): version 2, ours is 3" in found["V52"].what
    assert "interval 2s, ours is 1s" in found["V53"].what
    assert "addresses 192.0.2.254, 192.0.2.54, ours are 192.0.2.54" in found["V54"].what
    assert found["V55"].what == "192.0.2.2 (02:00:00:00:00:02) uses VRID 55 for other addresses (192.0.2.77)"
    assert found["V56"].what.startswith("192.0.2.56: answered by 02:00:00:00:00:02, and no advert of VRID 56")
    assert found["V57"].what.startswith("2001:db8::57: answered by 02:00:00:00:00:02")
    assert "signed -9" in found["V58"].what
    assert unseen == []


@pytest.mark.peer("keepalived")
def test_a_keepalived_with_the_same_vrid_on_this_machine_is_told_and_another_is_not(patient):
    patient.configure(IPV4)
    conf = patient.root / "keepalived.conf"
    for vrid, words in ((52, ()), (51, ("other-daemon",))):
        conf.write_text(
            f"vrrp_instance A {{\n interface near\n virtual_router_id {vrid}\n priority 50\n nopreempt\n state BACKUP\n"
            " virtual_ipaddress {\n 192.0.2.249\n }\n}\n"
        )
        files = ("-p", f"{patient.root}/k.pid", "-r", f"{patient.root}/v.pid", "-c", f"{patient.root}/c.pid")
        process = patient.start("keepalived", "-n", "-P", "-f", str(conf), *files)
        try:
            deadline = time.monotonic() + 20
            while not (speakers := patient.facts().speakers):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert [(each.program, each.vrids, each.config) for each in speakers] == [("keepalived", {vrid}, str(conf))]
            patient.until(*words)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    patient.until()
