"""The origin of the WebSocket benchmark: ``python -m benchmarks._websocket_origin PORT``.

``/echo/SIZE`` sends back what it is sent, ``/talk/SIZE/COUNT`` says so many messages and closes.
What is sent and received is known beforehand (``_websocket_traffic``), so that echoing is comparing
and sending slices: a round trip costs little more than its system calls, which is what lets nginx
be the bottleneck. A connection that says anything else is cut off. Linux only (epoll).
"""

from __future__ import annotations

import functools
import select
import socket
import sys

from benchmarks._websocket_traffic import CHUNK, CLOSE, Stream, accepted


class Connection:
    """One client: the handshake, then the echo or the talk."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._head = b""
        self._heard: Stream | None = None
        self._said: Stream | None = None
        self._at = 0  # in the stream that is heard
        self._part = 0  # bytes heard of a message that is not complete
        self._next = 0  # in the stream that is said
        self._closes = False
        self.due = 0  # bytes still to be said

    def read(self) -> bool:
        """Take what came, and answer; return False when the connection is over."""
        data = self._client.recv(CHUNK)
        if not data:
            return False
        if self._heard is None:
            return self._open(data)
        if data[0] == CLOSE[0] and not self._part:
            if not self._closes:
                self._client.send(CLOSE)
            return False
        at = self._at
        if data != self._heard.data[at : at + len(data)]:
            return False
        self._at = (at + len(data)) % self._heard.round
        messages, self._part = divmod(self._part + len(data), self._heard.frame)
        assert self._said is not None
        self.due += messages * self._said.frame
        self.write()
        return True

    def _open(self, data: bytes) -> bool:
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return True
        _, what, size, *count = self._head.split(b" ", 2)[1].decode().split("/")
        self._heard, self._said = _stream(int(size), True), _stream(int(size), False)
        self._client.send(accepted(self._head))
        if what == "talk":
            self.due, self._closes = int(count[0]) * self._said.frame, True
            self.write()
        return True

    def write(self) -> None:
        """Say as much of what is due as the client takes."""
        said = self._said
        assert said is not None
        while self.due:
            try:
                count = self._client.send(said.view[self._next : self._next + min(self.due, CHUNK)])
            except BlockingIOError:
                return
            self.due -= count
            self._next = (self._next + count) % said.round
        if self._closes:
            self._client.send(CLOSE)


@functools.cache
def _stream(size: int, masked: bool) -> Stream:
    return Stream(size, masked=masked)


def main(port: int) -> None:
    """Serve until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1_024)
    events = select.epoll()
    events.register(listener.fileno(), select.EPOLLIN)
    clients: dict[int, tuple[socket.socket, Connection, list[int]]] = {}
    while True:
        for descriptor, happened in events.poll():
            found = clients.get(descriptor)
            if found is None:
                client, _ = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                events.register(client.fileno(), select.EPOLLIN)
                clients[client.fileno()] = (client, Connection(client), [select.EPOLLIN])
                continue
            client, connection, interest = found
            try:
                if happened & select.EPOLLOUT:
                    connection.write()
                    lasts = True
                else:
                    lasts = connection.read()
            except OSError:  # its other end has been stopped
                lasts = False
            if not lasts:
                del clients[descriptor]
                client.close()
                continue
            wanted = select.EPOLLOUT if connection.due else select.EPOLLIN
            if wanted != interest[0]:
                interest[0] = wanted
                events.modify(descriptor, wanted)


if __name__ == "__main__":
    main(int(sys.argv[1]))
