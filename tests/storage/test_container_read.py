"""Reading containers: lazily, at constant cost, from several threads, and with trust in nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.messages import FileBody, Response
from magneto_serge.storage import container_read, container_write
from magneto_serge.storage.container_read import mapped

from .containers import contained, everything, opened, some
from .interactions import exchange


def test_opening_reads_the_ends_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many interactions there are, opening looks at the head and the footer."""
    checked = []
    original = container_read.payload_of

    def watched(path: Path, buffer: memoryview, offset: int, end: int) -> object:
        checked.append(offset)
        return original(path, buffer, offset, end)

    monkeypatch.setattr(container_read, "payload_of", watched)
    container = opened(contained(*some(500)))
    assert checked == [8]
    assert len(container) == 500
    container.interaction_at(400)
    assert checked == [8, container.place(400)]


def test_a_damaged_interaction_spoils_no_other() -> None:
    """What is whole can be read whatever happened beside it."""
    data = bytearray(contained(*some(5)))
    place = opened(bytes(data)).place(2)
    data[place + 20] ^= 1
    container = opened(bytes(data))
    assert [container.interaction_at(number) for number in (0, 1, 3, 4)] == [
        each for number, each in enumerate(some(5)) if number != 2
    ]
    with pytest.raises(CassetteError, match=f"byte {place}: the frame's checksum is wrong"):
        container.interaction_at(2)


def test_numbers_beyond_the_end() -> None:
    """There is no interaction before the first or after the last."""
    container = opened(contained(*some(2)))
    for number in (-1, 2):
        with pytest.raises(IndexError):
            container.lend(number)


def test_another_key_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests that were made by another rule are not looked up; the interactions still play."""
    monkeypatch.setattr(container_write, "KEY_SCHEME", 99)
    container = opened(contained(*some(2)))
    assert not container.searchable
    assert everything(container) == some(2)


@pytest.mark.parametrize(
    "reference",
    ["frame:", "frame:x", "frame:8", "frame:99999999999999999999", "frame:-1", "frame:99999"],
)
def test_a_body_that_is_not_where_it_should_be(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """References to frames that are none, or of another kind, are refused."""
    _refer(monkeypatch, FileBody(Path(reference), 3, ""))
    with pytest.raises(CassetteError, match=r"byte|offset"):
        opened(contained(exchange("/"))).interaction_at(0)


@pytest.mark.parametrize("reference", ["/etc/passwd", "../x", "tape.bodies/../../x", "a.bodies/b"])
def test_a_side_file_that_is_not_ours(reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cassette can name a digest in a `.bodies` folder beside it, and nothing else."""
    _refer(monkeypatch, FileBody(Path(reference), 3, "ab"))
    with pytest.raises(CassetteError, match=r"interaction 1, response\.body\.file: .* is not NAME"):
        opened(contained(exchange("/"))).interaction_at(0)


def test_a_body_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that holds more or less than was recorded is refused."""
    original = container_write.ContainerFrames._reference

    def wrong(self: container_write.ContainerFrames, body: object) -> object:
        found = original(self, body)  # type: ignore[arg-type]  # handed on
        return msgspec.structs.replace(found, size=7) if isinstance(found, FileBody) else found

    monkeypatch.setattr(container_write.ContainerFrames, "_reference", wrong)
    with pytest.raises(CassetteError, match="the body has 70000 bytes, 7 were recorded"):
        opened(contained(exchange("/", bytes(70_000)))).interaction_at(0)


def _refer(monkeypatch: pytest.MonkeyPatch, reference: FileBody) -> None:
    """Let every response refer to this in place of its body."""

    def changed(self: object, interaction: object) -> object:
        return msgspec.structs.replace(interaction, response=Response(200, body=reference))

    monkeypatch.setattr(container_write.ContainerFrames, "_with_references", changed)


@pytest.mark.parametrize("coding", ["", "gz", "zst"])
def test_threads(coding: str) -> None:
    """Any number of threads read one container, and each gets what was recorded."""
    said = some(150)
    container = opened(contained(*said, coding=coding))
    wrong: list[int] = []

    def read() -> None:
        wrong.extend(n for n in range(150) if container.interaction_at(n) != said[n])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_mapping(tmp_path: Path) -> None:
    """A mapped file has its content, also when it is empty."""
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert mapped(path) == b""
    path.write_bytes(b"content")
    assert mapped(path) == b"content"


def test_requests_are_never_views() -> None:
    """A request is compared, which needs more than a view: its body is bytes, however large."""
    large = bytes(range(256)) * 400
    container = opened(contained(exchange("/", large, sent=large)))
    assert container.lend(0).request.body == large
    assert isinstance(container.lend(0).request.body, bytes)
