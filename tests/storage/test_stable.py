"""With `stable`, recording the same API again changes nothing in the file."""

from __future__ import annotations

import gzip

import msgspec
import pytest

from magneto_serge.messages import Headers, Interaction
from magneto_serge.storage.stable import stable
from magneto_serge.storage.store import CassetteStore

from .interactions import dump, exchange, load, record


def at(moment: int, **fields: str) -> Interaction:
    """Return an exchange as it is recorded at a minute of the hour."""
    body = gzip.compress(b'{"answer": 42, "of": "everything"}' * 5, mtime=moment)
    lines = {
        "Date": f"Mon, 05 Jan 2026 10:{moment:02}:00 GMT",
        "Expires": f"Mon, 05 Jan 2026 10:{moment + 5:02}:00 GMT",
        "X-Request-Id": f"{moment * 7919:x}",
        "Age": str(moment),
        "ETag": '"v1"',
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    said = exchange("/", body, fields=Headers.of(*(lines | fields).items()))
    return msgspec.structs.replace(
        said,
        started=1.7e9 + moment,
        first_byte_ms=moment * 1.5,
        total_ms=moment * 2.0,
        chunks=((10, moment), (len(body) - 10, moment + 25)),
        peer=f"192.0.2.{moment}:443",
    )


def test_recording_again_changes_nothing(store: CassetteStore) -> None:
    """Two recordings of one API are the same bytes, although nothing else was the same."""
    chosen = CassetteStore(store.folder, stable=True)
    first = record(chosen, "tape", at(1), at(2)).read_bytes()
    again = record(chosen, "tape", at(31), at(42)).read_bytes()
    assert first == again
    for word in (b"recorded_at", b"recorded_by", b"started", b"_ms", b"chunks", b"peer", b"mtime"):
        assert word not in first


def test_a_template_stays_one() -> None:
    """What a person has written into a cassette is not what changes by itself."""
    assert stable(msgspec.structs.replace(at(1), template=True)).template


def test_who_talked_when_stays() -> None:
    """Where both sides talked at once the pieces are kept, for it cannot be done again without."""
    chunks, uploaded = ((3, 5.5), (4, 9.5)), (0, 1, 2, 3)
    kept = stable(msgspec.structs.replace(at(1), chunks=chunks, uploaded=uploaded))
    assert kept.chunks == ((3, 0.0), (4, 0.0))
    assert kept.uploaded == uploaded
    assert stable(msgspec.structs.replace(at(1), chunks=chunks)).chunks == ()


def test_what_the_api_says_shows(store: CassetteStore) -> None:
    """A change in what the API answers is a change in the file."""
    chosen = CassetteStore(store.folder, stable=True)
    first = record(chosen, "tape", at(1)).read_bytes()
    assert record(chosen, "tape", at(1, ETag='"v2"')).read_bytes() != first


def test_it_replays(store: CassetteStore) -> None:
    """What is left is the exchange: request, status, fields, content."""
    [loaded] = load(dump(at(1), stable=True))
    response, original = loaded.response, at(1).response
    assert response is not None
    assert original is not None
    assert loaded.request == at(1).request
    assert isinstance(response.body, bytes)
    assert isinstance(original.body, bytes)
    assert gzip.decompress(response.body) == gzip.decompress(original.body)
    assert response.headers["ETag"] == '"v1"'


@pytest.mark.parametrize(
    ("date", "expires", "kept"),
    [
        (
            "Mon, 05 Jan 2026 10:00:00 GMT",
            "Mon, 05 Jan 2026 11:00:00 GMT",
            "Thu, 01 Jan 1970 01:00:00 GMT",
        ),
        ("Mon, 05 Jan 2026 10:00:00 GMT", "0", "0"),
        ("soon", "Mon, 05 Jan 2026 11:00:00 GMT", "Mon, 05 Jan 2026 11:00:00 GMT"),
        ("Mon, 05 Jan 2026 10:00:00 GMT", "Mon, 05 Jan 2026 10:00:00 -0000", None),
    ],
)
def test_responses_stay_as_fresh_as_they_were(date: str, expires: str, kept: str | None) -> None:
    """Expires keeps its distance from Date (RFC 9111 §4.2.1), and its value where it is no date."""
    found = stable(at(1, Date=date, Expires=expires))
    assert found.response is not None
    assert found.response.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert found.response.headers["Expires"] == (kept or expires)
