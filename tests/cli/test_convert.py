"""`convert` and `recover`: nothing is changed on the way, and what was lost is said."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from magneto_serge.messages import FileBody
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.store import CassetteStore

from .recorded import FOLDER, exchange, invoke, load, record

pytestmark = pytest.mark.usefixtures("here")
SQUEEZED = gzip.compress(b'{"zen": 1}' * 9, 6, mtime=7)


def names() -> list[str]:
    """Return the files of the cassette folder."""
    return sorted(each.name for each in FOLDER.iterdir())


@pytest.mark.parametrize("there", FORMATS)
def test_there_and_back_is_the_same(there: str) -> None:
    """Byte for byte; the older file goes each time."""
    record(
        "github",
        exchange(body=SQUEEZED, fields=(("Content-Encoding", "gzip"),)),
        exchange("https://b.example/", b"\xff\x00"),
    )
    before = load("github")
    result = invoke("convert", "github", "--to", there)
    assert result.exit_code == 0
    assert names() == [f"github.{there}"]
    assert load("github") == before
    assert invoke("convert", f"./cassettes/github.{there}", "--to", "json").exit_code == 0
    assert names() == ["github.json"]
    assert load("github") == before


def test_what_was_written_is_said() -> None:
    """Where, how much, and what it takes now."""
    record("github", exchange())
    result = invoke("convert", "github", "--to", "json.gz")
    first, second = result.stderr.splitlines()
    assert first == "magneto: wrote cassettes/github.json.gz: 1 interaction"
    assert " B, from " in second
    assert result.stdout == ""


@pytest.mark.parametrize("format", ["json", "msgpack.zst"])
def test_a_format_that_it_has_already_is_left_alone(format: str) -> None:
    """Nothing is written."""
    record(f"github.{format}", exchange())
    before = Path(f"cassettes/github.{format}").read_bytes()
    result = invoke("convert", "github", "--to", format)
    assert result.stderr == f"magneto: cassettes/github.{format} is that already\n"
    assert Path(f"cassettes/github.{format}").read_bytes() == before


def test_a_file_is_made_what_its_name_says() -> None:
    """Its content tells what it is."""
    record("github.msgpack", exchange()).rename("cassettes/github.json")
    assert invoke("convert", "github", "--to", "json").exit_code == 0
    assert Path("cassettes/github.json").read_bytes()[:1] == b"{"


def test_a_cassette_of_version_1_is_brought_up_to_date() -> None:
    """It is JSON already, but not today's."""
    at = "2025-10-10T14:30:00.123456789Z"
    request = {"method": "GET", "url": "http://h/p", "headers": {}, "body": None}
    response = {"status": 204, "headers": {}, "body": None}
    http = {"type": "Http", "request": request, "response": response, "recorded_at": at}
    FOLDER.mkdir()
    path = FOLDER / "old.json"
    path.write_text(
        json.dumps({"version": "1.0", "name": "x", "recorded_at": at, "interactions": [http]})
    )
    assert invoke("convert", "old", "--to", "json").exit_code == 0
    assert b'"version": "2"' in path.read_bytes()


def test_with_an_output_the_older_one_stays() -> None:
    """The new one is another cassette."""
    record("github", exchange())
    assert invoke("convert", "github", "--to", "msgpack", "-o", "small").exit_code == 0
    assert names() == ["github.json", "small.msgpack"]
    again = ("convert", "github", "--to", "msgpack.gz", "-o", "small")
    assert invoke(*again).exit_code == 2
    assert invoke(*again, "--force").exit_code == 0
    assert names() == ["github.json", "small.msgpack.gz"]


def test_two_formats_at_once_are_a_contradiction() -> None:
    """It asks which."""
    record("github", exchange())
    result = invoke("convert", "github", "--to", "json", "-o", "x.msgpack")
    assert result.exit_code == 2
    assert "-o x.msgpack says msgpack, --to says json" in result.stderr
    assert invoke("convert", "github", "--to", "json.gz", "-o", "x.json.gz").exit_code == 0


