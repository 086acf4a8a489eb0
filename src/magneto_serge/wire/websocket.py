"""WebSocket frames (RFC 6455 §5): bytes to frames, and frames to bytes. Pure.

:class:`FrameReader` looks at headers and at nothing else: payloads stay masked and compressed, and
go on as slices of what was read. It is incremental, where the bytes were cut makes no difference,
and it keeps nothing but a header that is not complete. It is strict: reserved bits and opcodes,
control frames that are fragmented or longer than 125 bytes, lengths that are not minimal or have
their highest bit set, a mask where there must be none and none where there must be one, and
continuations of nothing are errors, and so is what exceeds the limits. An error is final: what
comes after it is not frames any more.

Reading a frame of 256 bytes takes a microsecond here; the parsers of `websockets` and `wsproto`,
which do more than a relay needs, take five and more (docs/benchmarks.md).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from magneto_serge.messages import Frame

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1, OPCODE = 0x80, 0x40, 0x0F
WHOLE = {FIN | TEXT: "text", FIN | BINARY: "binary", FIN | PING: "ping", FIN | PONG: "pong"}
"""What a message is by the first octet of its only frame, where it is not compressed."""

_LONGEST_HEADER = 14  # bytes: two, eight of length, four of masking key
_CONTROL_LIMIT = 125  # bytes of payload (RFC 6455 §5.5)


class CloseCode(IntEnum):
    """The status codes that we send or infer (RFC 6455 §7.4.1)."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011


class Violation(NamedTuple):
    """What ended the reading of one direction: the close ``code`` for it, and why."""

    code: CloseCode
    reason: str


class Limits(NamedTuple):
    """``size``: bytes of a message on the wire; ``fragments``: frames of a message."""

    size: int
    fragments: int


NO_LIMITS = Limits(2**63, 2**63)

# What the first octet of a frame can be.
_WHOLE, _START, _MIDDLE, _END, _CONTROL, _RESERVED_BITS, _RESERVED_OPCODE, _FRAGMENTED = range(8)


def _kind(head: int, compressed: bool) -> int:
    opcode, final = head & OPCODE, bool(head & FIN)
    reserved = head & 0x70
    if reserved and not (compressed and reserved == RSV1 and opcode in (TEXT, BINARY)):
        return _RESERVED_BITS  # RFC 6455 §5.2; RFC 7692 §6.1: the first frame of a message has it
    if opcode == CONTINUATION:
        return _END if final else _MIDDLE
    if opcode in (TEXT, BINARY):
        return _WHOLE if final else _START
    if opcode not in (CLOSE, PING, PONG):
        return _RESERVED_OPCODE
    return _CONTROL if final else _FRAGMENTED


_KINDS = tuple(
    bytes(_kind(head, compressed) for head in range(256)) for compressed in (False, True)
)
_REFUSED = {
    _RESERVED_BITS: "Reserved bits are set",
    _RESERVED_OPCODE: "The opcode is reserved",
    _FRAGMENTED: "A control frame is fragmented",
}


