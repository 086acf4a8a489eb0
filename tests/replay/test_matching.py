"""The match key: which requests are the same, which are not, and that nothing breaks it."""

from __future__ import annotations

import gzip
import json
import math
import random
import zlib
from collections.abc import Hashable
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import FileBody, Headers
from magneto_serge.replay.matching import (
    DIGEST_FROM,
    KEY_SCHEME,
    body_key,
    both_digests,
    head_digest,
    head_key,
    key_digest,
)

from .telling import asks

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary="


def key(body: bytes, content_type: str = "", encoding: str = "") -> Hashable:
    """Return the key of a body of this type and coding."""
    pairs = [("Content-Type", content_type), ("Content-Encoding", encoding)]
    return body_key(Headers.of(*(pair for pair in pairs if pair[1])), body)


# --- the head


@pytest.mark.parametrize(
    "other",
    [
        asks("/p?a=1&b=2", method="POST"),
        asks("/p?a=1&b=2", url="https://a.example:80"),
        asks("/p?a=1&b=2", url="http://b.example:80"),
        asks("/p?a=1&b=2", url="http://a.example:81"),
        asks("/P?a=1&b=2"),
        asks("/p/?a=1&b=2"),
        asks("/p?a=1&b=3"),
        asks("/p?a=1"),
        asks("/p?a=1&b=2&b=2"),
        asks("/p?a=1&a=1&b=2"),
        asks("/p?A=1&b=2"),
        asks("/p"),
        asks("*"),
    ],
)
def test_heads_that_differ(other: object) -> None:
    """Method, scheme, host, port, path and each item of the query tell requests apart."""
    assert head_key(other) != head_key(asks("/p?a=1&b=2"))  # type: ignore[arg-type]  # requests


@pytest.mark.parametrize(
    "other",
    [
        asks("/p?b=2&a=1"),
        asks("/p?a=1&b=2", fields=(("X-Other", "1"), ("Authorization", "Basic x"))),
        asks("/p?a=1&b=2", b"body", "text/plain"),
    ],
)
def test_heads_that_are_equal(other: object) -> None:
    """The order of query items, header fields and content are not part of the head's key."""
    assert head_key(other) == head_key(asks("/p?a=1&b=2"))  # type: ignore[arg-type]  # requests


def test_a_question_mark_in_a_query_is_part_of_it() -> None:
    """Only the first question mark begins the query."""
    assert head_key(asks("/p?a=1?b=2")) != head_key(asks("/p?b=2?a=1"))


@given(st.lists(st.from_regex(r"[a-z0-9=%+]{0,6}", fullmatch=True), max_size=8), st.randoms())
def test_the_query_is_a_multiset(items: list[str], order: random.Random) -> None:
    """Any order of the same items is the same query; one item less is another."""
    shuffled = order.sample(items, len(items))
    assert head_key(asks("/p?" + "&".join(items))) == head_key(asks("/p?" + "&".join(shuffled)))
    if len(items) > 1:
        fewer = asks("/p?" + "&".join(shuffled[1:]))
        assert head_key(asks("/p?" + "&".join(items))) != head_key(fewer)


# --- content: JSON


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
        (b'{"a":[1,2]}', b' {\r\n\t"a" : [ 1 , 2 ]\n} '),
        (b'{"a":{"x":1,"y":{"m":1,"n":2}}}', b'{"a":{"y":{"n":2,"m":1},"x":1}}'),
        (b'"\\u00e9\\n\\/"', '"é\\n/"'.encode()),
        (b'"\\ud83d\\ude00"', '"😀"'.encode()),
        (b"1e2", b"100.0"),
        (b"1.50", b"1.5"),
        (b"-0", b"0"),
        (b"[1E+2]", b"[1e2]"),
    ],
)
def test_json_is_compared_by_value(one: bytes, other: bytes) -> None:
    """Key order, spacing, escapes and the spelling of a number do not matter."""
    assert key(one, JSON) == key(other, JSON)
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"[1,2]", b"[2,1]"),
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":1}', b'{"a":true}'),
        (b'{"a":null}', b"{}"),
        (b'{"a":0}', b'{"a":false}'),
        (b'{"a":1}', b'{"A":1}'),
        (b"9007199254740993", b"9007199254740992"),
        (b"18446744073709551617", b"18446744073709551616"),
        (b"1" + b"0" * 40, b"1" + b"0" * 39 + b"1"),
        (b"0.1", b"0.2"),
        (b"1e999", b"null"),
        (b"null", b""),
        (b'""', b""),
        (b"{}", b"[]"),
        ('"\u00e9"'.encode(), '"e\u0301"'.encode()),
    ],
)
def test_json_values_that_differ(one: bytes, other: bytes) -> None:
    """Order in lists, types, missing keys and every digit of an integer matter."""
    assert key(one, JSON) != key(other, JSON)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "application/problem+json ;x=y",
    ],
)
def test_what_is_json(content_type: str) -> None:
    """JSON is application/json and every +json (RFC 6839 §3.1), in any case."""
    assert key(b'{"a":1,"b":2}', content_type) == key(b'{"b":2,"a":1}', content_type)


