"""`magneto redact`: the secrets of cassettes that exist."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody
from magneto_serge.storage.formats import FORMATS

from .recorded import FOLDER, exchange, invoke, load, record

pytestmark = pytest.mark.usefixtures("here")
TOKEN = "tok3n-a1B2c3D4e5F6"
LOGIN = exchange(
    "https://a.example/login", b'{"access_token":"%s"}' % TOKEN.encode(), method="POST"
)
BEFORE = exchange(f"https://a.example/echo/{TOKEN}")
CLEAN = exchange("https://a.example/clean", b"nothing here")


def everything() -> bytes:
    """Return all bytes of the cassette folder."""
    return b"".join(each.read_bytes() for each in FOLDER.rglob("*") if each.is_file())


@pytest.mark.parametrize("format", FORMATS)
def test_a_token_is_replaced_wherever_it_stands(format: str) -> None:
    """Also before the place that gives it away, in every format; the format stays."""
    path = record(f"github.{format}", BEFORE, LOGIN, CLEAN)
    result = invoke("redact", "github")
    assert result.exit_code == 0, result.output
    assert path.exists()
    before, login, clean = load("github")
    assert before.request.target == "/echo/REDACTED-1"
    assert login.response is not None
    assert login.response.body == b'{"access_token":"REDACTED-1"}'
    assert clean.response == CLEAN.response
    assert "2 secrets replaced in 2 interactions: " in result.stdout
    assert "1 member" in result.stdout


def test_redacting_twice_changes_nothing() -> None:
    """The second time there is nothing to replace, and nothing is written."""
    path = record("github", LOGIN)
    invoke("redact", "github")
    once = path.read_bytes()
    assert "nothing to replace" in invoke("redact", "github").stdout
    assert path.read_bytes() == once


def test_a_dry_run_says_and_does_not() -> None:
    """What would be replaced; the cassette stays."""
    path = record("github", LOGIN)
    before = path.read_bytes()
    result = invoke("redact", "github", "--dry-run")
    assert "1 secret would be replaced in 1 interaction: 1 member" in result.stdout
    assert path.read_bytes() == before


def test_numbers_go_on_after_those_that_are_there() -> None:
    """A cassette that was redacted, and to which something was added by hand."""
    record("github", exchange("https://a.example/REDACTED-4"), LOGIN)
    invoke("redact", "github")
    assert load("github")[1].response.body == b'{"access_token":"REDACTED-5"}'  # type: ignore[union-attr]  # it has one


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_side_files_are_redacted_too(coding: str) -> None:
    """Whatever their coding; the older file goes."""
    body = LOGIN.response.body + b" " * 5000 if LOGIN.response else b""
    assert isinstance(body, bytes)
    fields: tuple[tuple[str, str], ...] = ()
    if coding:
        body, fields = gzip.compress(body, 0), (("Content-Encoding", "gzip"),)
    record("github", BEFORE, exchange("https://a.example/login", body, fields=fields))
    before = load("github")[1].response
    assert before is not None
    assert isinstance(before.body, FileBody)
    result = invoke("redact", "github")
    assert result.exit_code == 0, result.output
    after = load("github")
    assert after[1].response is not None
    assert isinstance(after[1].response.body, FileBody)
    data = after[1].response.body.path.read_bytes()
    assert b'"REDACTED-1"' in (gzip.decompress(data) if coding else data)
    assert after[0].request.target == "/echo/REDACTED-1"
    assert TOKEN.encode() not in everything()
    assert not before.body.path.exists()


def test_side_files_without_secrets_stay() -> None:
    """They are not written anew."""
    record("github", exchange("https://a.example/large", b"x" * 5000))
    assert "nothing to replace" in invoke("redact", "github").stdout


def test_all_cassettes_of_the_folder() -> None:
    """Each with numbers of its own."""
    record("one", LOGIN)
    record("two", LOGIN)
    assert invoke("redact", "--all").exit_code == 0
    assert load("one") == load("two")
    assert TOKEN.encode() not in everything()


def test_your_own_names_count() -> None:
    """From the configuration file, like the rest of it."""
    Path("magneto.toml").write_text('redact_fields = ["color"]\nredact_allow = ["access_token"]\n')
    record("github", exchange(body=b'{"color":"blue","access_token":"x"}'))
    invoke("redact", "github")
    assert load("github")[0].response.body == b'{"color":"REDACTED-1","access_token":"x"}'  # type: ignore[union-attr]  # it has one


def test_what_cannot_be_done_is_said() -> None:
    """No name, a name that is not there, an empty folder."""
    assert invoke("redact").exit_code == 2
    result = invoke("redact", "nothing")
    assert result.exit_code != 0
    assert "nothing" in result.stderr
    assert "There are no cassettes" in invoke("redact", "--all").stderr
