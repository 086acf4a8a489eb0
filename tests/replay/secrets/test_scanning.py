"""A glance tells most requests apart from those that have to be searched; both say the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.messages import Headers, Request
from magneto_serge.replay.secrets.names import SHORT, STEMS, meaning
from magneto_serge.replay.secrets.placeholders import Look, placeholder
from magneto_serge.replay.secrets.rules import Given, SecretRules
from magneto_serge.replay.secrets.scanning import Scanner

SCANNER = Scanner(Given((), (), (), (), ()), ())
RULES = SecretRules()
NAMES = st.sampled_from(
    ["page", "limit", "q", "api_key", "Token", "pwd", "pin", "sort", "state", "x-sid", "cvv"]
)
VALUES = st.sampled_from(
    ["1", "a1B2c3D4e5F6g7H8", "red", "1234", "xoxb-a1b2c3d4e5", "AKIA" + "A1B2" * 4]
    + [placeholder(3, look).decode() for look in Look if look is not Look.NUMBER]
)


@settings(max_examples=150)
@given(st.lists(VALUES, max_size=3), st.lists(st.tuples(NAMES, VALUES), max_size=3))
def test_what_is_plain_at_a_glance_has_no_secret(
    path: list[str], items: list[tuple[str, str]]
) -> None:
    """Whatever is found by the whole search is not passed over by the glance."""
    query = "&".join(f"{name}={value}" for name, value in items)
    request = Request("GET", "http", "h", 80, f"/{'/'.join(path)}{'?' if query else ''}{query}")
    if RULES.is_plain_target(request.target):
        assert SCANNER.scan(request).neutral is request


def test_the_glance_knows_every_word_in_the_names_of_secrets() -> None:
    """Each of them makes it look closer."""
    for stem in (*STEMS, *SHORT):
        assert not RULES.is_plain_target(f"/?my_{stem}=1"), stem
    assert meaning("page") == 0
    assert RULES.is_plain_target("/users/12?page=2&limit=10")


def test_the_glance_knows_the_fields_that_let_nobody_in() -> None:
    """Any other is looked at."""
    rules = SecretRules()
    for name in ("Accept", "User-Agent", "Host", "Content-Type", "Referer"):
        headers = Headers.of((name, "x"))
        assert not SCANNER.credentialed(headers)
        assert not rules.credentialed(headers)
        assert rules.credentials(headers) == SCANNER.credentials(headers) == ()
    for name in ("Authorization", "X-Api-Key"):
        assert rules.credentialed(Headers.of((name, "x")))
