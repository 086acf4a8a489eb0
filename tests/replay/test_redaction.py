"""Credentials that never reach the disk: which they are, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import Headers, Interaction, Response
from magneto_serge.replay.redaction import (
    SECRET_FIELDS,
    mask_field,
    mask_target,
    redact,
    redact_request,
    without_proxy_fields,
)

from .telling import asks

# --- header fields


@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
def test_credentials_in_fields_are_masked(name: bytes) -> None:
    """Every field on the list loses its value, in any case of its name, and keeps its name."""
    for spelled in (name, name.upper(), name.title()):
        assert mask_field((spelled, b"s3cret")) == (spelled, b"REDACTED")


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (b"Basic dXNlcjpwYXNz", b"Basic REDACTED"),
        (b"Bearer s3cret", b"Bearer REDACTED"),
        (b'Digest username="u", response="s3cret"', b"Digest REDACTED"),
        (b"s3cret", b"REDACTED"),
        (b"", b"REDACTED"),
    ],
)
def test_the_scheme_of_an_authorization_stays(value: bytes, masked: bytes) -> None:
    """Readers see how a request was authorized, not with what (RFC 9110 §11.6.2)."""
    assert mask_field((b"Authorization", value)) == (b"Authorization", masked)
    assert mask_field((b"proxy-authorization", value)) == (b"proxy-authorization", masked)


def test_a_cookie_is_no_scheme() -> None:
    """Only Authorization values have a scheme: nothing of a cookie stays."""
    assert mask_field((b"Cookie", b"a=s3cret; b=s3cret")) == (b"Cookie", b"REDACTED")


@pytest.mark.parametrize(
    "name", [b"Accept", b"Host", b"X-Request-Id", b"Cookie2", b"My-Authorization", b"Set-Cookie"]
)
def test_other_fields_stay(name: bytes) -> None:
    """What is no credential by its name is kept byte for byte."""
    assert mask_field((name, b"Basic x\xff")) == (name, b"Basic x\xff")


# --- query items


@pytest.mark.parametrize(
    ("target", "masked"),
    [
        ("/p?api_key=s3cret", "/p?api_key=REDACTED"),
        ("/p?a=1&API_KEY=s3cret&b=2", "/p?a=1&API_KEY=REDACTED&b=2"),
        ("/p?apikey=s3cret", "/p?apikey=REDACTED"),
        ("/p?api-key=s3cret", "/p?api-key=REDACTED"),
        ("/p?access_token=a.b-c%3D", "/p?access_token=REDACTED"),
        ("/p?auth_token=s3cret", "/p?auth_token=REDACTED"),
        ("/p?client_secret=s3cret&x", "/p?client_secret=REDACTED&x"),
        ("/p?password=a=b", "/p?password=REDACTED"),
        ("/p?password=one&password=two", "/p?password=REDACTED&password=REDACTED"),
        ("/p?X-Amz-Signature=abc&X-Amz-Date=1", "/p?X-Amz-Signature=REDACTED&X-Amz-Date=1"),
        ("/p?X-Amz-Credential=a%2Fb", "/p?X-Amz-Credential=REDACTED"),
        ("/p?X-Amz-Security-Token=abc", "/p?X-Amz-Security-Token=REDACTED"),
        ("/p?key=AIza" + "x" * 35, "/p?key=REDACTED"),
    ],
)
def test_credentials_in_queries_are_masked(target: str, masked: str) -> None:
    """Items of well-known names lose their values; the others, and the order, stay."""
    assert mask_target(target) == masked


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "*",
        "/p?",
        "/p?a=1&b=2",
        "/p?key=1",
        "/p?token=page2",
        "/p?key=AIzaShort",
        "/p?my_api_key=1",
        "/p?api_keys=1",
        "/p?api_key=",
        "/p?api_key",
        "/api_key=1/p",
        "/password=x?a=1",
        "/p?q=password=x",
    ],
)
def test_other_queries_stay(target: str) -> None:
    """Masking what means something else would make requests equal that are not."""
    assert mask_target(target) == target


# --- whole requests and interactions


def test_a_request_is_masked_throughout() -> None:
    """Fields, trailers and target are masked; the rest stays, and so does the original."""
    request = asks(
        "/p?api_key=s3cret",
        b"body",
        fields=(("X-Api-Key", "s3cret"), ("Accept", "*/*"), ("Cookie", "s3cret")),
    )
    request.trailers = Headers.of(("Digest", "x"), ("X-Auth-Token", "s3cret"))
    masked = redact_request(request)
    assert "s3cret" not in repr(masked)
    assert masked.headers == Headers.of(
        ("X-Api-Key", "REDACTED"), ("Accept", "*/*"), ("Cookie", "REDACTED")
    )
    assert masked.trailers == Headers.of(("Digest", "x"), ("X-Auth-Token", "REDACTED"))
    assert (masked.target, masked.body, masked.method) == ("/p?api_key=REDACTED", b"body", "GET")
    assert request.target == "/p?api_key=s3cret"


def test_a_request_without_credentials_is_the_same_object() -> None:
    """Nothing is copied where nothing is masked."""
    request = asks("/p?q=1", fields=(("Accept", "*/*"),))
    assert redact_request(request) is request
    interaction = Interaction(request)
    assert redact(interaction) is interaction


def test_what_the_origin_said_stays() -> None:
    """Set-Cookie and bodies are what replay is for: they are kept as they came."""
    response = Response(200, "OK", Headers.of(("Set-Cookie", "session=1")), b"api_key=1")
    interaction = Interaction(asks("/", fields=(("Cookie", "session=1"),)), response, started=5.0)
    kept = redact(interaction)
    assert kept.response is response
    assert kept.started == 5.0
    assert kept.request.headers["cookie"] == "REDACTED"


@given(
    st.from_regex(r"/[a-z]*\?([a-zA-Z_-]{0,8}(api_key|password|key)?=?[A-Za-z0-9%]{0,6}&?){0,5}")
)
def test_masking_twice_is_masking_once(target: str) -> None:
    """Masked and asked again, nothing changes: both sides of a look-up stay equal."""
    once = mask_target(target)
    assert mask_target(once) == once


@given(st.lists(st.tuples(st.sampled_from(sorted(SECRET_FIELDS)), st.binary(max_size=20))))
def test_masking_fields_twice_is_masking_once(lines: list[tuple[bytes, bytes]]) -> None:
    """A redacted cassette that is recorded again stays as it is."""
    once = [mask_field(line) for line in lines]
    assert [mask_field(line) for line in once] == once


# --- what is for the proxy alone


@pytest.mark.parametrize("clean", [redact, without_proxy_fields])
def test_what_was_said_to_the_proxy_is_not_kept(
    clean: Callable[[Interaction], Interaction],
) -> None:
    """Proxy-Authorization and Proxy-Connection are no part of what was said to the origin."""
    fields = (("proxy-authorization", "Basic dTpw"), ("Proxy-Connection", "close"), ("X", "y"))
    kept = clean(Interaction(asks(fields=fields), Response(200)))
    assert list(kept.request.headers) == [("X", "y")]


def test_an_interaction_without_such_fields_stays_the_same_object() -> None:
    """Nothing is copied where there is nothing to leave out."""
    interaction = Interaction(asks(fields=(("X", "y"),)), Response(200))
    assert without_proxy_fields(interaction) is interaction
