"""The shape of a version 2 cassette: what may be left out, and what may not be there."""

from __future__ import annotations

import msgspec
import pytest

from magneto_serge.storage.json_shapes import OtherBytes, StoredCassette, StoredInteraction

SMALLEST = b'{"kind": "http", "request": {"method": "GET", "url": "http://h/"}}'


def test_what_a_person_would_leave_out_has_a_default() -> None:
    """A request's method and URL are all that an interaction written by hand needs."""
    stored = msgspec.json.decode(SMALLEST, type=StoredInteraction)
    assert (stored.request.version, stored.request.headers, stored.request.body) == (
        "HTTP/1.1",
        [],
        "",
    )
    assert stored.response is msgspec.UNSET
    assert stored.started.timestamp() == 0


@pytest.mark.parametrize("where", ["", "request", "response"])
def test_an_unknown_name_is_an_error(where: str) -> None:
    """A misspelt field must not pass for an absent one."""
    whole = msgspec.json.decode(SMALLEST)
    whole["response"] = {"status": 200}
    (whole[where] if where else whole)["bodyy"] = "x"
    with pytest.raises(msgspec.ValidationError, match="bodyy"):
        msgspec.convert(whole, StoredInteraction)


def test_bytes_that_are_not_utf_8_come_back_as_they_were() -> None:
    """Latin-1 text stands for any bytes."""
    every = bytes(range(256))
    stored = msgspec.json.decode(
        msgspec.json.encode({"latin-1": every.decode("latin-1")}), type=OtherBytes
    )
    assert stored.encode() == every


def test_the_version_comes_without_a_default() -> None:
    """A file that does not say its version is not taken for ours."""
    with pytest.raises(msgspec.ValidationError, match="version"):
        msgspec.json.decode(b'{"interactions": []}', type=StoredCassette)
