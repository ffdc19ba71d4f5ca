"""In a namespace of its own, with hosts that answer and hosts that do not."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from hafw_checks.icmp import checksum
from hafw_checks.ping import Options, Ping

from hafw.api import Duration

BEGIN = """
    import os, subprocess, warnings
    from hafw_checks.ping import Options, Ping
    from hafw_checks import icmp
    from hafw.api import Duration

    SHORT = {"timeout": Duration(0.3), "count": 2, "spacing": Duration(0.05)}

    def sh(line):
        subprocess.run(line, shell=True, check=True)

    def say(*targets, **options):
        plugin = Ping()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plugin.configure(Options(targets=targets, **options))
        for each in caught:
            print("warned:", each.message)
        verdict = plugin.check()
        words = [each.partition(" answers in ")[0] for each in verdict.detail.split("; ")]
        print(verdict.healthy, *words, sep="; ", flush=True)

    sh("ip link set lo up && ip link add eth0 type veth peer name eth1"
       " && ip address add 192.0.2.1/24 dev eth0 && ip address add 2001:db8::1/64 dev eth0 nodad"
       " && ip link set eth0 up && ip link set eth1 up")
"""
STORIES = {
    "hosts that answer and one that does not": (
        """
        say("127.0.0.1")
        say("127.0.0.1", "::1", need=2)
        say("127.0.0.1", "192.0.2.9", **SHORT)
        say("127.0.0.1", "192.0.2.9", need=2, **SHORT)
        say("192.0.2.9", "2001:db8::9", **SHORT)
        say("203.0.113.1", "127.0.0.1", **SHORT)
        say("127.0.0.1", source="192.0.2.1")
        say("127.0.0.1", source="192.0.2.77")
        """,
        """
        True; 127.0.0.1
        True; 2 of 2 answer, 2 needed; 127.0.0.1; ::1
        True; 1 of 2 answer, 1 needed; 127.0.0.1; 192.0.2.9: no answer within 0.3s
        False; 1 of 2 answer, 2 needed; 127.0.0.1; 192.0.2.9: no answer within 0.3s
        False; 0 of 2 answer, 1 needed; 192.0.2.9: no answer within 0.3s; 2001:db8::9: no answer within 0.3s
        True; 1 of 2 answer, 1 needed; 203.0.113.1: network is unreachable; 127.0.0.1
        True; 127.0.0.1
        False; cannot assign requested address on 192.0.2.77
        """,
    ),
    "a packet filter": (
        """
        sh("nft add table ip t && nft 'add chain ip t o { type filter hook output priority 0; }'"
           " && nft add rule ip t o icmp type echo-request drop")
        say("127.0.0.1", **SHORT)
        """,
        """
        False; 127.0.0.1: operation not permitted (a packet filter?)
        """,
    ),
    "the first request gets lost": (
        """
        for count in (1, 3):
            sh("nft flush ruleset && nft add table ip t"
               " && nft 'add chain ip t i { type filter hook input priority 0; }'"
               " && nft add rule ip t i icmp type echo-request limit rate over 1/hour burst 1 packets accept"
               " && nft add rule ip t i icmp type echo-request drop")
            say("127.0.0.1", **{**SHORT, "count": count})
        """,
        """
        False; 127.0.0.1: no answer within 0.3s
        True; 127.0.0.1
        """,
    ),
    "an answer to somebody else": (
        """
        ours, others = icmp.open_socket(4), icmp.open_socket(4)
        print(ours._raw, "so the kernel shows us all")
        others.send(icmp.ip_address("127.0.0.1"), 7)
        icmp.select.select([ours], [], [])
        icmp.select.select([others], [], [])
        print(*others.answers())
        print(*ours.answers())
        """,
        """
        True so the kernel shows us all
        (IPv4Address('127.0.0.1'), 7)

        """,
    ),
}
NOBODY = """
    with open("/proc/sys/net/ipv4/ping_group_range", "w") as range_:
        range_.write(RANGE)
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
    say("127.0.0.1", "::1", need=2)
"""


def told(story: str) -> str:
    code = textwrap.dedent(BEGIN) + textwrap.dedent(story)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.wire
@pytest.mark.parametrize(("story", "said"), STORIES.values(), ids=STORIES.keys())
def test_who_answers_is_counted(story, said):
    assert told(story) == textwrap.dedent(said).lstrip()


@pytest.mark.wire
def test_nobody_may_ping_where_the_range_has_its_group():
    assert told(NOBODY.replace("RANGE", '"0 2147483647"')) == "True; 2 of 2 answer, 2 needed; 127.0.0.1; ::1\n"


@pytest.mark.wire
def test_where_nobody_may_not_ping_the_way_out_is_told_at_configuration_and_by_the_check():
    denied = (
        "nobody may not ping: net.ipv4.ping_group_range is 1 0, without its group 65534: "
        'sysctl -w net.ipv4.ping_group_range="0 2147483647" (and into /etc/sysctl.d), or user = "root"'
    )
    said = told(NOBODY.replace("RANGE", '"1 0"'))
    assert said == f"warned: targets: {denied}; the check fails until then\nFalse; {denied}\n"


def test_the_checksum_is_that_of_rfc_1071():
    """The example of its section 3."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


@pytest.mark.parametrize(("options", "said"), [
    ({"targets": ("gateway",)},
     ['targets[0]: = "gateway": must be an IPv4 or IPv6 address: a name would make the check depend on DNS']),
    ({"targets": ("10.0.0.1", "10.0.0.1")}, ['targets[1]: = "10.0.0.1": is there twice']),
    ({"targets": ("224.0.0.1", "::")}, [
        'targets[0]: = "224.0.0.1": must be the address of one host',
        'targets[1]: = "::": must be the address of one host',
    ]),
    ({"targets": ("fe80::1",)}, ['targets[0]: = "fe80::1": is link-local: name its interface, "fe80::1%eth0"']),
    ({"targets": ("10.0.0.1",), "need": 2}, ["need: = 2: must be at most 1, the number of targets"]),
    ({"targets": ("10.0.0.1",), "count": 5, "spacing": Duration(0.2)},
     ["count: = 5: 5 requests take 800ms, which must be less than timeout, 700ms"]),
    ({"targets": ("10.0.0.1",), "source": "eth0"}, ['source: = "eth0": must be an address of this machine']),
    ({"targets": ("10.0.0.1", "2001:db8::1"), "source": "10.0.0.2"},
     ['source: = "10.0.0.2": must be of the same family as all targets, and 2001:db8::1 is not']),
])  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(asks, options, said):
    assert asks(Ping(), Options(**options)) == said
