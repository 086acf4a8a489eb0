"""Large bodies are redacted before anything of them reaches the disk."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from magneto_serge.codings import Coding, CodingName, decode, encode
from magneto_serge.messages import FieldLine, FileBody
from magneto_serge.replay.secrets.redactor import Redactor
from magneto_serge.replay.secrets.rules import SecretRules
from magneto_serge.storage.body_writer import BodySink
from magneto_serge.storage.redacted_body import RedactedSink, _Sealed

SECRET = b"hunter2-Secret0Value"
LINES = b"".join(b'{"id":%d,"name":"somebody"}\n' % number for number in range(40_000))
WITH_SECRET = LINES[:600_000] + b'{"password":"' + SECRET + b'"}\n' + LINES[600_000:]
CODINGS: tuple[CodingName, ...] = ("gzip", "deflate", "br", "zstd")


class Recording:
    """What a recorder has: a redactor, and the files that are open."""

    def __init__(self, folder: Path) -> None:
        self.redactor = Redactor(SecretRules())
        self.unfinished: set[BodySink] = set()
        self.folder = folder
        self.watched: list[bytes] = []
        self.numbers = count(1)

    def write(self, data: bytes, *fields: FieldLine, step: int = 50_000) -> FileBody:
        """Write a body as the writer thread does, looking at the disk after each piece."""
        body = FileBody(self.folder / "bodies" / str(next(self.numbers)), len(data), "")
        sink = RedactedSink(body, self.unfinished, self.redactor, fields)
        for start in range(0, len(data), step):
            sink.append(data[start : start + step])
            self.watched += [each.read_bytes() for each in self.folder.rglob("*") if each.is_file()]
        sink.finish(b"")
        assert not self.unfinished
        return body


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """A recording that has begun."""
    return Recording(tmp_path)


def test_a_body_without_secrets_is_written_as_it_came(recording: Recording) -> None:
    """To the byte."""
    body = recording.write(LINES)
    assert body.path.read_bytes() == LINES
    assert body.size == len(LINES)
    assert body.sha256


def test_no_secret_reaches_the_disk(recording: Recording) -> None:
    """Not even for a moment; size and digest are of what was written."""
    body = recording.write(WITH_SECRET)
    written = body.path.read_bytes()
    assert SECRET not in written
    assert b'{"password":"REDACTED-1"}' in written
    assert body.size == len(written)
    assert not any(SECRET in each for each in recording.watched)


@pytest.mark.parametrize("name", CODINGS)
def test_an_encoded_body_stays_to_the_byte_where_it_holds_no_secret(
    recording: Recording, name: CodingName
) -> None:
    """Whatever encoder and level it came from."""
    data = encode(LINES, Coding(name, 2))
    body = recording.write(data, (b"Content-Encoding", name.encode()))
    assert body.path.read_bytes() == data


@pytest.mark.parametrize("name", CODINGS)
def test_the_secret_in_an_encoded_body_is_replaced(recording: Recording, name: CodingName) -> None:
    """It is decoded, redacted, and encoded anew; until then it is not readable."""
    data = encode(WITH_SECRET, Coding(name, 2))
    body = recording.write(data, (b"Content-Encoding", name.encode()), step=5_000)
    content = decode(name, body.path.read_bytes(), 10_000_000)
    assert content == WITH_SECRET.replace(SECRET, b"REDACTED-1")
    assert not any(decode(name, each, 10_000_000) == WITH_SECRET for each in recording.watched)


def test_what_only_claims_to_be_encoded_is_looked_through_all_the_same(
    recording: Recording,
) -> None:
    """As the text that it is."""
    body = recording.write(WITH_SECRET, (b"Content-Encoding", b"gzip"))
    assert SECRET not in body.path.read_bytes()


def test_a_torn_body_is_kept_as_far_as_it_can_be_read(recording: Recording) -> None:
    """Nobody could read the rest."""
    data = encode(WITH_SECRET, Coding("gzip", 6))
    torn = data[:-2000]
    body = recording.write(torn, (b"Content-Encoding", b"gzip"))
    content = decode("gzip", body.path.read_bytes(), 10_000_000)
    assert content is not None
    assert b"REDACTED-1" in content
    assert SECRET not in content
    damaged = bytearray(data)
    damaged[-2000:-1900] = b"\xff" * 100
    body = recording.write(bytes(damaged), (b"Content-Encoding", b"gzip"))
    content = decode("gzip", body.path.read_bytes(), 10_000_000)
    assert content is not None
    assert SECRET not in content


def test_a_body_that_never_ends_leaves_no_open_file(recording: Recording) -> None:
    """The recorder lets go of it."""
    body = FileBody(recording.folder / "bodies" / "1", 0, "")
    fields = ((b"Content-Encoding", b"gzip"),)
    sink = RedactedSink(body, recording.unfinished, recording.redactor, fields)
    sink.append(encode(LINES, Coding("gzip")))
    sink.close()
    sink.discard(b"")
    assert not recording.unfinished
    assert not body.path.exists()


def test_what_waits_is_sealed(tmp_path: Path) -> None:
    """In a file without a name, and not to be read without the key."""
    sealed = _Sealed(tmp_path)
    sealed.write(SECRET)
    sealed.write(b"more")
    assert b"".join(sealed.read()) == SECRET + b"more"
    sealed._file.seek(0)
    assert SECRET not in sealed._file.read()
    if os.name == "posix":
        assert not list(tmp_path.iterdir())
    sealed.close()
