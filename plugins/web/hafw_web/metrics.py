"""What ``/metrics`` says: each family, and the samples of one status. Pure.

Leaf names of ietf-vrrp (RFC 8347) with the suffixes of Prometheus. ``docs/metrics.md`` is compared with this file.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from hafw_web.exposition import Exposition, Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATES = ("INITIALIZE", "BACKUP", "MASTER", "FAULT")
VRRP = ("instance", "interface", "vrid")
AUTH_REASONS = (
    "auth-failures",
    "auth-type-mismatch",
    "invalid-auth-type",
    "hmac-invalid",
    "hmac-malformed",
    "hmac-missing",
    "hmac-replayed",
    "hmac-stale",
    "hmac-unknown-key",
)
"""Why an advert's authentication was refused."""
SENT_OR_TAKEN = {
    "advertisement-rcvd",
    "advertisement-sent",
    "priority-zero-pkts-rcvd",
    "priority-zero-pkts-sent",
    "master-transitions",
    "send-errors",
    "receive-errors",
    "announcement-errors",
}
"""Counters of the status that are no reason to refuse an advert; all others are."""

UP = Family("hafw_up", "gauge", "1: the daemon answered. 0: nothing is known, and nothing else is told.")
BUILD = Family("hafw_build_info", "gauge", "Always 1; who and what runs.", ("version", "python", "node"))
UPTIME = Family("hafw_uptime_seconds", "gauge", "Since this daemon started; a resumed one counts anew.")
MAINTENANCE = Family("hafw_maintenance", "gauge", "1: an operator keeps this router BACKUP.")
DROPPED = Family("hafw_log_lines_dropped_total", "counter", "Log lines never written, because their reader stalled.")
EVENTS = Family("hafw_events_total", "counter", "Events of the stream since the daemon started, by type.", ("type",))
LATENESS = Family(
    "hafw_timer_lateness_seconds", "histogram", "How late the election acted on its deadlines, adverts among them."
)
STATE = Family(
    "hafw_vrrp_state", "gauge", "1 for the state that the instance is in, 0 for the others.", (*VRRP, "state")
)
SINCE = Family("hafw_vrrp_state_seconds", "gauge", "For how long the instance has been in its state.", VRRP)
PRIORITY = Family("hafw_vrrp_priority", "gauge", "Configured priority.", VRRP)
EFFECTIVE = Family("hafw_vrrp_effective_priority", "gauge", "Priority after checks, as advertised.", VRRP)
DOWN_INTERVAL = Family(
    "hafw_vrrp_master_down_interval_seconds", "gauge", "Silence after which a BACKUP takes over.", VRRP
)
SKEW = Family("hafw_vrrp_skew_time_seconds", "gauge", "The part of it that orders the BACKUPs.", VRRP)
DEGRADED = Family("hafw_vrrp_degraded", "gauge", "1: MASTER although a critical check fails: nobody else can.", VRRP)
SPLIT = Family("hafw_vrrp_split_brain", "gauge", "How many other MASTERs are known of right now.", VRRP)
MISMATCH = Family("hafw_vrrp_peer_mismatch", "gauge", "How many peers are configured otherwise than this router.", VRRP)
FLAPPING = Family("hafw_vrrp_flapping", "gauge", "1: the instance changes its state too often, and is held back.", VRRP)
TAKEOVER = Family(
    "hafw_takeover_seconds", "histogram", "From the decision to serve until the kernel had every address.", VRRP
)
AUTH = Family("hafw_vrrp_auth_errors_total", "counter", "Adverts refused for their authentication.", (*VRRP, "reason"))
DISCARDED = Family("hafw_vrrp_discarded_total", "counter", "Adverts refused, for whatever reason.", (*VRRP, "reason"))
CHECK_UP = Family(
    "hafw_check_up", "gauge", "1: the check is well. Absent until its first verdict.", ("instance", "check")
)
CHECK_SECONDS = Family("hafw_check_duration_seconds", "gauge", "How long its last run took.", ("instance", "check"))
PLUGIN_UP = Family("hafw_plugin_up", "gauge", "1: its process runs, or is not needed now.", ("plugin",))
PLUGIN_FAILURES = Family(
    "hafw_plugin_failures_total", "counter", "Deaths of its process and calls that failed.", ("plugin",)
)
PLUGIN_QUEUED = Family("hafw_plugin_events_queued", "gauge", "Events that it has not answered yet.", ("plugin",))
PLUGIN_EVENTS = Family(
    "hafw_plugin_events_total",
    "counter",
    "Events for it: taken into its queue; of these delivered, superseded, dropped or given up in the end; "
    "waited without a process, and delivered late for it; delivered again; replayed.",
    ("plugin", "what"),
)

