"""Functions of users that find secrets."""

from __future__ import annotations

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Request
from magneto_serge.replay.secrets import SecretRules, register_redactor, unregister_redactor
from magneto_serge.replay.secrets.registry import registered_redactors


def find_blue(text: str) -> list[str]:
    """Find what nothing else would."""
    return ["blue"] if "blue" in text else []


def test_a_function_is_asked_in_sessions_that_begin_afterwards() -> None:
    """Registering twice is once; it works as a decorator; taking it away takes it away."""
    before = SecretRules()
    assert register_redactor(find_blue) is find_blue
    register_redactor(find_blue)
    try:
        assert registered_redactors() == (find_blue,)
        request = Request("GET", "http", "h", 80, "/blue")
        assert SecretRules().scan(request).neutral.target == "/REDACTED"
        assert before.scan(request).neutral is request
    finally:
        unregister_redactor(find_blue)
    unregister_redactor(find_blue)
    assert registered_redactors() == ()


def test_what_cannot_be_called_is_refused() -> None:
    """At the start, and with its reason."""
    with pytest.raises(ConfigError, match="cannot be called"):
        register_redactor("blue")  # type: ignore[arg-type]  # the mistake


def test_a_function_that_raises_does_not_break_replay(caplog: pytest.LogCaptureFixture) -> None:
    """The request is taken as it is, and the log says why."""

    def broken(text: str) -> list[str]:
        raise RuntimeError("oops")

    register_redactor(broken)
    try:
        rules = SecretRules()
    finally:
        unregister_redactor(broken)
    request = Request("GET", "http", "h", 80, "/blue")
    assert rules.scan(request).neutral is request
    assert "oops" in caplog.text
