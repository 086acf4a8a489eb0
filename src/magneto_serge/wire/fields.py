"""What field lines mean for this hop: connection options, hop-by-hop fields, framing.

``KNOWN`` is the one table that parsers consult for each field line; a name that is not in it is
nobody's business but the endpoints'.
"""

from __future__ import annotations

from enum import IntEnum

from magneto_serge.messages import FieldLine


class Known(IntEnum):
    """Field names with a meaning for an intermediary."""

    HOST = 1
    CONTENT_LENGTH = 2
    TRANSFER_ENCODING = 3
    CONNECTION = 4
    EXPECT = 5
    UPGRADE = 6
    HOP_BY_HOP = 7


# RFC 9110 §7.6.1 names what an intermediary must take off even where Connection does not
# nominate it. Proxy-Authorization is for us (§11.7.2). HTTP2-Settings belongs to the retired
# h2c upgrade (RFC 9113 §3.1). TE is put back by `serialize` where it asks for trailers.
KNOWN: dict[bytes, Known] = {
    b"host": Known.HOST,
    b"content-length": Known.CONTENT_LENGTH,
    b"transfer-encoding": Known.TRANSFER_ENCODING,
    b"connection": Known.CONNECTION,
    b"expect": Known.EXPECT,
    b"upgrade": Known.UPGRADE,
    b"proxy-connection": Known.HOP_BY_HOP,
    b"keep-alive": Known.HOP_BY_HOP,
    b"te": Known.HOP_BY_HOP,
    b"proxy-authorization": Known.HOP_BY_HOP,
    b"http2-settings": Known.HOP_BY_HOP,
}

HOP_BY_HOP: frozenset[bytes] = frozenset(
    name
    for name, known in KNOWN.items()
    if known in (Known.CONNECTION, Known.UPGRADE, Known.HOP_BY_HOP)
)

# Connection may nominate these, but a message without them would be another message: Host and
# framing fields are never dropped on a peer's word (RFC 9110 §7.6.1 forbids nominating them).
NEVER_NOMINATED = frozenset((b"host", b"content-length", b"transfer-encoding"))


def connection_options(value: bytes) -> set[bytes]:
    """Split a ``Connection`` field value into its options, lower-case (RFC 9110 §7.6.1)."""
    return {option for part in value.lower().split(b",") if (option := part.strip(b" \t"))}


def first(fields: list[FieldLine] | tuple[FieldLine, ...], name: bytes) -> bytes | None:
    """Return the first value of ``name`` (given in lower case), or None."""
    for key, value in fields:
        if key.lower() == name:
            return value
    return None
