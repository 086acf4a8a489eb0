"""How damage in a JSON cassette is told: where it is, what it is, what to do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.storage.faults import REMEDY, FieldError, decode_json, field_damaged, upgrade
from magneto_serge.storage.json_shapes import StoredCassette

PATH = Path("tape.json")
DECODER = msgspec.json.Decoder(StoredCassette)

BOMB = (
    b'{"version": "2", "interactions": [{"kind": "http", "request": {"method": "GET", '
    b'"url": "http://h/", "body": {"json": ' + b"[" * 100_000
)


def complaint(data: bytes) -> str:
    """Return what is said about a file with this content."""
    with pytest.raises(CassetteError) as caught:
        decode_json(PATH, data, DECODER)
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        (b"", "line 1", "empty"),
        (b" \n ", "line 1", "empty"),
        (b'{"version": "2",\n "interactions": [', "line 2, column 19", "truncated"),
        (b'{"version": "2",\n x}', "line 2, column 2", "not JSON"),
        (b'{"version": "2", "interactions": [], "name": "\xff"}', "line 1", "not UTF-8"),
        (BOMB, "the whole file", "nested too deeply"),
        (b"[]", "the top level", "expected an object, got a list"),
        (b'{"version": "2"}', "the top level", "'interactions'"),
        (b'{"version": 2, "interactions": []}', "version", "expected text, got a whole number"),
        (
            b'{"version": "2", "interactions": [{"kind": "http", "request": {"url": "x"}}]}',
            "interaction 1, request",
            "'method'",
        ),
        (
            b'{"version": "2", "interactions": [{"kind": "ftp", "request": {}}]}',
            "interaction 1, kind",
            "'ftp'",
        ),
    ],
)
def test_a_damaged_file_is_told_with_place_reason_and_remedy(
    data: bytes, place: str, reason: str
) -> None:
    """The message begins with the file and the place, says what is wrong, ends with a remedy."""
    said = complaint(data)
    assert said.startswith(f"{PATH}: {place}")
    assert reason in said
    assert said.endswith(REMEDY)


def test_a_field_is_told_with_the_number_that_show_gives_its_interaction() -> None:
    """Interactions count from 1 for people."""
    error = field_damaged(PATH, 0, FieldError("response.body", "not base64"))
    assert str(error) == f"{PATH}: interaction 1, response.body: not base64. {REMEDY}"


@pytest.mark.parametrize(
    ("by", "advice"),
    [
        ("magneto-serge 4.5.6", "Magnéto-Serge 4.5.6 wrote it: upgrade to that release"),
        ("magneto-serge 2.0.dev1", "pip install -U 'magneto-serge>=2.0.dev1'"),
        ("magneto-serge '; rm -rf", "If a newer Magnéto-Serge wrote it"),
        ("", "If a newer Magnéto-Serge wrote it, upgrade: pip install -U magneto-serge."),
    ],
)
def test_which_release_reads_it(by: str, advice: str) -> None:
    """The release that wrote a file is named, where it says one that could be."""
    assert advice in upgrade(by)
