"""What the verbs print of what the daemon answers. The answers are made by a real Node, in virtual time."""

import re
from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest

from hafw import will as last_will
from hafw.cli.handover import told
from hafw.cli.status import render
from hafw.cli.unknown import render_unknown, unknown_record
from hafw.cli.watching import drawing
from hafw.cli.words import brief, on_leave, span
from hafw.node import CheckSettings, InstanceSettings, Node
from hafw.records import instance_record, restart_record
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AdvertReceived,
    LinkChanged,
    PlanReported,
    ReleaseAsked,
    Startup,
    Tick,
    VerdictReported,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings
from hafw.will import Bequest, BoundAddress

VIPS = (ip_address("192.0.2.250"), ip_address("192.0.2.251"))
OWN, PEER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
MAC = "02:00:00:00:00:02"
CHECK = CheckSettings(name="nginx", critical=True, fall=1)


class Host:
    """A MASTER with one check, since ``now``."""

    def __init__(self):
        settings = RouterSettings(name="VI_1", interface="eth0", vrid=51, priority=150, virtual_addresses=VIPS)
        self.now, self.events, self.kernel = 0.0, [], dict.fromkeys(VIPS, "present")
        self.node = Node([InstanceSettings(router=settings, checks=(CHECK,))], self.now)
        self.feed(
            Startup("VI_1"), LinkChanged("eth0", up=True, primary={4: OWN}), PlanReported("VI_1"), self.verdict(True)
        )
        self.run(4.0)
        self.feed(AddressesInstalled("VI_1"))

    def feed(self, *events):
        for event in events:
            self.node.handle(event, self.now)

    def run(self, seconds):
        until = self.now + seconds
        while self.node.deadline <= until:
            self.now = max(self.now, self.node.deadline)
            self.feed(Tick())
        self.now = until

    def verdict(self, healthy):
        return VerdictReported("VI_1", "nginx", healthy, "connection refused on 127.0.0.1:80", immediate=True)

    def advert(self, priority):
        return AdvertReceived(
            "VI_1", Advertisement(version=3, vrid=51, priority=priority, interval=1.0, addresses=VIPS), PEER
        )

    def answer(self, **more):
        """As the daemon answers ``status``."""
        instance = instance_record(self.node.instances["VI_1"], self.now, self.kernel)
        return {
            "node": "lb1",
            "version": "1.0",
            "config": "c.toml",
            "dry_run": False,
            "uptime_seconds": self.now,
            "maintenance": None,
            "restart": restart_record(self.events),
            "plugins": [],
            "instances": [{**instance, "peers_differ": {}, "last_refused": None}],
            "groups": [],
            **more,
        }

    def remarks(self):
        """The state's column, and what stands below the table."""
        _, table, *rest = render(self.answer()).split("\n\n")
        return re.split(r"\s{2,}", table.splitlines()[1])[2], "\n".join(rest)

    def cell(self, column):
        """What stands in the row of the instance."""
        head, row = render(self.answer()).split("\n\n")[1].splitlines()
        at = head.index(column)
        return re.split(r"\s{2,}", row[at:])[0].strip()


@pytest.fixture
def host():
    return Host()


def test_a_master_without_trouble_has_no_remarks(host):
    assert host.remarks() == ("MASTER", "")


def test_whom_a_master_heard_last_and_when(host):
    assert host.cell("HEARD") == "nobody"
    host.feed(host.advert(100))
    host.run(14.0)
    assert host.cell("HEARD") == f"{PEER} (100) 14s ago"


def test_a_backup_shows_when_it_heard_its_master(host):
    host.feed(host.advert(200))
    host.run(2.0)
    assert (host.cell("MASTER"), host.cell("HEARD")) == (f"{PEER} (200)", "2s ago")


def test_a_bound_address_that_the_kernel_lacks_is_missing(host):
    host.kernel[VIPS[1]] = "missing"
    assert host.cell("ADDRESSES") == "192.0.2.250 +1 MISSING"
    missing = "VI_1: 192.0.2.251 is MISSING from the kernel: somebody removed it, hafw puts it back"
    assert host.remarks() == ("MASTER", missing)


def test_an_address_that_somebody_bound_by_hand_shows_on_a_master_and_on_a_backup(host):
    host.kernel[VIPS[0]] = "foreign"
    stays = "VI_1: 192.0.2.250 was on eth0 before hafw bound it: it stays when another router is MASTER"
    assert host.remarks() == ("MASTER", stays)
    host.feed(host.advert(200))
    host.run(1.0)
    assert host.cell("ADDRESSES") == "192.0.2.250 +1 HERE TOO"
    _, remark = host.remarks()
    assert remark.startswith("VI_1: 192.0.2.250 is here and not bound by hafw: two machines answer for it: ip address")


