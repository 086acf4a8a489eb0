"""Frames: where the bytes are cut makes no difference; what RFC 6455 §5 forbids is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as Reference
from websockets.frames import Opcode

from magneto_serge.messages import Frame
from magneto_serge.wire.websocket import (
    CloseCode,
    FrameReader,
    Limits,
    close_payload,
    frame_head,
)

CONVERSATION = (
    Reference(Opcode.TEXT, b"whole"),
    Reference(Opcode.TEXT, b"first", fin=False),
    Reference(Opcode.PING, b"in between"),
    Reference(Opcode.CONT, b"", fin=False),
    Reference(Opcode.CONT, b"x" * 300),
    Reference(Opcode.BINARY, bytes(range(256)) * 2),
    Reference(Opcode.PONG, b""),
    Reference(Opcode.BINARY, b""),
    Reference(Opcode.CLOSE, b"\x03\xe8bye"),
)


def joined(pieces: list[Frame]) -> list[tuple[int, bytes]]:
    """Return head and unmasked payload of each frame that is complete."""
    frames: list[tuple[int, bytes]] = []
    payload = b""
    for piece in pieces:
        if piece.first:
            payload = b""
        key = piece.mask or b"\0\0\0\0"
        payload += bytes(byte ^ key[index % 4] for index, byte in enumerate(piece.payload))
        if piece.last:
            frames.append((piece.head, payload))
    return frames


def expected(frames: tuple[Reference, ...]) -> list[tuple[int, bytes]]:
    """Return the same of the oracle's frames."""
    return [(frame.opcode | (0x80 if frame.fin else 0), bytes(frame.data)) for frame in frames]


def wire(*frames: Reference, mask: bool) -> bytes:
    """Return frames as the oracle writes them."""
    return b"".join(frame.serialize(mask=mask) for frame in frames)


@pytest.mark.parametrize("masked", [True, False])
def test_every_split_point(masked: bool) -> None:
    """Two reads give the same frames as one, wherever the cut is."""
    data = wire(*CONVERSATION, mask=masked)
    for cut in range(len(data) + 1):
        reader = FrameReader(masked=masked)
        pieces = reader.feed(data[:cut]) + reader.feed(data[cut:])
        assert joined(pieces) == expected(CONVERSATION), cut
        assert reader.closed
        assert reader.violation is None


@pytest.mark.parametrize("masked", [True, False])
def test_byte_by_byte(masked: bool) -> None:
    """One byte at a time gives the same frames."""
    reader = FrameReader(masked=masked)
    pieces = []
    for byte in wire(*CONVERSATION, mask=masked):
        pieces += reader.feed(bytes([byte]))
    assert joined(pieces) == expected(CONVERSATION)


@given(
    st.lists(st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=70_000))),
    st.lists(st.integers(min_value=0)),
    st.booleans(),
)
def test_any_messages_in_any_pieces(
    messages: list[tuple[Opcode, bytes]], cuts: list[int], masked: bool
) -> None:
    """Whatever the oracle writes is read back, however it is cut."""
    frames = tuple(Reference(opcode, data) for opcode, data in messages)
    data = wire(*frames, mask=masked)
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    reader = FrameReader(masked=masked)
    pieces = []
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        pieces += reader.feed(data[start:end])
    assert joined(pieces) == expected(frames)


