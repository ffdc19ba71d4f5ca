"""The web plugin of real daemons, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hafw.lab.namespaces import inside

pytestmark = pytest.mark.wire
WEB = "[plugin.web]\n"


def get(router, path):
    """Code and text, asked on the router's own host; 0 when nobody listens there."""
    with inside(router.lab._hosts[router.host].network):
        line = http.client.HTTPConnection("127.0.0.1", 9112, timeout=20)
        try:
            line.connect()
        except OSError:
            return 0, ""
    with contextlib.closing(line):
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):  # it ended in the middle of it
            return 0, ""


def pid_of(router):
    """Of the daemon that the plugin speaks for; 0 when it speaks for none."""
    code, text = get(router, "/api/status")
    return json.loads(text)["status"]["pid"] if code == 200 else 0


@pytest.fixture
def pair_with_web(pair, tools):
    tools.elect(*pair, tools.instance(), WEB)
    for router in pair:
        tools.until(lambda router=router: get(router, "/livez")[0] == 200, "the web plugin")
    return pair


@pytest.mark.long
def test_two_routers_tell_load_balancers_who_is_master_through_handover_and_death(pair_with_web, tools, freeze):
    first, second = pair_with_web
    assert get(first, "/master") == (200, "VI_1 MASTER\n")
    tools.until(lambda: get(second, "/master") == (503, "VI_1 BACKUP\n"), "the second one takes part")
    assert get(second, "/backup/VI_1")[0] == 200
    (plugin,) = [each for each in first.ask()["plugins"] if each["name"] == "web"]
    assert plugin["user"] == "nobody"

    assert first.hafw("handover", "VI_1", "--wait").returncode == 0
    tools.until(lambda: get(second, "/master")[0] == 200, "lb2 is MASTER")
    assert get(first, "/master") == (503, "VI_1 BACKUP\n")

    frozen = first.pid  # a BACKUP: the guard leaves it alone
    freeze(frozen)
    tools.until(lambda: get(first, "/backup")[0] == 503, "unknown")
    assert get(first, "/backup")[1] == "unknown: the daemon did not answer within 2s\n"
    assert json.loads(get(first, "/api/status")[1])["known"] is False
    assert get(first, "/metrics")[1].count("\nhafw_") == 1
    os.kill(frozen, signal.SIGCONT)
    tools.until(lambda: get(first, "/backup")[0] == 200, "it answers again")

    dead = second.kill_daemon()
    tools.until(lambda: pid_of(second) not in (0, dead), "the web plugin of the resumed daemon")
    tools.until(lambda: sorted(get(each, "/master")[0] for each in pair_with_web) == [200, 503], "one is MASTER")


def test_metrics_of_a_real_pair_are_what_prometheus_reads(pair_with_web):
    first, second = map(samples, pair_with_web)
    assert first["hafw_vrrp_state", "MASTER"] == second["hafw_vrrp_state", "BACKUP"] == 1
    assert first["hafw_vrrp_advertisement_sent_total", ""] > 0
    assert first["hafw_takeover_seconds_count", ""] >= 1
    assert first["hafw_timer_lateness_seconds_count", ""] > 0
    assert second["hafw_vrrp_advertisement_rcvd_total", ""] > 0
    assert second["hafw_vrrp_master_down_interval_seconds", ""] > 0.3


def samples(router):
    """The value of each sample; of states, by state."""
    families = text_string_to_metric_families(get(router, "/metrics")[1])
    return {(each.name, each.labels.get("state", "")): each.value for family in families for each in family.samples}
