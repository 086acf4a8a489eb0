"""The sockets of this process lead to the proxy, whether its clients know of one or not.

A client that reads no environment (urllib3, aiohttp, one with a transport of its own) or has read
it before the session began connects to its server itself. Here that connection is made to the proxy
instead: the socket gets its source port, the proxy is told what the connection from that port was
meant for, and no client notices. Names are not looked up, since in replay nothing may be: each gets
an address from 198.18.0.0/15 (RFC 2544, in no real network), which leads back to its name;
``localhost`` too, or it would be recorded as 127.0.0.1.

Only TCP is led; what does not speak HTTP or TLS is passed on by the proxy unread
(``proxy.caught``). Hosts that the session ignores are left alone. A child that this process has
forked is led too: it asks the proxy for a tunnel.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from base64 import b64encode
from typing import Any
from urllib.parse import unquote, urlsplit

from magneto_serge.capture import scopes
from magneto_serge.capture.patches import Patches

_FIRST = int(ipaddress.IPv4Address("198.18.0.0"))
_COUNT = 2**17
_MAPPED = "::ffff:"  # RFC 4291 §2.5.5.2: an IPv4 address, for a socket of the IPv6 family

_PATIENCE = 10.0  # seconds
_home = os.getpid()  # whose proxy it is; a forked child is another process
_lock = threading.Lock()
_names: dict[str, str] = {}  # by address
_addresses: dict[str, str] = {}  # by name


# --- connections ---------------------------------------------------------------------------------


def _led_connect(self: socket.socket, address: Any, /) -> None:
    led = _led(self, address)
    if os.getpid() == _home or led == address:
        _real["connect"](self, led)
    else:
        _tunnel(self, led, address)


def _led_connect_ex(self: socket.socket, address: Any, /) -> int:
    led = _led(self, address)
    if os.getpid() == _home or led == address:
        return int(_real["connect_ex"](self, led))
    _tunnel(self, led, address)
    return 0


def _led(sock: socket.socket, address: Any) -> Any:
    """Return where to connect to; the proxy has then been told what for."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return address
    scope = scopes.current()
    if scope is None:
        return address
    name, port = _named(address)
    session = scope.session
    if scope.over:
        raise ConnectionRefusedError(
            f"{name}:{port}: the session of cassette {session.cassette_name!r} is over; this code "
            "was started in it and is still running"
        )
    if session.replay.ignores(name, port):
        return address if name == address[0] else ("127.0.0.1", port)
    proxy = session.address
    if os.getpid() == _home:
        session.expect(_source_port(sock, proxy), name, port)
    return (_MAPPED + proxy[0], proxy[1]) if sock.family == socket.AF_INET6 else proxy


def _named(address: Any) -> tuple[str, int]:
    host = str(address[0]).removeprefix(_MAPPED)
    return _names.get(host, host), int(address[1])


def _tunnel(sock: socket.socket, proxy: Any, address: Any) -> None:
    """Ask the proxy for a tunnel: a forked child cannot tell it of a source port.

    The proxy is on this machine and answers at once, so a socket of an event loop waits too.
    """
    patience = sock.gettimeout()
    sock.settimeout(_PATIENCE)
    try:
        _real["connect"](sock, proxy)
        name, port = _named(address)
        _ask_for(sock, f"[{name}]:{port}" if ":" in name else f"{name}:{port}")
    finally:
        sock.settimeout(patience)


def _ask_for(sock: socket.socket, target: str) -> None:
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nMagneto-Caught: fork\r\n"
    scope = scopes.current()
    url = urlsplit("" if scope is None else scope.session.url)
    if url.username is not None:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        head += f"Proxy-Authorization: Basic {b64encode(credentials).decode()}\r\n"
    sock.sendall(f"{head}\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionRefusedError(f"{target}: the proxy closed the connection")
        answer += byte
    if not answer.startswith(b"HTTP/1.1 200"):
        line = answer.partition(b"\r\n")[0].decode("latin-1")
        raise ConnectionRefusedError(f"{target}: the proxy refused it: {line}")


def _source_port(sock: socket.socket, proxy: tuple[str, int]) -> int:
    """Return the port that a socket will connect from, which it may get here."""
    port = int(sock.getsockname()[1])
    if not port:
        host = proxy[0]
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            host = _MAPPED + host
        sock.bind((host, 0))
        port = int(sock.getsockname()[1])
    return port


# --- names ---------------------------------------------------------------------------------------


def _led_getaddrinfo(host: Any, port: Any, family: int = 0, *args: Any, **kwargs: Any) -> Any:
    address = stands_for(host, port)
    if address is None:
        return _real["getaddrinfo"](host, port, family, *args, **kwargs)
    if family == socket.AF_INET6:
        address = _MAPPED + address
    return _real["getaddrinfo"](address, port, family, *args, **kwargs)


def _led_gethostbyname(hostname: str) -> str:
    return _address_of(hostname) or str(_real["gethostbyname"](hostname))


def stands_for(host: Any, port: Any) -> str | None:
    """Return the address that stands for a name where it is led; None where it is looked up."""
    return _address_of(host, port if isinstance(port, int) else 0)


def _address_of(host: Any, port: int = 0) -> str | None:
    """Return the address that stands for a name; None where the name is not led anywhere."""
    if isinstance(host, bytes):
        host = host.decode("idna")
    if not isinstance(host, str) or not host or _is_address(host):
        return None
    scope = scopes.current()
    name = host.lower().rstrip(".")
    if scope is None or scope.session.replay.ignores(name, port):
        return None
    with _lock:
        address = _addresses.get(name)
        if address is None:
            if len(_addresses) >= _COUNT - 2:
                _addresses.clear()
                _names.clear()
            address = str(ipaddress.IPv4Address(_FIRST + 1 + len(_addresses)))
            _addresses[name], _names[address] = address, name
    return address


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


PATCHES = Patches(
    (socket.socket, "connect", _led_connect),
    (socket.socket, "connect_ex", _led_connect_ex),
    (socket, "getaddrinfo", _led_getaddrinfo),
    (socket, "gethostbyname", _led_gethostbyname),
)
_real = PATCHES.real
