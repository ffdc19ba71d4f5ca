"""What has passed is shown for ten minutes: once, with how often and when last."""

from datetime import UTC, datetime, timedelta

from hafw.cli.happened import happened
from hafw.daemon.lately import lately

NOW = datetime(2026, 11, 22, 21, 14, 2, tzinfo=UTC)


def event(ago, **fields):
    return {"time": (NOW - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z"), "instance": "VI_1", **fields}


def shown(*events):
    return [happened(each) for each in lately(events, NOW)]


def test_an_address_that_somebody_removed_is_told_with_how_often_and_whom_to_suspect():
    lost = {"type": "vip_lost", "addresses": "192.0.2.250"}
    (said,) = shown(event(90, **lost), event(12, **lost))
    assert said.startswith(
        "VI_1: somebody removed 192.0.2.250 from this machine 2 times, last 12s ago; hafw has put it"
    )
    assert said.endswith("; find out who: ip -ts monitor address")
    assert shown(event(3, **lost, culprit="NetworkManager")) == [
        "VI_1: somebody removed 192.0.2.250 from this machine 3s ago; hafw has put it back; suspected: NetworkManager"
    ]


def test_a_hook_that_failed_is_told_by_plugin_and_hook():
    failed = {"type": "plugin_failed", "plugin": "notify_script", "detail": "killed after 1s"}
    assert shown(event(9, **failed, hook="became_backup"), event(4, **failed, hook="became_master")) == [
        "VI_1: plugin notify_script failed in became_backup 9s ago: killed after 1s",
        "VI_1: plugin notify_script failed in became_master 4s ago: killed after 1s",
    ]


def test_what_is_old_and_what_the_plugins_line_tells_anyway_are_left_out():
    assert shown(event(601, type="vip_lost", addresses="192.0.2.250")) == []
    assert shown(event(1, type="plugin_failed", plugin="nginx", detail="check took longer than 0.4s")) == []
    assert shown(event(1, type="state_changed")) == []


def test_a_clock_that_was_set_back_is_no_time_before_now():
    assert "0s ago" in shown(event(-30, type="vip_lost", addresses="192.0.2.250"))[0]
