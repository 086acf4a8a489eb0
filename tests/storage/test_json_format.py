"""Which version a JSON file is, what cannot be read, and how older texts are carried over."""

from __future__ import annotations

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.storage.json_format import older_texts

from .interactions import PLACE, dump, exchange, load

V1 = b"""{"version": "1.0", "name": "x", "recorded_at": "2025-10-10T14:30:00Z", "interactions": [
  {"type": "Http", "request": {"method": "GET", "url": "http://h/", "headers": {}, "body": null},
   "response": {"status": 200, "headers": {}, "body": [104, 105]}},
  {"type": "WebSocket", "url": "wss://h", "messages": []}]}"""


def test_versions() -> None:
    """Version "2" and "1.0" are read by their own readers, wherever the version stands."""
    recorded = exchange(body=b"text")
    assert load(dump(recorded)) == [recorded]
    assert load(b'{"interactions": [], "version": "2"}') == []
    old, conversation = load(V1)
    assert conversation.websocket is not None
    assert old.response is not None
    assert old.response.body == b"hi"


def test_byte_order_mark() -> None:
    """A byte order mark, as some editors write, is accepted."""
    assert load(b"\xef\xbb\xbf" + dump()) == []
    assert older_texts(PLACE, b"\xef\xbb\xbf" + dump()) == []


@pytest.mark.parametrize("version", ["3", "2.1", "1.1", "", "0"])
def test_other_versions(version: str) -> None:
    """A version that we do not know is named, with what to do about it."""
    with pytest.raises(CassetteError, match=f"version: '{version}' is not one .* upgrade"):
        load(dump().replace(b'"version": "2"', b'"version": "%s"' % version.encode()))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: the file is empty"),
        (b" \n", "line 1: the file is empty"),
        (b"{}", "the top level: object missing required field 'version'"),
        (b"[]", "the top level: expected an object, got a list"),
        (b'{"version": 2}', "version: expected text, got a whole number"),
        (b'{"version": "2"}', "the top level: object missing required field 'interactions'"),
        (b'{"version": "2", "interactions": {}}', "interactions: expected a list, got an object"),
        (b'{"version": "2", "interactions": [7]}', "interaction 1: expected an object"),
        (b'{"version": "2",\n "interactions": [}', r"line 2, column 19: not JSON \(invalid char"),
        (b"<html>\n", r"line 1, column 1: not JSON \(invalid character\)"),
        (b'{"version": "2", "name": "\xff"}', "line 1, column 27: the file is not UTF-8"),
        (
            b'{"version": "2", "interactions": []} x',
            r"line 1, column 3\d: not JSON \(trailing char",
        ),
        (dump(exchange())[:-30], "the file is truncated"),
        (
            b'{"version": "2", "interactions": [], "x": %s}' % (b"[" * 10_000 + b"]" * 10_000),
            "nested too deeply|unknown field",
        ),
    ],
)
def test_files_that_are_no_cassettes(data: bytes, message: str) -> None:
    """What is not a cassette says where it stops being one, and never with a traceback."""
    with pytest.raises(CassetteError, match=message) as error:
        load(data)
    assert str(error.value).startswith("cassettes/tape.json: ")


def test_every_cut_is_an_error() -> None:
    """A cassette cut anywhere is an error that names a place in the file."""
    data = dump(exchange(body=b"text\n" * 3)).rstrip()
    for length in range(len(data)):
        with pytest.raises(CassetteError, match=r"tape.json: line \d+"):
            load(data[:length])


def test_older_texts() -> None:
    """The interactions of a version "2" file are given as their own text; others are not."""
    data = dump(exchange("/1"), exchange("/2"))
    texts = older_texts(PLACE, data)
    assert texts is not None
    assert [bytes(text) in data for text in texts] == [True, True]
    assert older_texts(PLACE, V1) is None


def test_a_newer_version_says_which_release_reads_it() -> None:
    """What the file says wrote it."""
    newer = b'{"version": "3", "recorded_by": "magneto-serge 4.5.6", "interactions": 7}'
    with pytest.raises(CassetteError, match=r"Magnéto-Serge 4\.5\.6 wrote it: upgrade to that"):
        load(newer)
