"""Authentication of adverts: the simple text password of VRRPv2 (RFC 2338 section 5.3.6.2, keepalived's PASS).

It travels in clear text, so it guards against mistakes, never against people (C-SEC-07). RFC 2338's other type, an
IP Authentication Header, is refused by name (C-RX-19). VRRPv3 has no such field.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.vrrp.packet import Reason

NONE = 0
PASS = 1
AH = 2

DATA_LENGTH = 8
"""Octets after the addresses, there with every type (RFC 3768 section 5.3.10)."""

_NAMES = {NONE: "none", PASS: "PASS", AH: "AH", 254: "Cisco MD5"}


def authentication(password: bytes | None) -> tuple[int, bytes]:
    """Authentication type and data to send; ``None`` is type 0 with zeros (C-PKT-15)."""
    if password is None:
        return NONE, bytes(DATA_LENGTH)
    assert len(password) <= DATA_LENGTH
    return PASS, password.ljust(DATA_LENGTH, b"\0")


def refusal_untrusted(auth_type: int, data: bytes, password: bytes | None) -> tuple[Reason, str] | None:
    """Why this authentication is not ours, as reason and detail; ``None`` when it is (C-RX-17, C-RX-18).

    A type that hafw can be configured for is a mismatch, any other is invalid. The detail never shows a password,
    neither ours nor the sender's, which may be that of another cluster.
    """
    ours, expected = authentication(password)
    if auth_type not in (NONE, PASS):
        return "invalid-auth-type", f"authentication type {_named(auth_type)}: only 0 (none) and 1 (PASS) are known"
    if auth_type != ours:
        return "auth-type-mismatch", f"authentication type {_named(auth_type)}, ours is {_named(ours)}"
    if auth_type == PASS and not compare_digest(data, expected):
        return "auth-failures", "the password differs from ours"
    return None


def _named(auth_type: int) -> str:
    name = _NAMES.get(auth_type)
    return f"{auth_type} ({name})" if name else str(auth_type)
