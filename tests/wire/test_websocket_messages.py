"""Messages: unmasked, inflated and put together, in whatever pieces they came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as Reference
from websockets.frames import Opcode

from magneto_serge.messages import Frame, WebSocketClose, WebSocketMessage
from magneto_serge.wire.websocket import CloseCode, FrameReader, frame_head
from magneto_serge.wire.websocket_messages import (
    Assembler,
    Compression,
    Deflater,
    Mender,
    mask_frames,
    message_frames,
    whole,
)


class Pieces:
    """A collector in memory."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.discarded = False

    def add(self, data: bytes) -> None:
        """Keep a piece."""
        self.pieces.append(data)

    def close(self) -> bytes:
        """Return the whole."""
        return b"".join(self.pieces)

    def discard(self) -> None:
        """Note that it was given up."""
        self.discarded = True


class Direction:
    """A reader and an assembler, one behind the other."""

    def __init__(
        self,
        sender: str = "server",
        compression: Compression | None = None,
        *,
        limit: int = 2**20,
        strict: bool = False,
    ) -> None:
        self.collectors: list[Pieces] = []
        self.reader = FrameReader(masked=sender == "client", compressed=compression is not None)
        self.assembler = Assembler(sender, compression, self._collector, limit=limit, strict=strict)

    def _collector(self) -> Pieces:
        self.collectors.append(Pieces())
        return self.collectors[-1]

    def hears(self, data: bytes, step: int | None = None) -> list[WebSocketMessage]:
        """Return the messages in ``data``, read ``step`` bytes at a time."""
        step = step or max(len(data), 1)
        messages = []
        for start in range(0, len(data), step):
            frames = self.reader.feed(data[start : start + step])
            messages += self.assembler.take(frames, 1.5)
        return messages


def test_whole_messages() -> None:
    """Each kind of message has its name, its sender, its payload and its time."""
    data = b"".join(
        Reference(opcode, payload).serialize(mask=True)
        for opcode, payload in (
            (Opcode.TEXT, "é".encode()),
            (Opcode.BINARY, b"\xff"),
            (Opcode.PING, b"p"),
            (Opcode.PONG, b""),
        )
    )
    assert Direction("client").hears(data) == [
        WebSocketMessage("client", "text", "é".encode(), 1.5),
        WebSocketMessage("client", "binary", b"\xff", 1.5),
        WebSocketMessage("client", "ping", b"p", 1.5),
        WebSocketMessage("client", "pong", b"", 1.5),
    ]


def test_frames_that_are_messages() -> None:
    """Whole frames are messages at once; where one is not, an assembler has to take them."""
    plain = message_frames("text", b"a", (), None) + message_frames("ping", b"", (), None)
    assert whole(FrameReader(masked=False).feed(plain)) == (b"\x81\x89", [b"a", b""])
    masked = FrameReader(masked=True).feed(mask_frames(plain))
    assert whole(masked) == (b"\x81\x89", [b"a", b""])
    for other in (
        message_frames("text", b"ab", (1, 1), None),
        message_frames("text", b"ab", (), Deflater(True, 15)),
        message_frames("text", b"abc", (), None)[:-1],
        frame_head(0x88, 0),
    ):
        assert whole(FrameReader(masked=False, compressed=True).feed(plain + other)) is None


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=8), st.integers(1, 700), st.booleans()
)
def test_frames_that_several_reads_were(payloads: list[bytes], step: int, masked: bool) -> None:
    """They are whole again, with what they said; those above the limit stay in pieces."""
    data = b"".join(message_frames("binary", each, (), None) for each in payloads)
    data = mask_frames(data) if masked else data
    reader, mender = FrameReader(masked=masked), Mender(200)
    found: list[Frame] = []
    for start in range(0, len(data), step):
        if frames := reader.feed(data[start : start + step]):
            found += mender.mend(frames)
    for frame in found:
        if not (frame.first and frame.last):
            assert any(len(each) > 200 for each in payloads)
    side = Direction("client" if masked else "server").assembler
    assert [each.data for each in side.take(found, 0.0)] == payloads
    if all(len(each) <= 200 for each in payloads):
        assert whole(found) == (b"\x82" * len(payloads), payloads)