@pytest.mark.parametrize("content_type", ["text/plain", "text/json", "application/jsonlines", ""])
def test_what_is_not_json(content_type: str) -> None:
    """Other types are compared by their bytes, however much they look like JSON."""
    assert key(b'{"a":1,"b":2}', content_type) != key(b'{"b":2,"a":1}', content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a":1}{"a":1}',
        b"NaN",
        b"{'a':1}",
        b'{"a":1,}',
        b"\xff\xfe",
        b'"\\ud800"',
        b'"\xc3"',
        b"\xef\xbb\xbf{}",
        b"// comment\n{}",
        b"\x00",
        b" ",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 1_000_000,
    ],
)
def test_a_lie_about_json_is_compared_by_its_bytes(body: bytes) -> None:
    """A body that claims to be JSON and is none, or a bomb, is told apart byte by byte."""
    assert key(body, JSON) == key(body, JSON)
    assert key(body, JSON) != key(body + b" ", JSON)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def reversed_keys(value: object) -> object:
    """Return the same value with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: reversed_keys(value[name]) for name in reversed(value)}
    if isinstance(value, list):
        return [reversed_keys(item) for item in value]
    return value


@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_json_value_equals_itself(
    value: object, indent: int | str | None, escape: bool
) -> None:
    """However a value is written, by key order, spacing or escapes, its key is the same."""
    one = json.dumps(value).encode()
    other = json.dumps(reversed_keys(value), indent=indent, ensure_ascii=escape)
    try:
        body = other.encode()
    except UnicodeEncodeError:  # a lone surrogate cannot be written unescaped
        body = json.dumps(reversed_keys(value), indent=indent).encode()
    if "\\ud" not in json.dumps(value):  # nor does every reader take it escaped
        assert key(one, JSON) == key(body, JSON)


def alike(one: object, other: object) -> bool:
    """Whether two values are the same JSON: Python takes 1, 1.0 and True for equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return one == other


@given(values, values)
def test_json_keys_are_equal_only_for_equal_values(one: object, other: object) -> None:
    """Two values have one key exactly where they are the same value."""
    keys = [key(json.dumps(value).encode(), JSON) for value in (one, other)]
    assert (keys[0] == keys[1]) is alike(one, other)


# --- content: forms and multipart


def test_a_form_is_a_multiset() -> None:
    """The order of a form's items does not matter, repeats do."""
    assert key(b"a=1&b=2&a=3", FORM) == key(b"a=3&a=1&b=2", FORM + "; charset=utf-8")
    assert key(b"a=1&b=2", FORM) != key(b"a=1&b=2&b=2", FORM)
    assert key(b"a=1&b=2", FORM) != key(b"a=1", FORM)
    assert key(b"a=1&b=2", "text/plain") != key(b"b=2&a=1", "text/plain")


def multipart(boundary: str, *parts: str, end: str = "--\r\n") -> bytes:
    """Return a multipart body."""
    return "".join(f"--{boundary}\r\n\r\n{part}\r\n" for part in parts).encode() + (
        f"--{boundary}{end}".encode()
    )


@pytest.mark.parametrize("other", ["yyyyyy", "x", "----WebKitFormBoundaryA1", "a'()+_,-./:=?b"])
def test_the_boundary_is_ignored(other: str) -> None:
    """Clients make up a new boundary for every request (RFC 2046 §5.1.1)."""
    one = key(multipart("xxxx", "a", "b"), MULTIPART + "xxxx")
    assert one == key(multipart(other, "a", "b"), MULTIPART + f'"{other}"')
    assert one == key(multipart(other, "a", "b"), f'multipart/form-data; x=y; Boundary="{other}";z')


def test_parts_are_not_ignored() -> None:
    """What is in the parts, and how many there are, tells bodies apart."""
    one = key(multipart("xxxx", "a", "b"), MULTIPART + "xxxx")
    for parts in (("a", "c"), ("b", "a"), ("a",), ("a", "b", "b"), ("a\r\n", "b")):
        assert one != key(multipart("yyyy", *parts), MULTIPART + "yyyy")


