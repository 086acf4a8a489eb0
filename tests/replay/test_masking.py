"""Which names hold secrets, and what is left of one on the screen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.replay.masking import (
    is_secret_name,
    mask,
    mask_field,
    mask_form,
    mask_json,
    mask_query,
)

SECRET = "s3cr3t-0123456789-abcdefghij-value"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "X-Api-Key",
        "api_key",
        "apiKey",
        "apikey",
        "accessToken",
        "refresh_token",
        "X-CSRF-Token",
        "client_secret",
        "password",
        "session-id",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "Ocp-Apim-Subscription-Key",
        "AWSSecretKey",
    ],
)
def test_names_of_secrets_are_known_in_their_spellings(name: str) -> None:
    """Hyphens, underscores and capitals make no difference."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Access-Control-Allow-Credentials",
        "Content-Type",
        "ETag",
        "token_type",
        "next_page_token",
        "total_tokens",
        "Sec-WebSocket-Key",
        "keyboard",
        "compass",
        "authority",
    ],
)
def test_names_that_only_look_like_it_are_left_alone(name: str) -> None:
    """A word inside another word, or one known to be harmless, hides nothing."""
    assert not is_secret_name(name)


def test_the_middle_of_a_secret_is_hidden() -> None:
    """The ends of a long one stay, to tell two apart."""
    assert mask(SECRET) == "s3cr****alue"


def test_nothing_of_a_short_secret_is_shown() -> None:
    """Two of seven characters would be too much."""
    assert mask("hunter2") == "****"


def test_what_recording_has_masked_stays_as_it_is() -> None:
    """A cassette's own mask is not masked again."""
    assert mask_field("Authorization", "Bearer REDACTED") == "Bearer REDACTED"


@given(st.text(min_size=1))
def test_at_most_a_quarter_of_a_secret_is_shown(secret: str) -> None:
    """However long it is, and never more than eight characters."""
    shown = mask(secret).replace("****", "", 1) if secret != "REDACTED" else ""
    assert len(shown) <= min(8, len(secret) / 4)


def test_the_scheme_of_an_authorization_is_shown() -> None:
    """Bearer or Basic is what a reader wants to know (RFC 9110 §11.4)."""
    assert mask_field("Authorization", f"Bearer {SECRET}") == "Bearer s3cr****alue"
    assert mask_field("authorization", SECRET) == "s3cr****alue"


def test_cookies_keep_their_names() -> None:
    """Each value of a Cookie field is hidden by itself."""
    assert mask_field("Cookie", f"a={SECRET}; b=short") == "a=s3cr****alue; b=****"


def test_set_cookie_keeps_its_attributes() -> None:
    """Path, expiry and flags are what one looks at (RFC 6265 §4.1)."""
    value = f"sid={SECRET}; Path=/; HttpOnly"
    assert mask_field("Set-Cookie", value) == "sid=s3cr****alue; Path=/; HttpOnly"


def test_other_fields_are_shown_whole() -> None:
    """What is no secret is not touched."""
    assert mask_field("Content-Type", "text/plain; charset=utf-8") == "text/plain; charset=utf-8"


def test_secrets_in_the_query_of_a_location_are_hidden() -> None:
    """A redirect may carry a token."""
    assert mask_field("Location", f"/cb?code=1&access_token={SECRET}") == (
        "/cb?code=1&access_token=s3cr****alue"
    )


def test_secret_query_items_are_hidden_and_the_others_are_not() -> None:
    """Order, repeats and everything else stay."""
    url = f"https://a.example/p?q=1&key={SECRET}&q=2&api%5Fkey={SECRET}&flag"
    assert mask_query(url) == (
        "https://a.example/p?q=1&key=s3cr****alue&q=2&api%5Fkey=s3cr****alue&flag"
    )


def test_secret_form_items_are_hidden() -> None:
    """A log-in form is shown without its password."""
    assert mask_form("user=ann&password=hunter2") == "user=ann&password=****"


def test_secret_members_of_json_are_hidden() -> None:
    """Only their string values: numbers and structure stay as they were written."""
    text = f'{{"user": "ann", "apiKey": "{SECRET}", "n": 1.10, "password": null, "token": {{}}}}'
    assert mask_json(text) == text.replace(SECRET, "s3cr****alue")


def test_json_inside_a_json_string_is_hidden_too() -> None:
    """What is escaped there is a member of a text, and all around it stays."""
    text = json.dumps({"note": '"password": "hunter2"', "x": "\\"})
    assert mask_json(text) == text.replace("hunter2", "****")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(JSON)
def test_masked_json_is_json_with_the_same_structure(value: object) -> None:
    """Hiding never breaks the text, escapes included."""
    value = {"outer": value, "password": 'a"b\\c\u00e9' * 9}
    masked = json.loads(mask_json(json.dumps(value)))
    assert masked.keys() == value.keys()
    assert masked["password"].count("****") == 1


def test_what_redaction_knows_by_its_shape_is_hidden_too() -> None:
    """A token in a text, in a path, in a field that nobody would suspect."""
    token = "ghp_" + "a1B2c3D4e5" * 4
    for shown in (
        mask_field("X-Note", f"use {token}"),
        mask_query(f"/repos/{token}"),
        mask_form(f"note={token}"),
        mask_json(f'{{"note":"use {token}"}}'),
    ):
        assert token not in shown
        assert "ghp_****" in shown


def test_placeholders_are_shown_as_they_are() -> None:
    """They say which secret is which, and nothing else."""
    assert mask("REDACTED-12") == "REDACTED-12"
    assert mask_json('{"password":"REDACTED-1","otp":9999000001}') == (
        '{"password":"REDACTED-1","otp":9999000001}'
    )
    assert mask_json('{"otp":123456}') == '{"otp":"****"}'