def test_one_instance_is_shown_with_its_addresses_and_checks(host):
    host.feed(VerdictReported("VI_1", "nginx", healthy=True, detail="200 OK", duration=0.0123))
    host.run(3.0)
    shown = render(host.answer(), details=True)
    assert "ADDRESS      WANTED  KERNEL   ON THE SEGMENT\n192.0.2.250  bound   present  -" in shown
    assert "CHECK  RESULT  COUNTS    TOOK  AGO     OUTPUT\nnginx  ok      critical  12ms  3s ago  200 OK" in shown


def test_checks_of_a_dry_run_are_shown_as_not_run(host):
    host.feed(VerdictReported("VI_1", "nginx", healthy=True, detail="dry run: not run, and taken for well"))
    plugins = [{"name": "http", "state": "not-run"}]
    head, table, *rest = render(host.answer(dry_run=True, plugins=plugins), details=True).split("\n\n")
    assert head.endswith("c.toml   DRY RUN: sends, binds and runs nothing")
    assert table.endswith("  nginx not run")
    assert rest[-2].endswith("nginx  not run  critical  -     -    dry run: not run, and taken for well")
    assert rest[-1] == "plugins: http not-run"


def shown(host, *, details=False, address=None, **fields):
    """What stands in the row under ADDRESSES, and below the table, when the daemon has found this out."""
    answer = host.answer()
    answer["instances"][0].update(fields)
    for each in answer["instances"][0]["addresses"]:
        each.update({"asked_seconds": 12.0, "claimed_by": "", "verified": True, **(address or {})})
    _, table, *rest = render(answer, details=details).split("\n\n")
    head, row = table.splitlines()
    return re.split(r"\s{2,}", row[head.index("ADDRESSES") :])[0], "\n".join(rest)


ASKED = {"address": "192.0.2.250", "target": "192.0.2.254", "answered": True, "ms": 0.42, "attempts": 1, "echo": True}
ASKED = {**ASKED, "mac": MAC, "asked_seconds": 7.0, "detail": ""}


def test_an_address_that_nobody_else_answers_for_is_verified(host):
    assert shown(host, announced=[ASKED]) == ("192.0.2.250 +1 verified", "")
    _, details = shown(host, announced=[ASKED], details=True)
    assert "192.0.2.251  bound   present  nobody else answers (asked 12s ago)" in details
    assert "192.0.2.254 asked by 192.0.2.250 7s ago: answered after 0.4ms, its packets come here" in details


def test_an_address_that_another_machine_answers_for_is_contested(host):
    contested = {"claimed_by": MAC, "verified": False}
    cell, details = shown(host, address=contested, details=True)
    assert cell == "192.0.2.250 +1 CONTESTED"
    assert f"192.0.2.250  bound   present  CLAIMED by {MAC}" in details


def test_a_gateway_that_does_not_answer_is_no_confirmation(host):
    silent = {**ASKED, "answered": False, "attempts": 4, "ms": None, "echo": None}
    cell, remark = shown(host, announced=[silent], address={"verified": False})
    assert cell == "192.0.2.250 +1 NOT CONFIRMED"
    assert remark == (
        "VI_1: 192.0.2.254 did not answer 192.0.2.250, asked 4 times 7s ago: it is down, or frames from here do not "
        "reach it (switch, port security)"
    )
    assert "NO ANSWER to 4 questions" in shown(host, announced=[silent], details=True)[1]


def test_a_gateway_that_sends_elsewhere_is_named(host):
    cell, remark = shown(host, announced=[{**ASKED, "echo": False}], address={"verified": False})
    assert cell == "192.0.2.250 +1 NOT CONFIRMED"
    assert remark == (
        "VI_1: 192.0.2.254 sends its packets for 192.0.2.250 to another MAC (asked 7s ago): it heeds no announcement: "
        "clear its ARP entry, or use virtual_mac"
    )


def test_that_nobody_was_asked_stands_among_the_details(host):
    nobody = {**ASKED, "target": "", "answered": None, "detail": "no default gateway on eth0"}
    assert shown(host, announced=[nobody]) == ("192.0.2.250 +1 verified", "")
    assert "announcement not verified: no default gateway on eth0" in shown(host, announced=[nobody], details=True)[1]


@pytest.mark.parametrize(
    ("alive", "said"),
    [
        (True, "but its host answers ARP: hafw is stopped there, or protocol 112 is dropped on the way"),
        (False, "and answers no ARP: its host or the way to it is down"),
    ],
)
def test_a_peer_that_fell_silent(host, alive, said):
    peer = {"address": "192.0.2.2", "priority": 200, "interval": 1.0, "heard_seconds": 40.0, "live": False}
    _, remark = shown(host, peer=peer, peer_alive=alive)
    assert remark == f"VI_1: 192.0.2.2 is silent for 40s{',' if alive else ''} {said}"