@pytest.mark.parametrize("size", [0, 125, 126, 127, 65_535, 65_536])
def test_lengths_at_their_borders(size: int) -> None:
    """A header of ours is the oracle's, and is read back (RFC 6455 §5.2)."""
    payload = bytes(size)
    data = frame_head(0x82, size) + payload
    assert data == Reference(Opcode.BINARY, payload).serialize(mask=False)
    assert joined(FrameReader(masked=False).feed(data)) == [(0x82, payload)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1\x00", "Reserved bits"),
        (b"\xa1\x00", "Reserved bits"),
        (b"\x91\x00", "Reserved bits"),
        (b"\x83\x00", "opcode is reserved"),
        (b"\x8b\x00", "opcode is reserved"),
        (b"\x09\x00", "fragmented"),
        (b"\x89\x7e\x00\x7e", "more than 125"),
        (b"\x80\x00", "Nothing to continue"),
        (b"\x01\x00\x01\x00", "inside another"),
        (b"\x82\x80\0\0\0\0", "is masked"),
        (b"\x82\x7e\x00\x7d", "shortest form"),
        (b"\x82\x7f\0\0\0\0\0\0\xff\xff", "shortest form"),
        (b"\x82\x7f\x80\0\0\0\0\0\0\0", "highest bit"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    """A frame that RFC 6455 §5 forbids ends the reading with 1002; nothing comes after it."""
    reader = FrameReader(masked=False)
    reader.feed(data)
    assert reader.violation is not None
    assert reader.violation.code is CloseCode.PROTOCOL_ERROR
    assert reason in reader.violation.reason
    assert reader.feed(b"\x81\x00") == []


def test_a_client_has_to_mask() -> None:
    """A frame without a mask is not a client's (RFC 6455 §5.1)."""
    reader = FrameReader(masked=True)
    assert reader.feed(b"\x81\x00") == []
    assert reader.violation is not None
    assert "not masked" in reader.violation.reason


def test_frames_before_a_violation_count() -> None:
    """What was right before it is handed out."""
    reader = FrameReader(masked=False)
    assert joined(reader.feed(b"\x81\x02hi\x83\x00")) == [(0x81, b"hi")]
    assert reader.violation is not None


@pytest.mark.parametrize(
    ("head", "allowed"), [(0xC1, True), (0x41, True), (0xC0, False), (0xC9, False)]
)
def test_rsv1_with_permessage_deflate(head: int, allowed: bool) -> None:
    """RSV1 is for the first frame of a message, where compression was agreed on (RFC 7692 §6)."""
    reader = FrameReader(masked=False, compressed=True)
    reader.feed(bytes([head, 0]))
    assert (reader.violation is None) is allowed


def test_limits_are_of_messages() -> None:
    """Size and fragments are counted over all frames of a message, and anew for the next."""
    limits = Limits(size=10, fragments=2)
    reader = FrameReader(masked=False, limits=limits)
    assert len(reader.feed(b"\x01\x05aaaaa\x80\x05bbbbb" * 3)) == 6
    assert reader.violation is None
    reader.feed(b"\x82\x0b")
    assert reader.violation is not None
    assert reader.violation.code is CloseCode.TOO_BIG
    reader = FrameReader(masked=False, limits=limits)
    reader.feed(b"\x01\x00\x00\x00\x00\x00")
    assert reader.violation is not None
    assert "fragments" in reader.violation.reason


def test_a_limit_is_met_at_the_header() -> None:
    """A message that announces too much is refused before its payload has come."""
    reader = FrameReader(masked=False, limits=Limits(2**31, 10))
    reader.feed(b"\x82\x7f" + (2**40).to_bytes(8, "big"))
    assert reader.violation is not None


def test_between_frames_or_not() -> None:
    """A reader knows whether another frame could be put in."""
    reader = FrameReader(masked=False)
    assert not reader.mid_frame
    reader.feed(b"\x82")
    assert reader.mid_frame
    reader.feed(b"\x02a")
    assert reader.mid_frame
    reader.feed(b"b")
    assert not reader.mid_frame


def test_nothing_follows_a_close() -> None:
    """After a Close frame there are no more frames (RFC 6455 §5.5.1)."""
    reader = FrameReader(masked=False)
    assert len(reader.feed(b"\x88\x02\x03\xe8\x81\x02hi")) == 1
    assert reader.closed
    assert reader.feed(b"\x81\x02hi") == []
    cut = FrameReader(masked=False)
    assert len(cut.feed(b"\x88\x02\x03") + cut.feed(b"\xe8\x81\x02hi")) == 2


def test_close_payloads() -> None:
    """A reason is cut where a character begins, so that it fits; 1005 stands for nothing."""
    assert close_payload(1005) == b""
    assert close_payload(1000, "bye") == b"\x03\xe8bye"
    assert len(close_payload(1008, "é" * 100)) == 124