class FrameReader:
    """The frames of one direction; ``masked``: it is the client's (RFC 6455 §5.1).

    ``compressed``: permessage-deflate was negotiated. ``violation`` is set by what breaks the
    protocol or a limit; ``closed`` once a Close frame is complete. After either there are no more
    frames.
    """

    __slots__ = (
        "_fragments",
        "_head",
        "_header",
        "_key",
        "_kinds",
        "_left",
        "_limits",
        "_mask_bit",
        "_open",
        "_size",
        "_started",
        "closed",
        "violation",
    )

    def __init__(self, *, masked: bool, compressed: bool = False, limits: Limits = NO_LIMITS):
        self.violation: Violation | None = None
        self.closed = False
        self._mask_bit = 0x80 if masked else 0
        self._kinds = _KINDS[compressed]
        self._limits = limits
        self._header = b""  # the beginning of a frame whose header is not complete
        self._left = 0  # bytes of payload still to come
        self._head = 0  # of the frame whose payload is under way
        self._key = b""  # its masking key, turned to the next byte
        self._started = False  # a piece of it has been handed out
        self._open = False  # a fragmented message is under way
        self._size = 0  # bytes of it so far
        self._fragments = 0

    @property
    def mid_frame(self) -> bool:
        """Whether another frame cannot be put in between here."""
        return self._left > 0 or bool(self._header)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames, and pieces of frames, in ``data``."""
        frames: list[Frame] = []
        if self.violation is not None or self.closed:
            return frames
        at = 0
        if self._left:
            at = self._go_on(data, frames)
        elif self._header:
            data = self._header + data
            self._header = b""
        size = len(data)
        kinds, mask_bit, limit = self._kinds, self._mask_bit, self._limits.size
        while size - at > 1:
            head, second = data[at], data[at + 1]
            start = at + 2
            length = second & 0x7F
            plain = True
            if length > 125:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                plain = length == 126
                length = int.from_bytes(data[at + 2 : start], "big")
                plain = plain and length > 125
            key = b""
            if second & 0x80:
                start += 4
                if start > size:
                    break
                key = data[start - 4 : start]
            kind = kinds[head]
            unusual = kind or not plain or self._open or second & 0x80 != mask_bit
            if (unusual or length > limit) and not self._allows(kind, second, length):
                return frames
            at = start + length
            if at <= size:
                frames.append(Frame(head, key, data[start:at]))
                if head & OPCODE == CLOSE:
                    self.closed = True
                    return frames
            else:
                self._head, self._key, self._left, self._started = head, key, length, False
                if start < size:
                    self._go_on(data[start:], frames)
                return frames
        if at < size:
            self._header = data[at:]
        return frames

    def _go_on(self, data: bytes, frames: list[Frame]) -> int:
        """Take what ``data`` begins with as payload; return how much that was."""
        left, key = self._left, self._key
        piece = data if len(data) <= left else data[:left]
        size = len(piece)
        self._left = left - size
        frames.append(Frame(self._head, key, piece, not self._started, left == size))
        if left == size:
            self.closed = self._head & OPCODE == CLOSE
        elif key and size % 4:
            turn = size % 4
            self._key = key[turn:] + key[:turn]
        self._started = True
        return size if not self.closed else len(data)

    def _allows(self, kind: int, second: int, length: int) -> bool:
        """Check a header, and keep count of fragmented messages."""
        reason = _REFUSED.get(kind) or self._misframed(kind, second, length)
        if reason:
            self.violation = Violation(CloseCode.PROTOCOL_ERROR, reason)
            return False
        if kind == _CONTROL:
            return True
        if kind in (_WHOLE, _START):
            self._size = self._fragments = 0
        self._open = kind in (_START, _MIDDLE)
        self._size += length
        self._fragments += 1
        limits = self._limits
        if self._size > limits.size:
            reason = f"A message has more than {limits.size} bytes"
        elif self._fragments > limits.fragments:
            reason = f"A message has more than {limits.fragments} fragments"
        if reason:
            self.violation = Violation(CloseCode.TOO_BIG, reason)
        return not reason

    def _misframed(self, kind: int, second: int, length: int) -> str:
        if second & 0x80 != self._mask_bit:
            return "A client's frame is not masked" if self._mask_bit else "A server's is masked"
        if kind == _CONTROL:
            return "A control frame has more than 125 bytes" if second & 0x7F > 125 else ""
        if self._open == (kind in (_WHOLE, _START)):
            return "A message begins inside another" if self._open else "Nothing to continue"
        form = second & 0x7F
        if (form == 126 and length < 126) or (form == 127 and length < 65_536):
            return "The length is not in its shortest form"
        return "The length has its highest bit set" if length >> 63 else ""


def frame_head(head: int, length: int) -> bytes:
    """Return the header of an unmasked frame: its first octet, and its length (RFC 6455 §5.2)."""
    if length < 126:
        return bytes((head, length))
    if length < 65_536:
        return bytes((head, 126)) + length.to_bytes(2, "big")
    return bytes((head, 127)) + length.to_bytes(8, "big")


def close_payload(code: int, reason: str = "") -> bytes:
    """Return the payload of a Close frame (RFC 6455 §5.5.1); 1005 stands for an empty one."""
    if code == CloseCode.NO_STATUS:
        return b""
    said = reason.encode()[: _CONTROL_LIMIT - 2]
    return code.to_bytes(2, "big") + said.decode(errors="ignore").encode()
