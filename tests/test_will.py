"""The record that outlives the daemon: exact round trip, one writer's step, and any damage is one exception."""

import contextlib
import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafw import will as last_will
from hafw.will import BadWill, Bequest, BoundAddress, Seal, Will, loads_untrusted

WILL = Will(
    4711,
    (
        Bequest(
            name="VI_1",
            interface="eth0",
            family=4,
            source="192.0.2.1",
            goodbyes={"224.0.0.18": "31330001"},
            hold=3.0,
            addresses=(BoundAddress("192.0.2.250", 32, "eth0"),),
            links={"eth0": 2},
            seal=Seal(1, "file:/etc/hafw/vrrp.key", "time", 5.0),
            sync_group="VG_1",
        ),
    ),
)


@pytest.fixture(autouse=True)
def run_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path / "run"))


def test_a_will_is_read_as_it_was_written_by_its_owner_only():
    last_will.write(WILL)
    assert last_will.read() == WILL
    assert stat.S_IMODE(last_will.will_path().stat().st_mode) == 0o600


def test_an_empty_will_leaves_no_record():
    last_will.write(WILL)
    last_will.write(Will(4711))
    assert last_will.read() is None
    assert not last_will.will_path().exists()


def test_a_record_of_another_version_is_refused_by_name():
    record = json.loads(WILL.dumps()) | {"version": 1}
    with pytest.raises(BadWill, match="version 1 of another hafw: must be 6"):
        loads_untrusted(json.dumps(record))


@given(st.text() | st.binary().map(lambda octets: octets.decode("latin-1")))
def test_any_text_is_a_will_or_a_bad_will(text):
    with contextlib.suppress(BadWill):
        assert isinstance(loads_untrusted(text), Will)


@given(st.data())
def test_any_damaged_field_is_a_will_or_a_bad_will(data):
    record = json.loads(WILL.dumps())
    target = record if data.draw(st.booleans()) else record["bequests"][0]
    key = data.draw(st.sampled_from(sorted(target)))
    target[key] = data.draw(st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.just({"a": 1}))
    with contextlib.suppress(BadWill):
        assert isinstance(loads_untrusted(json.dumps(record)), Will)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "192.0.2"),
        ("group", "all"),
        ("goodbyes", {"everybody": "3133"}),
        ("interface", "eth0\0"),
        ("family", 5),
        ("hold", float("inf")),
        ("hold", 10**400),
        ("interval", float("nan")),
        ("slot", float("inf")),
        ("addresses", [{"address": "192.0.2.250/32", "prefixlen": 32, "interface": "eth0"}]),
    ],
)
def test_what_the_guard_could_not_carry_out_is_a_bad_will(field, value):
    record = json.loads(WILL.dumps())
    record["bequests"][0][field] = value
    with pytest.raises(BadWill, match="damaged"):
        loads_untrusted(json.dumps(record))


def test_a_record_that_cannot_be_written_leaves_the_one_before_and_nothing_else():
    last_will.write(WILL)
    (last_will.run_directory() / "history.json").mkdir()
    with pytest.raises(OSError, match="history"):
        last_will.replace_file(last_will.history_path(), b"{}")
    assert sorted(path.name for path in last_will.run_directory().iterdir()) == ["history.json", "will.json"]
