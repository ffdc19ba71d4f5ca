"""What /metrics says, judged by the parsers of prometheus_client."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hafw_web.exposition import Exposition, Family, Sample, number, wants_openmetrics
from hafw_web.metrics import AUTH_REASONS, COUNTERS, FAMILIES, SENT_OR_TAKEN, STATES, VRRP, exposition
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from hafw.daemon.figures import TAKEOVER

DOCS = Path(__file__).parents[3] / "docs"
GAUGE = Family("hafw_test", "gauge", 'a "quoted" \\ help\nin two lines', ("name",))
ODD = 'a "b" \\ c\nd\\n'
SETTLED = {
    *("hafw_vrrp_state", "hafw_vrrp_priority", "hafw_vrrp_effective_priority", "hafw_vrrp_master_transitions_total"),
    *("hafw_vrrp_advertisement_rcvd_total", "hafw_vrrp_advertisement_sent_total", "hafw_vrrp_interval_errors_total"),
    *("hafw_vrrp_priority_zero_pkts_rcvd_total", "hafw_vrrp_priority_zero_pkts_sent_total"),
    *("hafw_vrrp_invalid_type_pkts_rcvd_total", "hafw_vrrp_address_list_errors_total"),
    *("hafw_vrrp_packet_length_errors_total", "hafw_vrrp_ip_ttl_errors_total", "hafw_vrrp_checksum_errors_total"),
    *("hafw_vrrp_version_errors_total", "hafw_vrrp_auth_errors_total", "hafw_vrrp_master_down_interval_seconds"),
    *("hafw_vrrp_skew_time_seconds", "hafw_takeover_seconds", "hafw_timer_lateness_seconds", "hafw_check_up"),
    *("hafw_check_duration_seconds", "hafw_plugin_up", "hafw_plugin_failures_total", "hafw_log_lines_dropped_total"),
    "hafw_build_info",
}
"""Names that dashboards of others rely on."""


def parsed(text, *, openmetrics=False):
    """Every sample: name, labels, value."""
    families = list((parse_open if openmetrics else parse_plain)(text))
    return {(each.name, *sorted(each.labels.items())): each.value for family in families for each in family.samples}


async def test_both_formats_survive_their_parsers_and_say_the_same(status):
    counts = {"taken": 7, "delivered": 5, "dropped": 1}
    status["plugins"] = [{"name": 'odd "\\\n', "state": "running", "failures": 3, "queued": 1, "events": counts}]
    plain = parsed(exposition(status).text())
    assert plain == parsed(exposition(status).text(openmetrics=True), openmetrics=True)
    assert plain["hafw_plugin_failures_total", ("plugin", 'odd "\\\n')] == 3
    assert plain["hafw_plugin_events_queued", ("plugin", 'odd "\\\n')] == 1
    assert plain["hafw_plugin_events_total", ("plugin", 'odd "\\\n'), ("what", "dropped")] == 1
    assert plain["hafw_up",] == 1


async def test_the_names_are_those_of_ietf_vrrp(status):
    assert {family.name for family in FAMILIES} >= SETTLED
    text = exposition(status).text()
    assert [f"# TYPE {family.name} {family.kind}" in text for family in FAMILIES] == [True] * len(FAMILIES)


async def test_every_sample_has_the_labels_of_its_family(status):
    wanted = {each.name: set(each.labels) for each in FAMILIES}
    for family in parse_plain(exposition(status).text()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert all(each.labels.keys() - {"le"} == wanted[name] for each in family.samples), name


async def test_one_state_is_1_and_the_others_are_0(status):
    said = parsed(exposition(status).text())
    labels = (("instance", "VI_1"), ("interface", "eth0"))
    states = {state: said[("hafw_vrrp_state", *labels, ("state", state), ("vrid", "51"))] for state in STATES}
    assert states == {"INITIALIZE": 0, "BACKUP": 0, "MASTER": 1, "FAULT": 0}


async def test_the_numbers_are_the_daemons(status):
    said = parsed(exposition(status).text())
    labels = (("instance", "VI_1"), ("interface", "eth0"), ("vrid", "51"))
    assert said["hafw_vrrp_priority", *labels] == 255
    assert said["hafw_vrrp_master_transitions_total", *labels] == 1
    assert said["hafw_takeover_seconds_count", *labels] == 1
    assert said["hafw_takeover_seconds_bucket", labels[0], labels[1], ("le", "+Inf"), labels[2]] == 1
    assert said["hafw_check_up", ("check", "nginx"), ("instance", "VI_1")] == 1
    assert said["hafw_check_duration_seconds", ("check", "nginx"), ("instance", "VI_1")] == 0.012
    assert said["hafw_events_total", ("type", "takeover_complete")] == 2
    assert said["hafw_vrrp_split_brain", *labels] == 0


async def test_refused_adverts_are_counted_by_reason(house):
    house.start()
    for reason in ("hmac-stale", "checksum-errors", "checksum-errors", "own-source"):
        house.daemon.observer.bad_packet("VI_1", reason, "192.0.2.9", "said the test", 0.0)
    said = parsed(exposition(await house.daemon.answers.status({})).text())
    labels = (("instance", "VI_1"), ("interface", "eth0"))
    assert said["hafw_vrrp_auth_errors_total", *labels, ("reason", "hmac-stale"), ("vrid", "51")] == 1
    assert said["hafw_vrrp_auth_errors_total", *labels, ("reason", "auth-failures"), ("vrid", "51")] == 0
    assert said["hafw_vrrp_checksum_errors_total", *labels, ("vrid", "51")] == 2
    assert said["hafw_vrrp_discarded_total", *labels, ("reason", "own-source"), ("vrid", "51")] == 1


async def test_a_check_without_a_verdict_is_not_said_to_be_well(house):
    said = parsed(exposition(await house.daemon.answers.status({})).text())
    assert not [key for key in said if key[0] == "hafw_check_up"]


def test_of_a_daemon_that_does_not_answer_nothing_is_told_but_that():
    assert parsed(exposition(None).text()) == {("hafw_up",): 0}
    assert parsed(exposition(None).text(openmetrics=True), openmetrics=True) == {("hafw_up",): 0}


def test_reasons_are_what_the_daemon_counts():
    sources = [path.read_text() for path in (Path(__file__).parents[3] / "hafw").rglob("*.py")]
    for reason in {*AUTH_REASONS, *SENT_OR_TAKEN, *COUNTERS.values()}:
        assert any(f'"{reason}"' in source for source in sources), f"nothing counts {reason}"
    told = {each for source in sources for each in re.findall(r'"(hmac-[a-z-]+)", ', source)}
    assert told == {each for each in AUTH_REASONS if each.startswith("hmac-")}


@given(st.text(), st.floats(allow_nan=False))
def test_any_label_and_any_number_come_back_as_they_were(text, value):
    text = text.encode("utf-8", "replace").decode()
    said = Exposition([GAUGE])
    said.add(Sample(GAUGE, {"name": text}, value))
    # The parser of the older format takes away blanks, and cuts at what Python alone takes for the end of a line.
    assert parsed(said.text(openmetrics=True), openmetrics=True) == {("hafw_test", ("name", text)): value}


@pytest.mark.parametrize(("parse", "openmetrics"), [(parse_plain, False), (parse_open, True)])
def test_help_and_labels_are_escaped(parse, openmetrics):
    said = Exposition([GAUGE])
    said.add(Sample(GAUGE, {"name": ODD}, math.inf))
    (family,) = parse(said.text(openmetrics=openmetrics))
    assert (family.documentation, family.type) == (GAUGE.help, "gauge")
    assert [(each.labels, each.value) for each in family.samples] == [({"name": ODD}, math.inf)]


def test_buckets_are_labelled_as_floats():
    assert '"1.0"' in exposition_of_takeovers()
    assert all(f'le="{bound!r}"' in exposition_of_takeovers() for bound in TAKEOVER)


def exposition_of_takeovers():
    family = next(each for each in FAMILIES if each.name == "hafw_takeover_seconds")
    said = Exposition([family])
    for bound in TAKEOVER:
        said.add(Sample(family, {**dict.fromkeys(VRRP, "x"), "le": repr(float(bound))}, 1, "_bucket"))
    return said.text()


def test_numbers():
    assert [number(each) for each in (0, True, 1.0, 0.25, math.inf, -math.inf, math.nan, 1e300)] == [
        *("0", "1", "1", "0.25", "+Inf", "-Inf", "NaN", "1e+300"),
    ]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2", True),
        ("text/plain", False),
        ("application/openmetrics-text;q=0", False),
        ("", False),
        ("*/*", False),
    ],
)
def test_openmetrics_is_for_those_that_ask_for_it(accept, wanted):
    assert wants_openmetrics(accept) is wanted


def test_the_reference_names_every_family_with_its_kind_labels_and_meaning():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*?) \| (.*?) \|$", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), text) for name, kind, labels, text in rows}
    assert documented == {each.name: (each.kind, each.labels, each.help) for each in FAMILIES}
