"""Capture files: every form that tcpdump, tshark and others write, and every way in which one can be broken."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafw.listen.capture import FRAME_MAX, BadCapture, Frame, frames_untrusted

CAPTURES = Path(__file__).parent.parent / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.pcap"))
TWO = ((10, 250_000_000, b"first frame"), (11, 999_999_999, b"second"))


def read(data: bytes) -> list[Frame]:
    return list(frames_untrusted(io.BytesIO(data)))


def until_the_damage(data: bytes) -> tuple[int, str]:
    """How many frames came, and what was said then; empty: nothing."""
    count = 0
    try:
        for _ in frames_untrusted(io.BytesIO(data)):
            count += 1
    except BadCapture as bad:
        return count, str(bad)
    return count, ""


def classic(order: str = "<", *, nano: bool = False, link_type: int = 1, frames=TWO) -> bytes:
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    written = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for seconds, nanoseconds, data in frames:
        written += struct.pack(f"{order}IIII", seconds, nanoseconds // unit, len(data), len(data) + 2) + data
    return written


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", *, link_type: int = 1, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link_type, 0, 0) + options)


def enhanced(order: str, ticks: int, data: bytes, *, number: int = 0, options: bytes = b"") -> bytes:
    fields = struct.pack(f"{order}5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) + 2)
    return block(order, 6, fields + data + bytes(-len(data) % 4) + options)


@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_classic_captures_are_read_in_both_byte_orders_and_both_units(order, nano):
    first, second = read(classic(order, nano=nano))
    assert (first.time, first.data, first.length, first.link_type) == (10.25, b"first frame", 13, 1)
    assert second.time == pytest.approx(11.999999999 if nano else 11.999999, abs=1e-12)


def test_the_link_type_is_read_without_what_stands_above_it():
    assert {each.link_type for each in read(classic(link_type=0x24000071))} == {0x71}


@pytest.mark.parametrize("order", "<>")
def test_pcapng_tells_unit_offset_name_and_direction(order):
    options = (
        option(order, 2, b"eth0")
        + option(order, 9, b"\x09")
        + option(order, 14, struct.pack(f"{order}q", 1000))
        + option(order, 0, b"")
    )
    flags = option(order, 2, struct.pack(f"{order}I", 2)) + option(order, 0, b"")
    data = (
        section(order)
        + interface(order, options=options)
        + interface(order, link_type=276, options=option(order, 9, b"\x8a"))
        + block(order, 5, bytes(12))
        + enhanced(order, 10_500_000_000, b"abc", options=flags)
        + enhanced(order, 2048, b"abcd", number=1)
    )
    first, second = read(data)
    assert first == Frame(time=1010.5, link_type=1, data=b"abc", length=5, outgoing=True, interface="eth0")
    assert second == Frame(time=2.0, link_type=276, data=b"abcd", length=6)


def test_pcapng_of_older_and_simpler_programs_is_read_too():
    old = struct.pack("<HH4I", 0, 7, 0, 3_000_000, 2, 2) + b"ab"
    simple = struct.pack("<I", 3) + b"abc"
    first, second = read(section() + interface() + block("<", 2, old) + block("<", 3, simple))
    assert (first.time, first.data) == (3.0, b"ab")
    assert (second.time, second.data) == (3.0, b"abc")  # it has no time of its own


def test_a_name_that_would_damage_a_terminal_loses_what_would():
    data = section() + interface(options=option("<", 2, b"eth\x1b[2J0\n")) + enhanced("<", 1, b"a")
    assert [each.interface for each in read(data)] == ["eth[2J0"]


def test_sections_one_behind_the_other_each_have_their_byte_order_and_interfaces():
    one = section("<") + interface("<") + enhanced("<", 1_000_000, b"a")
    other = section(">") + interface(">", link_type=101) + enhanced(">", 2_000_000, b"b")
    assert [(each.time, each.link_type, each.data) for each in read(one + other)] == [(1.0, 1, b"a"), (2.0, 101, b"b")]


@pytest.mark.peer("tshark")
@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_what_wireshark_converts_reads_the_same(tmp_path, recorded, form):
    path = tmp_path / "converted"
    source = CAPTURES / "keepalived-v3-split.pcap"
    subprocess.run([shutil.which("editcap"), "-F", form, source, path], check=True, capture_output=True)
    frames, again = recorded("keepalived-v3-split"), read(path.read_bytes())
    assert [each.data for each in again] == [each.data for each in frames]
    assert [each.time for each in again] == pytest.approx([each.time for each in frames], abs=2e-6)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\xd4\xc3\xb2", "is cut off at octet 3, in the file header"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "is cut off at octet 6, in the file header"),
        (b"hello, world: no capture", "is no capture (it begins with 68 65 6c 6c): pcap and pcapng are read"),
        (b"\x1f\x8b\x08\x00rest", "is compressed: gzip -dc FILE | hafw listen --pcap -"),
        (b"\x28\xb5\x2f\xfd", "is compressed: zstd -dc FILE | hafw listen --pcap -"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 9, 4, 0, 0, 1, 1), "is pcap 9.4: only version 2 is known"),
        (
            classic(frames=()) + struct.pack("<IIII", 1, 2, FRAME_MAX + 1, 0),
            "is damaged at octet 24: a frame of 262145 octets, there are 262144 at most",
        ),
        (section()[:8] + bytes(20), "is damaged before octet 12: a section without byte order (it has 00 00 00 00)"),
        (section() + struct.pack("<II", 6, 8), "is damaged before octet 36: a block of 8 octets"),
        (section() + struct.pack("<II", 6, 1 << 30), "is damaged before octet 36: a block of 1073741824 octets"),
        (
            section() + enhanced("<", 0, b"abc"),
            "is damaged before octet 64: a frame of interface 0, which was not described",
        ),
        (section() + block("<", 6, bytes(8)), "is damaged before octet 48: a block that is too short for what it is"),
        (
            section() + interface() + block("<", 6, struct.pack("<5I", 0, 0, 0, 100, 100) + b"abcd"),
            "is damaged before octet 84: a frame of 100 octets in a block that has 4 for it",
        ),
        (
            section() + interface() + enhanced("<", 1 << 60, b"abc"),
            "is damaged before octet 84: a frame 1.153e+12 s after 1970",
        ),
    ],
)
def test_what_is_no_whole_capture_is_refused_with_the_place_and_the_way_out(data, said):
    assert until_the_damage(data) == (0, said)


@pytest.mark.parametrize("data", [classic(">", nano=True), section() + interface() + enhanced("<", 1, b"abcde")])
def test_a_capture_that_is_cut_off_anywhere_yields_what_came_before(data):
    whole = read(data)
    for length in range(1, len(data)):
        count, said = until_the_damage(data[:length])
        assert count <= len(whole)
        assert not said or said.startswith("is cut off at octet "), length
    # A file that ends between two frames is whole.
    assert [said for _, said in (until_the_damage(data[:length]) for length in range(1, len(data)))].count("") <= 2


@settings(max_examples=40)
@given(st.sampled_from(NAMES), st.data())
def test_whatever_is_damaged_in_a_capture_ends_in_frames_or_a_complaint(name, data):
    octets = bytearray((CAPTURES / f"{name}.pcap").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    _, said = until_the_damage(bytes(octets))
    assert said.isprintable()
