"""An advert walked through rules, without a kernel: what real machines have loaded, and what cannot be judged."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from hafw.config.file import loads
from hafw.doctor import diagnose, passage
from hafw.doctor.facts import Bound, Facts, Interface
from hafw.doctor.firewall import iptables, nft
from hafw.doctor.firewall.rules import Packet, blocks

TEXT = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'
ETH0 = Interface(name="eth0", mac="02:00:00:00:00:01", addresses=(Bound(ip=ip_address("192.0.2.1"), prefixlen=24),))
INCOMING = Packet(
    direction="in",
    interface="eth0",
    source=(ip_network("192.0.2.0/24"),),
    destination=ip_network("224.0.0.18/32"),
)

UFW = """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-not-local - [0:0]
:ufw-logging-deny - [0:0]
:ufw-user-input - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-user-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] -p 112"
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
KUBERNETES = """*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:cali-INPUT - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -j cali-INPUT
-A KUBE-FIREWALL -m comment --comment "marked packets" -m mark --mark 0x8000/0x8000 -j DROP
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A cali-INPUT -p ipencap -m set --match-set cali40all-hosts-net src -j ACCEPT
-A cali-INPUT -i cali+ -g cali-wl-to-host
-A cali-INPUT -p tcp -m multiport --dports 22,80 -j DROP
COMMIT
"""


def found(saved: str, packet: Packet = INCOMING):
    return [(each.chain.name, each.certain) for each in blocks(iptables.tables(saved, "ip", "iptables-nft"), packet)]


def test_ufw_as_it_comes_drops_adverts_and_its_own_file_is_named():
    config, _ = loads(TEXT, "c", "lb1")
    facts = Facts(interfaces={"eth0": ETH0}, filters=tuple(iptables.tables(UFW, "ip", "iptables-nft")))
    (finding,), unseen = diagnose(config, facts)
    assert (finding.id, unseen) == ("firewall-drops-incoming", [])
    assert finding.fix == ("iptables-nft -I INPUT -i eth0 -p 112 -j ACCEPT",)
    assert finding.keep == "/etc/ufw/before.rules, before its COMMIT: -A ufw-before-input -i eth0 -p 112 -j ACCEPT"
    mended = UFW.replace(
        ":ufw-user-input - [0:0]\n", ":ufw-user-input - [0:0]\n-A ufw-before-input -i eth0 -p 112 -j ACCEPT\n"
    )
    assert found(mended) == []


def test_marks_of_kubernetes_are_no_riddle_for_nothing_has_set_them():
    assert found(KUBERNETES) == []
    setting = "-A PREROUTING -i eth0 -j MARK --set-xmark 0x8000/0x8000\n"
    assert found(KUBERNETES.replace(":INPUT ACCEPT [0:0]\nCOMMIT", f":INPUT ACCEPT [0:0]\n{setting}COMMIT")) == [
        ("INPUT", False)
    ]


BASE = "*filter\n:INPUT ACCEPT [0:0]\n{}\nCOMMIT\n"


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ("-A INPUT -p vrrp -j DROP", True),
        ("-A INPUT -p 112 -j REJECT --reject-with icmp-port-unreachable", True),
        ("-A INPUT ! -p tcp -j DROP", True),
        ("-A INPUT -d 224.0.0.0/4 -j DROP", True),
        ("-A INPUT -s 192.0.2.0/23 -m ttl --ttl-eq 255 -j DROP", True),
        ("-A INPUT -m pkttype --pkt-type multicast -j DROP", True),
        ("-A INPUT -m iprange --src-range 192.0.2.0-192.0.2.255 -j DROP", True),
        ("-A INPUT -m set --match-set bad src -j DROP", False),
        ("-A INPUT -s 192.0.2.7/32 -j DROP", False),
        ("-A INPUT -p vrrp -m limit --limit 1/sec -j DROP", False),
        ("-A INPUT -p vrrp -j NFQUEUE --queue-num 1", False),
        ("-A INPUT -p vrrp -j NOWHERE", False),
        ("-A INPUT -p tcp -j DROP", None),
        ("-A INPUT -i eth1 -j DROP", None),
        ("-A INPUT ! -i eth+ -j DROP", None),
        ("-A INPUT -s 10.0.0.0/8 -j DROP", None),
        ("-A INPUT -m conntrack --ctstate INVALID -j DROP", None),
        ("-A INPUT -m rpfilter --invert -j DROP", None),
        ("-A INPUT -m ttl --ttl-lt 255 -j DROP", None),
        ("-A INPUT -m addrtype --dst-type UNICAST -j DROP", None),
        ('-A INPUT -p vrrp -j LOG --log-prefix "-j DROP"', None),
    ],
)
def test_a_rule_of_iptables_drops_an_advert_or_may_or_does_not(rule: str, end: bool | None):
    assert found(BASE.format(rule)) == ([] if end is None else [("INPUT", end)])


