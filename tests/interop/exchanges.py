"""Interactions that Hypothesis thinks of, as they are after any import, and what formats keep."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import strategies as st

from magneto_serge.interop.kinds import read
from magneto_serge.interop.normal import request_of, response_of
from magneto_serge.interop.outgoing import lines_of
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.targets import TARGETS
from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    Headers,
    Interaction,
    Request,
    Response,
    WebSocketClose,
    WebSocketMessage,
)

Pairs = list[tuple[str, str]]

_text = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=8).map(
    lambda text: text.strip(" \t")
)
_names = st.sampled_from(["Accept", "accept", "X-A", "x-b", "Cookie", "Set-Cookie", "ETag"])
_fields = st.lists(st.tuples(_names, _text), max_size=5)
_types = st.sampled_from(
    [
        [],
        [("Content-Type", "application/json")],
        [("Content-Type", "text/html; charset=iso-8859-1")],
        [("Content-Type", "text/plain; charset=utf-8")],
    ]
)
_codings = st.sampled_from(
    [[], [("Content-Encoding", "gzip")], [("Content-Encoding", "br")], [("Connection", "close")]]
)
_bodies = st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8"))
_ms = st.integers(0, 10**6).map(float)
_items = st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz019-_.~", max_size=3)), max_size=3)
_targets = st.builds(
    lambda path, items: f"/{path}" + ("?" if items else "") + "&".join("=".join(i) for i in items),
    st.text("abc/019-_.~", max_size=6),
    _items.map(lambda items: sorted(items, key=lambda item: item[0])),
)


@st.composite
def requests(draw: st.DrawFn, *, version: str = "") -> Request:
    """Draw a request."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD", "DELETE", "PURGE"]))
    body = draw(_bodies) if method in ("POST", "PURGE") else b""
    origin = draw(st.sampled_from(["http://h.example", "https://h.example:8443", "http://[::1]"]))
    fields = draw(_fields) + draw(_types)
    made = request_of(method, origin + draw(_targets), [*fields], body, Remarks(), version=version)
    assert made is not None
    return made


@st.composite
def responses(draw: st.DrawFn, method: str, *, version: str = "") -> Response:
    """Draw a response to a request of this method."""
    fields: Pairs = draw(_fields) + draw(_types) + draw(_codings)
    return response_of(
        draw(st.sampled_from([200, 204, 304, 404, 599])),
        draw(_text),
        [*fields],
        draw(_bodies),
        Remarks(),
        method=method,
        version=version,
    )


_failures = st.builds(Failure, st.sampled_from(FailureKind), st.text("abc: ", max_size=6))
_messages = st.builds(
    WebSocketMessage,
    st.sampled_from(["client", "server"]),
    st.just("text"),
    st.text(max_size=5).map(str.encode),
    _ms,
) | st.builds(
    WebSocketMessage,
    st.sampled_from(["client", "server"]),
    st.sampled_from(["binary", "ping", "pong"]),
    st.binary(max_size=5),
    _ms,
)
_closes = st.builds(
    WebSocketClose,
    st.sampled_from([1000, 1001, 1006, 4000]),
    st.text(max_size=5),
    st.sampled_from(["client", "server"]),
    _ms,
)
conversations = st.builds(
    Conversation, st.lists(_messages, max_size=3).map(tuple), st.none() | _closes
)


@st.composite
def interactions(draw: st.DrawFn, *, version: str = "") -> Interaction:
    """Draw an interaction: answered, failed, or broken off."""
    request = draw(requests(version=version))
    response = draw(st.none() | responses(request.method, version=version))
    failure = None
    if response is None or draw(st.integers(0, 9)) == 0:
        failure = draw(_failures)
    first = draw(_ms)
    return Interaction(
        request,
        response,
        failure,
        started=draw(st.integers(1, 2 * 10**12)) / 1000,
        first_byte_ms=None if response is None else first,
        total_ms=first + draw(_ms),
        peer=draw(st.sampled_from(["", "192.0.2.1:80", "[::1]:443"])),
    )


def there_and_back(
    target: str, written: Sequence[Interaction], folder: Path
) -> tuple[list[Interaction], set[Remark]]:
    """Export and import again; return what comes back and what was remarked on the way out."""
    out, remarks = io.BytesIO(), Remarks()
    TARGETS[target].write(written, out, remarks)
    path = folder / "exported"
    path.write_bytes(out.getvalue())
    return list(read(path, Remarks())), set(remarks.counts)


def without(interaction: Interaction, **lost: object) -> Interaction:
    """Return the interaction with some of its parts replaced."""
    return msgspec.structs.replace(interaction, **lost)


def with_grouped_fields(headers: Headers) -> Headers:
    """Return the section with the lines of one name one after the other."""
    order: dict[bytes, list[bytes]] = {}
    for name, value in headers.raw:
        order.setdefault(name, []).append(value)
    return Headers((name, value) for name, values in order.items() for value in values)


def in_http_1_1(response: Response, method: str, **changed: object) -> Response:
    """Return the response as it is imported where a format has no version."""
    told = msgspec.structs.replace(response, **changed)
    assert isinstance(told.body, bytes)
    return response_of(
        told.status, told.reason, [*lines_of(told.headers)], told.body, Remarks(), method=method
    )
