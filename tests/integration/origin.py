"""A scripted origin: a real server whose every byte is written down by the test.

A path is answered by a *script*: a sequence of steps, each either ``bytes`` to send as they are
or a function of the :class:`Exchange`; ``origin.on("/path", b"HTTP/1.1 200 OK...", ...)`` adds
one. ``routes.py`` has the standing ones, ``faults.py`` the ways to break off. Rules:

* Nothing is added, completed or corrected: no ``Date``, no framing, no status line.
* The request body is read before the first step, unless the script says when (``read_body``)
  or says that it will not be (``leave_body``).
* After the script the connection stays open, unless a step or the request said otherwise.
* Every request is kept raw in ``received`` and every connection counted; ``wait_for`` waits for
  a condition on them without sleeping. ``stop`` cuts everything and frees the port at once.

One thread for each connection, blocking sockets: the simplest thing whose bytes can be trusted.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

from .bytestream import ByteStream, StreamEnded
from .exchange import PATIENCE, Exchange, Gate, HungUp, Received, Step, leave_body, read_body


class Origin:
    """A server on a loopback port; ``context`` makes it speak TLS."""

    def __init__(
        self, *, host: str = "127.0.0.1", name: str = "", context: ssl.SSLContext | None = None
    ) -> None:
        self.host, self.name, self.context = host, name or host, context
        self.port = 0
        self.changed = threading.Condition()
        self.stopped = True
        self.scripts: dict[str, tuple[Step, ...]] = {}
        self.received: list[Received] = []
        self.connections = 0
        self.sent = 0  # bytes of responses handed to the kernel
        self.stalled = 0  # times a flood found the socket full
        self.sni: list[str | None] = []
        self.troubles: list[Exception] = []
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        if context is not None:
            context.sni_callback = lambda _sock, name, _context: self.sni.append(name)

    # ---------------------------------------------------------------- what a test says

    def on(self, path: str, *steps: Step) -> str:
        """Answer ``path`` with these steps; returns its URL."""
        self.scripts[path] = steps
        return self.url(path)

    def gate(self) -> Gate:
        """Return a new closed gate, to be used as a step."""
        return Gate(self)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition()``; fails the test if it does not come."""
        with self.changed:
            met = self.changed.wait_for(condition, PATIENCE)
        assert met, f"the origin waited in vain; it received {[r.head for r in self.received]}"

    @property
    def authority(self) -> str:
        """``name:port``, an IPv6 literal in brackets."""
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"

    def url(self, path: str = "/") -> str:
        """The URL of ``path`` here."""
        return f"{'https' if self.context else 'http'}://{self.authority}{path}"

    @property
    def last(self) -> Received:
        """The request received last."""
        return self.received[-1]

    # ---------------------------------------------------------------- life

    def start(self) -> Origin:
        """Listen; a second start uses the same port again."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.host, self.port))
        self._listener.listen(256)
        self.port = self._listener.getsockname()[1]
        self.stopped = False
        self._spawn(self._accept, self._listener)
        return self

    def stop(self) -> None:
        """Close the port and cut every connection; returns when all threads are gone."""
        with self.changed:
            if self.stopped:
                return
            self.stopped = True
            self.changed.notify_all()
            sockets = [self._listener, *self._sockets]
        for sock in sockets:
            shut(sock)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._threads.clear()

    def __enter__(self) -> Origin:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self.stopped:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                number = self.connections
                self._sockets.add(sock)
                self.changed.notify_all()
            self._spawn(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bare = sock
        try:
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
                with self.changed:
                    self._sockets.add(sock)
            self._converse(ByteStream(sock), number)
        except (HungUp, StreamEnded, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - shown by the fixture that made this origin
            self.troubles.append(error)
        finally:
            with self.changed:
                self._sockets -= {bare, sock}
            close(sock)
            bare.close()

    def _converse(self, stream: ByteStream, number: int) -> None:
        nth = 0
        while not self.stopped:
            request = Received(number, stream.until(b"\r\n\r\n"))
            nth += 1
            with self.changed:
                self.received.append(request)
                self.changed.notify_all()
            exchange = Exchange(self, stream, request, nth)
            self._play(exchange)
            if exchange.last:
                return

    def _play(self, exchange: Exchange) -> None:
        script = self.scripts.get(exchange.request.target.partition("?")[0], NOT_FOUND)
        if read_body not in script and leave_body not in script:
            exchange.read_body()
        for step in script:
            if isinstance(step, bytes):
                exchange.send(step)
            else:
                step(exchange)


NOT_FOUND = (b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno script",)


def close(sock: socket.socket) -> None:
    """Close in an orderly way: a TLS peer gets its close_notify (RFC 8446 §6.1)."""
    if isinstance(sock, ssl.SSLSocket):
        try:
            sock.settimeout(0)  # send ours, do not wait for theirs
            sock.unwrap()
        except (OSError, ValueError):
            pass
    shut(sock)
    sock.close()


def shut(sock: socket.socket) -> None:
    """End both directions, if the socket still has them."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
