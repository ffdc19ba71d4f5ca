"""``X-Hafw-Signature``: who sent a message, and when. A receiver with the key verifies both."""

from __future__ import annotations

import hashlib
import hmac


def signature(key: bytes, moment: int, body: bytes) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 over the seconds since 1970, a dot and the body.

    The time is that of the attempt, so a receiver may refuse what is old: it was recorded and is played again.
    """
    digest = hmac.new(key, b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
