"""Plain values: what was on the wire is kept as bytes, and shown to people as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import (
    Failure,
    FailureKind,
    FileBody,
    Headers,
    Interaction,
    Request,
    Response,
    body_size,
    field_text,
)

FIELDS = Headers(
    [(b"Set-Cookie", b"a"), (b"X-Name", "é".encode()), (b"set-cookie", b"b"), (b"X-Old", b"\xe9")]
)


def test_names_compare_without_case() -> None:
    """RFC 9110 §5.1; the first value is found, or all of them in order."""
    assert FIELDS["SET-COOKIE"] == "a"
    assert FIELDS.get("x-name") == "é"
    assert FIELDS.get_all("Set-cookie") == ["a", "b"]
    assert "x-OLD" in FIELDS


def test_names_that_are_not_there() -> None:
    """None or the default, an empty list, KeyError: as for a dict."""
    assert FIELDS.get("X-None") is None
    assert FIELDS.get("X-None", "default") == "default"
    assert FIELDS.get_all("X-None") == []
    assert "X-None" not in FIELDS
    assert 1 not in FIELDS
    with pytest.raises(KeyError, match="X-None"):
        FIELDS["X-None"]


def test_values_are_text_for_people() -> None:
    """UTF-8 where the bytes are, Latin-1 otherwise (RFC 9110 §5.5)."""
    assert list(FIELDS) == [
        ("Set-Cookie", "a"),
        ("X-Name", "é"),
        ("set-cookie", "b"),
        ("X-Old", "é"),
    ]
    assert len(FIELDS) == 4
    assert repr(Headers.of(("A", "é"))) == "Headers([('A', 'é')])"


@given(st.binary())
def test_any_value_is_text(value: bytes) -> None:
    """Decoding never fails."""
    assert isinstance(field_text(value), str)


@given(
    st.lists(
        st.tuples(
            st.text("abcXYZ-", min_size=1),
            st.text(st.characters(blacklist_categories=["Cs"])),
        )
    )
)
def test_text_becomes_bytes_and_back(pairs: list[tuple[str, str]]) -> None:
    """What was built from text reads the same."""
    assert list(Headers.of(*pairs)) == pairs


def test_sections_are_values() -> None:
    """Equal where their lines are, in order and case; usable as keys."""
    same = Headers(FIELDS.raw)
    assert same == FIELDS
    assert hash(same) == hash(FIELDS)
    assert Headers.of(("A", "1")) != Headers.of(("a", "1"))
    assert Headers.of(("A", "1"), ("B", "2")) != Headers.of(("B", "2"), ("A", "1"))
    assert Headers() != ()


def test_names_are_ascii() -> None:
    """A field name that is none is a mistake of the caller's."""
    with pytest.raises(UnicodeEncodeError):
        Headers.of(("Ä", "1"))


def test_size_of_a_body() -> None:
    """Wherever it is kept."""
    assert body_size(b"hello") == 5
    assert body_size(FileBody(Path("/nowhere"), 7, "")) == 7


@pytest.mark.parametrize(
    ("scheme", "host", "port", "target", "url"),
    [
        ("http", "a.test", 80, "/", "http://a.test/"),
        ("https", "a.test", 443, "/b?c", "https://a.test/b?c"),
        ("http", "a.test", 443, "/", "http://a.test:443/"),
        ("https", "::1", 8443, "/", "https://[::1]:8443/"),
        ("http", "a.test", 80, "*", "http://a.test"),
    ],
)
def test_target_uri(scheme: str, host: str, port: int, target: str, url: str) -> None:
    """The port only where it is not the scheme's; ``OPTIONS *`` has an empty path."""
    request = Request("GET", scheme, host, port, target)
    assert request.url == url
    assert request.authority == url.partition("//")[2].partition("/")[0]


def test_interaction_has_sensible_defaults() -> None:
    """Neither response nor failure, no times: what is not known is not made up."""
    interaction = Interaction(Request("GET", "http", "a.test", 80, "/"))
    assert interaction.response is None
    assert interaction.failure is None
    assert interaction.first_byte_ms is None
    assert (interaction.informational, interaction.chunks, interaction.peer) == ((), (), "")
    assert Response(200).headers == Headers()


def test_kinds_of_failure_are_words() -> None:
    """They are what a cassette says: changing one breaks cassettes."""
    assert [str(kind) for kind in FailureKind] == [
        "dns",
        "refused",
        "unreachable",
        "timeout",
        "tls",
        "reset",
        "truncated",
        "bad-response",
        "upstream-proxy",
        "client-closed",
    ]
    assert Failure(FailureKind.DNS) == Failure(FailureKind("dns"), "")
