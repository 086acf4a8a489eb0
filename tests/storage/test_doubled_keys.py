"""A key that stands twice is an error wherever people edit, and nobody's business in a body."""

from __future__ import annotations

import json

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.storage import doubled_keys
from magneto_serge.storage.json_format import read

from .interactions import PLACE, dump, exchange, load

PLAIN = dump(exchange("/1", b'{"a": 1, "b": [{"c": 2}]}'), exchange("/2", b"text"))


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ('"status": 200,', '"status": 200, "status": 404,', "interaction 1: the key 'status'"),
        ('"peer": ', '"peer": "", "peer": ', "interaction 1: the key 'peer'"),
        (
            '"method": "GET",',
            '"method": "GET", "method": "GET",',
            "interaction 1: the key 'method'",
        ),
        ('"json": {', '"json": [], "json": {', "interaction 1: the key 'json'"),
        ('"name": "tape",', '"name": "tape", "name": "x",', "the top level: the key 'name'"),
    ],
)
def test_a_doubled_key_is_named(before: str, after: str, place: str) -> None:
    """With the interaction that it is in; which of the two was meant is not for us to guess."""
    data = PLAIN.replace(before.encode(), after.encode(), 1)
    assert data != PLAIN
    with pytest.raises(CassetteError, match=rf"tape.json: {place} stands twice in one object\. \w"):
        load(data)


def test_a_body_may_have_doubled_keys() -> None:
    """It is kept as the origin sent it."""
    odd = exchange("/", b'{"a":1,"a":{"json":1,"json":[{"b":1,"b":2}]}}')
    assert load(dump(odd)) == [odd]


def test_large_files_are_looked_through_when_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading them does not wait for it."""
    data = PLAIN.replace(b'"status": 200,', b'"status": 200, "status": 404,', 1)
    monkeypatch.setattr(doubled_keys, "ALWAYS", 100)
    assert len(load(data)) == 2
    with pytest.raises(CassetteError, match="stands twice"):
        read(PLACE, data, verify=True)


def test_what_pythons_reader_refuses_is_let_by() -> None:
    """Numbers of thousands of digits, which a body may hold, cannot be looked behind."""
    digits = b"1" * 5000
    with pytest.raises(ValueError, match="digits"):
        json.loads(digits)
    odd = exchange("/", b'{"n":%s}' % digits)
    assert load(dump(odd)) == [odd]
