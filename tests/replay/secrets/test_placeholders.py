"""What stands in a secret's place: numbered, shaped, and told from everything else."""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.replay.secrets.placeholders import (
    ANY,
    Look,
    canonical,
    filled,
    found_in,
    highest_in,
    is_placeholder,
    look_of,
    number_of,
    placeholder,
)

NUMBERS = st.integers(1, 999_999)


@given(number=NUMBERS, look=st.sampled_from(Look))
def test_a_placeholder_is_known_again_with_its_number(number: int, look: Look) -> None:
    """Whatever its form, the number can be read from it, and it is never taken for a secret."""
    value = placeholder(number, look)
    assert is_placeholder(value)
    assert number_of(value) == number


@given(number=NUMBERS, look=st.sampled_from([each for each in Look if each is not Look.NUMBER]))
def test_a_placeholder_is_found_in_a_text_whole(number: int, look: Look) -> None:
    """In JSON, in a query, at the end of a sentence: all of it and nothing else."""
    value = placeholder(number, look)
    for text in (b'{"a":"%s"}', b"?a=%s&b=1", b"see %s.", b"%s"):
        found = ANY.search(text % value)
        assert found is not None
        assert found[0] == value
        assert found.span() in found_in(text % value)


def test_a_jwt_decodes_and_has_not_expired() -> None:
    """A client that looks into its token finds a subject, and times that hold until 2100."""
    head, payload, signature = placeholder(7, Look.JWT).split(b".")
    assert json.loads(urlsafe_b64decode(head + b"==")) == {
        "alg": "HS256",
        "kid": "REDACTED",
        "typ": "JWT",
    }
    claims = json.loads(urlsafe_b64decode(payload + b"=="))
    assert claims == {"sub": "REDACTED-7", "iat": 0, "exp": 4102444800}
    assert urlsafe_b64decode(signature + b"==") == b"REDACTED-7"


def test_a_uuid_is_one_of_version_4() -> None:
    """What parses UUIDs parses it."""
    value = uuid.UUID(placeholder(12, Look.UUID).decode())
    assert value.version == 4
    assert str(value).endswith("0012")


def test_basic_credentials_and_the_inside_of_a_key_decode() -> None:
    """Both are base64; the credentials are a user and a password (RFC 7617 §2)."""
    assert b64decode(placeholder(3, Look.BASIC)) == b"REDACTED-3:REDACTED-3"
    assert b64decode(placeholder(3, Look.BASE64)) == b"REDACTED-3"


def test_the_prefix_of_a_service_stays() -> None:
    """Clients and people tell by it what a token is; half a token has none."""
    assert placeholder(1, Look.PLAIN, b"ghp_" + b"a1B2" * 9) == b"ghp_REDACTED-1"
    assert is_placeholder(b"ghp_REDACTED-1")
    assert placeholder(1, Look.PLAIN, b"ghp_short") == b"REDACTED-1"


@pytest.mark.parametrize(
    ("secret", "look"),
    [
        (b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", Look.JWT),
        (b"550e8400-e29b-41d4-a716-446655440000", Look.UUID),
        (b"eyJhbGciOiJIUzI1NiJ9", Look.PLAIN),
        (b"s3cret", Look.PLAIN),
    ],
)
def test_the_form_follows_the_secret(secret: bytes, look: Look) -> None:
    """A JWT stays a JWT, a UUID a UUID."""
    assert look_of(secret) is look


@given(length=st.integers(1, 200))
def test_in_a_binary_body_lengths_stay(length: int) -> None:
    """What is filled up has the length of what it replaces."""
    value = placeholder(5)
    assert len(filled(value, length)) == length
    if length > len(value):
        assert is_placeholder(filled(value, length))
        assert canonical(filled(value, length)) == value
        assert number_of(filled(value, length)) == 5


def test_the_highest_number_of_a_text_is_found_in_every_form() -> None:
    """Numbering goes on after it."""
    assert highest_in(b"nothing") == 0
    every = b" ".join(placeholder(n, look) for n, look in enumerate(Look, 40))
    assert highest_in(every) >= 44
    assert highest_in(b"REDACTED-3 and REDACTED-12") == 12


def test_the_mask_of_older_versions_is_a_placeholder_without_a_number() -> None:
    """Cassettes of earlier versions say REDACTED."""
    assert is_placeholder(b"REDACTED")
    assert number_of(b"REDACTED") == 0


@given(st.binary(max_size=60))
def test_what_looks_like_base64_and_is_not_has_no_number(tail: bytes) -> None:
    """Damage in a cassette raises nothing."""
    assert number_of(b"UkVEQUNURUQt" + tail) >= 0