def test_where_a_message_begins() -> None:
    """Between messages, as long as nothing has ended them; not where text must be checked."""
    side = Direction().assembler
    assert side.begins
    first, second = FrameReader(masked=False).feed(message_frames("text", b"ab", (1, 1), None))
    side.take([first], 0.0)
    assert not side.begins
    side.take([second], 0.0)
    assert side.begins
    side.take([Frame(0x88, b"", b"")], 0.0)
    assert not side.begins
    assert not Direction(strict=True).assembler.begins


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_fragments_and_what_is_between_them(step: int) -> None:
    """A message keeps the sizes of its fragments; a control frame among them comes first."""
    frames = (
        Reference(Opcode.TEXT, b"abc", fin=False),
        Reference(Opcode.PING, b"now"),
        Reference(Opcode.CONT, b"", fin=False),
        Reference(Opcode.CONT, b"de"),
    )
    data = b"".join(frame.serialize(mask=True) for frame in frames)
    assert Direction("client").hears(data, step) == [
        WebSocketMessage("client", "ping", b"now", 1.5),
        WebSocketMessage("client", "text", b"abcde", 1.5, (3, 0, 2)),
    ]


TAKEOVERS = [
    Compression(),
    Compression(server_no_context_takeover=True),
    Compression(server_max_window_bits=9),
]


@pytest.mark.parametrize("compression", TAKEOVERS)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_inflated_as_negotiated(compression: Compression, step: int) -> None:
    """What the oracle compresses is inflated, with and without the context of messages before."""
    oracle = PerMessageDeflate(
        False, compression.server_no_context_takeover, 15, compression.server_max_window_bits
    )
    said = [b"hello hello hello", b"hello again", b"", bytes(3000)]
    data = b"".join(
        Reference(Opcode.BINARY, each).serialize(mask=False, extensions=[oracle]) for each in said
    )
    heard = Direction("server", compression).hears(data, step)
    assert [message.data for message in heard] == said
    assert all(message.compressed for message in heard)


@pytest.mark.parametrize("compression", TAKEOVERS)
def test_compressed_as_negotiated(compression: Compression) -> None:
    """What we compress the oracle inflates."""
    oracle = PerMessageDeflate(
        compression.server_no_context_takeover, False, compression.server_max_window_bits, 15
    )
    deflater = Deflater(*compression.of("server"))
    for said in (b"hello hello hello", b"hello again", b""):
        sent = message_frames("text", said, (), deflater)
        (piece,) = FrameReader(masked=False, compressed=True).feed(sent)
        frame = Reference(Opcode.TEXT, piece.payload, rsv1=True)
        assert oracle.decode(frame).data == said


@given(st.binary(max_size=2000), st.lists(st.integers(0, 700), max_size=5), st.booleans())
def test_what_is_sent_is_heard(data: bytes, sizes: list[int], compressed: bool) -> None:
    """Our frames give back the message, in as many fragments as it had."""
    compression = Compression() if compressed else None
    deflater = Deflater(True, 15) if compressed else None
    sent = message_frames("binary", data, tuple(sizes), deflater)
    (heard,) = Direction("server", compression).hears(sent)
    assert heard.data == data
    assert len(heard.fragments) == (len(sizes) if len(sizes) > 1 else 0)


def test_a_context_that_ends_itself() -> None:
    """A block with BFINAL ends a message as well as any other (RFC 7692 §7.2.3.4)."""
    import zlib

    packer = zlib.compressobj(wbits=-15)
    payload = packer.compress(b"last block") + packer.flush() + b"\0"
    direction = Direction("server", Compression())
    for _ in range(2):
        (heard,) = direction.hears(frame_head(0xC1, len(payload)) + payload)
        assert heard.data == b"last block"


