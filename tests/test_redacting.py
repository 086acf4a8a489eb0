"""What a recording does about secrets, from the settings to the recorder."""

from __future__ import annotations

import pytest

from magneto_serge.config import Settings
from magneto_serge.messages import Headers, Interaction, Request
from magneto_serge.redacting import LateRedactor, redaction_for
from magneto_serge.replay.secrets import SecretRules
from magneto_serge.replay.secrets.redactor import Redactor


def asking(token: str) -> Interaction:
    """Return an exchange that failed before it was answered."""
    return Interaction(
        Request("GET", "http", "h", 80, "/", Headers.of(("Authorization", f"Bearer {token}")))
    )


def test_numbers_go_on_after_those_of_the_older_cassette() -> None:
    """It is read when the first secret comes, and once."""
    read = []

    def older() -> list[Interaction]:
        read.append(1)
        return [asking("REDACTED-7")]

    redaction = redaction_for(Settings(), SecretRules(), "tape", older=older)
    assert redaction.redact(asking("REDACTED-2")) == asking("REDACTED-2")
    assert not read
    assert redaction.redact(asking("s3cret")) == asking("REDACTED-8")
    assert redaction.redact(asking("other")) == asking("REDACTED-9")
    assert read == [1]


def test_a_secret_that_was_bound_keeps_its_placeholder() -> None:
    """What hybrid mode adds speaks of the same token as what it has replayed."""
    bound = {"s3cret": "REDACTED-3"}.get
    redaction = redaction_for(Settings(), SecretRules(), "tape", older=list, bound=bound)
    assert redaction.redact(asking("s3cret")) == asking("REDACTED-3")
    assert redaction.redact(asking("other")) == asking("REDACTED-1")


def test_the_redactor_is_made_when_it_is_needed_and_once() -> None:
    """Starting a recording does not wait for it; what streams and what is whole meet in one."""
    made: list[Redactor] = []

    def make() -> Redactor:
        made.append(Redactor(SecretRules()))
        return made[-1]

    late = LateRedactor(make)
    assert not made
    stream = late.stream(((b"Content-Type", b"application/json"),))
    stream.feed(b'{"password": "hunter2hunter2"}')
    assert b"REDACTED-1" in stream.finish()
    assert late.redact(asking("s3cret")) == asking("REDACTED-2")
    assert late.is_clean(b"nothing")
    assert not late.is_clean(b"hunter2hunter2")
    assert len(made) == 1


def test_without_redaction_a_warning_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    """Everything is written as it came, but for what was said to the proxy alone."""
    redaction = redaction_for(Settings(redact=False), SecretRules(), "tape")
    assert "REDACTION IS OFF" in caplog.text
    assert redaction.redact(asking("s3cret")) == asking("s3cret")
    assert redaction.bodies is None
    assert redaction.clean(b'{"password": "s3cret"}')
