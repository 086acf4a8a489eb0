"""What recording keeps of a body: in memory up to the limit, on the disk from there on."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.messages import FileBody
from magneto_serge.proxy.tee import Spool, Spooled, Tee, forget

from .sink import FakeSink

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which spools put their files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@given(pieces=PIECES, limit=st.integers(0, 100))
def test_tee_keeps_every_byte(pieces: list[bytes], limit: int) -> None:
    """Up to the limit the body is bytes; above it is a file, in the same order."""
    sink = FakeSink()
    tee = Tee(sink, limit)
    for piece in pieces:
        tee.add(piece)
    body = tee.close()
    whole = b"".join(pieces)
    assert tee.size == len(whole)
    if len(whole) <= limit:
        assert body == whole
        assert sink.bodies == []
    else:
        assert isinstance(body, FileBody)
        assert sink.bodies[0].data == whole


def test_tee_can_be_discarded() -> None:
    """A body whose exchange is not recorded leaves nothing on the disk; twice is no error."""
    sink = FakeSink()
    tee = Tee(sink, 1)
    tee.add(b"large")
    tee.discard()
    tee.discard()
    assert sink.bodies[0].discarded
    small = Tee(sink, 10)
    small.add(b"small")
    small.discard()
    assert small.close() == b""


def test_tee_is_closed_once() -> None:
    """A closed file is not closed again."""
    sink = FakeSink()
    tee = Tee(sink, 1)
    tee.add(b"large")
    assert isinstance(tee.close(), FileBody)
    tee.discard()
    assert not sink.bodies[0].discarded


@given(pieces=PIECES, limit=st.integers(0, 100))
def test_spool_keeps_every_byte(pieces: list[bytes], limit: int) -> None:
    """A file has the digest by which a recorded side file is matched, and is gone afterwards."""
    spool = Spool(limit)
    for piece in pieces:
        spool.add(piece)
    body = spool.close()
    whole = b"".join(pieces)
    assert spool.size == len(whole)
    if len(whole) <= limit:
        assert body == whole
    else:
        assert isinstance(body, FileBody)
        assert body.path.read_bytes() == whole
        assert (body.size, body.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
        spool.discard()
        assert not body.path.exists()
    spool.discard()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_spool_on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The piece that does not fit is an error; nothing else is, and nothing is left behind."""
    path = folder / "body"
    path.touch()
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (full, str(path)))
    spool = Spool(1)
    with pytest.raises(OSError, match="No space left"):
        spool.add(b"large")
    spool.discard()
    assert list(folder.iterdir()) == []


def test_spooled_file_is_private(folder: Path) -> None:
    """Request bodies hold secrets: nobody else may read them."""
    spool = Spool(1)
    spool.add(b"secret")
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    spool.discard()
    assert list(folder.iterdir()) == []


def test_a_spooled_body_is_a_file_until_it_is_forgotten() -> None:
    """With the digest that another one is compared by."""
    sink = Spooled()
    sink.write(b"lar")
    sink.write(b"ge")
    body = sink.close()
    assert (body.path.read_bytes(), body.size) == (b"large", 5)
    assert body.sha256 == hashlib.sha256(b"large").hexdigest()
    forget(body)
    forget(body)
    assert not body.path.exists()


def test_a_spooled_body_can_be_discarded() -> None:
    """Nothing stays."""
    sink = Spooled()
    sink.write(b"x")
    sink.discard()
    forget(sink.close())


def test_a_full_disk_leaves_a_body_that_is_equal_to_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The traffic goes on, and the trouble is told."""

    def full(_: Spool, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "add", full)
    sink = Spooled()
    sink.write(b"x")
    sink.write(b"y")
    body = sink.close()
    assert (sink.trouble is not None, body.sha256) == (True, "")
    forget(body)
