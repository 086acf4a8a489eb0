"""Secrets in field lines: which fields, and what of them."""

from __future__ import annotations

import pytest

from magneto_serge.replay.secrets.fields import is_credential, is_session_cookie
from magneto_serge.replay.secrets.finder import Finder
from magneto_serge.replay.secrets.placeholders import Look


def found(name: str, value: str) -> list[str]:
    """Return the secrets of a field line."""
    return [each.value.decode() for each in Finder().in_field(name.encode(), value.encode())]


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("Bearer s3cret", ["s3cret"]),
        ("Basic dXNlcjpwYXNz", ["dXNlcjpwYXNz"]),
        ("Bearer dXNlcjpwYXNz==", ["dXNlcjpwYXNz=="]),
        ("s3cret", ["s3cret"]),
        ("Token token=s3cret", ["s3cret"]),
        ('Digest username="u", realm="r", uri="/", nonce="n", response="d"', ["u", "n", "d"]),
        (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=5d672d79",
            ["AKIDEXAMPLE", "5d672d79"],
        ),
        (
            'OAuth oauth_consumer_key="k", oauth_signature_method="HMAC-SHA1", oauth_token="t"',
            ["k", "t"],
        ),
        ("", []),
    ],
)
def test_of_an_authorization_scheme_and_open_parameters_stay(
    value: str, secrets: list[str]
) -> None:
    """RFC 9110 §11.4: a scheme, and a token or parameters; readers see how, not with what."""
    assert found("Authorization", value) == secrets


def test_basic_credentials_are_told_from_a_token() -> None:
    """What stands in their place decodes."""
    (find,) = Finder().in_field(b"authorization", b"Basic dXNlcjpwYXNz")
    assert find.look is Look.BASIC


@pytest.mark.parametrize(
    "name",
    [
        "X-Api-Key",
        "api-key",
        "X-Auth-Token",
        "PRIVATE-TOKEN",
        "X-Amz-Security-Token",
        "x-goog-api-key",
        "Ocp-Apim-Subscription-Key",
        "X-Vault-Token",
        "X-CSRF-Token",
        "DD-API-KEY",
        "xi-api-key",
        "X-Hub-Signature-256",
        "X-MyCompany-Access-Token",
        "X-Acme-Secret",
        "Fastly-Key",
    ],
)
def test_keys_and_tokens_are_secrets_by_the_name_of_their_field(name: str) -> None:
    """Also of services that nobody has heard of."""
    assert found(name, "s3cret") == ["s3cret"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept", "application/json"),
        ("Idempotency-Key", "a1B2c3D4e5F6g7H8"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Access-Control-Allow-Headers", "Authorization"),
        ("Access-Control-Allow-Credentials", "true"),
        ("X-RateLimit-Remaining-Tokens", "149984"),
        ("anthropic-ratelimit-tokens-remaining", "80000"),
        ("WWW-Authenticate", 'Bearer realm="x"'),
        ("X-Request-Id", "a1B2c3D4e5F6g7H8"),
        ("ETag", '"a1B2c3D4e5F6g7H8"'),
        ("X-Next-Page-Token", "a1B2c3D4e5F6g7H8"),
        ("X-Sort-Key", "name"),
    ],
)
def test_other_fields_stay(name: str, value: str) -> None:
    """Limits, pages, challenges and identifiers are no secrets."""
    assert found(name, value) == []


def test_cookies_keep_their_names_and_attributes() -> None:
    """RFC 6265: only values are secrets; one that deletes a cookie has none."""
    assert found("Cookie", 'a=1; b="two"; c=') == ["1", "two"]
    assert found("Set-Cookie", "sid=abc; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT") == ["abc"]
    assert found("Set-Cookie", "sid=; Max-Age=0") == []
    assert found("Set-Cookie", "sid=a=b; Secure") == ["a=b"]


def test_the_address_in_a_field_is_looked_through() -> None:
    """A Location has a query, a Referer may have userinfo."""
    assert found("Location", "https://h/cb?access_token=abc&state=x") == ["abc"]
    assert found("Referer", "https://u:pw@h/") == ["pw"]


def test_which_fields_let_a_client_in() -> None:
    """They are compared by their presence; signatures and tokens against forgery are not."""
    for name in (b"authorization", b"x-api-key", b"private-token", b"x-forwarded-authorization"):
        assert is_credential(name)
    for name in (b"x-csrf-token", b"accept", b"x-hub-signature"):
        assert not is_credential(name)


def test_which_cookies_are_a_session() -> None:
    """Others, of statistics or of a language, let nobody in."""
    for name in (b"sid", b"PHPSESSID", b"connect.sid", b"session", b"auth_token", b"remember_me"):
        assert is_session_cookie(name)
    for name in (b"_ga", b"lang", b"theme", b"consent"):
        assert not is_session_cookie(name)
