"""`validate` names file, interaction and field of what is wrong, and its exit status tells."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from magneto_serge.cli import validate
from magneto_serge.storage.formats import FORMATS

from .recorded import exchange, invoke, load, record

pytestmark = pytest.mark.usefixtures("here")


def test_a_sound_cassette_is_said_to_be() -> None:
    """With what it holds; exit status 0."""
    record("github", exchange(), exchange(body=b"x" * 5000))
    result = invoke("validate", "github")
    assert (result.exit_code, result.stdout) == (0, "github: 2 interactions, sound\n")


def test_a_wrong_field_is_named() -> None:
    """File, interaction, field, what was expected."""
    path = record("github", exchange(), exchange())
    before, status, after = path.read_text().rpartition('"status": 200')
    path.write_text(before + status.replace("200", '"ok"') + after)
    result = invoke("validate", "github")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "github.json: interaction 2, response.status: " in result.stderr


def test_the_syntax_of_a_template_is_checked() -> None:
    """Only of what is marked as one: any other body may look like it."""
    broken = exchange(body=b'{"id": "{{ uuid( }}"}')
    record("plain", broken)
    assert invoke("validate", "plain").exit_code == 0
    record("github", exchange(), msgspec.structs.replace(broken, template=True))
    result = invoke("validate", "github")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "github.json: interaction 2, response.body, line 1: " in result.stderr


def test_without_jinja_templates_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is said: everything else was."""
    monkeypatch.setitem(sys.modules, "magneto_serge.replay.sandbox", None)
    record("github", msgspec.structs.replace(exchange(), template=True))
    result = invoke("validate", "github")
    assert (result.exit_code, result.stdout) == (0, "github: 1 interaction, sound\n")
    assert "magneto-serge[templates]" in result.stderr


def test_a_side_file_is_compared_with_its_digest() -> None:
    """Its size alone proves nothing."""
    record("github", exchange(body=b"x" * 5000))
    (side,) = Path("cassettes/github.bodies").iterdir()
    side.write_bytes(b"y" * 5000)
    result = invoke("validate", "github")
    assert result.exit_code == 1
    assert "interaction 1, response.body.file" in result.stderr


def test_all_cassettes_of_the_folder_are_checked() -> None:
    """One that is damaged does not hide the others."""
    record("a", exchange())
    record("b", exchange()).write_text("{")
    record("sub/c", exchange())
    result = invoke("validate", "--all")
    assert result.exit_code == 1
    assert result.stdout == "a: 1 interaction, sound\nsub/c: 1 interaction, sound\n"
    assert "b.json: line 1" in result.stderr


def test_an_empty_folder_is_sound() -> None:
    """It is said, in case another one was meant."""
    result = invoke("validate", "--all")
    assert result.exit_code == 0
    assert "There are no cassettes in" in result.stderr


def test_a_name_that_does_not_exist_is_another_mistake() -> None:
    """Exit status 3, as everywhere."""
    assert invoke("validate", "nothing").exit_code == 3


@pytest.mark.parametrize("arguments", [(), ("--all", "github")])
def test_names_or_all(arguments: tuple[str, ...]) -> None:
    """Exactly one of them."""
    result = invoke("validate", *arguments)
    assert result.exit_code == 2
    assert "Name the cassettes to check, or say --all." in result.stderr


def test_an_index_is_of_requests_without_their_secrets() -> None:
    """What was redacted is sound too."""
    asked = exchange("https://a.example/?access_token=REDACTED-1", sent=b"password=REDACTED-2")
    record("github.msgpack", asked)
    assert invoke("validate", "github").stdout == "github: 1 interaction, sound\n"


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_checked_to_its_end(format: str) -> None:
    """Whatever byte of it is wrong: what passes for sound is what was recorded."""
    path = record(f"github.{format}", *(exchange(f"https://a.example/{n}") for n in range(3)))
    assert invoke("validate", "github").exit_code == 0
    whole, recorded = path.read_bytes(), load("github")
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        result = invoke("validate", "github")
        if result.exit_code == 0:
            assert load("github") == recorded, at  # the time in the head of gzip means nothing
        else:
            assert (result.exit_code, result.stdout) == (1, ""), at
            assert str(path) in result.stderr


def test_an_index_that_does_not_find_what_is_there_is_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Replay would miss what is recorded."""
    record("github.msgpack", exchange())
    monkeypatch.setattr(validate, "key_digest", lambda *_: b"12345678")
    result = invoke("validate", "github")
    assert result.exit_code == 1
    assert "the index: it does not find every interaction" in result.stderr
