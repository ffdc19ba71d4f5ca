"""Fragments of IP packets, put together as the kernel does it before a raw socket sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

PACKETS_MAX: Final = 64
"""That are waited for; then the oldest goes. Whoever sends fragments can choose ever new identities."""
_OCTETS_MAX: Final = 65_535


@dataclass(slots=True)
class _Heap:
    pieces: dict[int, bytes] = field(default_factory=dict)
    total: int | None = None


class Fragments:
    """What has come in of packets that are not whole yet."""

    def __init__(self) -> None:
        self._heaps: dict[Hashable, _Heap] = {}
        self.lost = 0
        """Packets given up."""

    @property
    def waiting(self) -> int:
        """Packets of which something is missing."""
        return len(self._heaps)

    def add(self, identity: Hashable, offset: int, piece: bytes, *, last: bool) -> tuple[bytes, int] | None:
        """Return the whole payload and of how many pieces it is; ``None``: something is missing still."""
        heap = self._heaps.setdefault(identity, _Heap())
        if last:
            heap.total = offset + len(piece)
        heap.pieces.setdefault(offset, piece)
        whole = _joined(heap)
        if whole is not None:
            del self._heaps[identity]
            return whole, len(heap.pieces)
        if max(offset + len(piece), sum(map(len, heap.pieces.values()))) > _OCTETS_MAX:
            self._give_up(identity)
        elif len(self._heaps) > PACKETS_MAX:
            self._give_up(next(iter(self._heaps)))
        return None

    def _give_up(self, identity: Hashable) -> None:
        del self._heaps[identity]
        self.lost += 1


def _joined(heap: _Heap) -> bytes | None:
    """The pieces one after the other; those that overlap are never whole (RFC 5722 drops them too)."""
    if heap.total is None:
        return None
    joined = b""
    for offset in sorted(heap.pieces):
        if offset != len(joined):
            return None
        joined += heap.pieces[offset]
    return joined if len(joined) == heap.total else None
