"""Two routers from different houses on one wire, one story: election, goodbye, return, death.

The story is played once per pair and case, without a judgement; the tests then judge what was heard.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from hafw.lab import routers
from hafw.lab.network import INTERFACE, Lab
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    import subprocess

    from hafw.lab.capture import Advert, Capture

HIGH, LOW = "high", "low"
PRIORITY = {HIGH: 200, LOW: 100}
SOURCE = {4: {HIGH: "10.77.0.1", LOW: "10.77.0.2"}, 6: {HIGH: "fe80::1", LOW: "fe80::2"}}
VIRTUAL = {4: ("10.77.0.250",), 6: ("fe80::77:250", "2001:db8:77::250")}
PATIENCE = 15.0
CROSSING = 0.03
"""Seconds in which an advert may be under way on a shared machine; less than any interval here."""
JOURNAL = "journal.jsonl"
NEEDED = {"keepalived": "keepalived", "frr": "vrrpd"}


@dataclass(frozen=True)
class Case:
    """What the two agree on."""

    version: int = 3
    family: int = 4
    interval: float = 0.1
    password: bytes | None = None
    unicast: bool = False

    def settings(self, host: str) -> RouterSettings:
        other = SOURCE[self.family][LOW if host == HIGH else HIGH]
        return RouterSettings(
            name="VI_1",
            interface=INTERFACE,
            vrid=51,
            version=self.version,
            priority=PRIORITY[host],
            advertisement_interval=self.interval,
            virtual_addresses=tuple(map(ip_address, VIRTUAL[self.family])),
            password=self.password,
            unicast_peers=(ip_address(other),) if self.unicast else (),
        )

    @property
    def skew(self) -> float:
        """Of the low one: C-TMR-02; in version 2 of a second, whatever the interval (C-TMR-04)."""
        return (256 - PRIORITY[LOW]) / 256 * (self.interval if self.version == 3 else 1.0)


CASES = {
    "v2-pass": Case(version=2, interval=1.0, password=b"1111"),
    "v3-ipv4": Case(),
    "v3-ipv6": Case(family=6),
    "v3-unicast": Case(unicast=True),
}


@dataclass
class Story:
    """What was heard, and the moments that divide it."""

    case: Case
    lab: Lab
    winner: dict[str, str] = field(default_factory=dict)
    """By chapter, in order."""
    begin: dict[str, float] = field(default_factory=dict)
    owners: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """By chapter, at its end: the virtual addresses that each host has."""
    adverts: list[Advert] = field(default_factory=list)
    journals: dict[str, list[str]] = field(default_factory=dict)
    """By host, what its hafw has written down; of other programs nothing."""

    def chapter(self, name: str) -> list[Advert]:
        """What was heard in it."""
        ends = [*list(self.begin.values())[1:], float("inf")]
        end = dict(zip(self.begin, ends, strict=True))[name]
        return [advert for advert in self.adverts if self.begin[name] <= advert.time < end]

    def first(self, name: str, host: str) -> Advert | None:
        return next((advert for advert in self.chapter(name) if advert.host == host and advert.priority), None)

    def overlap(self, name: str) -> list[Advert]:
        """What others sent as MASTER once the winner could be heard; an advert that crossed its first is not meant."""
        winner = self.winner[name]
        heard = self.first(name, winner).time + CROSSING
        return [
            advert for advert in self.chapter(name) if advert.host != winner and advert.time > heard and advert.priority
        ]

    def last_before(self, moment: float, host: str) -> Advert:
        return [advert for advert in self.adverts if advert.host == host and advert.time < moment][-1]


def start(lab: Lab, program: str, host: str, case: Case) -> list[subprocess.Popen[Any]]:
    settings = case.settings(host)
    if program == "hafw":
        journal = f'[journal]\npath = "{lab.path(host, JOURNAL)}"\n'
        return [routers.start_hafw(lab, host, routers.hafw_configuration(settings) + journal)]
    if program == "keepalived":
        return [routers.start_keepalived(lab, host, routers.keepalived_configuration(settings))]
    return routers.start_frr(lab, host, settings)


def wait_until_ready(lab: Lab, program: str, host: str) -> None:
    """A goodbye means nothing to a router that does not listen yet."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ready = routers.hafw_state(lab, host) == "BACKUP" if program == "hafw" else routers.hears_vrrp(lab, host)
        if ready:
            return
        time.sleep(0.02)
    raise TimeoutError(f"{program} on {host} is not ready after {PATIENCE:g} s: see its log in {lab.directory}")


def spoken(capture: Capture, host: str, since: float, until: float) -> list[Advert]:
    """This host's adverts as MASTER in that time."""
    return [advert for advert in capture.adverts(host, since) if advert.priority > 0 and advert.time <= until]


def play(case: Case, high: str, low: str, lab: Lab) -> Story:
    story = Story(case, lab)
    for number, host in enumerate((HIGH, LOW), 1):
        lab.add_host(host, SOURCE[4][host] + "/24", SOURCE[6][host] + "/64", f"2001:db8:77::{number}/64")
    capture = lab.capture()

    def chapter(name: str, winner: str, begin: float, *, adverts: int = 3) -> None:
        """Wait until the winner has spoken so often that a second MASTER would have spoken twice."""
        story.winner[name], story.begin[name] = winner, begin
        capture.wait_for_advert(
            lambda advert: len(spoken(capture, winner, begin, advert.time)) >= adverts, since=begin, timeout=PATIENCE
        )
        virtual = set(VIRTUAL[case.family])
        deadline = time.monotonic() + PATIENCE
        while not virtual <= lab.addresses(winner) and time.monotonic() < deadline:
            time.sleep(0.01)
        story.owners[name] = {host: lab.addresses(host) & virtual for host in (HIGH, LOW)}

    begin = time.time()
    first = start(lab, high, HIGH, case)
    start(lab, low, LOW, case)
    chapter("election", HIGH, begin)
    wait_until_ready(lab, low, LOW)
    begin = time.time()
    for process in first:
        os.kill(process.pid, signal.SIGTERM)
    chapter("goodbye", LOW, begin)
    for process in first:
        process.wait(PATIENCE)
    begin = time.time()
    second = start(lab, high, HIGH, case)
    chapter("return", HIGH, begin)
    begin = lab.cut(HIGH)
    for process in second:
        lab.kill(process)
    chapter("death", LOW, begin, adverts=1)
    story.adverts = capture.adverts()
    hafws = [host for host, program in ((HIGH, high), (LOW, low)) if program == "hafw"]
    story.journals = {host: lab.path(host, JOURNAL).read_text("utf-8").splitlines() for host in hafws}
    return story


@pytest.fixture(scope="module")
def story(request):
    """Play the story of ``(case, program of the high one, program of the low one)``."""
    case, high, low = request.param
    for name in (high, low):
        if name in NEEDED and routers.program(NEEDED[name]) is None:
            pytest.skip(f"{name} is not installed")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with Lab() as lab:
        yield play(CASES[case], high, low, lab)
