"""WebSocket frames to messages (RFC 6455 §5.4, §5.6): unmasked, inflated, put together. Pure.

One :class:`Assembler` reads one direction. What a frame costs here is paid by whoever wants to know
what was said (the recorder's thread, or replay), never by the relay. A message that comes in one
piece is one step; everything else is collected by the caller's :class:`Collector`, so that a
message of a gigabyte needs no memory: it is unmasked and inflated piece by piece.

``strict`` is for an endpoint: text must be UTF-8, close codes must be those that may be sent. The
recorder is not an endpoint and keeps what was said, right or wrong.
"""

from __future__ import annotations

import codecs
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from magneto_serge.messages import Body, Frame, WebSocketClose, WebSocketMessage
from magneto_serge.wire.websocket import (
    CLOSE,
    FIN,
    OPCODE,
    PING,
    RSV1,
    TEXT,
    WHOLE,
    CloseCode,
    FrameReader,
    Violation,
    frame_head,
)

_WHOLE_BUT_TEXT = {head: kind for head, kind in WHOLE.items() if kind != "text"}
_HEADS = bytes(WHOLE)
OPCODES = {"text": 0x1, "binary": 0x2, "close": 0x8, "ping": 0x9, "pong": 0xA}
_EMPTY_BLOCK = b"\x00\x00\xff\xff"  # what a sender leaves out (RFC 7692 §7.2.1)
_STEP = 262_144  # bytes inflated at a time
_Decoder = codecs.getincrementaldecoder("utf-8")

# RFC 6455 §7.4: what may stand in a Close frame; 1012 to 1014 came later (IANA's registry).
_CODES = (*range(1000, 1004), *range(1007, 1015))


class Collector(Protocol):
    """Where the pieces of one message go."""

    def add(self, data: bytes) -> None:
        """Keep a piece."""

    def close(self) -> Body:
        """Return the whole."""

    def discard(self) -> None:
        """Forget it."""


class Compression(NamedTuple):
    """What permessage-deflate was negotiated to be (RFC 7692 §7.1)."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15

    def of(self, sender: str) -> tuple[bool, int]:
        """Return whether ``sender`` keeps its context from message to message, and its window."""
        if sender == "server":
            return not self.server_no_context_takeover, self.server_max_window_bits
        return not self.client_no_context_takeover, self.client_max_window_bits


class _Inflater:
    """Decompresses the messages of one sender."""

    def __init__(self, keeps: bool, bits: int) -> None:
        self._keeps, self._bits = keeps, bits
        self._begin()

    def _begin(self) -> None:
        self._context = zlib.decompressobj(wbits=-self._bits)

    def pieces(self, data: bytes, *, ends: bool) -> Iterator[bytes]:
        """Yield what ``data`` inflates to; ``ends``: the message does. Raises zlib.error."""
        waiting = data + _EMPTY_BLOCK if ends else data
        while True:
            piece = self._context.decompress(waiting, _STEP)
            yield piece
            waiting = self._context.unconsumed_tail
            if not waiting and len(piece) < _STEP:
                break
        if ends and (self._context.eof or not self._keeps):
            self._begin()


class Deflater:
    """Compresses the messages that we send."""

    def __init__(self, keeps: bool, bits: int) -> None:
        self._keeps, self._bits = keeps, bits
        self._begin()

    def _begin(self) -> None:
        self._context = zlib.compressobj(wbits=-self._bits)

    def deflate(self, data: bytes) -> bytes:
        """Return a message's payload."""
        context = self._context
        packed = context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)
        if not self._keeps:
            self._begin()
        return packed[:-4]


