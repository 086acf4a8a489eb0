"""Large request bodies match as their neutral form does."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody, Headers, Request
from magneto_serge.replay.secrets import SecretRules
from magneto_serge.replay.secrets.finder import Finder
from magneto_serge.replay.secrets.large import neutral_file

RULES = SecretRules()


@pytest.fixture
def asked(tmp_path: Path) -> object:
    """Return what makes a request whose body is in a file."""

    def make(data: bytes, *fields: tuple[str, str]) -> Request:
        digest = hashlib.sha256(data).hexdigest()
        path = tmp_path / digest
        path.write_bytes(data)
        body = FileBody(path, len(data), digest)
        return Request("POST", "http", "h", 80, "/up", Headers.of(*fields), body)

    return make


def digest(request: Request) -> str:
    """Return what a request's body is compared by."""
    body = RULES.scan(request).neutral.body
    assert isinstance(body, FileBody)
    return body.sha256


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_secret_and_its_placeholder_have_the_same_digest(asked: object, coding: str) -> None:
    """Wherever it stands, and in whatever coding; other content has another."""
    assert callable(asked)
    fields = (("Content-Encoding", coding),) if coding else ()
    digests = []
    for value in (b"hunter2", b"REDACTED-12", b"hunter3"):
        data = b"x " * 300_000 + b'{"password":"%s"}' % value + b" y" * 300_000
        digests.append(digest(asked(gzip.compress(data) if coding else data, *fields)))
    assert len(set(digests)) == 1
    other = b"z " * 300_000 + b'{"password":"hunter2"}'
    assert digest(asked(gzip.compress(other) if coding else other, *fields)) not in digests


def test_a_binary_body_too(asked: object) -> None:
    """What fills the place of a token there has its length."""
    assert callable(asked)
    token = b"ghp_" + b"a1B2c3D4e5" * 4
    stands = b"ghp_REDACTED-1".ljust(len(token), b"-")
    assert digest(asked(b"\0" + token + b"\1")) == digest(asked(b"\0" + stands + b"\1"))


def test_a_body_without_secrets_keeps_its_digest(asked: object) -> None:
    """And the request is its own neutral form."""
    assert callable(asked)
    request = asked(b"nothing " * 100_000)
    assert RULES.scan(request).neutral is request


def test_a_file_that_is_gone_is_compared_as_it_was(tmp_path: Path) -> None:
    """Nothing raises."""
    body = FileBody(tmp_path / "gone", 10, "0" * 64)
    assert neutral_file(body, Headers(), Finder()) is body