def test_what_differs_is_named_with_its_key(host):
    differs = {"peer": "192.0.2.2", "detail": "interval 2s, ours is 1s", "heard_seconds": 3.0}
    _, remark = shown(host, differences=[{**differs, "key": "instance.VI_1.advertisement_interval"}])
    said = "VI_1: peer 192.0.2.2 differs, heard 3s ago: interval 2s, ours is 1s"
    assert remark == f"{said}: compare instance.VI_1.advertisement_interval"


HARM = ", and while it is MASTER nobody has to serve 192.0.2.1"


@pytest.mark.parametrize(
    ("master", "harm"),
    [
        (None, ""),
        (
            {"address": "192.0.2.2", "priority": 200, "self": False},
            ", and while it is MASTER nobody has to serve 192.0.2.1",
        ),
    ],
)
def test_a_stranger_with_our_vrid_is_told_from_a_peer_with_another_list(host, master, harm):
    differs = {"peer": "192.0.2.2", "detail": "addresses 192.0.2.9, ours are 192.0.2.1", "heard_seconds": 3.0}
    lists = {"field": "addresses", "ours": "192.0.2.1", "theirs": "192.0.2.9", "key": "instance.VI_1.virtual_addresses"}
    _, remark = shown(host, differences=[{**differs, **lists, "is_stranger": True}], master=master)
    said = "VI_1: peer 192.0.2.2 differs, heard 3s ago: addresses 192.0.2.9, ours are 192.0.2.1"
    stranger = (
        f"another virtual router with VRID 51{harm}: give one of the two another (hafw listen --scan names a free one)"
    )
    assert remark == f"{said}: {stranger}"
    _, remark = shown(host, differences=[{**differs, **lists, "is_stranger": False}], master=master)
    assert remark == f"{said}: compare instance.VI_1.virtual_addresses"


def test_a_rival_whose_adverts_are_refused_shows_why(host):
    host.feed(AddressesClaimed("VI_1", VIPS, MAC))
    refused = {"source": "192.0.2.2", "at": 2.0, "reason": "auth-failures", "detail": "the password differs from ours"}
    _, remark = shown(host, last_refused=refused)
    assert "(heard 0s ago): adverts from 192.0.2.2 are refused here: the password differs from ours\n" in remark
    _, remark = shown(host, last_refused={**refused, "at": 61.0})
    assert "another VRID there, or its adverts do not arrive" in remark


def test_a_flapping_router_shows_until_when_it_is_held_back(host):
    flapping = {"troubles": 5, "hold_seconds": 20.0, "since_seconds": 4.0, "left_seconds": None}
    _, remark = shown(host, flapping=flapping)
    why = "VI_1: flapping: in trouble 5 times in a row: preempts no live MASTER before"
    assert remark == f"{why} it has been well for 20s (flap_hold)"
    _, remark = shown(host, flapping={**flapping, "left_seconds": 15.0})
    assert re.fullmatch(rf"{re.escape(why)} \d\d:\d\d:\d\d \(in 15s\) \(flap_hold\)", remark)


def test_the_plugins_stand_below(host):
    plugins = [{"name": "vip", "state": "finished", "last_error": ""}, {"name": "nginx", "state": "running"}]
    assert render(host.answer(plugins=plugins)).splitlines()[-1] == "plugins: vip finished, nginx running"


@pytest.fixture
def run_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path))
    return tmp_path


def test_a_dead_daemon_is_unknown_never_master(run_directory):
    bequest = Bequest("VI_1", "eth0", 4, "192.0.2.1", {"224.0.0.18": "00"}, 3.0, (BoundAddress("127.0.0.1", 8, "lo"),))
    last_will.write(last_will.Will(123, (bequest,), "c.toml", "lb1"))
    record = unknown_record("/run/c.sock", "no answer")
    assert (record["reachable"], record["instances"][0]["state"]) == (False, "UNKNOWN")
    left = "127.0.0.1 still on this machine: a guard that lives resumes or releases it, else: hafw cleanup"
    assert render_unknown(record) == (f"VI_1: UNKNOWN: was MASTER when its daemon (pid 123) last wrote, 0s ago; {left}")


def test_without_a_record_nothing_is_said_of_a_dead_daemon(run_directory):
    assert render_unknown(unknown_record("/run/c.sock", "no answer")) == ""
    last_will.will_path().write_text("{")
    assert unknown_record("/run/c.sock", "no answer")["record"].startswith("damaged: ")


