"""A target for what `hafw listen` reads: capture files, and everything in them."""

from __future__ import annotations

import io
import json

from fuzz.wire import OWN, ROUTERS
from hafw.cli.listened import Teller, account, record
from hafw.cli.scanned import scan_record, scan_text
from hafw.listen.capture import BadCapture, frames_untrusted
from hafw.listen.judge import Judge
from hafw.listen.session import Session
from hafw.vrrp.packet import REASONS

FRAMES_MAX = 64


def capture(data: bytes) -> bool:
    """A capture that is read, judged by every router at once, and told to people and programs."""
    session = Session(Judge(ROUTERS, {("", 4): OWN}))
    teller, heard = Teller(None, dated=True, interfaces=True), 0
    try:
        for frame, _ in zip(frames_untrusted(io.BytesIO(data)), range(FRAMES_MAX), strict=False):
            each = session.hear(frame)
            if each is None:
                continue
            heard += 1
            assert each.judgement.reason in ("", *REASONS)
            json.dumps(record(each, None))
            for line in teller.tell(each):
                assert line.isprintable(), line
    except BadCapture as bad:
        assert str(bad).isprintable(), bad
    assert session.ledger.packets == heard
    for line in (*account(session, dated=True), *scan_text(session, ROUTERS, 1.0)):
        assert line.replace("\n", "").isprintable(), line
    json.dumps(scan_record(session, ROUTERS))
    return heard > 0