class Assembler:
    """The messages of ``sender``, ``client`` or ``server``.

    ``limit``: bytes of a message. ``violation`` is set by what cannot be a message, ``close`` by a
    Close frame; what is taken after either is not looked at.
    """

    def __init__(
        self,
        sender: str,
        compression: Compression | None,
        collector: Callable[[], Collector],
        *,
        limit: int,
        strict: bool = False,
    ) -> None:
        self.violation: Violation | None = None
        self.close: WebSocketClose | None = None
        self._sender = sender
        self._inflater = None if compression is None else _Inflater(*compression.of(sender))
        self._collector = collector
        self._limit = limit
        self._strict = strict
        self._kinds = _WHOLE_BUT_TEXT if strict else WHOLE  # of what needs no second look
        self._unmask = _masking()
        self._control = b""
        self._message: _Message | None = None

    def take(self, frames: Iterable[Frame], at_ms: float) -> list[WebSocketMessage]:
        """Return the messages that ``frames``, received at ``at_ms``, complete."""
        messages: list[WebSocketMessage] = []
        if self._is_over():
            return messages
        sender, kinds, unmask = self._sender, self._kinds, self._unmask
        for frame in frames:
            payload, mask = frame.payload, frame.mask
            if mask:
                payload = unmask(payload, mask)
            kind = kinds.get(frame.head)
            if kind is not None and frame.last and frame.first:
                messages.append(WebSocketMessage(sender, kind, payload, at_ms))
                continue
            self._piece(frame, payload, at_ms, messages)
            if self._is_over():
                break
        return messages

    @property
    def begins(self) -> bool:
        """Whether the next frame begins a message, or is one, that has not to be checked."""
        return not (self._strict or self._message is not None or self._is_over())

    def _is_over(self) -> bool:
        """Whether nothing more is to be understood."""
        return self.violation is not None or self.close is not None

    def discard(self) -> None:
        """Forget the message that is under way."""
        if self._message is not None:
            self._message.body.discard()
            self._message = None

    def _piece(
        self, frame: Frame, payload: bytes, at_ms: float, messages: list[WebSocketMessage]
    ) -> None:
        opcode = frame.head & OPCODE
        if opcode >= CLOSE:
            self._control = payload if frame.first else self._control + payload
            if frame.last and opcode == CLOSE:
                self._closed(self._control, at_ms)
            elif frame.last:
                kind = "ping" if opcode == PING else "pong"
                messages.append(WebSocketMessage(self._sender, kind, self._control, at_ms))
            return
        message = self._message
        if message is None:
            text = opcode == TEXT
            message = self._message = _Message(text, bool(frame.head & RSV1), self._collector())
            if text and self._strict:
                message.decoder = _Decoder()
        try:
            message.take(frame, payload, self._inflater, self._limit)
        except UnicodeDecodeError:
            self._refuse(CloseCode.INVALID_DATA, "A text message is not UTF-8")
        except zlib.error as error:
            self._refuse(CloseCode.INVALID_DATA, f"A message cannot be inflated: {error}")
        except OverflowError:
            self._refuse(CloseCode.TOO_BIG, f"A message has more than {self._limit} bytes")
        else:
            if frame.last and frame.head & FIN:
                self._complete(message, at_ms, messages)

    def _complete(self, message: _Message, at_ms: float, messages: list[WebSocketMessage]) -> None:
        self._message = None
        body = message.body.close()
        fragments = tuple(message.fragments) if len(message.fragments) > 1 else ()
        kind = "text" if message.text else "binary"
        messages.append(
            WebSocketMessage(self._sender, kind, body, at_ms, fragments, message.compressed)
        )

    def _closed(self, payload: bytes, at_ms: float) -> None:
        code, said = CloseCode.NO_STATUS.value, payload[2:]
        if len(payload) > 1:
            code = int.from_bytes(payload[:2], "big")
        if self._strict and payload:
            if len(payload) == 1 or not (code in _CODES or 3000 <= code < 5000):
                return self._refuse(CloseCode.PROTOCOL_ERROR, "A Close frame has no valid code")
            if not _is_text(said):
                return self._refuse(CloseCode.INVALID_DATA, "A close reason is not UTF-8")
        self.close = WebSocketClose(code, said.decode(errors="replace"), self._sender, at_ms)
        return None

    def _refuse(self, code: CloseCode, reason: str) -> None:
        self.violation = Violation(code, reason)
        self.discard()


