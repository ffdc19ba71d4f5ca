"""Capture files to frames: classic pcap in both byte orders, in micro- and nanoseconds, and pcapng.

Read as a stream, front to back, so that it may come from a pipe. Any octets yield frames or ``BadCapture``, nothing
else; what came before the damage was yielded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

FRAME_MAX: Final = 262_144
"""Octets; what tcpdump keeps at most. A record that claims more is damage."""
_BLOCK_MAX: Final = 16 << 20
_INTERFACES_MAX: Final = 4096
_TIME_MAX: Final = float(1 << 33)
"""Seconds since the Unix epoch: in the year 2242."""

_MAGIC: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
}
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_COMPRESSED: Final = {b"\x1f\x8b": "gzip -dc", b"BZ": "bzip2 -dc", b"\xfd7": "xz -dc", b"\x28\xb5": "zstd -dc"}

_LINK_TYPE_MASK: Final = 0x03FFFFFF
"""What is above tells about frame check sequences."""
_SECTION, _INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_IF_NAME, _IF_TSRESOL, _IF_TSOFFSET, _EPB_FLAGS = 2, 9, 14, 2
_OUTGOING: Final = {1: False, 2: True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What was on the wire at one moment."""

    time: float
    """Seconds since the Unix epoch."""
    link_type: int
    """As in capture files (LINKTYPE_*)."""
    data: bytes
    length: int
    """Octets that there were on the wire; more than ``data`` has when the capture cut it."""
    outgoing: bool | None = None
    """Whether the capturing machine sent it; ``None``: nobody said."""
    interface: str = ""
    vlans: tuple[int, ...] = ()
    """Tags that the kernel took out, the outermost first."""


class BadCapture(Exception):  # noqa: N818 - the file is the error, not us
    """What cannot be read as a capture: where, the rule, and the way out."""


def frames_untrusted(stream: BinaryIO) -> Iterator[Frame]:
    """Every frame, in the order of the file; raises ``BadCapture`` and nothing else, but what reading raises."""
    source = _Source(stream)
    magic = source.take(4, "the file header")
    if magic in _MAGIC:
        yield from _classic(source, *_MAGIC[magic])
    elif magic == _PCAPNG:
        yield from _Sections(source).frames()
    elif (program := _COMPRESSED.get(magic[:2])) is not None:
        raise BadCapture(f"is compressed: {program} FILE | hafw listen --pcap -")
    else:
        raise BadCapture(f"is no capture (it begins with {magic.hex(' ')}): pcap and pcapng are read")


