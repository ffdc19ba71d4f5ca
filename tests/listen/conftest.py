"""Frames to listen to: recorded ones, and ones that scapy builds."""

from __future__ import annotations

import io
from pathlib import Path

import hypothesis
import pytest

from hafw.listen.capture import Frame, frames_untrusted
from hafw.listen.judge import Judge
from hafw.listen.session import Session

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")

CAPTURES = Path(__file__).parent.parent / "captures"


@pytest.fixture
def recorded():
    """The frames of a capture in tests/captures, by its name."""

    def read(name: str) -> list[Frame]:
        return list(frames_untrusted(io.BytesIO((CAPTURES / f"{name}.pcap").read_bytes())))

    return read


@pytest.fixture
def hear():
    """Packets among frames, as a listener with these routers hears them."""

    def listen(frames, *routers, own=None):
        session = Session(Judge(routers, own))
        heard = [each for frame in frames if (each := session.hear(frame)) is not None]
        return heard, session

    return listen


@pytest.fixture
def frame():
    """One frame of these octets, or of what scapy makes of a packet."""

    def make(octets, *, link_type=1, time=1000.0, length=None, **more) -> Frame:
        data = bytes(octets)
        return Frame(time=time, link_type=link_type, data=data, length=length or len(data), **more)

    return make
