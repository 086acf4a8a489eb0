"""Which interactions belong together, and what is said to differ between them."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cli.recorded import exchange

from magneto_serge.messages import Failure, FailureKind, FileBody, Headers, Interaction, Response
from magneto_serge.replay import body_comparison
from magneto_serge.replay.comparison import Comparison, Pair, paired

A, B = "https://a.example/", "https://b.example/"
JSON = ("Content-Type", "application/json")


def differences(a: Interaction, b: Interaction, **options: Any) -> list[tuple[Any, ...]]:
    """Compare two interactions; JSON as its bytes."""
    return [
        tuple(bytes(each) if isinstance(each, msgspec.Raw) else each for each in found)
        for found in Comparison(**options).differences(a, b)
    ]


def test_equal_requests_are_paired_in_their_order() -> None:
    """As replay plays them."""
    a = [exchange(A), exchange(B), exchange(A)]
    b = [exchange(A), exchange(A), exchange(B)]
    assert paired(a, b) == [Pair(0, 0), Pair(1, 2), Pair(2, 1)]


def test_what_has_no_partner_stands_alone() -> None:
    """What came is last."""
    assert paired([exchange(A), exchange(A)], [exchange(B), exchange(A)]) == [
        Pair(0, 1),
        Pair(1, None),
        Pair(None, 0),
    ]


def test_another_body_is_a_change_of_the_request() -> None:
    """Once every request whose body is the same has found its partner."""
    a = [exchange(A, method="POST", sent=each) for each in (b"one", b"two")]
    b = [exchange(A, method="POST", sent=each) for each in (b"three", b"one")]
    assert paired(a, b) == [Pair(0, 1), Pair(1, 0)]
    assert differences(a[1], b[0]) == [("request.body, line 1", "two", "three")]


def test_times_and_addresses_are_not_compared() -> None:
    """They are never the same."""
    other = exchange(started=1.0)
    other.total_ms, other.first_byte_ms, other.peer, other.chunks = 9.0, 8.0, "x", ((0, 1.0),)
    assert differences(exchange(), other) == []


def test_the_status_line_is_compared() -> None:
    """Part by part."""
    other = exchange(status=404)
    assert other.response is not None
    other.response = msgspec.structs.replace(other.response, reason="Not Found", version="HTTP/1.0")
    assert differences(exchange(), other) == [
        ("response.status", "200", "404"),
        ("response.reason", None, "Not Found"),
        ("response.version", "HTTP/1.1", "HTTP/1.0"),
    ]


def test_fields_are_compared_by_name() -> None:
    """Without case, repeats kept apart, order among names of no account."""
    one = exchange(fields=(("ETag", "a"), ("Vary", "x"), ("Via", "1"), ("Via", "2")))
    other = exchange(fields=(("vary", "x"), ("etag", "b"), ("Via", "1"), ("Age", "0")))
    assert differences(one, other) == [
        ("response.headers.etag", "a", "b"),
        ("response.headers.via", "1\n2", "1"),
        ("response.headers.age", None, "0"),
    ]
    assert differences(one, other, ignored=["etag", "via", "age"]) == []


def test_trailers_and_requests_fields_count_too() -> None:
    """Wherever there is a section."""
    one, other = exchange(asked=(("Accept", "a"),)), exchange(asked=(("Accept", "b"),))
    assert one.response is not None
    one.response = msgspec.structs.replace(one.response, trailers=Headers.of(("X", "1")))
    assert [field for field, *_ in differences(one, other)] == [
        "request.headers.accept",
        "response.trailers.x",
    ]


def test_secrets_are_masked_and_still_differ() -> None:
    """One sees that, not what."""
    one = exchange(asked=(("Authorization", "Bearer aaa"),))
    other = exchange(asked=(("Authorization", "Bearer bbb"),))
    assert differences(one, other) == [
        ("request.headers.authorization", "Bearer ****", "Bearer ****")
    ]
    assert differences(one, other, reveal=True)[0][1:] == ("Bearer aaa", "Bearer bbb")
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    one, other = (exchange(sent=each, asked=form) for each in (b"password=a", b"password=b"))
    assert differences(one, other) == [("request.body", "password=****", "password=****")]


def test_failures_and_informational_responses_are_compared() -> None:
    """An answer that became a failure is two differences."""
    other = exchange(status=103)
    other.informational, other.response = (Response(103),), None
    other.failure = Failure(FailureKind.RESET, "by peer")
    assert differences(exchange(), other) == [
        ("informational", None, "103"),
        ("response", "200", None),
        ("failure", None, "reset: by peer"),
    ]


def test_what_is_marked_as_a_template_differs_from_what_is_not() -> None:
    """It answers something else, though both say the same."""
    marked = exchange()
    marked.template = True
    assert differences(exchange(), marked) == [("template", None, "true")]
    assert differences(marked, marked) == []


def test_json_is_compared_member_by_member() -> None:
    """As its content: compressed or not."""
    plain = exchange(body=b'{"a": [1, 2], "b": 1}', fields=(JSON,))
    squeezed = exchange(
        body=gzip.compress(b'{"b":1,"a":[1,3]}'), fields=(JSON, ("Content-Encoding", "gzip"))
    )
    assert differences(plain, squeezed, ignored=["content-encoding"]) == [
        ("response.body.a[1]", b"2", b"3")
    ]


def test_another_coding_of_the_same_content_is_no_other_body() -> None:
    """The field says that it changed."""
    plain = exchange(body=b"text")
    squeezed = exchange(body=gzip.compress(b"text"), fields=(("Content-Encoding", "gzip"),))
    assert [field for field, *_ in differences(plain, squeezed)] == [
        "response.headers.content-encoding"
    ]


def test_text_is_compared_by_lines() -> None:
    """Blocks under the number of their first line."""
    one, other = exchange(body=b"a\nb\nc\nd\n"), exchange(body=b"a\nX\nY\nd\ne\n")
    assert differences(one, other) == [
        ("response.body, line 2", "b\nc", "X\nY"),
        ("response.body, line 5", None, "e"),
    ]
    assert differences(exchange(body=b"a\n"), exchange(body=b"a\r\n")) == [
        ("response.body, line ends", "'a\\n'", "'\\r\\n'")
    ]


def test_a_body_that_came_is_shown() -> None:
    """Against none."""
    assert differences(exchange(), exchange(body=b"new")) == [("response.body", None, "new")]


def test_a_very_long_text_is_not_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """That would take longer than one waits."""
    monkeypatch.setattr(body_comparison, "_LINES", 2)
    assert differences(exchange(body=b"a\nb\nc"), exchange(body=b"a\nb")) == [
        ("response.body", "3 lines of text", "2 other lines")
    ]


def test_json_that_is_none_is_compared_as_text() -> None:
    """Broken on either side."""
    one, other = exchange(body=b'{"a":1}', fields=(JSON,)), exchange(body=b'{"a":', fields=(JSON,))
    assert [field for field, *_ in differences(one, other)] == ["response.body, line 1"]


def test_binary_is_compared_as_a_whole() -> None:
    """By size and digest."""
    ((field, one, other),) = differences(exchange(body=b"\0a"), exchange(body=b"\0bc"))
    assert (field, one[:12], other[:12]) == ("response.body", "2 bytes, sha", "3 bytes, sha")


def test_a_side_file_is_compared_by_its_digest(tmp_path: Path) -> None:
    """Nobody reads it; it may as well be equal to a body that is none."""
    file = tmp_path / "x"
    file.write_bytes(b"large")
    large = FileBody(file, 5, hashlib.sha256(b"large").hexdigest())
    one, other = exchange(), exchange(body=b"large")
    assert one.response is not None
    one.response = msgspec.structs.replace(one.response, body=large)
    assert differences(one, other) == []
    assert [field for field, *_ in differences(one, exchange(body=b"other"))] == ["response.body"]


def test_a_field_name_may_be_any_bytes() -> None:
    """Not every server keeps to ASCII."""
    one, other = exchange(), exchange()
    assert one.response is not None
    one.response = msgspec.structs.replace(one.response, headers=Headers([(b"\xc0\x80", b"1")]))
    assert differences(one, other) == [("response.headers.\xc0\x80", "1", None)]