class _Source:
    """A stream that knows how far it has come."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.at = 0

    def take(self, count: int, what: str) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            whole = "is empty" if self.at == 0 and not data else f"is cut off at octet {self.at + len(data)}, in {what}"
            raise BadCapture(whole)
        self.at += count
        return data

    def take_or_end(self, count: int, what: str) -> bytes:
        """Nothing at the end of the file."""
        first = self._stream.read(1)
        if not first:
            return b""
        self.at += 1
        return first + self.take(count - 1, what)


def _classic(source: _Source, order: str, unit: float) -> Iterator[Frame]:
    major, minor, _, _, _, network = struct.unpack(f"{order}HHiIII", source.take(20, "the file header"))
    if major != 2:
        raise BadCapture(f"is pcap {major}.{minor}: only version 2 is known")
    record = struct.Struct(f"{order}IIII")
    while header := source.take_or_end(record.size, "the header of a frame"):
        seconds, fraction, kept, length = record.unpack(header)
        if kept > FRAME_MAX:
            said = f"is damaged at octet {source.at - record.size}: a frame of {kept} octets"
            raise BadCapture(f"{said}, there are {FRAME_MAX} at most")
        data = source.take(kept, "a frame")
        yield Frame(
            time=seconds + fraction * unit,
            link_type=network & _LINK_TYPE_MASK,
            data=data,
            length=max(length, kept),
        )


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    snap_length: int
    name: str
    unit: float
    """Seconds per tick."""
    offset: int


class _Sections:
    """The blocks of a pcapng file; the magic of the first one was read."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._time = 0.0

    def frames(self) -> Iterator[Frame]:
        self._section()
        while start := self._source.take_or_end(4, "a block"):
            (kind,) = struct.unpack(f"{self._order}I", start)
            if kind == _SECTION:
                self._section()
                continue
            body = self._body(self._word("a block"))
            try:
                frame = self._block(kind, body)
            except (struct.error, IndexError):
                raise self._damage("a block that is too short for what it is") from None
            if frame is not None:
                self._time = frame.time
                yield frame

    def _damage(self, what: str) -> BadCapture:
        return BadCapture(f"is damaged before octet {self._source.at}: {what}")

    def _word(self, what: str) -> int:
        (word,) = struct.unpack(f"{self._order}I", self._source.take(4, what))
        return int(word)

    def _section(self) -> None:
        length, order = self._source.take(4, "a section"), self._source.take(4, "a section")
        if order not in _BYTE_ORDERS:
            raise self._damage(f"a section without byte order (it has {order.hex(' ')})")
        self._order = _BYTE_ORDERS[order]
        self._interfaces = []
        (total,) = struct.unpack(f"{self._order}I", length)
        self._body(total - 4)

    def _body(self, total: int) -> bytes:
        """What is between the two lengths of a block, of which the first was read."""
        if not 12 <= total <= _BLOCK_MAX or total % 4:
            raise self._damage(f"a block of {total} octets")
        body = self._source.take(total - 12, "a block")
        self._source.take(4, "a block")
        return body

    def _block(self, kind: int, body: bytes) -> Frame | None:
        if kind == _INTERFACE:
            self._describe(body)
        elif kind == _ENHANCED:
            number, high, low, kept, length = struct.unpack_from(f"{self._order}5I", body)
            flags = self._options(body, 20 + kept + -kept % 4).get(_EPB_FLAGS, b"")
            way = struct.unpack(f"{self._order}I", flags)[0] & 3 if len(flags) == 4 else 0
            return self._frame(number, high << 32 | low, body[20:], kept, length, _OUTGOING.get(way))
        elif kind == _PACKET:
            number, _, high, low, kept, length = struct.unpack_from(f"{self._order}HH4I", body)
            return self._frame(number, high << 32 | low, body[20:], kept, length, None)
        elif kind == _SIMPLE:
            (length,) = struct.unpack_from(f"{self._order}I", body)
            limit = self._interface(0).snap_length or FRAME_MAX
            return self._frame(0, None, body[4:], min(length, limit), length, None)
        return None

    def _describe(self, body: bytes) -> None:
        link_type, _, snap_length = struct.unpack_from(f"{self._order}HHI", body)
        options = self._options(body, 8)
        resolution = options.get(_IF_TSRESOL, b"\x06")[:1] or b"\x06"
        power = resolution[0] & 0x7F
        offset = options.get(_IF_TSOFFSET, bytes(8))
        if len(self._interfaces) >= _INTERFACES_MAX:
            raise self._damage(f"more than {_INTERFACES_MAX} interfaces")
        self._interfaces.append(
            _Interface(
                link_type,
                snap_length,
                _printable(options.get(_IF_NAME, b"")),
                2.0**-power if resolution[0] & 0x80 else 10.0**-power,
                struct.unpack(f"{self._order}q", offset)[0] if len(offset) == 8 else 0,
            )
        )

    def _interface(self, number: int) -> _Interface:
        if number >= len(self._interfaces):
            raise self._damage(f"a frame of interface {number}, which was not described")
        return self._interfaces[number]

    def _options(self, body: bytes, at: int) -> dict[int, bytes]:
        """By code, the first of each; what is damaged in them is left out."""
        found: dict[int, bytes] = {}
        while at + 4 <= len(body):
            code, length = struct.unpack_from(f"{self._order}HH", body, at)
            if code == 0:
                break
            found.setdefault(code, body[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        return found

    def _frame(  # noqa: PLR0913, PLR0917 - the fields of three kinds of block
        self,
        number: int,
        ticks: int | None,
        rest: bytes,
        kept: int,
        length: int,
        outgoing: bool | None,  # noqa: FBT001
    ) -> Frame:
        interface = self._interface(number)
        if kept > min(FRAME_MAX, len(rest)):
            raise self._damage(f"a frame of {kept} octets in a block that has {len(rest)} for it")
        moment = self._time if ticks is None else ticks * interface.unit + interface.offset
        if not 0 <= moment < _TIME_MAX:
            raise self._damage(f"a frame {moment:.4g} s after 1970")
        return Frame(
            time=moment,
            link_type=interface.link_type,
            data=rest[:kept],
            length=max(length, kept),
            outgoing=outgoing,
            interface=interface.name,
        )


def _printable(name: bytes) -> str:
    text = name.rstrip(b"\0").decode("utf-8", "replace")
    return "".join(each for each in text if each.isprintable())
