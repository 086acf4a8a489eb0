"""Request targets: which origin is meant, and what it is asked (RFC 9112 §3.2, RFC 3986 §3.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import ClientProtocolError
from magneto_serge.wire.targets import (
    AbsoluteTarget,
    Authority,
    parse_absolute,
    parse_authority,
    refuse_fragment,
)


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("a.example", Authority("a.example", 80)),
        ("A.Example", Authority("a.example", 80)),
        ("a.example:8080", Authority("a.example", 8080)),
        ("a.example:", Authority("a.example", 80)),
        ("a.example:1", Authority("a.example", 1)),
        ("a.example:65535", Authority("a.example", 65535)),
        ("a.example:00080", Authority("a.example", 80)),
        ("localhost", Authority("localhost", 80)),
        ("a.example.", Authority("a.example.", 80)),
        ("under_score.example", Authority("under_score.example", 80)),
        ("xn--bcher-kva.example", Authority("xn--bcher-kva.example", 80)),
        ("b%C3%BCcher.example", Authority("b%c3%bccher.example", 80)),
        ("127.0.0.1:81", Authority("127.0.0.1", 81)),
        ("[::1]", Authority("::1", 80)),
        ("[2001:DB8::1]:8080", Authority("2001:db8::1", 8080)),
        ("[::ffff:192.0.2.1]:81", Authority("::ffff:192.0.2.1", 81)),
        ("[fe80::1%25eth0]:81", Authority("fe80::1%25eth0", 81)),
        ("user@a.example", Authority("a.example", 80, "user")),
        ("user:pass%40word@a.example:81", Authority("a.example", 81, "user:pass%40word")),
        (":@a.example", Authority("a.example", 80, ":")),
        ("@a.example", Authority("a.example", 80, "")),
        ("u:p@[::1]:81", Authority("::1", 81, "u:p")),
    ],
)
def test_authorities(text: str, authority: Authority) -> None:
    """Host in lower case, IPv6 without brackets, the port or its default, userinfo as it was."""
    assert parse_authority(text, 80) == authority


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "@",
        "u@",
        "a b",
        "a/b",
        "a\\b",
        "a,b",
        "a#b",
        "a?b",
        "bücher.example",
        "a\x00",
        "a\n",
        "[::1",
        "::1]",
        "[]",
        "[::1]x",
        "[::1]]",
        "[a.example]",
        "[fe80::1%eth0]",
        "[fe80::1%25]",
        "2001:db8::1",
        "a.example:x",
        "a.example:0",
        "a.example:65536",
        "a.example:99999999999999999999",
        "a.example:-1",
        "a.example:+1",
        "a.example: 80",
        "a.example:80:80",
        "a.example:٨٠",
        "a@b@c",
        "a.example\\@b.example",
        "ü@a.example",
        "u p@a.example",
        "[u]@a.example",
    ],
)
def test_malformed_authorities(text: str) -> None:
    """What is no host, no port, or could be two hosts, is refused with a 400."""
    with pytest.raises(ClientProtocolError) as caught:
        parse_authority(text, 80)
    assert caught.value.status == 400


@pytest.mark.parametrize("text", ["a.example", "a.example:", "[::1]", "u@a.example:443", ""])
def test_authority_form_is_host_and_port(text: str) -> None:
    """CONNECT names a host and a port, and nobody's password (RFC 9112 §3.2.3)."""
    with pytest.raises(ClientProtocolError):
        parse_authority(text, None)


def test_authority_form() -> None:
    """CONNECT takes any host, with its port."""
    assert parse_authority("a.example:443", None) == Authority("a.example", 443)
    assert parse_authority("[::1]:8443", None) == Authority("::1", 8443)


@pytest.mark.parametrize(
    ("target", "taken_apart"),
    [
        ("http://a.example", AbsoluteTarget("http", Authority("a.example", 80), "/")),
        ("http://a.example/", AbsoluteTarget("http", Authority("a.example", 80), "/")),
        ("HTTPS://a.example/P?Q", AbsoluteTarget("https", Authority("a.example", 443), "/P?Q")),
        ("http://a.example?q", AbsoluteTarget("http", Authority("a.example", 80), "/?q")),
        ("http://a.example:81?q/r", AbsoluteTarget("http", Authority("a.example", 81), "/?q/r")),
        ("http://a/b@c", AbsoluteTarget("http", Authority("a", 80), "/b@c")),
        ("http://a/p?u=http://b/", AbsoluteTarget("http", Authority("a", 80), "/p?u=http://b/")),
        ("http://a//", AbsoluteTarget("http", Authority("a", 80), "//")),
        ("http://u:p@a/x", AbsoluteTarget("http", Authority("a", 80, "u:p"), "/x")),
        ("http://[::1]:81/x", AbsoluteTarget("http", Authority("::1", 81), "/x")),
        ("ws://a/x", AbsoluteTarget("http", Authority("a", 80), "/x")),
        ("WSS://a/x", AbsoluteTarget("https", Authority("a", 443), "/x")),
    ],
)
def test_absolute_form(target: str, taken_apart: AbsoluteTarget) -> None:
    """Scheme, authority and the rest, which is at least "/" (RFC 9112 §3.2.1, §3.2.2)."""
    assert parse_absolute(target) == taken_apart


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "*",
        "a.example",
        "a.example:80",
        "http:/a.example",
        "http:a.example",
        "//a.example/",
        "ftp://a.example/",
        "wsx://a.example/",
        "javascript://a.example/",
        "http://",
        "http:///path",
        "http://?q",
        "http://:80/",
        "http://u@/",
        "http://a.example:x/",
        "http://a@b@c/",
        "http://a.example\\@b.example/",
    ],
)
def test_malformed_absolute_form(target: str) -> None:
    """Another scheme, no host, or one that could be two, is refused with a 400."""
    with pytest.raises(ClientProtocolError) as caught:
        parse_absolute(target)
    assert caught.value.status == 400


def test_fragments_are_refused() -> None:
    """A fragment is the client's own business and never sent (RFC 9110 §4.2.5)."""
    refuse_fragment("/a?b")
    for target in ("/a#b", "#", "http://a/#", "/a?b#c"):
        with pytest.raises(ClientProtocolError):
            refuse_fragment(target)


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join) | st.ip_addresses(v=4).map(str)
USERINFO = st.from_regex(r"[A-Za-z0-9._~!$&'()*+,;=:%-]{0,20}", fullmatch=True)


@given(HOST | st.ip_addresses(v=6).map(str), st.integers(1, 65535), st.none() | USERINFO)
def test_every_authority_is_read_back(host: str, port: int, userinfo: str | None) -> None:
    """Whatever host, port and userinfo are written together come apart again."""
    bracketed = f"[{host}]" if ":" in host else host
    text = f"{bracketed}:{port}" if userinfo is None else f"{userinfo}@{bracketed}:{port}"
    assert parse_authority(text, 80) == Authority(host, port, userinfo)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text brings another error than the one that a client is told."""
    for read in (parse_absolute, lambda text: parse_authority(text, 80)):
        try:
            read(text)
        except ClientProtocolError:
            pass