def test_exact_bodies_stay_exact_in_json() -> None:
    """A binary cassette has the bytes; JSON may have them too."""
    record("github.msgpack", exchange(body=SQUEEZED, fields=(("Content-Encoding", "gzip"),)))
    assert invoke("convert", "github", "--to", "json", "--exact-bodies").exit_code == 0
    assert b'"base64"' in Path("cassettes/github.json").read_bytes()


def test_a_cassette_can_be_made_stable() -> None:
    """In the format that it has."""
    record("github", exchange(fields=(("Date", "Mon, 01 Jan 2026 00:00:00 GMT"),)))
    assert invoke("convert", "github", "--to", "json", "--stable").exit_code == 0
    text = Path("cassettes/github.json").read_text()
    assert "192.0.2.1" not in text
    assert "Jan 2026" not in text
    assert len(load("github")) == 1


def test_side_files_stay_where_they_are() -> None:
    """They belong to the cassette, not to its format."""
    record("github", exchange(body=b"x" * 5000))
    assert invoke("convert", "github", "--to", "json.zst").exit_code == 0
    assert names() == ["github.bodies", "github.json.zst"]
    (one,) = load("github")
    assert one.response is not None
    assert isinstance(one.response.body, FileBody)


def test_two_files_of_one_cassette_are_not_guessed_about() -> None:
    """Neither is removed."""
    record("github", exchange())
    record("other.msgpack", exchange("https://b.example/")).rename("cassettes/github.msgpack")
    for name in ("github", "github.json"):
        result = invoke("convert", name, "--to", "msgpack")
        assert result.exit_code == 3
        assert "there are 2 files of one cassette" in result.stderr
    assert names() == ["github.json", "github.msgpack"]


def cut(name: str, lost: int) -> Path:
    """Cut the end of a binary cassette off."""
    path = FOLDER / name
    path.write_bytes(path.read_bytes()[:-lost])
    return path


def test_recover_makes_a_cassette_of_what_was_cut() -> None:
    """Under another name, and it says what was lost."""
    record("github.msgpack", *(exchange(f"https://a.example/{n}") for n in range(3)))
    with Cassette.open("cassettes/github.msgpack") as whole:
        container = whole.container
        assert container is not None
        offset, length = list(container.places())[2]
        size = (FOLDER / "github.msgpack").stat().st_size
    cut("github.msgpack", size - offset - length + 1)
    result = invoke("recover", "github")
    assert result.exit_code == 0, result.stderr
    written, lost = result.stderr.splitlines()
    assert "wrote cassettes/github-recovered.json: 2 interactions" in written
    assert lost == f"magneto: lost: {length - 1} bytes at its end"
    assert len(load("github-recovered")) == 2


def test_recover_makes_a_cassette_of_a_journal() -> None:
    """Which then goes."""
    recorder = CassetteStore(FOLDER).recorder("github")
    recorder.record(exchange())
    recorder.finish(replace=True)
    FOLDER.joinpath("github.json").rename("kept.json")
    # What a killed recording leaves is its journal without the lock.
    recorder = CassetteStore(FOLDER).recorder("github")
    recorder.record(exchange())
    journal = FOLDER / ".github.journal"
    while journal.stat().st_size < 300:
        os.sched_yield()  # the writer thread has not had its turn yet
    left = journal.read_bytes()
    recorder.abort()
    journal.write_bytes(left)
    result = invoke("recover", "github")
    assert result.exit_code == 0, result.stderr
    assert "magneto: wrote cassettes/github.json: 1 interaction\n" in result.stderr
    assert "lost: nothing" in result.stderr
    assert names() == ["github.json"]


def test_nothing_to_recover_is_said() -> None:
    """Exit status 3."""
    record("github", exchange())
    result = invoke("recover", "github")
    assert result.exit_code == 3
    assert "there is nothing to recover of the cassette 'github'" in result.stderr
