"""Breaking a TCP connection off with RST, as an origin did when it was recorded."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

# l_onoff=1, l_linger=0: close() sends RST and drops what is unsent (socket(7), SO_LINGER).
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Abort ``transport`` so that the peer sees ECONNRESET, not an orderly end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and not transport.is_closing():
        # uvloop hands out a stand-in that cannot set options: a duplicate is the same socket.
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
