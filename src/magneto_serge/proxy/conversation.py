"""A recorded WebSocket conversation, played to a client that believes to speak with the server.

The script says what is due (``replay/conversation.py``); this is the endpoint around it (RFC 6455
§5, §7): frames, pings answered, Close frames returned, mistakes of the client answered with the
close code for them. What is due goes out in writes of many messages, as fast as the client takes
it. One timer at a time is set, for the next message that is due later, and no task exists.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from magneto_serge.errors import CassetteError
from magneto_serge.messages import (
    FileBody,
    Interaction,
    Request,
    WebSocketClose,
    WebSocketMessage,
)
from magneto_serge.proxy.gate import Gate
from magneto_serge.proxy.tee import Spool, forget
from magneto_serge.replay.conversation import Mismatch, Play, Wait, miss_of
from magneto_serge.replay.misses import masked_url
from magneto_serge.wire.websocket import (
    CLOSE,
    FIN,
    CloseCode,
    FrameReader,
    Limits,
    close_payload,
    frame_head,
)
from magneto_serge.wire.websocket_handshake import answer
from magneto_serge.wire.websocket_messages import (
    OPCODES,
    Assembler,
    Compression,
    Deflater,
    message_frames,
)

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.server import ProxyServer
    from magneto_serge.replay.engine import Session
    from magneto_serge.replay.shaping import Shaping
    from magneto_serge.replay.shelf import Recording

log = logging.getLogger("magneto_serge.proxy")

_WRITE = 65_536  # bytes of messages in one write
_PIECE = 262_144  # bytes of a side file in one write
_CLOSING = 10.0  # seconds for the client's part of the closing handshake

Shape = Callable[[WebSocketMessage], WebSocketMessage | None]


class Player(asyncio.Protocol):
    """The server's end of a replayed WebSocket, from its 101 on, of which ``head`` is the head.

    ``shape`` is what hooks and templates make of a message, None: it is dropped. ``missed`` is told
    of what the client should not have said.
    """

    busy = False  # nobody knows when a conversation is over

    def __init__(
        self,
        server: ProxyServer,
        transport: asyncio.Transport,
        interaction: Interaction,
        play: Play,
        head: bytes,
        compression: Compression | None,
        *,
        missed: Callable[[Mismatch], None],
        shape: Shape | None = None,
        user: str | None = None,
    ) -> None:
        settings = server.settings
        self.transport = transport
        self.user = user
        self.gate = Gate(transport)
        self.ticks = 0
        self._server = server
        self._url = interaction.request.url
        self._play = play
        self._missed = missed
        self._shape = shape
        self._deflater = None if compression is None else Deflater(*compression.of("server"))
        self._reader = FrameReader(
            masked=True,
            compressed=compression is not None,
            limits=Limits(settings.max_message_size, settings.max_message_fragments),
        )
        self._assembler = Assembler(
            "client",
            compression,
            lambda: Spool(settings.memory_limit),
            limit=settings.max_message_size,
            strict=True,
        )
        self._head = head
        self._began = server.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._writable = True
        self._closing = False  # our Close frame has gone out, or the connection is to end
        self._large: Iterator[bytes] | None = None  # a message from a side file, under way
        self._pong = b""  # that cannot be sent yet; only the last is due (RFC 6455 §5.5.3)

    def start(self) -> None:
        """Take the connection over."""
        self.transport.set_protocol(self)
        self._server.admit(self)
        self._write(self._head)
        self._speak()

    # --- what the client says ------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what the client says, and say what follows from it."""
        self.ticks = 0
        frames = self._reader.feed(data)
        messages = self._assembler.take(frames, 0.0)
        for message in messages:
            if not self._closing:
                self._heard(message)
            forget(message.data)
        violation = self._reader.violation or self._assembler.violation
        if self._assembler.close is not None:
            self._closed_by_client(self._assembler.close)
        elif violation is not None and not self._closing:
            log.warning("%s: the client broke the protocol: %s", self._url, violation.reason)
            self._close(violation.code, violation.reason)
            self.transport.close()
        elif messages:
            self._speak()

    def _heard(self, message: WebSocketMessage) -> None:
        if message.kind == "ping":
            if isinstance(message.data, bytes):
                self._answer(message_frames("pong", message.data, (), None))
            return
        if message.kind == "pong":
            return
        shown = message if self._shape is None else self._shape(message)
        mismatch = None if shown is None else self._play.said(shown, self._now())
        if mismatch is not None:
            self._missed(mismatch)
            self._close(
                CloseCode.POLICY_VIOLATION, f"Message {mismatch.position} is not as recorded"
            )

    def _answer(self, pong: bytes) -> None:
        """Send a pong, not in the middle of a frame, and not to a client that reads nothing."""
        self._pong = pong
        if self._large is None and self._writable and not self._closing:
            self._write(pong)
            self._pong = b""

    def _closed_by_client(self, close: WebSocketClose) -> None:
        """Answer a Close frame with its own code (RFC 6455 §5.5.1), and end the connection."""
        if not self._closing:
            self._close(close.code, "")
        self.transport.close()

    # --- what the server says ------------------------------------------------------------------

    def _now(self) -> float:
        return (self._server.loop.time() - self._began) * 1000

    def _speak(self) -> None:
        """Write what is due, until the client takes no more or something is waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pieces: list[bytes] = []
        size = 0
        now = self._now()
        while self._writable and not self._closing:
            if self._large is not None:
                self._write_large()
                continue
            step = self._play.next(now)
            if isinstance(step, WebSocketMessage):
                try:
                    frames = self._frames(step)
                except CassetteError as error:
                    log.error("%s", error)
                    self._close(CloseCode.INTERNAL_ERROR, "A template cannot be rendered")
                    break
                pieces.append(frames)
                size += len(frames)
                if size < _WRITE and self._large is None:
                    continue
                self._write(b"".join(pieces))
                pieces, size = [], 0
                now = self._now()
                continue
            if isinstance(step, Wait):
                delay = max(0.0, step.until - now) / 1000
                self._timer = self._server.loop.call_later(delay, self._speak)
            elif isinstance(step, WebSocketClose):
                self._write(b"".join(pieces))
                pieces = []
                self._end(step)
            break
        if pieces:
            self._write(b"".join(pieces))

    def _frames(self, recorded: WebSocketMessage) -> bytes:
        """Return a message as bytes, or where it is in a side file the beginning of it."""
        message: WebSocketMessage | None = recorded
        if self._shape is not None:
            message = self._shape(recorded)
        if message is None:
            return b""
        data = message.data
        if isinstance(data, FileBody):  # compression would need the whole of it: its own choice
            self._large = _file_frames(message.kind, data, message.fragments)
            return b""
        deflater = self._deflater if message.compressed else None
        if deflater is None and not message.fragments:
            return frame_head(FIN | OPCODES[message.kind], len(data)) + data
        return message_frames(message.kind, data, message.fragments, deflater)

    def _write_large(self) -> None:
        try:
            piece = next(self._large or iter(()), None)
        except OSError as error:
            log.error("A recorded message cannot be read, its connection is cut off: %s", error)
            self._closing = True
            self.transport.abort()
            return
        if piece is None:
            self._large = None
            self._answer(self._pong)
        else:
            self._write(piece)

    def _write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self._server.stats.bytes_out += len(data)
            self.transport.write(data)

    # --- ends ----------------------------------------------------------------------------------

    def _end(self, close: WebSocketClose) -> None:
        """End as the server did."""
        if close.code == CloseCode.ABNORMAL:
            self._closing = True
            self.transport.close()
            return
        self._close(close.code, close.reason)

    def _close(self, code: int, reason: str) -> None:
        """Send a Close frame; the client's comes back, or the sweep ends the wait for it."""
        if self._closing or self._large is not None:
            self.transport.close()
            return
        payload = close_payload(code, reason)
        self._write(frame_head(FIN | CLOSE, len(payload)) + payload)
        self._closing = True
        self.ticks = 0

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self._writable = False

    def resume_writing(self) -> None:
        """The client takes more."""
        self._writable = True
        self.ticks = 0
        self._answer(self._pong)
        self._speak()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the books."""
        self._server.dismiss(self)
        if self._timer is not None:
            self._timer.cancel()
        self._assembler.discard()

    def sweep(self, interval: float) -> None:
        """Close a connection in which nothing is said, or whose client does not close."""
        self.ticks += 1
        if self._timer is not None:
            self.ticks = 0
        idle = self.ticks * interval
        limit = self._server.settings.websocket_idle_timeout
        if self._closing and idle > _CLOSING:
            self.transport.abort()
        elif not self._closing and idle > limit:
            self._close(CloseCode.GOING_AWAY, f"Nothing was said for {limit:g} seconds")

    def close_when_idle(self) -> None:
        """Close: going away (RFC 6455 §7.4.1)."""
        self._close(CloseCode.GOING_AWAY, "The proxy is stopping")
        self.transport.close()


def _file_frames(kind: str, body: FileBody, fragments: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the frames of a message in a file, piece by piece, as ``message_frames`` makes them."""
    head = OPCODES[kind]
    with body.path.open("rb") as file:
        for last, size in _sizes(body.size, fragments):
            yield frame_head(head | FIN if last else head, size)
            head = 0
            left = size
            while left and (piece := file.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece
            if left:  # its length has been promised to the client
                raise OSError(f"{body.path} is shorter than when it was recorded")


def _sizes(whole: int, fragments: tuple[int, ...]) -> Iterator[tuple[bool, int]]:
    """Yield the size of each frame, and whether it is the last; they add up to ``whole``."""
    for each in fragments[:-1]:
        size = min(each, whole)
        whole -= size
        yield False, size
    yield True, whole


def play_conversation(
    client: ClientConnection, session: Session, recording: Recording, request: Request
) -> Player | None:
    """Return the player of a recorded WebSocket; None where ``request`` is no handshake."""
    interaction = recording.interaction
    again = None if interaction.response is None else answer(request.headers, interaction.response)
    if again is None:
        return None
    server, shaping = client.server, session.shaping

    def missed(mismatch: Mismatch) -> None:
        miss = miss_of(request, masked_url(request), mismatch, session.name)
        session.misses.append(miss)
        server.missed(miss)

    return Player(
        server,
        client.transport,
        interaction,
        session.conversing.play(interaction, session.pace),
        again.head,
        again.compression,
        missed=missed,
        shape=None if shaping is None else _shape(shaping, recording, request),
        user=client.user,
    )


def _shape(shaping: Shaping, recording: Recording, request: Request) -> Shape | None:
    """Return what templates and then hooks make of messages; None where there are neither."""
    templates, hooks = shaping.templates, shaping.hooks
    if templates is None or not recording.interaction.template:
        return partial(hooks.message, request) if hooks.at_message else None
    heard, said = b"", 0

    def shape(message: WebSocketMessage) -> WebSocketMessage | None:
        nonlocal heard, said
        if message.sender == "server":
            place = (recording.number, said)
            message = templates.message(message, recording.interaction, place, request, heard)
            said += 1
        elif isinstance(message.data, bytes):
            heard = message.data
        return hooks.message(request, message)

    return shape