def test_a_boundary_inside_a_part_is_content() -> None:
    """A boundary stands at the beginning of a line; elsewhere it is text of the part."""
    one = key(multipart("xx", "a --xx"), MULTIPART + "xx")
    assert one != key(multipart("yy", "a --"), MULTIPART + "yy")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/mixed; boundary=", 'multipart/x; boundary=""'],
)
def test_multipart_without_a_boundary(content_type: str) -> None:
    """A multipart body whose boundary is not told is compared by its bytes."""
    assert key(b"--x\r\n\r\na\r\n--x--", content_type) != key(
        b"--y\r\n\r\na\r\n--y--", content_type
    )


def test_letters_that_grow_in_lower_case() -> None:
    """A header value may hold letters whose lower case is longer; the boundary is still found."""
    odd = "multipart/form-data; name=İİİİ; boundary="
    assert key(multipart("xx", "a"), odd + "xx") == key(multipart("yy", "a"), odd + "yy")


# --- content: codings


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate", " gzip "])
def test_content_is_compared_decoded(encoding: str) -> None:
    """The same content in another compression is the same (RFC 9110 §8.4.1)."""
    squeeze = zlib.compress if encoding == "deflate" else gzip.compress
    loose, tight = squeeze(b'{"a":1,"b":2}', 0), squeeze(b'{"b":2,"a":1}', 9)
    assert key(loose, JSON, encoding) == key(tight, JSON, encoding) == key(b'{"a":1,"b":2}', JSON)
    assert key(squeeze(b'{"a":2}'), JSON, encoding) != key(tight, JSON, encoding)


SMALL = gzip.compress(b"one", mtime=0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SMALL + gzip.compress(b"two", mtime=0), SMALL + gzip.compress(b"three", mtime=0)),
        (SMALL + b"\x00", SMALL + b"\x01"),
        (SMALL[:-8] + b"\x00", SMALL[:-8] + b"\x01"),
        (SMALL[:-1], SMALL[:-2]),
        (b"no gzip", b"no gzip either"),
        (SMALL[:5], SMALL[:6]),
    ],
)
def test_what_does_not_decode_to_the_end_is_compared_as_it_is(one: bytes, other: bytes) -> None:
    """Several members, something behind, or a part of a stream: no byte is overlooked."""
    assert key(one, "", "gzip") != key(other, "", "gzip")
    assert key(one, "", "gzip") == key(bytes(one), "", "gzip")


def test_a_gzip_bomb_is_compared_as_it_is() -> None:
    """What would inflate beyond the limit is not inflated any further."""
    bomb = gzip.compress(b"\x00" * (20 * 1024 * 1024), mtime=0)
    assert key(bomb, JSON, "gzip") == key(bomb, JSON, "gzip")
    assert key(bomb, JSON, "gzip") != key(bomb + b"\x00", JSON, "gzip")


@pytest.mark.parametrize("encoding", ["br", "zstd", "identity", "gzip, br", "compress"])
def test_other_codings_are_compared_as_they_are(encoding: str) -> None:
    """A coding that the standard library cannot undo is part of the content."""
    assert key(b"one", "", encoding) == key(b"one")
    assert key(b"one", "", encoding) != key(b"two", "", encoding)


# --- content: everything


@pytest.mark.parametrize("content_type", ["", "text/plain", JSON, FORM, MULTIPART + "x"])
def test_no_content_is_no_content(content_type: str) -> None:
    """An empty body has one key, whatever its type says, and no other body has it."""
    assert key(b"", content_type) == key(b"")
    assert key(b" ", content_type) != key(b"")


@pytest.mark.parametrize(
    "make",
    [
        lambda tail: (b"x" * DIGEST_FROM + tail, ""),
        lambda tail: (b'["' + b"x" * DIGEST_FROM + tail + b'"]', JSON),
        lambda tail: (b"a=" + b"x" * DIGEST_FROM + tail + b"&b=1", FORM),
        lambda tail: (multipart("x", "y" * DIGEST_FROM + tail.decode()), MULTIPART + "x"),
    ],
)
def test_keys_stay_small(make: object) -> None:
    """A large body is kept as a digest, which tells it apart to the last byte."""
    one, other = (key(*make(tail)) for tail in (b"1", b"2"))  # type: ignore[operator]  # a row
    assert one != other
    assert one == key(*make(b"1"))  # type: ignore[operator]  # a row
    assert len(repr(one)) < 200


def test_a_body_on_disk_is_compared_by_its_digest() -> None:
    """What is too large for memory compares by SHA-256, wherever the file is."""
    one, same, other = (
        FileBody(Path(name), 5_000_000, digest * 64)
        for name, digest in (("one", "a"), ("same", "a"), ("other", "b"))
    )
    assert body_key(Headers(), one) == body_key(Headers.of(("Content-Type", JSON)), same)
    assert body_key(Headers(), one) != body_key(Headers(), other)
    assert body_key(Headers(), one) != body_key(Headers(), b"")


