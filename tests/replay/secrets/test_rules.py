"""A request seen through the rules: what it has in common with one that was redacted."""

from __future__ import annotations

import gzip

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Headers, Request
from magneto_serge.replay.secrets import SecretRules, Value

RULES = SecretRules()


def asks(target: str = "/", body: bytes = b"", **fields: str) -> Request:
    """Return a request."""
    headers = Headers.of(*((name.replace("_", "-"), value) for name, value in fields.items()))
    return Request("POST", "https", "h", 443, target, headers, body)


@pytest.mark.parametrize(
    ("real", "recorded"),
    [
        (asks("/?api_key=s3"), asks("/?api_key=REDACTED-1")),
        (asks("/?api_key=s3"), asks("/?api_key=REDACTED")),
        (
            asks("/bot123456789:" + "a1B2c" * 7 + "/send"),
            asks("/botREDACTED-1/send"),
        ),
        (asks(body=b'{"password":"x","a":1}'), asks(body=b'{"password":"REDACTED-4","a":1}')),
        (asks(body=b'{"otp":123456}'), asks(body=b'{"otp":9999000001}')),
        (asks(body=b"ghp_" + b"a1B2" * 9), asks(body=b"ghp_REDACTED-2")),
        (
            asks(body=b'{"token":"550e8400-e29b-41d4-a716-446655440000"}'),
            asks(body=b'{"token":"5ec2e700-0000-4000-8000-000000000009"}'),
        ),
    ],
)
def test_a_secret_and_its_placeholder_are_equal(real: Request, recorded: Request) -> None:
    """In every place and every form: a redacted recording still matches."""
    assert RULES.scan(real).neutral == RULES.scan(recorded).neutral
    assert RULES.scan(real).neutral != real


def test_values_stand_in_their_places() -> None:
    """So that those of a request and of a recording can be paired."""
    seen = RULES.scan(
        asks("/?api_key=s3", b'{"password":"p"}', authorization="Bearer t", x_api_key="k")
    )
    assert seen.values == (
        Value("header authorization", "t"),
        Value("header x-api-key", "k"),
        Value("target api_key", "s3"),
        Value("body password", "p"),
    )


def test_the_places_are_the_same_for_a_placeholder() -> None:
    """By whatever rule it was found."""
    for real, recorded in (
        ("a1B2c3D4e5F6g7H8", "REDACTED-1"),
        ("ghp_" + "a1B2" * 9, "ghp_REDACTED-1"),
    ):
        places = [
            [value.place for value in RULES.scan(asks("/?token=" + text)).values]
            for text in (real, recorded)
        ]
        assert places[0] == places[1] == ["target token"]


def test_a_request_without_secrets_is_its_own_neutral_form() -> None:
    """Nothing is made for it."""
    request = asks("/users?page=2", b'{"name":"x"}', accept="*/*")
    seen = RULES.scan(request)
    assert seen.neutral is request
    assert seen.values == ()
    assert not seen.credentialed


def test_an_encoded_body_is_compared_as_its_content() -> None:
    """What a client compresses today another way is the same content."""
    request = asks(body=gzip.compress(b'{"password":"x"}'), content_encoding="gzip")
    assert RULES.scan(request).neutral.body == b'{"password":"REDACTED"}'


def test_who_is_let_in_by_what() -> None:
    """Fields of credentials and cookies of sessions; what is said to a proxy is no matter."""
    for fields in ({"authorization": "Bearer t"}, {"x_api_key": "k"}, {"cookie": "sid=1"}):
        assert RULES.credentialed(asks(**fields).headers)
    for fields in ({"cookie": "lang=en"}, {"proxy_authorization": "Basic x"}, {"accept": "*/*"}):
        assert not RULES.credentialed(asks(**fields).headers)
    assert not RULES.credentialed(asks(authorization="").headers)
    assert SecretRules(headers=["x-house"]).credentialed(asks(x_house="1").headers)


def test_patterns_take_their_first_group_if_they_have_one() -> None:
    """So that what is around it can be named."""
    rules = SecretRules(patterns=[r"door-(\d+)", r"house-\d+"])
    seen = rules.scan(asks("/door-12/house-7"))
    assert seen.neutral.target == "/door-REDACTED/REDACTED"


def test_what_is_allowed_takes_part_in_matching() -> None:
    """By name, value and pattern."""
    rules = SecretRules(allow=["password", "demo", "/^test/"])
    request = asks("/?api_key=demo&secret=test-1&password=x")
    assert rules.scan(request).neutral is request


@pytest.mark.parametrize(
    ("setting", "arguments"),
    [
        ("redact_patterns", {"patterns": ["("]}),
        ("redact_patterns", {"patterns": [""]}),
        ("redact_allow", {"allow": ["/(/"]}),
        ("redact_allow", {"allow": [""]}),
        ("redact_headers", {"headers": ["--"]}),
        ("redact_query", {"query": [""]}),
        ("redact_fields", {"fields": ["*"]}),
    ],
)
def test_what_cannot_be_used_is_an_error_at_the_start(
    setting: str, arguments: dict[str, list[str]]
) -> None:
    """It names the setting and the value."""
    with pytest.raises(ConfigError, match=setting):
        SecretRules(**arguments)
