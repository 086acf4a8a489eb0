"""Who a client says it is."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import FieldLine
from magneto_serge.proxy.credentials import Credentials, CredentialsError


def basic(text: str, scheme: str = "Basic") -> tuple[FieldLine, ...]:
    """Return a field section with these credentials."""
    encoded = b64encode(text.encode()).decode()
    return ((b"Proxy-Authorization", f"{scheme} {encoded}".encode()),)


def test_no_credentials_choose_nothing() -> None:
    """Who says nothing has the session that serves everybody."""
    assert Credentials(None).user_of(()) is None


@given(st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1), st.text())
def test_user_name_chooses(user: str, password: str) -> None:
    """The user name is what comes before the first colon, whatever the password (RFC 7617 §2)."""
    assert Credentials(None).user_of(basic(f"{user}:{password}")) == user


@pytest.mark.parametrize("value", [b"Basic", b"Basic !!!", b"Bearer abc", b"", b"Basic Og=="])
def test_what_is_no_user_name_chooses_nothing(value: bytes) -> None:
    """Another scheme, or what is no base64, is not a user name."""
    assert Credentials(None).user_of(((b"proxy-authorization", value),)) is None


def test_required_credentials_choose_nothing() -> None:
    """The credentials that were set let in; they name no session."""
    assert Credentials("user:secret").user_of(basic("user:secret", "bAsIc")) is None


def test_session_with_the_password() -> None:
    """In a guarded proxy a session is chosen with the password that was set."""
    assert Credentials("user:secret").user_of(basic("a-test:secret")) == "a-test"


@pytest.mark.parametrize(
    "fields", [(), basic("user:wrong"), basic("user"), ((b"proxy-authorization", b"Bearer x"),)]
)
def test_guarded_proxy_asks(fields: tuple[FieldLine, ...]) -> None:
    """Without the password nobody comes in."""
    with pytest.raises(CredentialsError):
        Credentials("user:secret").user_of(fields)
