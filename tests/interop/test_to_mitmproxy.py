"""Flows for mitmproxy hold nearly all: they come back as they were."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magneto_serge.interop.remarks import Remark
from magneto_serge.messages import Conversation, Headers, Interaction, Request, Response

from .exchanges import conversations, interactions, there_and_back

several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@several
@given(held=st.lists(interactions() | interactions(version="HTTP/1.0"), max_size=3))
def test_there_and_back(held: list[Interaction], tmp_path: Path) -> None:
    """Exact bytes, versions, times, peers, failures."""
    back, remarked = there_and_back("mitmproxy", held, tmp_path) if held else ([], set())
    assert back == held
    assert not remarked


@several
@given(held=conversations)
def test_conversations_there_and_back(held: Conversation, tmp_path: Path) -> None:
    """With how they ended."""
    request = Request("GET", "https", "h.example", 443, "/")
    one = Interaction(
        request, Response(101, "Switching"), started=1e9, first_byte_ms=5.0, websocket=held,
        total_ms=5.0,
    )  # fmt: skip
    assert there_and_back("mitmproxy", [one], tmp_path)[0] == [one]


def test_trailers_and_asterisks(tmp_path: Path) -> None:
    """Are held; interim responses and pieces are not."""
    fields = Headers.of(("Transfer-Encoding", "chunked"))
    held = Interaction(
        Request("OPTIONS", "http", "h", 80, "*"),
        Response(200, "OK", fields, b"abc", trailers=Headers.of(("T", "1"))),
        started=1.0,
        first_byte_ms=0.0,
    )
    assert there_and_back("mitmproxy", [held], tmp_path) == ([held], set())
    held.chunks, held.informational = ((1, 0.0), (2, 1.0)), (Response(103),)
    assert there_and_back("mitmproxy", [held], tmp_path)[1] == {Remark.PIECES, Remark.INTERIM}