def test_watching_draws_over_what_was_there_and_empties_the_rest():
    assert drawing("one\ntwo", datetime(2026, 1, 2, 3, 4, 5).astimezone()) == (
        "\033[H03:04:05   every 1s, Ctrl-C ends\033[K\n\033[K\none\033[K\ntwo\033[K\n\033[J"
    )


def test_a_handover_that_is_under_way_shows(host):
    host.feed(ReleaseAsked("VI_1"))
    state, remark = host.remarks()
    assert state == "MASTER (handing over)"
    assert remark.startswith("VI_1: has said goodbye: waits for a router that takes over\n")


def test_a_degraded_master_shows_why(host):
    host.feed(host.verdict(False))
    host.run(4.0)
    because = "check-failed: check nginx: connection refused on 127.0.0.1:80"
    assert host.remarks() == ("MASTER (degraded)", f"VI_1: degraded, for nobody else takes over: {because}")


def test_a_router_in_fault_says_why(host):
    host.feed(LinkChanged("eth0", up=False, primary={}, problem="no carrier"))
    state, remark = host.remarks()
    assert state == "FAULT"
    assert remark.startswith("VI_1: FAULT: interface-down: eth0 no carrier\n")


def test_a_split_brain_shows_who_is_master_too(host):
    host.feed(host.advert(100))
    state, remark = host.remarks()
    assert state == "MASTER (SPLIT BRAIN)"
    assert remark.startswith(
        f"VI_1: SPLIT BRAIN: {PEER} (priority 100) is MASTER too, and ought to yield to 150: it does"
    )
    host.run(3.1)
    assert host.remarks() == ("MASTER", "")


def test_a_rival_that_is_not_heard_shows_by_its_claims_and_is_not_forgotten(host):
    host.feed(AddressesClaimed("VI_1", VIPS, MAC))
    host.run(5.0)
    claims = f"VI_1: SPLIT BRAIN: {MAC} also claims 192.0.2.250 and 1 more (heard 5s ago)"
    assert host.remarks() == (
        "MASTER (SPLIT BRAIN)",
        f"{claims}: another VRID there, or its adverts do not arrive (hafw doctor, hafw listen)",
    )
    host.run(595.0)
    claimed = f"VI_1: {MAC} claimed 192.0.2.250 and 1 more 10m ago: see that no other router holds it"
    assert host.remarks() == ("MASTER", claimed)


def test_maintenance_stands_above_the_table(host):
    since = datetime.now().astimezone()
    leave = {"since": since.isoformat(), "until": None, "reason": "kernel", "for_seconds": None, "left_seconds": None}
    shown = render(host.answer(maintenance=leave)).split("\n\n")[1]
    assert shown == f"maintenance since {since:%H:%M}: kernel: stays BACKUP"


def test_a_daemon_that_goes_on_for_a_dead_one_says_so(host):
    cause = "killed by SIGKILL"
    host.events += [{"type": "fenced", "cause": cause}, {"type": "resumed", "cause": cause}, {"type": "announced"}]
    assert render(host.answer()).split("\n\n")[1] == "resumed 4s ago after: killed by SIGKILL"


def test_maintenance_of_another_day_has_its_date():
    since = datetime.now().astimezone() - timedelta(days=2)
    leave = {"since": since.isoformat(), "until": "later", "reason": "", "for_seconds": 7200, "left_seconds": 60}
    assert on_leave(leave) == f"maintenance since {since:%Y-%m-%d %H:%M} for 2h (1m left): stays BACKUP"
    assert on_leave(None) == "maintenance is off"


@pytest.mark.parametrize(
    ("outcome", "state", "line", "well"),
    [
        ("taken over", "BACKUP", "VI_1: 192.0.2.2 took over after 34 ms", True),
        ("not MASTER", "FAULT", "VI_1: FAULT: nothing to hand over", True),
        ("nobody took over", "FAULT", "VI_1: nobody took over within 34 ms: released; this router is in FAULT", True),
    ],
)
def test_how_a_handover_ended(outcome, state, line, well):
    successor = "192.0.2.2" if outcome == "taken over" else None
    moved = {"instance": "VI_1", "outcome": outcome, "state": state, "successor": successor, "seconds": 0.034}
    assert told(moved) == (line, well)


@pytest.mark.parametrize(("seconds", "text"), [(0.0004, "0 ms"), (0.0344, "34 ms"), (3.414, "3.4 s")])
def test_a_short_time(seconds, text):
    assert brief(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "0s"), (14, "14s"), (8040, "2h 14m"), (3600, "1h"), (273600, "3d 4h")]
)
def test_a_length_of_time(seconds, text):
    assert span(seconds) == text
