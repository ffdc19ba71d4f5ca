"""The log cannot block the loop; events are numbered, kept and published; refused packets are counted exactly."""

import contextlib
import io
import json
import os
import threading

import pytest
import structlog

from hafw.daemon.observe import LOG_QUEUE, LogWriter, Observer, start_logging


@pytest.fixture
def log():
    stream = io.StringIO()
    writer = start_logging(stream, "json")
    yield stream, writer
    writer.close()
    structlog.reset_defaults()


def lines(stream, writer):
    writer.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_numbered_kept_published_and_logged(log):
    stream, writer = log
    observer = Observer(writer)
    heard = []
    end = observer.subscribe(heard.append)
    first = observer.event({"type": "state_changed", "instance": "VI_1", "to": "MASTER"})
    end()
    observer.event({"type": "vip_lost", "instance": "VI_1"})
    assert [event["seq"] for event in observer.events] == [1, 2]
    assert heard == [first]
    assert first["time"].endswith("Z")
    assert [(line["event"], line["level"]) for line in lines(stream, writer)] == [
        ("state_changed", "info"),
        ("vip_lost", "warning"),
    ]


def test_since_gives_the_newest_of_what_is_kept(log):
    observer = Observer(log[1])
    for number in range(5):
        observer.event({"type": "announced", "number": number})
    assert [event["seq"] for event in observer.since(2)] == [3, 4, 5]
    assert [event["seq"] for event in observer.since(0, 2)] == [4, 5]
    assert observer.since(0, 0) == []


def test_c_rx_20_a_thousand_bad_packets_are_counted_exactly_and_logged_a_few_times(log):
    stream, writer = log
    observer = Observer(writer)
    for number in range(1000):
        observer.bad_packet("VI_1", "checksum-errors", "192.0.2.9", "wrong", now=number * 0.05)
    assert observer.counters["VI_1", "checksum-errors"] == 1000
    written = lines(stream, writer)
    assert len(written) == 5  # 50 seconds, one line per 10
    assert written[-1]["count"] == 801


def test_c_rx_20_the_memory_of_senders_is_bounded(log):
    observer = Observer(log[1])
    for number in range(10_000):
        observer.bad_packet("", "vrid-errors", f"192.0.2.{number}", "not ours", now=1.0)
    assert observer.counters["", "vrid-errors"] == 10_000
    assert len(observer._said) <= 256


def test_a_stalled_reader_of_the_log_costs_lines_and_never_time():
    read_end, write_end = os.pipe()
    stream = os.fdopen(write_end, "w")
    writer = LogWriter(stream)
    finished = threading.Event()

    def flood():
        for _ in range(LOG_QUEUE + 5000):
            writer.msg("x" * 200)
        finished.set()

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    assert finished.wait(20), "the writer blocked although nobody reads"
    assert writer.dropped > 0
    os.close(read_end)  # the log thread gets EPIPE and drains
    writer.close()
    with contextlib.suppress(BrokenPipeError):
        stream.close()
