"""Request targets (RFC 9112 §3.2): which origin a request is for, and what to ask it.

The four forms: origin-form (``/p?q``), absolute-form (``http://h/p?q``), authority-form
(``h:443``, CONNECT only) and asterisk-form (``*``, OPTIONS only). llhttp has already refused
characters that no target may have. What is checked here is what two readers could take in two
ways: a bad port, an empty or malformed host, a fragment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from magneto_serge.errors import ClientProtocolError
from magneto_serge.messages import DEFAULT_PORTS

# RFC 3986 §3.2.2: reg-name (unreserved, pct-encoded, sub-delims) or an IP literal. Raw UTF-8 is
# not a host on the wire: clients send IDNA A-labels (RFC 9110 §4.2.3 by way of RFC 3986).
_HOST = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?)\]|([A-Za-z0-9._~!$&'()*+;=%-]+))"
)
# RFC 3986 §3.2.1. With a raw "@" or "\\" in it, readers would find the host in different places.
_USERINFO = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:%-]*")


class Authority(NamedTuple):
    """``host`` in lower case, IPv6 without brackets; ``port``; ``userinfo``, None where absent."""

    host: str
    port: int
    userinfo: str | None = None


def parse_authority(text: str, default_port: int | None) -> Authority:
    """Read ``[userinfo@]host[:port]``.

    Raises ClientProtocolError where the host or port is missing or malformed; ``default_port``
    None makes the port mandatory and refuses userinfo (authority-form, RFC 9112 §3.2.3).
    """
    userinfo, at, rest = text.rpartition("@")
    match = _HOST.match(rest)
    if match is None or _USERINFO.fullmatch(userinfo) is None:
        raise ClientProtocolError(f"The request names no valid host: {text!r}")
    port_text = rest[match.end() :]
    if at and default_port is None:
        raise ClientProtocolError(f"CONNECT takes no user information: {text!r}")
    if port_text in ("", ":"):
        if default_port is None:
            raise ClientProtocolError(f"CONNECT needs host:port, not {text!r}")
        port = default_port
    elif port_text[0] == ":" and port_text[1:].isascii() and port_text[1:].isdigit():
        port = int(port_text[1:6]) if len(port_text) <= 6 else 0
        if not 0 < port < 65536:
            raise ClientProtocolError(f"The port in {text!r} is not between 1 and 65535")
    else:
        raise ClientProtocolError(f"The request names no valid host and port: {text!r}")
    host = match[1] or match[2]
    return Authority(host.lower(), port, userinfo if at else None)


_ORIGINS = {"ws": "http", "wss": "https"}  # RFC 6455 §3, §4.1: how their connections are made


class AbsoluteTarget(NamedTuple):
    """An absolute-form target taken apart: scheme, authority, and what to send to the origin."""

    scheme: str
    authority: Authority
    target: str


def parse_absolute(target: str) -> AbsoluteTarget:
    """Take apart ``http://[userinfo@]host[:port][/path][?query]`` (RFC 9112 §3.2.2).

    ``ws`` and ``wss`` name the same origins as http and https: they say what will be asked there.
    Raises ClientProtocolError for another scheme and for a bad authority.
    """
    scheme, separator, rest = target.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        raise ClientProtocolError(f"The request target is not an http or https URL: {target!r}")
    end = len(rest)
    for delimiter in "/?#":
        found = rest.find(delimiter, 0, end)
        if found >= 0:
            end = found
    path = rest[end:]
    if not path.startswith("/"):
        path = "/" + path
    authority = parse_authority(rest[:end], DEFAULT_PORTS[scheme])
    return AbsoluteTarget(_ORIGINS.get(scheme, scheme), authority, path)


def refuse_fragment(target: str) -> None:
    """Raise ClientProtocolError for a fragment: it is never sent (RFC 9110 §4.2.5)."""
    if "#" in target:
        raise ClientProtocolError(f"The request target has a fragment: {target!r}")
