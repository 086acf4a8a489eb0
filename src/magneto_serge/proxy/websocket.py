"""A WebSocket between a client and its origin: bytes both ways, as they came, and a listener.

What is relayed is what was read: masks, compression and fragments as the two ends have agreed on
them, control frames where they stood. A reader of frame headers sees a copy, for the limits and for
the recorder; payloads are looked at in the recorder's thread. What breaks the protocol is relayed
too, because only the end that it was meant for can say what it makes of it; from there on nothing
is recorded of that direction. What exceeds a limit ends the connection: 1009 to whoever sent it.

Where hooks want to see the messages, they are put together and framed anew (``websocket_hooks``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, cast

from magneto_serge.messages import Frame, Request, WebSocketMessage
from magneto_serge.proxy.gate import Hold
from magneto_serge.proxy.tunnel import TunnelSide
from magneto_serge.wire.events import ResponseReceived
from magneto_serge.wire.websocket import (
    CLOSE,
    FIN,
    CloseCode,
    FrameReader,
    Limits,
    close_payload,
    frame_head,
)
from magneto_serge.wire.websocket_handshake import extensions_of
from magneto_serge.wire.websocket_messages import Compression

if TYPE_CHECKING:
    from magneto_serge.proxy.client import ClientConnection
    from magneto_serge.proxy.server import ProxyServer
    from magneto_serge.proxy.tape import Tape
    from magneto_serge.replay.engine import ConversationSink, InteractionSink, RecordingSink
    from magneto_serge.replay.hooks import Hooks

log = logging.getLogger("magneto_serge.proxy")


class Listener:
    """What a recording hears of one WebSocket, with the time since its handshake."""

    __slots__ = ("_began", "_conversation", "sink")

    def __init__(self, sink: InteractionSink, conversation: ConversationSink) -> None:
        self.sink = sink
        self._conversation = conversation
        self._began = time.perf_counter()

    def heard(self, sender: str, frames: list[Frame], size: int) -> None:
        """Take frames that ``size`` bytes of ``sender`` were."""
        at_ms = (time.perf_counter() - self._began) * 1000
        self._conversation.heard(sender, at_ms, frames, size)

    def said(self, message: WebSocketMessage) -> None:
        """Take a message as it was passed on."""
        message.at_ms = (time.perf_counter() - self._began) * 1000
        self._conversation.said(message)

    def ended(self, by: str, *, abnormal: bool) -> None:
        """Note whose connection ended first."""
        at_ms = (time.perf_counter() - self._began) * 1000
        self._conversation.ended(by, at_ms, abnormal=abnormal)


class WebSocketSide(TunnelSide):
    """One end of a relayed WebSocket; :func:`join` makes both."""

    def __init__(
        self,
        server: ProxyServer,
        transport: asyncio.Transport,
        sender: str,
        reader: FrameReader,
        listener: Listener | None,
    ) -> None:
        super().__init__(server, transport)
        self.idle_seconds = server.settings.websocket_idle_timeout
        self.reader = reader
        self.sender = sender
        self.listener = listener

    def data_received(self, data: bytes) -> None:
        """Note what it is, and pass it on."""
        self.ticks = 0
        other, reader = self.other, self.reader
        if other is None:
            return
        frames = reader.feed(data)
        violation = reader.violation
        if violation is not None and violation.code is CloseCode.TOO_BIG:
            self.refuse(violation.code, violation.reason)
            return
        if self.listener is not None and frames:
            self.listener.heard(self.sender, frames, len(data))
            self.mind_the_disk(self.listener.sink)
        self.count(len(data))
        other.transport.write(data)

    def count(self, size: int) -> None:
        """Count what comes from an origin and goes to a client."""
        if self.sender == "server":
            stats = self._server.stats
            stats.bytes_in += size
            stats.bytes_out += size

    def mind_the_disk(self, sink: InteractionSink) -> None:
        """Stop reading where the recorder is behind."""
        if sink.congested:
            self._server.hold_for_disk(self, sink)

    def refuse(self, code: CloseCode, reason: str) -> None:
        """Close both connections, and tell the sender why, where a frame can be put in."""
        log.warning("A WebSocket is closed with %d: %s", code, reason)
        self.tell(code, reason)
        other = self.other
        if isinstance(other, WebSocketSide):
            other.forget()
        self.end(abnormal=False)
        self.transport.close()
        if other is not None:
            other.transport.close()

    def tell(self, code: CloseCode, reason: str) -> None:
        """Send this end a Close frame, unless one was sent, or a frame is half-way there."""
        other = self.other
        if not isinstance(other, WebSocketSide) or other.reader.mid_frame or other.reader.closed:
            return
        if other.ended:  # and so has been passed on: nothing can be sent here any more
            return
        payload = close_payload(code, reason)
        if self.sender == "server":  # to a server we are the client, who masks
            key = os.urandom(4)
            payload = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
            head = bytes((FIN | CLOSE, 0x80 | len(payload))) + key
        else:
            head = frame_head(FIN | CLOSE, len(payload))
        self.transport.write(head + payload)

    def close_when_idle(self) -> None:
        """Close both ends: the proxy stops, or the session is over."""
        self._go_away("The proxy is stopping")

    def time_out(self) -> None:
        """Close both ends, which may have forgotten each other."""
        self._go_away(f"Nothing was said for {self.idle_seconds:g} seconds")

    def _go_away(self, reason: str) -> None:
        """Tell both ends (RFC 6455 §7.4.1): it is us who ends it, and neither of them."""
        other = self.other
        self.tell(CloseCode.GOING_AWAY, reason)
        if isinstance(other, WebSocketSide):
            other.tell(CloseCode.GOING_AWAY, reason)
            other.forget()
        self.end(abnormal=False)
        self.transport.close()

    def end(self, *, abnormal: bool) -> None:
        """Tell the recording, once, that it is over."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.ended(self.sender, abnormal=abnormal)

    def forget(self) -> None:
        """Hear nothing more: the other end has told the recording."""
        self.listener = None

    def eof_received(self) -> bool:
        """Pass a half-close on; the second is the end, and the first was how it began."""
        if self.other is not None and self.other.ended:
            self._end_both()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side too."""
        self._end_both()
        super().connection_lost(exc)

    def _end_both(self) -> None:
        """Tell the recording that the connections have ended, and which one first."""
        other = self.other
        if isinstance(other, WebSocketSide):
            (other if other.ended else self).end(abnormal=True)
            other.forget()
            self.forget()
        else:
            self.end(abnormal=True)

    # --- a disk that is behind -----------------------------------------------------------------

    def hold_for_disk(self) -> None:
        """Stop reading until the recorder has caught up."""
        self.gate.hold(Hold.DISK)

    def release_from_disk(self) -> None:
        """Go on."""
        self.gate.release(Hold.DISK)


def join(
    server: ProxyServer,
    client: asyncio.Transport,
    upstream: asyncio.Transport,
    relay: Relay,
    *,
    to_upstream: bytes,
    to_client: bytes,
) -> None:
    """Relay a WebSocket between two transports, beginning with what has already been read."""
    sides = [relay.side(server, client, "client"), relay.side(server, upstream, "server")]
    one, two = sides
    one.other, two.other = two, one
    one.user = relay.user
    client.set_protocol(one)
    upstream.set_protocol(two)
    server.admit(one)
    if to_upstream:
        one.data_received(to_upstream)
    if to_client:
        two.data_received(to_client)
    if upstream.is_closing():  # it may have told its former protocol so, and tells nobody again
        two.connection_lost(None)


def open_websocket(
    client: ClientConnection,
    request: Request,
    response: ResponseReceived,
    tape: Tape | None,
    peer: str,
) -> Relay:
    """Return how the WebSocket that an origin has accepted is relayed, and begin its recording."""
    extensions = extensions_of(response.fields)
    listener = None
    if tape is not None and extensions.unknown:
        tape.discard()
        log.warning(
            "%s is relayed, not recorded: its extension %s is not known",
            request.url,
            ", ".join(extensions.unknown),
        )
    elif tape is not None:
        sink = cast("RecordingSink", tape.sink)
        conversation = sink.open_conversation(tape.switched(request, response, peer))
        if conversation is not None:
            client.server.stats.recorded += 1
            listener = Listener(sink, conversation)
    shaping = client.session.shaping
    hooks = None if shaping is None or not shaping.hooks.at_message else shaping.hooks
    if extensions.unknown:
        hooks = None  # what they would see is not the message
    return Relay(request, extensions.compression, listener, hooks, client.user)


class Relay:
    """How one WebSocket is relayed: its ``request``, what was negotiated, who listens.

    ``hooks`` None: nobody but the listener looks at messages.
    """

    def __init__(
        self,
        request: Request,
        compression: Compression | None,
        listener: Listener | None,
        hooks: Hooks | None = None,
        user: str | None = None,
    ) -> None:
        self.user = user
        self.request = request
        self.compression = compression
        self.listener = listener
        self.hooks = hooks

    def side(self, server: ProxyServer, transport: asyncio.Transport, sender: str) -> WebSocketSide:
        """Return the protocol of one end."""
        settings = server.settings
        reader = FrameReader(
            masked=sender == "client",
            compressed=self.compression is not None,
            limits=Limits(settings.max_message_size, settings.max_message_fragments),
        )
        if self.hooks is None:
            return WebSocketSide(server, transport, sender, reader, self.listener)
        from magneto_serge.proxy.websocket_hooks import HookedSide

        return HookedSide(server, transport, sender, reader, self)
