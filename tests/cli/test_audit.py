"""`magneto audit`: is there a secret in these cassettes?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from magneto_serge.storage.formats import FORMATS

from .recorded import exchange, invoke, record

pytestmark = pytest.mark.usefixtures("here")
TOKEN = "tok3n-a1B2c3D4e5F6"
LOGIN = exchange(
    "https://a.example/login?api_key=s3cret-a1B2c3D4",
    b'{"access_token":"%s"}' % TOKEN.encode(),
    fields=(("Set-Cookie", "sid=abcdefgh12345678; Path=/"),),
)


@pytest.mark.parametrize("format", FORMATS)
def test_what_looks_like_a_secret_is_found(format: str) -> None:
    """In every format; file, interaction, place and kind are named, the secret is not shown."""
    record(f"github.{format}", exchange(), LOGIN)
    result = invoke("audit", "github")
    assert result.exit_code == 1
    rows = result.stdout.splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [[f"cassettes/github.{format}", "2"]] * 3
    assert "request URL, api_key" in result.stdout
    assert "response header Set-Cookie, sid" in result.stdout
    assert "response body, access_token" in result.stdout
    assert TOKEN not in result.stdout
    assert "3 secrets in 1 cassette. Remove them with: magneto redact" in result.stderr


def test_what_was_redacted_is_clean() -> None:
    """The exit status is 0."""
    record("github", LOGIN)
    invoke("redact", "github")
    result = invoke("audit", "github")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "no secret in 1 cassette" in result.stderr


def test_without_a_name_all_cassettes_are_looked_at() -> None:
    """Said or not."""
    record("one", exchange())
    record("two", LOGIN)
    for arguments in ((), ("--all",)):
        result = invoke("audit", *arguments)
        assert result.exit_code == 1
        assert "in 2 cassettes" in result.stderr


def test_paths_are_names_too() -> None:
    """What pre-commit and a shell hand over."""
    record("github", LOGIN)
    assert invoke("audit", "cassettes/github.json").exit_code == 1


def test_json_is_for_programs() -> None:
    """The same facts."""
    record("github", LOGIN)
    found = json.loads(invoke("audit", "--json").stdout)
    assert found[0] == {
        "file": "cassettes/github.json",
        "interaction": 1,
        "place": "request URL",
        "kind": "item",
        "name": "api_key",
        "excerpt": "s****4",
    }
    record("github", exchange())
    assert json.loads(invoke("audit", "--json").stdout) == []


def test_large_bodies_are_looked_through() -> None:
    """In their side files."""
    record("github", exchange(body=b"x " * 3000 + b'{"password":"hunter2"}'))
    result = invoke("audit")
    assert result.exit_code == 1
    assert "response body, password" in result.stdout


def test_what_is_allowed_is_not_found() -> None:
    """The configuration counts."""
    record("github", exchange(body=b'{"password":"hunter2"}'))
    Path("magneto.toml").write_text('redact_allow = ["hunter2"]\n')
    assert invoke("audit").exit_code == 0


def test_what_cannot_be_done_is_said() -> None:
    """Names and --all together; a cassette that is not there."""
    assert invoke("audit", "github", "--all").exit_code == 2
    assert "nothing" in invoke("audit", "nothing").stderr