COUNTERS = {
    Family(name, "counter", text, VRRP): leaf
    for leaf, name, text in (
        ("master-transitions", "hafw_vrrp_master_transitions_total", "Times that it became MASTER."),
        ("advertisement-rcvd", "hafw_vrrp_advertisement_rcvd_total", "Adverts accepted."),
        ("advertisement-sent", "hafw_vrrp_advertisement_sent_total", "Adverts sent."),
        (
            "priority-zero-pkts-rcvd",
            "hafw_vrrp_priority_zero_pkts_rcvd_total",
            "Adverts accepted with priority 0: a MASTER said goodbye.",
        ),
        ("priority-zero-pkts-sent", "hafw_vrrp_priority_zero_pkts_sent_total", "Adverts sent with priority 0."),
        ("interval-errors", "hafw_vrrp_interval_errors_total", "Refused: another advertisement interval (version 2)."),
        ("invalid-type-pkts-rcvd", "hafw_vrrp_invalid_type_pkts_rcvd_total", "Refused: no advertisement."),
        ("address-list-errors", "hafw_vrrp_address_list_errors_total", "Refused: other addresses (version 2)."),
        ("packet-length-errors", "hafw_vrrp_packet_length_errors_total", "Refused: too short, too long, or cut off."),
        ("ip-ttl-errors", "hafw_vrrp_ip_ttl_errors_total", "Refused: TTL or hop limit is not 255."),
        ("checksum-errors", "hafw_vrrp_checksum_errors_total", "Refused: wrong in every known form."),
        ("version-errors", "hafw_vrrp_version_errors_total", "Refused: another version of VRRP."),
        ("send-errors", "hafw_vrrp_send_errors_total", "Adverts that could not be sent."),
    )
}
"""By family: the counter of the status, named as in ietf-vrrp."""

FAMILIES = (
    *(UP, BUILD, UPTIME, MAINTENANCE, DROPPED, EVENTS, LATENESS),
    *(STATE, SINCE, PRIORITY, EFFECTIVE, DOWN_INTERVAL, SKEW, DEGRADED, SPLIT, MISMATCH, FLAPPING, TAKEOVER),
    *(*COUNTERS, AUTH, DISCARDED),
    *(CHECK_UP, CHECK_SECONDS, PLUGIN_UP, PLUGIN_FAILURES, PLUGIN_QUEUED, PLUGIN_EVENTS),
)


def exposition(status: Mapping[str, Any] | None) -> Exposition:
    """Everything that a status says; of ``None``, that nothing is known: an old number would be taken for a new one."""
    said = Exposition(FAMILIES)
    said.add(Sample(UP, {}, status is not None))
    for sample in () if status is None else _samples(status):
        said.add(sample)
    return said


def _samples(status: Mapping[str, Any]) -> Iterator[Sample]:
    build = {"version": status["version"], "python": platform.python_version(), "node": status["node"]}
    yield Sample(BUILD, build, 1)
    yield Sample(UPTIME, {}, status["uptime_seconds"])
    yield Sample(MAINTENANCE, {}, bool(status["maintenance"]))
    yield Sample(DROPPED, {}, status["log_lines_dropped"])
    for kind, count in sorted(status["events"].items()):
        yield Sample(EVENTS, {"type": kind}, count)
    yield from _histogram(LATENESS, {}, status["timer_lateness"])
    for instance in status["instances"]:
        yield from _of_instance(instance)
    for plugin in status["plugins"]:
        labels = {"plugin": plugin["name"]}
        yield Sample(PLUGIN_UP, labels, plugin["state"] in {"running", "finished"})
        yield Sample(PLUGIN_FAILURES, labels, plugin["failures"])
        yield Sample(PLUGIN_QUEUED, labels, plugin["queued"])
        for what, count in plugin["events"].items():
            yield Sample(PLUGIN_EVENTS, {**labels, "what": what}, count)


def _of_instance(instance: Mapping[str, Any]) -> Iterator[Sample]:
    labels = {"instance": instance["name"], "interface": instance["interface"], "vrid": str(instance["vrid"])}
    for state in STATES:
        yield Sample(STATE, {**labels, "state": state}, instance["state"] == state)
    gauges = {
        SINCE: instance["since_seconds"],
        PRIORITY: instance["priority"],
        EFFECTIVE: instance["effective_priority"],
        DOWN_INTERVAL: instance["master_down_interval"],
        SKEW: instance["skew_time"],
        DEGRADED: bool(instance["degraded"]),
        SPLIT: len(instance["split_brain"]),
        MISMATCH: sum(map(bool, instance["peers_differ"].values())),
        FLAPPING: bool(instance.get("flapping")),
    }
    for family, value in gauges.items():
        yield Sample(family, labels, value)
    yield from _histogram(TAKEOVER, labels, instance["takeover_seconds"])
    yield from _counters(instance["counters"], labels)
    for check in instance["checks"]:
        whose = {"instance": instance["name"], "check": check["name"]}
        if check["healthy"] is not None:
            yield Sample(CHECK_UP, whose, check["healthy"])
            yield Sample(CHECK_SECONDS, whose, check["duration"])


def _counters(counters: Mapping[str, int], labels: Mapping[str, str]) -> Iterator[Sample]:
    for family, leaf in COUNTERS.items():
        yield Sample(family, labels, counters.get(leaf, 0))
    for reason in AUTH_REASONS:
        yield Sample(AUTH, {**labels, "reason": reason}, counters.get(reason, 0))
    for reason in sorted(counters.keys() - SENT_OR_TAKEN):
        yield Sample(DISCARDED, {**labels, "reason": reason}, counters[reason])


def _histogram(family: Family, labels: Mapping[str, str], record: Mapping[str, Any]) -> Iterator[Sample]:
    for bound, count in record["buckets"]:
        yield Sample(family, {**labels, "le": repr(float(bound))}, count, "_bucket")
    yield Sample(family, {**labels, "le": "+Inf"}, record["count"], "_bucket")
    yield Sample(family, labels, record["count"], "_count")
    yield Sample(family, labels, record["sum"], "_sum")
