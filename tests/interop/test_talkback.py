"""talkback's tapes: what a body is, the tape says in three ways."""

from __future__ import annotations

import gzip
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from .files import Taken, take


def tape(body: Any, meta: str = "", headers: str = "{}") -> str:
    """Return a tape with this response."""
    return (
        "// a tape\n{meta: {createdAt: '1970-01-01T00:00:03Z', host: 'https://h.example', "
        f"{meta}}}, req: {{url: '/p', method: 'GET', headers: {{accept: '*/*'}}, body: ''}},"
        f" res: {{status: 200, headers: {headers}, body: {body}}},}}"
    )


def body(found: Taken) -> Any:
    """Return the response's body."""
    assert found.only.response is not None
    return found.only.response.body


def test_base64_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    """Without a word, a body is bytes."""
    found = take(tmp_path, tape("'/wA='"))
    assert found.kind == "talkback"
    assert body(found) == b"\xff\x00"
    assert found.only.request.url == "https://h.example/p"
    assert found.only.started == 3.0


def test_readable_bodies(tmp_path: Path) -> None:
    """Text as it is; JSON as talkback itself writes it."""
    assert body(take(tmp_path, tape("'é'", "resHumanReadable: true"))) == "é".encode()
    found = take(tmp_path, tape("{ok: true, l: []}", "resHumanReadable: true"))
    assert body(found) == b'{\n  "ok": true,\n  "l": []\n}'


def test_readable_and_compressed(tmp_path: Path) -> None:
    """What was uncompressed for the tape is compressed again; what was not is bytes."""
    headers = "{'content-encoding': ['gzip']}"
    found = take(tmp_path, tape("'text'", "resHumanReadable: true, resUncompressed: true", headers))
    assert gzip.decompress(body(found)) == b"text"
    packed = f"'{b64encode(gzip.compress(b'text')).decode()}'"
    found = take(tmp_path, tape(packed, "resHumanReadable: true", headers))
    assert body(found).startswith(b"\x1f\x8b")
    assert gzip.decompress(body(found)) == b"text"


@pytest.mark.parametrize("before", ["module.exports = ", "export default "])
def test_tapes_in_javascript(before: str, tmp_path: Path) -> None:
    """A module that exports a tape and nothing else."""
    written = before + tape("''").partition("\n")[2] + ";"
    assert take(tmp_path, written, name="tape.js").kind == "talkback"


def test_a_body_that_is_no_base64(tmp_path: Path) -> None:
    """It is taken as text, with a remark."""
    found = take(tmp_path, tape("'a'"))
    assert (body(found), found.remarks) == (b"a", {"CHARSET": 1})


def test_a_whole_url(tmp_path: Path) -> None:
    """The host is not put before it."""
    written = tape("''").replace("url: '/p'", "url: 'http://other/'")
    assert take(tmp_path, written).only.request.url == "http://other/"


def test_no_status(tmp_path: Path) -> None:
    """It is left out."""
    found = take(tmp_path, {"req": {"url": "http://h/"}, "res": {}})
    assert found.remarks == {"LEFT_OUT": 1}
