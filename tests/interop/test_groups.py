"""A sync group beside keepalived's: one of two links is cut, and the same router wins on both; nobody flaps.

IPv4 on ``eth0``, IPv6 on ``eth1``, which is a macvlan of it and so can be cut alone.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from hafw.lab import routers
from hafw.lab.network import INTERFACE, Lab

HIGH, LOW = "high", "low"
PRIORITY = {HIGH: 200, LOW: 100}
VIPS = {"10.77.0.250", "fe80::77:250"}
SECOND = "eth1"
PATIENCE = 20.0

pytestmark = [
    pytest.mark.wire,
    pytest.mark.peer("keepalived"),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(routers.program("keepalived") is None, reason="keepalived is not installed"),
]

HAFW = """
[instance.VI_1]
interface = "eth0"
vrid = 51
priority = {priority}
advertisement_interval = "100ms"
virtual_addresses = ["10.77.0.250"]
group = "VG_1"

[instance.VI_2]
interface = "eth1"
vrid = 52
priority = {priority}
advertisement_interval = "100ms"
virtual_addresses = ["fe80::77:250"]
group = "VG_1"
"""
KEEPALIVED = """
vrrp_sync_group VG_1 {{
  group {{
    VI_1
    VI_2
  }}
}}
vrrp_instance VI_1 {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  version 3
  advert_int 0.1
  virtual_ipaddress {{
    10.77.0.250
  }}
}}
vrrp_instance VI_2 {{
  state BACKUP
  interface eth1
  virtual_router_id 52
  priority {priority}
  version 3
  advert_int 0.1
  virtual_ipaddress {{
    fe80::77:250
  }}
}}
"""


class Pair:
    """Two routers with two links each."""

    def __init__(self, lab, programs):
        self.lab = lab
        self.programs = programs
        self.capture = None
        for number, host in enumerate((HIGH, LOW), 1):
            lab.add_host(host, f"10.77.0.{number}/24")
            lab.run(host, f"ip link add {SECOND} link {INTERFACE} type macvlan mode bridge".split())
            lab.run(host, f"ip link set {SECOND} addrgenmode none".split())
            self.mend(host)
        self.capture = lab.capture()

    def start(self, host):
        program, priority = self.programs[host], PRIORITY[host]
        if program == "hafw":
            return routers.start_hafw(self.lab, host, HAFW.format(priority=priority))
        return routers.start_keepalived(self.lab, host, KEEPALIVED.format(priority=priority))

    def cut(self, host):
        self.lab.run(host, f"ip link set {SECOND} down".split())

    def mend(self, host):
        self.lab.run(host, f"ip link set {SECOND} up".split())
        number = 1 if host == HIGH else 2
        self.lab.run(host, f"ip address replace fe80::{number}/64 dev {SECOND} nodad".split())

    def owns(self, host):
        return self.lab.addresses(host) & VIPS

    def wait(self, winner):
        """Until one has every address and the other none; then nobody else speaks for a while, in either member."""
        loser = LOW if winner == HIGH else HIGH
        deadline = time.monotonic() + PATIENCE
        while (self.owns(winner), self.owns(loser)) != (VIPS, set()):
            assert time.monotonic() < deadline, f"{winner} has {self.owns(winner)}, {loser} has {self.owns(loser)}"
            time.sleep(0.02)
        settled = time.time()
        for vrid in (51, 52):
            self.capture.wait_for_advert(
                lambda advert, vrid=vrid: len(self.heard(winner, vrid, settled, advert.time)) >= 5,
                since=settled,
                timeout=PATIENCE,
            )
        rivals = [advert for vrid in (51, 52) for advert in self.heard(loser, vrid, settled + 0.2, time.time())]
        assert rivals == []

    def heard(self, host, vrid, since, until):
        adverts = self.capture.adverts(host, since)
        return [each for each in adverts if each.vrid == vrid and each.priority > 0 and each.time <= until]


@pytest.fixture(params=[("hafw", "keepalived"), ("keepalived", "hafw")], ids="-".join)
def pair(request):
    with Lab() as lab:
        yield Pair(lab, dict(zip((HIGH, LOW), request.param, strict=True)))


def test_one_of_two_links_is_cut_and_the_group_moves_as_a_whole_and_returns(pair):
    first = pair.start(HIGH)
    pair.wait(HIGH)
    pair.start(LOW)
    deadline = time.monotonic() + PATIENCE
    while not routers.hears_vrrp(pair.lab, LOW):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pair.wait(HIGH)
    pair.cut(HIGH)
    pair.wait(LOW)
    pair.mend(HIGH)
    pair.wait(HIGH)
    pair.cut(LOW)  # of the BACKUP, which then cannot take over
    pair.wait(HIGH)
    pair.mend(LOW)
    os.kill(first.pid, signal.SIGTERM)
    first.wait(PATIENCE)
    pair.wait(LOW)
