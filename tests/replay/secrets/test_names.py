"""What a name says: whether the value beside it is a secret."""

from __future__ import annotations

import pytest

from magneto_serge.replay.secrets.names import (
    SHORT,
    STEMS,
    Meaning,
    entropy,
    is_meant,
    looks_random,
    meaning,
    plain,
)

CERTAIN = """password userPassword pwd API-Key apiKey api.key access_token accessToken csrf_token
X-Amz-Signature SecretAccessKey AWSAccessKeyId clientSecret id_token user_token encryptionKey
authenticity_token passphrase JSESSIONID code_verifier client_assertion refreshToken
Authorization stripe_secret_key"""
LIKELY = "token key sessionId sig signature code state csrf auth ticket nonce tokens max_tokens"
NOTHING = """nextToken next_page_token page_token pageToken token_type cacheKey idempotency-key
keyboard monkey author primaryKey stateful password_reset_required client_id secretName
refresh_token_expires_in shipping opinion design public_key publicKey id name continuation_token
access-control-allow-origin partition_key publishable_key"""


@pytest.mark.parametrize("name", CERTAIN.split())
def test_names_of_secrets_are_certain_in_every_spelling(name: str) -> None:
    """Whatever stands beside such a name is a secret."""
    assert meaning(name) is Meaning.CERTAIN


@pytest.mark.parametrize("name", LIKELY.split())
def test_names_that_mean_other_things_too_are_only_likely(name: str) -> None:
    """Such a name needs a value that looks the part."""
    assert meaning(name) is Meaning.LIKELY


@pytest.mark.parametrize("name", NOTHING.split())
def test_names_of_pages_and_words_that_contain_others_say_nothing(name: str) -> None:
    """A page token is no secret, and a monkey is no key."""
    assert meaning(name) is Meaning.NOTHING


@pytest.mark.parametrize("name", ["pin", "otp", "cvv", "card_cvc"])
def test_names_of_short_numbers_want_digits(name: str) -> None:
    """A PIN is a number; a pin on a map is not."""
    assert meaning(name) is Meaning.DIGITS
    assert is_meant(Meaning.DIGITS, b"1234")
    assert not is_meant(Meaning.DIGITS, b"red")


def test_a_name_of_absurd_length_says_nothing() -> None:
    """Nobody names a field so, and nobody shall make us look at it for long."""
    assert meaning("token_" * 1000) is Meaning.NOTHING


def test_every_name_that_says_something_contains_a_stem() -> None:
    """The quick test looks for stems alone, so none may be missing."""
    for name in (*CERTAIN.split(), *LIKELY.split(), "pin", "otp", "cvv", "card_cvc"):
        assert any(stem in name.lower().replace("-", "") for stem in (*STEMS, *SHORT)), name


def test_spellings_are_one() -> None:
    """Case, camels, dashes and spaces make no difference."""
    assert {plain(each) for each in ("API Key", "api-key", "apiKey", "API_KEY", "ApiKey")} == {
        "api_key"
    }


@pytest.mark.parametrize(
    "value",
    [
        "0123456789abcdef0123456789abcdef",
        "550e8400-e29b-41d4-a716-446655440000",
        "AbCdEfGhIjKlMnOp",
        "a1b2c3d4e5f6a7b8",
    ],
)
def test_what_nobody_would_choose_looks_random(value: str) -> None:
    """Hexadecimal, base64 and UUIDs do."""
    assert looks_random(value.encode())


@pytest.mark.parametrize(
    "value",
    [
        "page2",
        "1",
        "2026-11-23T10:00:00Z",
        "my-long-slug-value-of-words",
        "https://example.com/a1b2c3d4e5",
        "/services/a1b2c3d4/x1y2z3w4",
        "127.0.0.1:8080",
        "1234567890123456",
        "correcthorsebatterystaple",
        "aaaaaaaaaaaaaaaaaaaa1",
        "two words a1b2c3d4e5f6a7b8",
    ],
)
def test_what_means_something_does_not_look_random(value: str) -> None:
    """Words, dates, numbers, paths and addresses do not."""
    assert not looks_random(value.encode())


def test_values_that_say_nothing_are_no_secrets() -> None:
    """`"password": "true"` answers a question, and an empty value is none."""
    for value in (b"", b"true", b"null", b"None", b"****"):
        assert not is_meant(Meaning.CERTAIN, value)
    assert is_meant(Meaning.CERTAIN, b"x")
    assert not is_meant(Meaning.NOTHING, b"a1b2c3d4e5f6a7b8")


def test_entropy_is_in_bits_for_each_character() -> None:
    """One repeated character has none, two in turn have one bit."""
    assert entropy(b"aaaa") == 0
    assert entropy(b"abab") == 1