def test_a_large_body_compares_the_same_in_memory_and_on_disk() -> None:
    """A body that is compared by its bytes has one digest, wherever it is kept."""
    import hashlib

    body = bytes(range(256)) * 300
    on_disk = FileBody(Path("body"), len(body), hashlib.sha256(body).hexdigest())
    assert body_key(Headers(), body) == body_key(Headers(), on_disk)


types = st.sampled_from(
    [
        "",
        JSON,
        FORM,
        "application/x+json",
        "multipart/mixed",
        MULTIPART + "x",
        "text/plain",
        ";;",
        "=",
    ]
) | st.text(max_size=30)
codings = st.sampled_from(["", "gzip", "deflate", "x-gzip", "br"]) | st.text(max_size=10)
bodies = (
    st.binary(max_size=200)
    | st.binary(max_size=60).map(gzip.compress)
    | st.binary(max_size=60).map(zlib.compress)
    | st.text('{}[]",:0123456789eE.-+ truefalsn\\u', max_size=60).map(str.encode)
)


@given(bodies, types, codings)
def test_keys_never_raise(body: bytes, content_type: str, encoding: str) -> None:
    """Whatever a body holds and its fields claim, it has a key that equals itself."""
    fields = [(b"Content-Type", content_type.encode()), (b"Content-Encoding", encoding.encode())]
    one, again = (body_key(Headers(fields), bytes(body)) for _ in range(2))
    assert one == again
    assert hash(one) == hash(again)


@given(st.lists(st.tuples(st.binary(max_size=10), st.binary(max_size=20)), max_size=4), bodies)
def test_keys_never_raise_for_any_fields(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Field lines that are no text at all do no harm."""
    lines = [*fields, (b"content-type", b"\xff; boundary=\xff"), (b"content-encoding", b"\x00")]
    assert body_key(Headers(lines), body) == body_key(Headers(lines), body)


@given(bodies, bodies)
def test_bodies_of_no_known_type_are_their_bytes(one: bytes, other: bytes) -> None:
    """Without a type that says more, two bodies are equal exactly where their bytes are."""
    assert (key(one, "text/plain") == key(other, "text/plain")) is (one == other)


def test_digests_of_keys() -> None:
    """A digest is BLAKE2b of the key in MessagePack: a head, by its path first, or all of it."""
    key = head_key(asks("/a?y=2&x=1", method="POST"))
    packed = b"\x96\xa4POST\xa4http\xa9a.example\x50\xa2/a\x92\xa3x=1\xa3y=2"
    folder, path = b"\xa0", b"\xa2/a"
    parts = [blake2b(each, digest_size=2).digest() for each in (folder, path)]
    parts.append(blake2b(packed, digest_size=4).digest())
    assert head_digest(key) == b"".join(parts)
    whole = b"\x92" + packed + b"\xc4\x02hi"
    assert key_digest(key, b"hi") == blake2b(whole, digest_size=8).digest()


def test_digests_do_not_change() -> None:
    """The digests of a key scheme are the same for ever: cassettes hold them."""
    key = head_key(asks("/a"))
    body = body_key(Headers.of(("Content-Type", "application/json")), b'{"b": 1, "a": [2.50]}')
    assert KEY_SCHEME == 2
    assert (head_digest(key) + key_digest(key, body)).hex() == "2b006d3af8665f6cb0b5fbdae208d73e"


@given(st.text("ab&=?/", max_size=6), st.text("ab&=?/", max_size=6), bodies, bodies, types)
def test_digests_are_equal_where_keys_are(
    one: str, other: str, body: bytes, another: bytes, content_type: str
) -> None:
    """A digest stands for its key: equal for equal keys, and for nothing else that is met."""
    heads = [head_key(asks("/" + target)) for target in (one, other)]
    keys = [
        body_key(Headers([(b"Content-Type", content_type.encode())]), b) for b in (body, another)
    ]
    digests = [head_digest(head) for head in heads]
    assert (digests[0] == digests[1]) is (heads[0] == heads[1])
    whole = [key_digest(head, key) for head, key in zip(heads, keys, strict=True)]
    assert (whole[0] == whole[1]) is (heads == [heads[0]] * 2 and keys[0] == keys[1])
    assert {len(digest) for digest in (*digests, *whole)} == {8}


@given(st.text(st.characters(codec="utf-8")), st.binary(max_size=40))
def test_both_digests_are_the_digests(path: str, body: bytes) -> None:
    """What is computed together is what is computed one by one."""
    head = head_key(asks(f"/{path}?b=2&a=1"))
    assert both_digests(head, body) == head_digest(head) + key_digest(head, body)
