"""Interactions for the tests of storage: plain ones, and every one that Hypothesis can think of."""

from __future__ import annotations

import io
import json
from pathlib import Path

from hypothesis import strategies as st

from magneto_serge.messages import (
    NO_HEADERS,
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
from magneto_serge.storage.body_rules import BodyRules
from magneto_serge.storage.json_format import read
from magneto_serge.storage.json_write import JsonWriter
from magneto_serge.storage.side_files import SideFiles
from magneto_serge.storage.store import CassetteStore

PLACE = Path("cassettes/tape.json")


def exchange(
    path: str = "/",
    body: bytes = b"",
    *,
    fields: Headers = NO_HEADERS,
    sent: bytes = b"",
    status: int = 200,
) -> Interaction:
    """Return an ordinary exchange with ``body`` and ``fields`` in its response."""
    request = Request("POST" if sent else "GET", "https", "api.example.com", 443, path, body=sent)
    return Interaction(
        request,
        Response(status, "OK", fields, body),
        started=1_700_000_000.125,
        first_byte_ms=12.5,
        total_ms=13.0,
        peer="192.0.2.1:443",
    )


def dump(*interactions: Interaction, folder: Path = Path("cassettes"), **rules: object) -> bytes:
    """Return the text of a cassette ``tape`` in ``folder``; ``rules`` are those of BodyRules."""
    out = io.BytesIO()
    files = SideFiles(folder / "tape.bodies", folder / "workshop")
    writer = JsonWriter(out, name="tape", recorded_at=0.0, rules=BodyRules(**rules), files=files)
    for interaction in interactions:
        writer.add(interaction)
    writer.close()
    return out.getvalue()


def record(store: CassetteStore, name: str, *interactions: Interaction, add: bool = False) -> Path:
    """Record a cassette, or ``add`` to one, and return its path."""
    recorder = store.recorder(name)
    for interaction in interactions:
        recorder.record(interaction)
    path = recorder.finish(replace=not add)
    assert path is not None
    return path


def load(data: bytes) -> list[Interaction]:
    """Return the interactions in the text of a cassette."""
    return read(PLACE, data)


def stored(interaction: Interaction, **rules: object) -> dict[str, object]:
    """Return an interaction as another JSON reader sees it in a cassette."""
    cassette = json.loads(dump(interaction, **rules))
    found: dict[str, object] = cassette["interactions"][0]
    return found


def text_bodies() -> st.SearchStrategy[bytes]:
    """Return bodies of text, line ends of every kind among them."""
    text = st.text(st.characters(codec="utf-8") | st.sampled_from('\n\r\t {}[]"\\,:'))
    return text.map(str.encode)


def json_bodies() -> st.SearchStrategy[bytes]:
    """Return bodies of JSON in the styles that common encoders write, and some that none does."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
    return st.builds(
        lambda value, indent, separators, ascii_only, end: (
            json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only) + end
        ).encode("utf-8", "replace"),
        values,
        st.none() | st.integers(0, 8) | st.just("\t"),
        st.none() | st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
        st.booleans(),
        st.sampled_from(["", "\n", "\r\n", "\n\n", " "]),
    )


bodies = st.binary(max_size=64) | text_bodies() | json_bodies()
sections = st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=24)), max_size=5).map(
    Headers
)
latin1 = st.text(st.characters(max_codepoint=0xFF), max_size=12)
milliseconds = st.integers(0, 10**8).map(lambda n: n / 1000)
versions = st.sampled_from(["HTTP/1.1", "HTTP/1.0"])
targets = st.just("*") | st.text(st.characters(codec="utf-8"), max_size=20).map("/".__add__)

requests = st.builds(
    Request,
    st.sampled_from(["GET", "POST", "OPTIONS", "M-SEARCH"]),
    st.sampled_from(["http", "https"]),
    st.sampled_from(["api.example.com", "127.0.0.1", "::1", "fe80::1%eth0", "localhost"]),
    st.integers(1, 65535) | st.sampled_from([80, 443]),
    targets,
    sections,
    bodies,
    versions,
    sections,
)
responses = st.builds(Response, st.integers(100, 999), latin1, sections, bodies, versions, sections)
failures = st.builds(Failure, st.sampled_from(FailureKind), st.text(max_size=20))


@st.composite
def _pieces(draw: st.DrawFn, size: int) -> tuple[tuple[int, float], ...]:
    cuts = sorted(draw(st.sets(st.integers(1, max(1, size - 1)), max_size=4)) | {size})
    sizes = [end - start for start, end in zip([0, *cuts], cuts, strict=False)]
    return tuple((piece, draw(milliseconds)) for piece in sizes)


messages = st.builds(
    WebSocketMessage,
    st.sampled_from(["client", "server"]),
    st.sampled_from(["text", "binary", "ping", "pong"]),
    bodies,
    milliseconds,
    st.just(()) | st.lists(st.integers(0, 2**40), min_size=2, max_size=4).map(tuple),
    st.booleans(),
)
closes = st.builds(
    WebSocketClose,
    st.integers(0, 65535),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(["client", "server"]),
    milliseconds,
)


@st.composite
def conversations(draw: st.DrawFn) -> Interaction:
    """Return any WebSocket that can be recorded."""
    interaction = draw(interactions())
    interaction.response = draw(responses)
    interaction.failure = None
    interaction.chunks = ()
    said = tuple(draw(st.lists(messages, max_size=4)))
    interaction.websocket = Conversation(said, draw(st.none() | closes))
    return interaction


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    """Return any interaction that can be recorded: with a response, a failure, or both."""
    response = draw(st.none() | responses)
    failure = draw(failures if response is None else st.none() | failures)
    size = len(response.body) if response and isinstance(response.body, bytes) else 0
    return Interaction(
        draw(requests),
        response,
        failure,
        tuple(draw(st.lists(responses, max_size=2))),
        draw(st.integers(0, 4_102_444_800_000)) / 1000,
        draw(st.none() | milliseconds),
        draw(milliseconds),
        draw(st.just(()) | _pieces(size)) if size else (),
        draw(st.just("") | st.just("192.0.2.1:443") | st.just("[::1]:80")),
        template=draw(st.booleans()),
        uploaded=tuple(draw(st.just([]) | st.lists(st.integers(0, 2**40), min_size=1))),
    )