def test_a_bomb_is_stopped() -> None:
    """What inflates beyond the limit is given up with 1009, piece by piece and not at its end."""
    sent = message_frames("binary", bytes(10_000_000), (), Deflater(True, 15))
    direction = Direction("server", Compression(), limit=1_000_000)
    assert direction.hears(sent) == []
    assert direction.assembler.violation is not None
    assert direction.assembler.violation.code is CloseCode.TOO_BIG
    assert direction.collectors[0].discarded
    assert sum(map(len, direction.collectors[0].pieces)) <= 1_000_000


def test_what_cannot_be_inflated() -> None:
    """Garbage instead of a deflate stream ends the direction."""
    direction = Direction("server", Compression())
    assert direction.hears(b"\xc1\x05\xff\xff\xff\xff\xff\x81\x02hi") == []
    assert direction.assembler.violation is not None
    assert direction.assembler.violation.code is CloseCode.INVALID_DATA


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [(b"", 1005, ""), (b"\x03\xe8", 1000, ""), (b"\x0f\xa0bye \xc3\xa9", 4000, "bye é")],
)
def test_close(payload: bytes, code: int, reason: str) -> None:
    """A Close frame has a code and a reason, or neither (RFC 6455 §5.5.1)."""
    direction = Direction("client", strict=True)
    direction.hears(Reference(Opcode.CLOSE, payload).serialize(mask=True), 1)
    assert direction.assembler.close == WebSocketClose(code, reason, "client", 1.5)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Reference(Opcode.TEXT, b"\xff"), 1007),
        (Reference(Opcode.CLOSE, b"\x03"), 1002),
        (Reference(Opcode.CLOSE, b"\x03\xe7"), 1002),
        (Reference(Opcode.CLOSE, b"\x03\xed"), 1002),
        (Reference(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
        (Reference(Opcode.CLOSE, b"\xff\xff"), 1002),
    ],
)
def test_an_endpoint_is_strict(frame: Reference, code: int) -> None:
    """Text that is not UTF-8 and close codes that may not be sent break the protocol."""
    direction = Direction("client", strict=True)
    assert direction.hears(frame.serialize(mask=True)) == []
    assert direction.assembler.violation is not None
    assert direction.assembler.violation.code == code


def test_a_character_cut_by_fragments_is_whole() -> None:
    """UTF-8 is of the message, not of its fragments (RFC 6455 §5.6)."""
    euro = "€".encode()
    good = Reference(Opcode.TEXT, euro[:1], fin=False).serialize(mask=True)
    direction = Direction("client", strict=True)
    (heard,) = direction.hears(good + Reference(Opcode.CONT, euro[1:]).serialize(mask=True))
    assert heard.data == euro
    assert direction.hears(good + Reference(Opcode.CONT, b"a").serialize(mask=True)) == []
    assert direction.assembler.violation is not None


def test_text_that_does_not_fit_into_memory() -> None:
    """It is checked as it comes, and what is wrong is found before its end (RFC 6455 §8.1)."""
    direction = Direction("client", strict=True)
    said = Reference(Opcode.TEXT, b"good \xff bad", fin=False).serialize(mask=True)
    assert direction.hears(said, 1) == []
    assert direction.assembler.violation is not None
    assert direction.assembler.violation.code == 1007
    assert direction.collectors[0].discarded


def test_the_recorder_keeps_what_was_said() -> None:
    """Who only listens takes text that is none, and close codes that there are not."""
    direction = Direction("server")
    (heard,) = direction.hears(b"\x81\x01\xff\x88\x02\x00\x01")
    assert heard == WebSocketMessage("server", "text", b"\xff", 1.5)
    assert direction.assembler.close == WebSocketClose(1, "", "server", 1.5)


def test_giving_up() -> None:
    """A message under way can be forgotten, once."""
    direction = Direction("server")
    direction.hears(b"\x02\x03abc")
    direction.assembler.discard()
    direction.assembler.discard()
    assert direction.collectors[0].discarded