class Mender:
    """Puts the frames of one direction together that came in several reads.

    A frame of more than ``limit`` bytes stays in pieces: it is collected elsewhere.
    """

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[Frame] = []  # of a frame of which more has to come
        self._size = 0

    def mend(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames of a read and what waited for it, but for what has to wait."""
        if not frames[0].first and self._pieces:
            self._keep(frames[0])
            frames = [*self._taken(frames[0].last), *frames[1:]]
        if frames and frames[-1].first and not frames[-1].last:
            self._keep(frames[-1])
            frames = [*frames[:-1], *self._taken(False)]
        return frames

    def _keep(self, piece: Frame) -> None:
        self._pieces.append(piece)
        self._size += len(piece.payload)

    def _taken(self, complete: bool) -> list[Frame]:
        if not complete and self._size <= self._limit:
            return []
        pieces, self._pieces, self._size = self._pieces, [], 0
        if not complete:
            return pieces
        payload = b"".join([piece.payload for piece in pieces])  # the mask goes on through them
        return [Frame(pieces[0].head, pieces[0].mask, payload)]


def whole(frames: Sequence[Frame]) -> tuple[bytes, list[bytes]] | None:
    """Return the first octets and payloads of frames each of which is a message, uncompressed.

    None: one of them is not. A message costs a third here of what an :class:`Assembler` takes for
    it, which must be one that :attr:`~Assembler.begins`.
    """
    heads = bytes([frame.head for frame in frames if frame.first and frame.last])
    if len(heads) < len(frames) or heads.translate(None, _HEADS):
        return None
    unmask = _masking()
    return heads, [
        unmask(frame.payload, frame.mask) if frame.mask else frame.payload for frame in frames
    ]


@cache
def _masking() -> Callable[[bytes, bytes], bytes]:
    """Return what applies a masking key: 0.1 µs for 256 bytes in C, where an XOR of integers
    takes 1.1 µs, and 57 µs for 16 KiB. It is imported with the first WebSocket."""
    try:
        from websockets.speedups import apply_mask
    except ImportError:  # there is no wheel for this machine
        from websockets.utils import apply_mask
    return apply_mask


class _Message:
    """A message under way that is more than one piece, or compressed.

    ``decoder`` checks text where it is to be checked: as it comes, for it may not fit into memory.
    """

    decoder: codecs.IncrementalDecoder | None = None

    def __init__(self, text: bool, compressed: bool, body: Collector) -> None:
        self.text = text
        self.compressed = compressed
        self.body = body
        self.fragments: list[int] = []  # bytes of payload, frame by frame
        self._size = 0

    def take(self, frame: Frame, payload: bytes, inflater: _Inflater | None, limit: int) -> None:
        """Take a piece; raises zlib.error, UnicodeError, and OverflowError above ``limit``."""
        if frame.first:
            self.fragments.append(0)
        self.fragments[-1] += len(payload)
        pieces: Iterable[bytes] = (payload,)
        ends = frame.last and bool(frame.head & FIN)
        if self.compressed and inflater is not None:
            pieces = inflater.pieces(payload, ends=ends)
        for piece in pieces:
            self._size += len(piece)
            if self._size > limit:
                raise OverflowError
            if piece:
                self.body.add(piece)
                if self.decoder is not None:
                    self.decoder.decode(piece)
        if ends and self.decoder is not None:
            self.decoder.decode(b"", True)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def message_frames(
    kind: str, data: bytes, fragments: tuple[int, ...], deflater: Deflater | None
) -> bytes:
    """Return the frames of a message, unmasked, in as many ``fragments`` as it had.

    Their sizes are kept as far as they add up: what is compressed anew, or was edited by hand, may
    have become longer or shorter.
    """
    head = OPCODES[kind]
    if deflater is not None and head < CLOSE:
        data = deflater.deflate(data)
        head |= RSV1
    if len(fragments) < 2:
        return frame_head(head | FIN, len(data)) + data
    frames = bytearray()
    start = 0
    for number, size in enumerate(fragments, 1):
        last = number == len(fragments)
        piece = data[start:] if last else data[start : start + size]
        frames += frame_head(head | (FIN if last else 0), len(piece)) + piece
        start += size
        head = 0
    return bytes(frames)


def unmask(frame: Frame) -> bytes:
    """Return a frame's payload without its mask."""
    return _masking()(frame.payload, frame.mask) if frame.mask else frame.payload


def mask_frames(frames: bytes) -> bytes:
    """Return whole unmasked frames as a client sends them (RFC 6455 §5.3)."""
    apply_mask = _masking()
    masked = bytearray()
    reader = FrameReader(masked=False, compressed=True)
    for frame in reader.feed(frames):
        head = bytearray(frame_head(frame.head, len(frame.payload)))
        head[1] |= 0x80
        key = os.urandom(4)
        masked += head + key + apply_mask(frame.payload, key)
    return bytes(masked)
