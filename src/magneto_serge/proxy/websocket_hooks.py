"""A relayed WebSocket whose messages hooks want to see.

Each message is put together, shown to the hooks, and framed anew for the other end, in as many
fragments as it had and compressed where it was; what a hook drops is not sent, and what it changes
is sent and recorded so. So this is an endpoint towards either side: compression has its own context
there, and what breaks the protocol is answered. A Close frame goes through as it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from magneto_serge.messages import Body, FileBody, Frame, WebSocketMessage
from magneto_serge.proxy.tee import Spool
from magneto_serge.proxy.websocket import Relay, WebSocketSide
from magneto_serge.wire.websocket import CLOSE, OPCODE, FrameReader
from magneto_serge.wire.websocket_messages import (
    Assembler,
    Deflater,
    mask_frames,
    message_frames,
    unmask,
)

if TYPE_CHECKING:
    from magneto_serge.proxy.server import ProxyServer


class HookedSide(WebSocketSide):
    """One end of such a WebSocket."""

    def __init__(
        self,
        server: ProxyServer,
        transport: asyncio.Transport,
        sender: str,
        reader: FrameReader,
        relay: Relay,
    ) -> None:
        super().__init__(server, transport, sender, reader, relay.listener)
        self._relay = relay
        self._spools: list[Spool] = []
        self._close = b""
        self._assembler = Assembler(
            sender, relay.compression, self._spool, limit=server.settings.max_message_size
        )
        compression = relay.compression
        self._deflater = None if compression is None else Deflater(*compression.of(sender))

    def _spool(self) -> Spool:
        spool = Spool(self._server.settings.memory_limit)
        self._spools.append(spool)
        return spool

    def data_received(self, data: bytes) -> None:
        """Show the hooks what is complete, and pass on what they return."""
        self.ticks = 0
        if self.other is None:
            return
        self.count(len(data))
        for frame in self.reader.feed(data):
            if frame.head & OPCODE == CLOSE:
                self._pass_close_on(frame)
                continue
            for message in self._assembler.take((frame,), 0.0):
                self._show(message)
        violation = self.reader.violation or self._assembler.violation
        if violation is not None:
            self.refuse(violation.code, violation.reason)

    def _show(self, message: WebSocketMessage) -> None:
        hooks = self._relay.hooks
        shown = message if hooks is None else hooks.message(self._relay.request, message)
        if shown is not None:
            data = _whole(shown.data)
            if self.listener is not None:  # a file of ours is gone before it would be read
                self.listener.said(replace(shown, data=data))
                self.mind_the_disk(self.listener.sink)
            deflater = self._deflater if shown.compressed else None
            self._write(message_frames(shown.kind, data, shown.fragments, deflater))
        if message.kind in ("ping", "pong"):
            return  # the message that it came in the middle of is still being collected
        for spool in self._spools:
            spool.discard()
        self._spools.clear()

    def _pass_close_on(self, frame: Frame) -> None:
        if self.listener is not None:
            self.listener.heard(self.sender, [frame], len(frame.payload))
        self._close = unmask(frame) if frame.first else self._close + unmask(frame)
        if frame.last:
            self._write(message_frames("close", self._close, (), None))

    def _write(self, frames: bytes) -> None:
        if self.other is not None:
            self.other.transport.write(mask_frames(frames) if self.sender == "client" else frames)


def _whole(body: Body) -> bytes:
    return body.path.read_bytes() if isinstance(body, FileBody) else body