def ruleset(*rules: list, policy: str = "accept", sets: tuple = ()) -> dict:
    base = {
        "family": "inet",
        "table": "t",
        "name": "in",
        "type": "filter",
        "hook": "input",
        "prio": 0,
        "policy": policy,
    }
    lines = [{"rule": {"family": "inet", "table": "t", "chain": "in", "expr": list(each)}} for each in rules]
    return {"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "t"}}, {"chain": base}, *sets, *lines]}


VRRP = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "vrrp"}}


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        ([VRRP, {"drop": None}], True),
        ([VRRP, {"xt": {"type": "match", "name": "u32"}}, {"drop": None}], False),
        ([VRRP, {"xt": None}, {"drop": None}], False),
        ([VRRP, {"invented later": {"x": 1}}, {"drop": None}], False),
        ([{"match": {"op": "==", "left": {"invented": {}}, "right": 1}}, {"drop": None}], False),
        ([VRRP, {"jump": {"target": "nowhere"}}], False),
        ([VRRP, {"limit": {"rate": 1, "per": "second"}}, {"log": None}], None),
        ([VRRP, {"counter": {"packets": 1, "bytes": 2}}, {"reject": {"type": "icmpx", "expr": "x"}}], True),
    ],
)
def test_what_nft_says_and_is_not_known_here_is_never_a_guess(rule: list, end: bool | None):
    ends = [(each.chain.name, each.certain) for each in blocks(nft.tables(ruleset(rule)), INCOMING)]
    assert ends == ([] if end is None else [("in", end)])


def test_chains_that_jump_in_a_circle_come_to_an_end():
    saved = "*filter\n:INPUT ACCEPT [0:0]\n:a - [0:0]\n-A INPUT -j a\n-A a -j a\nCOMMIT\n"
    assert found(saved) == [("INPUT", False)]


def test_frames_of_a_virtual_mac_leave_below_iptables_and_what_comes_in_does_not():
    text = f"{TEXT}virtual_mac = true\n"
    saved = "*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\nCOMMIT\n"
    facts = Facts(interfaces={"eth0": ETH0}, filters=tuple(iptables.tables(saved, "ip", "iptables-legacy")))
    ids = [[each.id for each in diagnose(loads(each_text, "c", "lb1")[0], facts)[0]] for each_text in (TEXT, text)]
    assert ids == [["firewall-drops-incoming", "firewall-drops-outgoing"], ["firewall-drops-incoming"]]


def test_goodbyes_pass_on_their_own_network():
    hmac = 'auth = { type = "hmac", keys = { 1 = "file:/k" } }\ngoodbye = { lb2 = "198.51.100.2" }\n'
    eth1 = Interface(name="eth1", addresses=(Bound(ip=ip_address("198.51.100.1"), prefixlen=24),))
    saved = "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i eth1 ! -p tcp -j DROP\nCOMMIT\n"
    facts = Facts(
        interfaces={"eth0": ETH0, "eth1": eth1},
        routes={ip_address("198.51.100.2"): "eth1"},
        filters=tuple(iptables.tables(saved, "ip", "iptables")),
    )
    (finding,), _ = diagnose(loads(TEXT + hmac, "c", "lb1")[0], facts)
    assert (finding.id, finding.where) == ("firewall-drops-incoming", "goodbye of VI_1")
    assert finding.fix == ("iptables -I INPUT -i eth1 -p 112 -j ACCEPT",)


@pytest.mark.parametrize(("family", "told"), [("arp", True), ("bridge", False), ("inet", False)])
def test_a_table_below_ip_that_drops_is_told_where_it_concerns_us(family: str, told: bool):
    document = ruleset([{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth9"}}, {"drop": None}])
    for each in document["nftables"]:
        for one in each.values():
            if "family" in one:
                one["family"] = family
    facts = Facts(interfaces={"eth0": ETH0}, filters=tuple(nft.tables(document)))
    findings, unseen = diagnose(loads(TEXT, "c", "lb1")[0], facts)
    assert (findings, bool(unseen)) == ([], told)


def test_firewalld_is_mended_in_its_own_words():
    document = ruleset([VRRP, {"drop": None}])
    for each in document["nftables"]:
        for one in each.values():
            if "table" in one:
                one["table"] = "firewalld"
            elif one.get("name") == "t":
                one["name"] = "firewalld"
    facts = Facts(interfaces={"eth0": ETH0}, filters=tuple(nft.tables(document)), firewalld={"eth0": "public"})
    (finding,), _ = diagnose(loads(TEXT, "c", "lb1")[0], facts)
    assert finding.fix == (
        "firewall-cmd --zone=public --add-protocol=vrrp",
        "firewall-cmd --permanent --zone=public --add-protocol=vrrp",
    )


def test_a_probe_that_fails_is_told_and_the_others_have_their_say(monkeypatch: pytest.MonkeyPatch):
    def broken(*_):
        raise LookupError("never thought of")

    monkeypatch.setattr(passage, "blocks", broken)
    facts = Facts(interfaces={"eth0": ETH0}, conntrack=(99, 100))
    findings, (unseen,) = diagnose(loads(TEXT, "c", "lb1")[0], facts)
    assert [each.id for each in findings] == ["conntrack-full"]
    assert unseen.what == "what hafw/doctor/passage.py judges"
    assert "never thought of" in unseen.why
